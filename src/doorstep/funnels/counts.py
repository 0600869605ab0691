"""How many reached what: the figures that definitions are compared by, in parts that can be added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from doorstep.definitions.funnel import Funnel
from doorstep.funnels.figures import ratio, reached_of
from doorstep.matching.attempts import STATUSES, Attempts, Flags

Integers = NDArray[np.int64]

SESSION_BITS: Final = 24
"""A session's number stands in so many bits below its unit's."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Of counted attempts: those that entered, completed, may still go on, and that count at each step."""

    entered: int
    completed: int
    open: int
    steps: tuple[int, ...]

    @property
    def conversion(self) -> float | None:
        """completed / entered; None over zero."""
        return ratio(self.completed, self.entered)

    def __add__(self, other: Counts) -> Counts:
        """Of both parts."""
        return Counts(
            self.entered + other.entered,
            self.completed + other.completed,
            self.open + other.open,
            tuple(one + two for one, two in zip(self.steps, other.steps, strict=True)),
        )


def nothing(funnel: Funnel) -> Counts:
    """Of no attempts."""
    return Counts(0, 0, 0, (0,) * len(funnel.steps))


def counts_of(funnel: Funnel, counted: Attempts) -> Counts:
    """The counts of attempts that all count; the same as those of `figures_of`."""
    reached = reached_of(funnel, counted)
    return Counts(
        len(counted),
        int(reached[:, funnel.required[-1]].sum()),
        int((counted.status == STATUSES.index("open")).sum()),
        tuple(int(column.sum()) for column in reached.T),
    )


def completed_units(funnel: Funnel, counted: Attempts) -> Integers:
    """The units, or sessions, with an attempt that completed: a number for each, sorted, each once. Numbers are alike
    where units and sessions are.
    """
    done = counted.where(reached_of(funnel, counted)[:, funnel.required[-1]])
    return np.unique(unit_keys(done))


def unit_keys(attempts: Attempts) -> Integers:
    """A number for the unit, or session, of each attempt."""
    keys: Integers = attempts.unit << SESSION_BITS | attempts.session
    return keys


def standing(funnel: Funnel, counted: Attempts, keys: Integers) -> Flags:
    """units x N + 2: whether the unit of each of the sorted ``keys`` counts at each step by any attempt, and, in the
    last two columns, entered and completed.
    """
    reached = reached_of(funnel, counted)
    found = np.zeros((len(keys), reached.shape[1] + 2), bool)
    place = np.searchsorted(keys, unit_keys(counted))
    known = place < len(keys)
    known[known] = keys[place[known]] == unit_keys(counted)[known]
    for step in range(reached.shape[1]):
        found[place[known & reached[:, step]], step] = True
    found[place[known], -2] = True
    found[:, -1] = found[:, funnel.required[-1]]
    return found
