"""The stage machine in plain Python, to be read beside semantics 10; `kernel` does the same over flat arrays.

`walk` asks the machine at every instant at which something can change. At each it looks at all rows anew: slow, plain,
and what `explain`, examples and the tests of the kernel go by.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from operator import attrgetter
from typing import Literal

from doorstep.definitions.criteria import (
    Aged,
    Count,
    Criterion,
    Distinct,
    Every,
    Nor,
    Rows,
    Some,
    Stayed,
    Sum,
    Trait,
    Used,
    criterion_of,
    leaves_of,
    number_as_written,
)
from doorstep.definitions.journey import Journey
from doorstep.journeys.account import NEVER, Account, Row, Traits, born_at
from doorstep.journeys.values import distinct_key, number_in
from doorstep.matching.conditions import look_up, meets
from doorstep.matching.plan import Question

Cause = Literal["criteria", "manual"]
Dwells = Mapping[Stayed, bool]


@dataclass(frozen=True, slots=True)
class Transition:
    """From one stage (position) to another, passing over ``skipped``."""

    from_stage: int
    to_stage: int
    skipped: tuple[int, ...]
    occurred_at: int
    cause: Cause


@dataclass(slots=True)
class State:
    """Where an account stands. ``kept``: each `time_in_stage` as it was when the stage was entered; ``failing``: since
    when the stage's criteria have been false without a break; ``held``: whether they have held since the last move by
    hand; ``free``: stages whose criteria have been false since then, so that they may be entered.
    """

    stage: int
    since: int
    kept: Dwells = field(default_factory=dict)
    failing: int | None = None
    held: bool = True
    free: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class History:
    """What became of an account up to the horizon. ``high_water`` is the position of the furthest ranked stage, None
    where it was only in stages without rank; ``due``: when, without news, something may change next (`NEVER`: never).
    """

    born_at: int
    transitions: tuple[Transition, ...]
    high_water: int | None
    state: State
    due: int


def walk(journey: Journey, account: Account, until: int) -> History | None:
    """The account's history up to and including ``until``; None while it is unborn."""
    seen = account.until(until)
    birth = born_at(seen)
    return None if birth > until else _Machine(journey, seen, birth).walk(until)


class Signals:
    """Criteria as functions of time, over one account, whose rows are in the order of time."""

    def __init__(self, account: Account, birth: int) -> None:
        self.account, self.birth = account, birth
        self.traits = Traits.of(account, birth)
        self.known = [self.traits.beside(row) for row in account.rows] if account.traits else list(account.rows)
        self._met: dict[Question, list[Row]] = {}

    def rows(self, rows: Rows, within: int | None, time: int) -> list[Row]:
        """Rows of the selector in the window: ``time - within < row time <= time``."""
        question = Question(rows.events, rows.condition)
        if question not in self._met:
            self._met[question] = [row for row in self.known if meets(question, row.event, row.properties)]
        met = self._met[question]
        first = 0 if within is None else bisect_right(met, time - within, key=attrgetter("time"))
        return met[first : bisect_right(met, time, key=attrgetter("time"))]

    def value(self, of: Count | Sum | Distinct | Used, time: int) -> int | Fraction:
        """The number that the bounds are held against."""
        match of:
            case Count():
                return len(self.rows(of.rows, of.within, time))
            case Sum():
                rows = self.rows(of.rows, of.within, time)
                values = (number_in(look_up(row.properties, of.property)) for row in rows)
                return sum((number_as_written(one) for one in values if one is not None), Fraction(0))
            case Distinct():
                rows = self.rows(of.rows, of.within, time)
                keys = {distinct_key(look_up(row.properties, of.property)) for row in rows}
                return len(keys - {None})
            case Used():
                return sum(bool(self.rows(rows, of.within, time)) for _, rows in of.catalogue)

    def age_from(self, time: int) -> int:
        """The instant from which age counts, as known at ``time``."""
        created = self.traits.created_at(time)
        first = self.account.rows[0].time if self.account.rows else self.birth
        return first if created is None else created

    def holds(self, criterion: Criterion, time: int, dwells: Dwells) -> bool:
        """Whether a criterion holds; ``dwells`` says what each `time_in_stage` is."""
        match criterion:
            case Count() | Sum() | Distinct() | Used():
                return criterion.bounds.hold(self.value(criterion, time))
            case Aged():
                return time >= self.age_from(time) + criterion.least
            case Stayed():
                return dwells[criterion]
            case Trait():
                return self.traits.meet(criterion.condition, time)
            case Every():
                return all(self.holds(part, time, dwells) for part in criterion.of)
            case Some():
                return any(self.holds(part, time, dwells) for part in criterion.of)
            case Nor():
                return not self.holds(criterion.of, time, dwells)

    def instants(self, windows: set[int], ages: set[int]) -> Iterator[int]:
        """When a criterion may change by itself, moves by hand and dwells apart."""
        yield self.birth
        for row in self.account.rows:
            yield row.time
            yield from (row.time + window for window in windows)
        yield from self.traits.instants()
        starts = [created for time in self.traits.instants() if (created := self.traits.created_at(time)) is not None]
        starts += [row.time for row in self.account.rows[:1]]
        for start in starts:
            yield start
            yield from (start + age for age in ages)


