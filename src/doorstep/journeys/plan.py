"""A journey compiled for the kernel: what to ask of rows and traits, what to keep count of, and criteria as programs.

Every row is reduced to its time, the bits of the questions it meets, numbers to add and codes to tell apart. Criteria
trees become postfix programs over *leaves*, each a comparison of one number; equal leaves and counters are one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from doorstep.definitions.conditions import All, AnyOf, Condition, Not, Test
from doorstep.definitions.criteria import (
    Aged,
    Bounds,
    Count,
    Criterion,
    Distinct,
    Every,
    Leaf,
    Nor,
    Rows,
    Some,
    Stayed,
    Sum,
    Trait,
    Used,
    criterion_of,
    leaves_of,
)
from doorstep.definitions.journey import Journey
from doorstep.journeys.account import NEVER
from doorstep.matching.plan import Question

COUNT, SUM, DISTINCT = 0, 1, 2
"""What a counter keeps."""

NUMBER, FEATURES, AGE, DWELL, TRAIT = 0, 1, 2, 3, 4
"""What a leaf compares."""

PUSH, AND, OR, NOT = 0, 1, 2, 3
"""What a program does: push a leaf; join the last ``n``; turn the last one round."""

ANY_STAGE: Final = -2


@dataclass(frozen=True, slots=True)
class Counter:
    """A number kept over a window: rows of a question, the sum of a property over them, its different values."""

    kind: int
    question: int
    within: int
    slot: int = -1


@dataclass(frozen=True, slots=True)
class Compared:
    """A leaf: ``kind``, then what is compared. `NUMBER`: counter; `FEATURES`: [first, last) of ``used``; `AGE`,
    `DWELL`: least time (and stage); `TRAIT`: test. ``bounds`` for the first two.
    """

    kind: int
    first: int = 0
    last: int = 0
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class JourneyPlan:
    """Everything the kernel needs. ``summed`` and ``told`` are properties to add up and to tell apart, by slot."""

    questions: tuple[Question, ...]
    counters: tuple[Counter, ...]
    used: tuple[int, ...]
    summed: tuple[str, ...]
    told: tuple[str, ...]
    tests: tuple[Test, ...]
    leaves: tuple[Compared, ...]
    programs: tuple[tuple[tuple[int, int], ...], ...]
    unranked: frozenset[int]
    backward: bool
    skip: bool
    grace: int
    only_rises: bool
    """Whether no criterion can come to hold because something leaves a window."""

    @property
    def windows(self) -> tuple[int, ...]:
        """The lengths of windows, `NEVER` for what is counted for ever."""
        return tuple(sorted({counter.within for counter in self.counters}))


def compile_plan(journey: Journey) -> JourneyPlan:
    """The plan of a valid journey."""
    return _Compiler(journey).plan()


_T = TypeVar("_T")


class _Numbered(dict[_T, int]):
    """Things in the order they were asked for, each once."""

    def number(self, thing: _T) -> int:
        return self.setdefault(thing, len(self))


class _Compiler:
    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.questions: _Numbered[Question] = _Numbered()
        self.counters: _Numbered[Counter] = _Numbered()
        self.summed: _Numbered[str] = _Numbered()
        self.told: _Numbered[str] = _Numbered()
        self.tests: _Numbered[Test] = _Numbered()
        self.leaves: _Numbered[Compared] = _Numbered()
        self.used: list[int] = []

    def plan(self) -> JourneyPlan:
        journey = self.journey
        criteria = [criterion_of(journey, position) for position in range(len(journey.stages))]
        programs = tuple(tuple(self.program(criterion)) for criterion in criteria)
        movement = journey.movement
        return JourneyPlan(
            questions=tuple(self.questions),
            counters=tuple(self.counters),
            used=tuple(self.used),
            summed=tuple(self.summed),
            told=tuple(self.told),
            tests=tuple(self.tests),
            leaves=tuple(self.leaves),
            programs=programs,
            unranked=frozenset(place for place, stage in enumerate(journey.stages) if stage.rank is not None),
            backward=movement.backward,
            skip=movement.skip,
            grace=movement.grace,
            only_rises=not movement.backward and all(map(_only_rises, criteria)),
        )

    def program(self, criterion: Criterion) -> list[tuple[int, int]]:
        match criterion:
            case Every():
                return self.joined(criterion.of, AND)
            case Some():
                return self.joined(criterion.of, OR)
            case Nor():
                return [*self.program(criterion.of), (NOT, 0)]
            case Trait():
                return self.condition(criterion.condition)
            case _:
                return [(PUSH, self.leaves.number(self.leaf(criterion)))]

    def joined(self, parts: Sequence[Criterion], operation: int) -> list[tuple[int, int]]:
        return [*(step for part in parts for step in self.program(part)), (operation, len(parts))]

    def condition(self, condition: Condition) -> list[tuple[int, int]]:
        match condition:
            case Test():
                return [(PUSH, self.leaves.number(Compared(TRAIT, self.tests.number(condition))))]
            case Not():
                return [*self.condition(condition.of), (NOT, 0)]
            case All() | AnyOf():
                steps = [step for part in condition.of for step in self.condition(part)]
                return [*steps, (AND if isinstance(condition, All) else OR, len(condition.of))]

    def leaf(self, leaf: Leaf) -> Compared:
        match leaf:
            case Count():
                return Compared(NUMBER, self.counter(COUNT, leaf.rows, leaf.within), 0, leaf.bounds)
            case Sum():
                slot = self.summed.number(leaf.property)
                return Compared(NUMBER, self.counter(SUM, leaf.rows, leaf.within, slot), 0, leaf.bounds)
            case Distinct():
                slot = self.told.number(leaf.property)
                return Compared(NUMBER, self.counter(DISTINCT, leaf.rows, leaf.within, slot), 0, leaf.bounds)
            case Used():
                first = len(self.used)
                self.used += [self.counter(COUNT, rows, leaf.within) for _, rows in leaf.catalogue]
                return Compared(FEATURES, first, len(self.used), leaf.bounds)
            case Aged():
                return Compared(AGE, leaf.least)
            case Stayed():
                return Compared(DWELL, leaf.least, ANY_STAGE if leaf.stage is None else leaf.stage)
            case Trait():
                raise AssertionError(leaf)

    def counter(self, kind: int, rows: Rows, within: int | None, slot: int = -1) -> int:
        question = self.questions.number(Question(rows.events, rows.condition))
        return self.counters.number(Counter(kind, question, NEVER if within is None else within, slot))


def _only_rises(criterion: Criterion) -> bool:
    """Whether it can come to hold only by a row, a trait, an age or a dwell, never by a row that leaves a window."""
    match criterion:
        case Every() | Some():
            return all(map(_only_rises, criterion.of))
        case Nor():
            counted = (leaf for leaf in leaves_of(criterion.of) if isinstance(leaf, Count | Sum | Distinct | Used))
            return all(leaf.within is None for leaf in counted)
        case Count() | Distinct() | Used():
            return criterion.within is None or criterion.bounds.high is None
        case Sum():
            return criterion.within is None
        case _:
            return True


def whole_bounds(bounds: Bounds, scale: int) -> tuple[int, int]:
    """The bounds of a number that is kept as a whole number of ``1 / scale``."""
    low = -NEVER if bounds.low is None else math.ceil(bounds.low * scale)
    high = NEVER if bounds.high is None else math.floor(bounds.high * scale)
    return max(-NEVER, min(NEVER, low)), max(-NEVER, min(NEVER, high))


def conditions_of(journey: Journey, plan: JourneyPlan) -> tuple[Condition, ...]:
    """Every condition on a row: the questions', and those of `exclude`."""
    return (*(rule.condition for rule in journey.exclude), *(question.condition for question in plan.questions))


__all__ = ["Compared", "Counter", "JourneyPlan", "compile_plan", "conditions_of", "whole_bounds"]
