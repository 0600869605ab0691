"""A funnel compiled for the walk: what to ask of each row, and how the steps hang together.

Every row is reduced to *(time, word)*: bit ``n`` of the word says that the row meets ``plan.questions[n]``. The first
bits are the steps in declared order, then the rules of ``exclude_between``, then re-entry events, then the
alternatives and sub-steps of ``any_of``; so the tie rule of semantics 1 can be read off the word (`tie_key`).
All times and durations are whole microseconds. Steps are referred to by position: ``position`` among all steps,
``rank`` among the required ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from doorstep.definitions.conditions import ALWAYS, Condition
from doorstep.definitions.funnel import ANY_EVENT, Alternative, Funnel, Reentry, Selector, SessionOf, Step, SubStep
from doorstep.definitions.windows import ENTRY, PREV, Window

FOREVER: Final = 1 << 62
"""Later than any time, and far enough below the 64-bit edge that sums with durations stay inside it."""

MOST_QUESTIONS: Final = 64

Dedupe = Literal["first", "last", "nearest"]


@dataclass(frozen=True, slots=True)
class Question:
    """Does the row have one of these event names and meet this condition? ``events`` is ``("*",)`` for any name.

    ``of`` holds questions of which any may be met instead (an `any_of` step, or several rules at once).
    """

    events: tuple[str, ...] = (ANY_EVENT,)
    condition: Condition = ALWAYS
    of: tuple[Question, ...] = ()

    def names(self, event: str) -> bool:
        """Whether the event's name is one of those asked for."""
        return self.events == (ANY_EVENT,) or event in self.events


@dataclass(frozen=True, slots=True)
class Deadline:
    """Windows of one step, the tightest of each anchor; `FOREVER` where there is none.

    ``named`` pairs the rank of a required step with a length; ``siblings`` the index of an earlier sub-step.
    """

    after_prev: int = FOREVER
    after_entry: int = FOREVER
    named: tuple[tuple[int, int], ...] = ()
    siblings: tuple[tuple[int, int], ...] = ()

    @property
    def limited(self) -> bool:
        """Whether there is any window at all."""
        return bool(self.after_prev < FOREVER or self.after_entry < FOREVER or self.named or self.siblings)


@dataclass(frozen=True, slots=True)
class SubStepPlan:
    """One step of a branch; ``bit`` of the word says that a row matches it."""

    bit: int
    deadline: Deadline
    min_gap: int
    dedupe: Dedupe


@dataclass(frozen=True, slots=True)
class AlternativePlan:
    """One way through an `any_of` step: the rows of ``bit``, or a sub-walk when ``steps`` is not empty."""

    bit: int
    deadline: Deadline
    steps: tuple[SubStepPlan, ...] = ()


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One door. ``previous`` is the rank of the required step before it (-1 for the first)."""

    position: int
    rank: int | None
    previous: int
    deadline: Deadline
    min_gap: int
    out_of_order: int | None
    dedupe: Dedupe
    alternatives: tuple[AlternativePlan, ...]

    @property
    def bit(self) -> int:
        """The bit of the word that says a row matches this step."""
        return self.position


@dataclass(frozen=True, slots=True)
class ExclusionPlan:
    """A row of ``bit`` between two required steps excludes the attempt."""

    bit: int
    after: int
    before: int
    drop: bool


@dataclass(frozen=True, slots=True)
class ReentryPlan:
    """One object of semantics 6; absent conditions are None (``event_bit``, ``below`` too)."""

    after: frozenset[str]
    no_within: int | None
    inactive: int | None
    event_bit: int | None
    below: int | None
    interrupt: bool


@dataclass(frozen=True, slots=True)
class FirstTime:
    """A step that only the unit's first ever row may match: the first of the rows of ``among_bit``."""

    position: int
    among_bit: int
    cleared: int
    """The bits that every other row loses: the step's own and its alternatives'."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the walk needs, and nothing about where rows come from."""

    questions: tuple[Question, ...]
    steps: tuple[StepPlan, ...]
    entry_mask: int
    step_mask: int
    tie_groups: tuple[int, ...]
    exclusions: tuple[ExclusionPlan, ...]
    reentry: Literal["never", "always"] | tuple[ReentryPlan, ...]
    window: int
    order: Literal["sequential", "consecutive", "any"]
    furthest: bool
    forbid_ties: bool
    represent: Literal["best", "first", "last"]
    count_attempts: bool
    firsts: tuple[FirstTime, ...]
    vanish_bit: int | None
    session_gap: int | None

    @property
    def required(self) -> tuple[StepPlan, ...]:
        """The required steps, by rank."""
        return tuple(step for step in self.steps if step.rank is not None)

    @property
    def optional(self) -> tuple[StepPlan, ...]:
        """The optional steps, in order."""
        return tuple(step for step in self.steps if step.rank is None)

    @property
    def needs_every_row(self) -> bool:
        """Whether rows that meet no question matter too: sessions are cut by them, consecutive steps broken."""
        return self.session_gap is not None or self.order == "consecutive"

    @property
    def needs_early_rows(self) -> bool:
        """Whether rows before the range matter although the walk does not see them."""
        return self.session_gap is not None or self.vanish_bit is not None or bool(self.firsts)


