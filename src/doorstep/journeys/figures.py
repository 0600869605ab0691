"""What becomes of accounts, stage by stage: time inside, conversion, velocity, who is stuck (semantics 10, *Figures*).

Durations are estimated by Kaplan and Meier: an account that is still inside has only said that it stays longer than it
has so far. The median is the least time after which at least half have left; None where that cannot be told yet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from doorstep.definitions.journey import Journey
from doorstep.funnels.curve import Curve, Fates, curve_of, estimate, table_of
from doorstep.journeys.account import NEVER
from doorstep.journeys.histories import Walked
from doorstep.journeys.visits import Visits, arrivals, ranked, visits_of

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

SECOND: Final = 1e6
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Stay:
    """Time spent in a stage, per visit, in seconds. ``open`` visits go on. ``curve`` is the share that has left by the
    time since it came.
    """

    visits: int
    open: int
    median_seconds: float | None
    p90_seconds: float | None
    curve: Curve


@dataclass(frozen=True, slots=True)
class Leaving:
    """How visits ended: ``onward`` to a ranked stage further on, ``back`` to any other; and the share of visits that
    lead onward in the end, as far as the data goes, those that go on taken into account (Aalen and Johansen).
    """

    onward: int
    back: int
    onward_share: float | None


@dataclass(frozen=True, slots=True)
class Velocity:
    """Time from birth until an account is in the stage or past it, in seconds: the median and p90 over all accounts,
    those not yet there censored (None: fewer have come so far), and the plain median over those that are.
    """

    median_seconds: float | None
    p90_seconds: float | None
    median_reached_seconds: float | None


@dataclass(frozen=True, slots=True)
class StageReport:
    """A stage: ``accounts`` in it now, ``reached`` it or went past it at any time, and the share of these who reached
    the next ranked stage (``conversion``; None for the last, for stages without rank, and over nobody).
    """

    id: str
    name: str
    accounts: int
    reached: int
    conversion: float | None
    stay: Stay
    leaving: Leaving
    velocity: Velocity

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def reports_of(journey: Journey, walked: Walked, until: int) -> tuple[StageReport, ...]:
    """A report of each stage, in order."""
    visits, order = visits_of(walked), ranked(journey)
    born = walked.accounts[:, 1] >= 0
    came = [arrivals(journey, walked, place) for place in range(len(journey.stages))]
    reached = [int((times < NEVER).sum()) for times in came]
    following = dict(pairwise(order))
    found = []
    for place, stage in enumerate(journey.stages):
        own = visits.where(visits.stage == place)
        after = following.get(place)
        found.append(
            StageReport(
                id=stage.id,
                name=stage.label,
                accounts=int((~own.ended).sum()),
                reached=reached[place],
                conversion=None if after is None or not reached[place] else reached[after] / reached[place],
                stay=_stay(own, until),
                leaving=_leaving(own, until, [one for one in order if one > place]),
                velocity=_velocity(came[place][born], walked.accounts[born, 0], until),
            )
        )
    return tuple(found)


def _stay(visits: Visits, until: int) -> Stay:
    fates = _fates(visits.lasted(until), visits.ended)
    median, p90 = quantiles(fates, 0.5, 0.9)
    return Stay(len(visits.stage), int((~visits.ended).sum()), median, p90, curve_of(fates))


def _leaving(visits: Visits, until: int, further: list[int]) -> Leaving:
    onward = visits.ended & np.isin(visits.went, further)
    back = visits.ended & ~onward
    final = curve_of(Fates(visits.lasted(until), onward, back)).final
    return Leaving(int(onward.sum()), int(back.sum()), None if final is None else final.share)


def _velocity(came: Integers, born: Integers, until: int) -> Velocity:
    there = came < NEVER
    taken = np.minimum(came, until) - born
    median, p90 = quantiles(_fates(taken, there), 0.5, 0.9)
    reached = float(np.median(taken[there])) / SECOND if there.any() else None
    return Velocity(median, p90, reached)


def _fates(lasted: Integers, ended: Flags) -> Fates:
    return Fates(lasted, ended, np.zeros(len(ended), bool))


def quantiles(fates: Fates, *shares: float) -> tuple[float | None, ...]:
    """For each share the least time (seconds) by which at least so many have completed; None where not enough have."""
    if not len(fates.lasted):
        return tuple(None for _ in shares)
    table = table_of(fates, most=None)
    completed = estimate(table).completed
    found: list[float | None] = []
    for share in shares:
        place = int(np.searchsorted(completed, share - _ROUNDING))
        found.append(float(table.edges[place]) / SECOND if place < len(completed) else None)
    return tuple(found)


def stuck(walked: Walked, until: int, longer_than: int) -> Integers:
    """Numbers of the accounts that have been longer than ``longer_than`` (microseconds) in the stage they are in."""
    born, since = walked.accounts[:, 1] >= 0, walked.accounts[:, 2]
    found: Integers = np.flatnonzero(born & (until - np.where(born, since, until) > longer_than))
    return found


__all__ = ["Leaving", "StageReport", "Stay", "Velocity", "quantiles", "reports_of", "stuck"]
