"""A `JourneyPlan` and the lives of accounts as arrays, the form in which the compiled kernel reads them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from doorstep.journeys.account import NEVER
from doorstep.journeys.plan import SUM, JourneyPlan, whole_bounds

Integers = NDArray[np.int64]

UNTIMED = -NEVER
"""The time of a trait that holds since birth."""

NONE = NEVER + 1
"""A `created_at` that is not set."""


class Laid(NamedTuple):
    """A plan. Counters are in the order of their windows; ``within[w]`` has [begins[w], begins[w + 1])."""

    counters: Integers  # (C, 3) kind, question, slot
    within: Integers  # (W,)
    begins: Integers  # (W + 1,)
    watched: Integers  # (W,) bits of the questions whose rows may change a counter of the window; -1: any row may
    used: Integers  # counters of features
    leaves: Integers  # (L, 5) kind, first, last, low, high
    dwells: Integers  # leaves of that kind
    ages: Integers
    steps: Integers  # (P, 2) what a program does
    programs: Integers  # (S + 1,) where each stage's begins
    missing: NDArray[np.uint8]  # (T,) what a test of a trait is before the trait is set
    ranked: NDArray[np.uint8]  # (S,)
    rules: Integers  # backward, skip, grace, only_rises, told slots


class Events(NamedTuple):
    """Rows of account ``a`` are ``rows[starts[a]:starts[a + 1]]`` (dtype `matching.kernel.ROW`); what stands beside
    a row is found by its ``place``: further words, numbers to add, codes to tell apart (-1: none).
    """

    rows: NDArray[np.void]
    starts: Integers
    words: Integers  # (n, words - 1)
    numbers: Integers  # (n, sums)
    codes: NDArray[np.int32]  # (n, told)


class Given(NamedTuple):
    """Traits of account ``a`` at [starts[a], starts[a + 1]), in the order of their source."""

    starts: Integers
    time: Integers  # UNTIMED: since birth
    sets: NDArray[np.uint8]  # (m, T) whether the row sets the trait of a test
    holds: NDArray[np.uint8]  # (m, T) whether the value meets the test
    created: Integers  # NONE: not set


class Moves(NamedTuple):
    """Moves by hand of account ``a`` at [starts[a], starts[a + 1]), by time."""

    starts: Integers
    time: Integers
    to: Integers


class Begun(NamedTuple):
    """Where account ``a`` stood at the instant ``at``, if it is walked from there; ``stage[a]`` -1: from its birth. Of
    what came before, the rows that are still in some window must be among its rows, and no move may be.
    """

    at: int
    born: Integers
    stage: Integers
    entered: Integers
    high: Integers


def from_birth(count: int) -> Begun:
    """So many accounts that are walked from nothing."""
    none = np.full(count, -1, np.int64)
    return Begun(0, none, none, none, none)


def lay_out(plan: JourneyPlan, scales: Sequence[int]) -> Laid:
    """The arrays of a plan; ``scales``: of what part of one the numbers of each slot are whole numbers."""
    windows = plan.windows
    order = sorted(range(len(plan.counters)), key=lambda one: windows.index(plan.counters[one].within))
    place = {counter: index for index, counter in enumerate(order)}
    counters = [plan.counters[one] for one in order]
    sizes = [sum(counter.within == window for counter in counters) for window in windows]
    leaves = []
    for leaf in plan.leaves:
        number = leaf.kind == 0
        kept = counters[place[leaf.first]] if number else None
        scale = scales[kept.slot] if kept is not None and kept.kind == SUM else 1
        leaves.append(
            (leaf.kind, place[leaf.first] if number else leaf.first, leaf.last, *whole_bounds(leaf.bounds, scale))
        )
    kinds = [leaf.kind for leaf in plan.leaves]
    return Laid(
        counters=_table([(one.kind, one.question, one.slot) for one in counters], 3),
        within=np.array(windows, np.int64),
        begins=np.array([0, *accumulate(sizes)], np.int64),
        watched=np.array([_watched(plan, window) for window in windows], np.int64),
        used=np.array([place[one] for one in plan.used], np.int64),
        leaves=_table(leaves, 5),
        dwells=np.array([index for index, kind in enumerate(kinds) if kind == 3], np.int64),
        ages=np.array([index for index, kind in enumerate(kinds) if kind == 2], np.int64),
        steps=_table([step for program in plan.programs for step in program], 2),
        programs=np.array([0, *accumulate(map(len, plan.programs))], np.int64),
        missing=np.array([test.operator == "exists" and not test.operand[0] for test in plan.tests], np.uint8),
        ranked=np.array([stage not in plan.unranked for stage in range(len(plan.programs))], np.uint8),
        rules=np.array([plan.backward, plan.skip, plan.grace, plan.only_rises, len(plan.told)], np.int64),
    )


def _watched(plan: JourneyPlan, window: int) -> int:
    bits = {counter.question for counter in plan.counters if counter.within == window}
    return -1 if len(plan.questions) > 63 else sum(1 << bit for bit in bits)


def _table(lines: Sequence[Sequence[Any]], columns: int) -> Integers:
    return np.array(lines, np.int64).reshape(-1, columns)


__all__ = ["NONE", "UNTIMED", "Begun", "Events", "Given", "Laid", "Moves", "from_birth", "lay_out"]