class _Machine:
    def __init__(self, journey: Journey, account: Account, birth: int) -> None:
        self.journey, self.account, self.birth = journey, account, birth
        self.criteria = [criterion_of(journey, position) for position in range(len(journey.stages))]
        self.leaves = [leaf for criterion in self.criteria for leaf in leaves_of(criterion)]
        self.dwells = {leaf for leaf in self.leaves if isinstance(leaf, Stayed)}
        self.signals = Signals(account, birth)
        self.state = State(0, birth, free=set(range(len(self.criteria))))
        self.transitions: list[Transition] = []

    def walk(self, until: int) -> History:
        windows = {leaf.within for leaf in self.leaves if isinstance(leaf, Count | Sum | Distinct | Used)} - {None}
        ages = {leaf.least for leaf in self.leaves if isinstance(leaf, Aged)}
        fixed = {*self.signals.instants({one for one in windows if one is not None}, ages)}
        instants = [time for time in {*fixed, *(move.time for move in self.account.moves)} if time >= self.birth]
        heapq.heapify(instants)
        while instants and instants[0] <= until:
            time = heapq.heappop(instants)
            self.ask(time)
            for move in self.account.moves:
                if move.time == time and move.to != self.state.stage:
                    self.move_by_hand(time, move.to)
            for due in self.to_come():
                if due > time and due not in instants:
                    heapq.heappush(instants, due)
        ranked = [one for one in self.visited() if self.journey.stages[one].rank is None]
        return History(
            self.birth,
            tuple(self.transitions),
            max(ranked, default=None),
            self.state,
            min(instants, default=NEVER),
        )

    def visited(self) -> list[int]:
        return [0, *(one.to_stage for one in self.transitions)]

    def to_come(self) -> Iterator[int]:
        """Instants that follow from where the account stands: dwells, and the end of grace."""
        yield from (self.state.since + leaf.least for leaf in self.dwells)
        if self.state.failing is not None:
            yield self.state.failing + self.journey.movement.grace

    def ask(self, time: int) -> None:
        """Forward, else backward, again until neither applies."""
        while self.forward(time) or self.backward(time):
            pass

    def forward(self, time: int) -> bool:
        now, state = self.dwells_at(time), self.state
        holding = {
            position for position, criterion in enumerate(self.criteria) if self.signals.holds(criterion, time, now)
        }
        state.free |= set(range(len(self.criteria))) - holding
        above = [one for one in range(state.stage + 1, len(self.criteria)) if one in holding & state.free]
        if not self.journey.movement.skip:
            above = [one for one in above if one == state.stage + 1]
        if not above:
            return False
        self.enter(time, above[-1], tuple(range(state.stage + 1, above[-1])), "criteria")
        return True

    def backward(self, time: int) -> bool:
        state = self.state
        if not self.journey.movement.backward or state.stage == 0:
            return False
        if self.signals.holds(self.criteria[state.stage], time, state.kept):
            state.held, state.failing = True, None
            return False
        if state.failing is None and state.held:
            state.failing = time
        if state.failing is None or time < state.failing + self.journey.movement.grace:
            return False
        now = self.dwells_at(time)
        lower = [one for one in range(state.stage) if self.signals.holds(self.criteria[one], time, now)]
        self.enter(time, lower[-1], (), "criteria")
        return True

    def dwells_at(self, time: int) -> Dwells:
        state = self.state
        return {leaf: leaf.stage in (None, state.stage) and time >= state.since + leaf.least for leaf in self.dwells}

    def enter(self, time: int, stage: int, skipped: tuple[int, ...], cause: Cause) -> None:
        state = self.state
        self.transitions.append(Transition(state.stage, stage, skipped, time, cause))
        state.kept = self.dwells_at(time)
        state.stage, state.since, state.failing = stage, time, None

    def move_by_hand(self, time: int, stage: int) -> None:
        """After its instant's criteria: what holds now must first fail before it moves the account again."""
        self.enter(time, stage, (), "manual")
        state, now = self.state, self.dwells_at(time)
        state.held = stage == 0 or self.signals.holds(self.criteria[stage], time, state.kept)
        state.free = {
            position for position, criterion in enumerate(self.criteria) if not self.signals.holds(criterion, time, now)
        }


__all__ = ["History", "Signals", "State", "Transition", "walk"]
