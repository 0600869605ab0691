"""How many reached what: the figures that definitions are compared by, in parts that can be added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doorstep.definitions.funnel import Funnel
from doorstep.funnels.figures import ratio, reached_by
from doorstep.matching.attempts import STATUSES, Attempts, Flags

Integers = NDArray[np.int64]


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
    reached = reached_by(funnel, counted)
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
    done = counted.where(reached_by(funnel, counted)[:, funnel.required[-1]])
    return np.unique(done.unit << 24 | done.session)


def reached_units(funnel: Funnel, counted: Attempts, units: int) -> Flags:
    """units x N + 1: whether the unit counts at the step, by any of its attempts; in the last column whether it entered."""
    reached = reached_by(funnel, counted)
    found = np.zeros((units, reached.shape[1] + 1), bool)
    for step in range(reached.shape[1]):
        found[counted.unit[reached[:, step]], step] = True
    found[counted.unit, -1] = True
    return found
