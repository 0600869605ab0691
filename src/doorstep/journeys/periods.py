"""Stages over the calendar: where accounts stood at the end of each period, and how they flowed between stages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from doorstep.definitions.journey import Journey
from doorstep.errors import RunError
from doorstep.funnels.bounds import microseconds_of, zone_of
from doorstep.funnels.result import instant
from doorstep.funnels.trend import MOST_PERIODS, By, day_of, following, local_days, starts_of
from doorstep.journeys.account import NEVER
from doorstep.journeys.histories import Walked
from doorstep.journeys.visits import NOWHERE, visits_of

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Standing:
    """One stage over the period: how many ``accounts`` were in it at its end, and how many visits of it began
    (``entered``) and ended (``left``) during it.
    """

    id: str
    accounts: int
    entered: int
    left: int

    @property
    def net(self) -> int:
        """By how much the stage grew."""
        return self.entered - self.left


@dataclass(frozen=True, slots=True)
class Moment:
    """The period [``start``, ``end``), local dates; ``partial``: the horizon lies in it, and stands for its end."""

    start: date
    end: date
    partial: bool
    born: int
    stages: tuple[Standing, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "partial": self.partial,
            "born": self.born,
            "stages": [
                {"id": one.id, "accounts": one.accounts, "entered": one.entered, "left": one.left, "net": one.net}
                for one in self.stages
            ],
        }


@dataclass(frozen=True, slots=True)
class Distribution:
    """Period by period, from the first birth to the horizon, without gaps."""

    by: By
    timezone: str
    periods: tuple[Moment, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"by": self.by, "timezone": self.timezone, "periods": [one.to_dict() for one in self.periods]}


@dataclass(frozen=True, slots=True)
class Calendar:
    """Periods without gaps: their first days (since 1970), and the instants at which they end, the last one's capped
    just after the horizon.
    """

    by: By
    starts: Integers
    ends: Integers
    partial: bool


def calendar_of(first: int, until: int, by: By, timezone: str) -> Calendar:
    """Every period from the one with ``first`` to the one with ``until``; RunError ``bad-period``,
    ``too-many-periods``.
    """
    if by not in get_args(By):
        raise RunError("bad-period", f"{by!r} is no period. Use one of {', '.join(get_args(By))}.")
    zone = zone_of(timezone)
    start, last = (int(one) for one in starts_of(local_days(np.array([first, until], np.int64), timezone), by))
    starts, here = [], day_of(start)
    while here <= day_of(last):
        starts.append((here - date(1970, 1, 1)).days)
        here = following(here, by)
        if len(starts) > MOST_PERIODS:
            raise RunError(
                "too-many-periods",
                f"by {by} there are more than {MOST_PERIODS:,} periods. Take longer ones.",
            )
    ends = [microseconds_of(following(day_of(one), by), "end", zone) or 0 for one in starts]
    return Calendar(
        by, np.array(starts, np.int64), np.minimum(np.array(ends, np.int64), until + 1), ends[-1] > until + 1
    )


def distribution_of(journey: Journey, walked: Walked, until: int, by: By, timezone: str) -> Distribution:
    """See `JourneyResult.distribution`."""
    visits = visits_of(walked)
    if not len(visits.entered):
        calendar_of(until, until, by, timezone)
        return Distribution(by, timezone, ())
    calendar = calendar_of(int(visits.entered.min()), until, by, timezone)
    born = _running(walked.accounts[walked.accounts[:, 1] >= 0, 0], calendar.ends)
    entered = [_running(visits.entered[visits.stage == place], calendar.ends) for place in range(len(journey.stages))]
    left = [
        _running(visits.left[(visits.stage == place) & (visits.left < NEVER)], calendar.ends)
        for place in range(len(journey.stages))
    ]
    periods = []
    for number, start in enumerate(calendar.starts.tolist()):
        stages = tuple(
            Standing(
                stage.id,
                int(entered[place][number] - left[place][number]),
                _within(entered[place], number),
                _within(left[place], number),
            )
            for place, stage in enumerate(journey.stages)
        )
        first = day_of(start)
        partial = calendar.partial and number == len(calendar.starts) - 1
        periods.append(Moment(first, following(first, by), partial, _within(born, number), stages))
    return Distribution(by, timezone, tuple(periods))


def _running(times: Integers, ends: Integers) -> Integers:
    """How many of the times lie before each end."""
    found: Integers = np.searchsorted(np.sort(times), ends, side="left").astype(np.int64)
    return found


def _within(running: Integers, number: int) -> int:
    return int(running[number] - (running[number - 1] if number else 0))


# -- flow --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passage:
    """How many visits led from one stage to another; ``from_stage`` None: accounts were born into it."""

    from_stage: str | None
    to_stage: str
    count: int


@dataclass(frozen=True, slots=True)
class Flow:
    """What moved in [``since``, ``until``) (microseconds), most first; None: no bound."""

    since: int | None
    until: int | None
    passages: tuple[Passage, ...]

    def count(self, from_stage: str | None, to_stage: str) -> int:
        """How many moved from one to the other."""
        return sum(one.count for one in self.passages if (one.from_stage, one.to_stage) == (from_stage, to_stage))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "since": instant(self.since),
            "until": instant(self.until),
            "passages": [{"from": one.from_stage, "to": one.to_stage, "count": one.count} for one in self.passages],
        }


BORN: Final = NOWHERE


def flow_of(journey: Journey, walked: Walked, since: int | None, until: int | None) -> Flow:
    """See `JourneyResult.flow`. From visit to visit: a stage left at the instant it was entered is passed through, and
    coming back to the same stage at one instant is no movement.
    """
    visits = visits_of(walked)
    low, high = (-NEVER if since is None else since), (NEVER if until is None else until)
    moved = (visits.entered >= low) & (visits.entered < high) & (visits.came != visits.stage)
    size = len(journey.stages)
    counts = np.bincount((visits.came[moved] + 1) * size + visits.stage[moved], minlength=(size + 1) * size)
    ids = [stage.id for stage in journey.stages]
    found = [
        Passage(None if code < size else ids[code // size - 1], ids[code % size], int(counts[code]))
        for code in np.argsort(-counts, kind="stable").tolist()
        if counts[code]
    ]
    return Flow(since, until, tuple(found))


__all__ = [
    "Calendar",
    "Distribution",
    "Flow",
    "Moment",
    "Passage",
    "Standing",
    "calendar_of",
    "distribution_of",
    "flow_of",
]