def tie_key(plan: Plan, word: int) -> tuple[int, ...]:
    """Orders rows of equal time (semantics 1): lowest matched step, then the set of steps as a number; then likewise
    by exclusion rules, re-entry events, alternatives. A row that matches none of a group comes last in it.
    """
    key: list[int] = []
    for group in plan.tie_groups:
        matched = word & group
        key += [(matched & -matched).bit_length() - 1 if matched else 64, matched]
    return tuple(key)


def compile_plan(funnel: Funnel) -> Plan:
    """The plan of a valid funnel."""
    return _Compiler(funnel).plan()


def _question(selector: Selector) -> Question:
    return Question(selector.event, selector.condition)


def _any(questions: Sequence[Question]) -> Question:
    return questions[0] if len(questions) == 1 else Question(of=tuple(questions))


class _Compiler:
    """Hands out bits in the order that the tie rule reads them."""

    def __init__(self, funnel: Funnel) -> None:
        self.funnel = funnel
        self.rank_of = {position: rank for rank, position in enumerate(funnel.required)}
        self.questions: list[Question] = [_step_question(step) for step in funnel.steps]

    def plan(self) -> Plan:
        funnel = self.funnel
        exclusions = tuple(
            ExclusionPlan(
                self.ask(_question(rule)),
                self.rank(rule.after),
                self.rank(rule.before),
                rule.effect == "drop",
            )
            for rule in funnel.exclude_between
        )
        after_exclusions = len(self.questions)
        rule = funnel.reentry
        reentry = rule if isinstance(rule, str) else tuple(self.reentry(one) for one in rule)
        after_reentry = len(self.questions)
        steps = tuple(self.step(position, step) for position, step in enumerate(funnel.steps))
        after_alternatives = len(self.questions)
        vanish = (
            self.ask(_any([_question(selector) for selector in funnel.exclude_units])) if funnel.exclude_units else None
        )
        firsts = tuple(
            self.first_time(steps[position], step) for position, step in enumerate(funnel.steps) if step.first_time
        )
        bounds = (0, len(steps), after_exclusions, after_reentry, after_alternatives)
        groups = tuple(_bits(low, high) for low, high in pairwise(bounds) if high > low)
        return Plan(
            questions=tuple(self.questions),
            steps=steps,
            entry_mask=sum(1 << position for position in funnel.entry_positions),
            step_mask=_bits(0, len(steps)),
            tie_groups=groups,
            exclusions=exclusions,
            reentry=reentry,
            window=funnel.window or FOREVER,
            order=funnel.order,
            furthest=funnel.match == "furthest",
            forbid_ties=funnel.ties == "forbid",
            represent=funnel.represent,
            count_attempts=funnel.count == "attempts",
            firsts=firsts,
            vanish_bit=vanish,
            session_gap=funnel.count_by.gap if isinstance(funnel.count_by, SessionOf) else None,
        )

    def ask(self, question: Question) -> int:
        self.questions.append(question)
        return len(self.questions) - 1

    def rank(self, step_id: object) -> int:
        return self.rank_of[self.funnel.positions[str(step_id)]]

    def step(self, position: int, step: Step) -> StepPlan:
        return StepPlan(
            position=position,
            rank=self.rank_of.get(position),
            previous=sum(1 for required in self.funnel.required if required < position) - 1,
            deadline=self.deadline(step.window),
            min_gap=step.min_gap or 0,
            out_of_order=step.out_of_order,
            dedupe=step.dedupe,
            alternatives=tuple(self.alternative(one) for one in step.any_of),
        )

    def alternative(self, alternative: Alternative) -> AlternativePlan:
        if not alternative.steps:
            return AlternativePlan(self.ask(_question(alternative)), self.deadline(alternative.window, own=True))
        ids = {str(sub.id): index for index, sub in enumerate(alternative.steps) if sub.id is not None}
        subs = tuple(self.sub_step(sub, ids) for sub in alternative.steps)
        return AlternativePlan(subs[0].bit, Deadline(), subs)

    def sub_step(self, sub: SubStep, ids: dict[str, int]) -> SubStepPlan:
        return SubStepPlan(
            self.ask(_question(sub)), self.deadline(sub.window, ids, own=True), sub.min_gap or 0, sub.dedupe
        )

    def deadline(self, windows: Sequence[Window], ids: dict[str, int] | None = None, *, own: bool = False) -> Deadline:
        """``own``: the windows alone; else the funnel's window counts as one after the entry."""
        siblings = ids or {}
        tightest: dict[str, int] = {}
        for window in windows:
            tightest[window.anchor] = min(window.length, tightest.get(window.anchor, FOREVER))
        named = [
            (window.removeprefix("step_"), length) for window, length in tightest.items() if window.startswith("step_")
        ]
        return Deadline(
            after_prev=tightest.get(PREV, FOREVER),
            after_entry=min(tightest.get(ENTRY, FOREVER), FOREVER if own else self.funnel.window or FOREVER),
            named=tuple((self.rank(step), length) for step, length in named if step not in siblings),
            siblings=tuple((siblings[step], length) for step, length in named if step in siblings),
        )

    def reentry(self, rule: Reentry) -> ReentryPlan:
        return ReentryPlan(
            after=frozenset(rule.after),
            no_within=rule.no_within,
            inactive=rule.inactive,
            event_bit=None if rule.event is None else self.ask(_question(rule.event)),
            below=None if rule.below_step is None else self.rank(rule.below_step),
            interrupt=rule.interrupt,
        )

    def first_time(self, plan: StepPlan, step: Step) -> FirstTime:
        cleared = 1 << plan.position
        for alternative in plan.alternatives:
            cleared |= sum(1 << sub.bit for sub in alternative.steps) if alternative.steps else 1 << alternative.bit
        if step.first_time == "matching":
            return FirstTime(plan.position, plan.position, cleared)
        selectors: Sequence[Selector] = step.any_of or (step,)
        names = {name for selector in selectors for name in selector.event}
        events = (ANY_EVENT,) if ANY_EVENT in names else tuple(sorted(names))
        return FirstTime(plan.position, self.ask(Question(events)), cleared)


def _step_question(step: Step) -> Question:
    if not step.any_of:
        return _question(step)
    parts = [_question(part) for alternative in step.any_of for part in (alternative.steps or (alternative,))]
    return _any(parts)


def _bits(low: int, high: int) -> int:
    return (1 << high) - (1 << low)


__all__ = ["Plan", "compile_plan", "tie_key"]
