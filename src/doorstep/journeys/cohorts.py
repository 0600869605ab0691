"""Accounts by when they were born, and how far each cohort had come at each age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from doorstep.definitions.journey import Journey
from doorstep.funnels.trend import By, day_of, following, local_days, starts_of
from doorstep.journeys.account import NEVER
from doorstep.journeys.histories import Walked
from doorstep.journeys.periods import calendar_of
from doorstep.journeys.visits import arrivals, visits_of

Integers = NDArray[np.int64]

DAY: Final = 86_400_000_000
STEPS: Final[dict[str, int]] = {"day": DAY, "week": 7 * DAY, "month": 30 * DAY}
"""Ages go by so many microseconds."""


@dataclass(frozen=True, slots=True)
class CohortStage:
    """One stage of a cohort, at each age: the share of its accounts that ``reached`` the stage or went past it by
    then, and that was ``there`` then. Of the accounts that are old enough by now; None where none is.
    """

    id: str
    reached: tuple[float | None, ...]
    there: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Cohort:
    """Accounts born in [``start``, ``end``), local dates; ``observed`` of them are known at each age."""

    start: date
    end: date
    accounts: int
    observed: tuple[int, ...]
    stages: tuple[CohortStage, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "accounts": self.accounts,
            "observed": list(self.observed),
            "stages": [{"id": one.id, "reached": list(one.reached), "there": list(one.there)} for one in self.stages],
        }


@dataclass(frozen=True, slots=True)
class Cohorts:
    """Every cohort from the first birth to the horizon; ``ages`` in seconds."""

    by: By
    timezone: str
    ages: tuple[float, ...]
    cohorts: tuple[Cohort, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "by": self.by,
            "timezone": self.timezone,
            "ages_seconds": list(self.ages),
            "cohorts": [one.to_dict() for one in self.cohorts],
        }


def cohorts_of(journey: Journey, walked: Walked, until: int, by: By, timezone: str, most_ages: int) -> Cohorts:
    """See `JourneyResult.cohorts`."""
    alive = walked.accounts[:, 1] >= 0
    births = walked.accounts[alive, 0]
    calendar = calendar_of(int(births.min(initial=until)), until, by, timezone)
    step, count = STEPS[by], most_ages + 1
    cohort = np.searchsorted(calendar.starts, starts_of(local_days(births, timezone), by))
    grid = _Grid(len(calendar.starts), count)
    known = np.minimum((until - births) // step + 1, count)
    observed = grid.between(cohort, np.zeros(len(births), np.int64), known)
    number = np.cumsum(alive) - 1  # an account's place among those that are born
    visits = visits_of(walked)
    stages = []
    for place in range(len(journey.stages)):
        came = arrivals(journey, walked, place)[alive]
        there = came < NEVER
        first = _age(np.where(there, came, births) - births, step, count)
        reached = grid.between(cohort[there], np.minimum(first, known)[there], known[there])
        own = visits.where(visits.stage == place)
        whose = number[own.account]
        begins = np.minimum(_age(own.entered - births[whose], step, count), known[whose])
        ends = np.minimum(_age(np.minimum(own.left, until + 1) - births[whose], step, count), known[whose])
        ends = np.where(own.ended, ends, known[whose])
        stages.append((reached, grid.between(cohort[whose], begins, ends)))
    sizes = np.bincount(cohort, minlength=len(calendar.starts))
    found = []
    for row, start in enumerate(calendar.starts.tolist()):
        first_day = day_of(start)
        found.append(
            Cohort(
                first_day,
                following(first_day, by),
                int(sizes[row]),
                tuple(observed[row].tolist()),
                tuple(
                    CohortStage(stage.id, _shares(reached[row], observed[row]), _shares(inside[row], observed[row]))
                    for stage, (reached, inside) in zip(journey.stages, stages, strict=True)
                ),
            )
        )
    return Cohorts(by, timezone, tuple(number * step / 1e6 for number in range(count)), tuple(found))


def _age(lasted: Integers, step: int, count: int) -> Integers:
    """The first age at which something that happened so long after birth has happened."""
    found: Integers = np.minimum(-(-lasted // step), count)
    return found


@dataclass(frozen=True, slots=True)
class _Grid:
    """Cohorts by ages."""

    rows: int
    columns: int

    def between(self, row: Integers, first: Integers, end: Integers) -> Integers:
        """In each cell, how many of the spans [first, end) of ages of the cohort cover it."""
        width = self.columns + 1
        size = self.rows * width
        begun = np.bincount(row * width + first, minlength=size)
        over = np.bincount(row * width + np.maximum(first, end), minlength=size)
        found: Integers = np.cumsum((begun - over).reshape(self.rows, width), axis=1)[:, :-1]
        return found


def _shares(part: Integers, whole: Integers) -> tuple[float | None, ...]:
    return tuple(a / b if b else None for a, b in zip(part.tolist(), whole.tolist(), strict=True))


__all__ = ["Cohort", "CohortStage", "Cohorts", "cohorts_of"]
