"""The share that has completed by the time since the entry, where some may still do so.

Three things can befall an attempt: it completes, it ends otherwise (a deadline passes, an exclusion hits, a new entry
interrupts it), or it is still open at the horizon, which says only that neither has happened yet. The estimate is
Aalen and Johansen's: that of Kaplan and Meier for an event that something else may forestall. Where nothing is open it
is the plain share at every time; where nothing ends otherwise it is one minus Kaplan and Meier's.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from doorstep.definitions.funnel import Funnel
from doorstep.funnels.figures import SECOND, clocks_of, reached_of
from doorstep.matching.attempts import NEVER_REACHED, Attempts, Flags

Integers = NDArray[np.int64]
Shares = NDArray[np.float64]

MOST_EDGES: Final = 20_000
"""With more different times than this, times are rounded up to one of so many."""

CONFIDENCE: Final = 0.95
MOST_POINTS: Final = 60
_ROUNDING: Final = 1e-13
"""A variance below this is what rounding leaves of none."""


@dataclass(frozen=True, slots=True)
class Fates:
    """What befell n attempts: after how long (microseconds since the entry), and whether they completed or ended
    otherwise; neither: they were open.
    """

    lasted: Integers
    completed: Flags
    lost: Flags


def fates_of(funnel: Funnel, counted: Attempts, as_of: int) -> Fates:
    """The fates of counted attempts."""
    last = funnel.required[-1]
    completed = reached_of(funnel, counted)[:, last]
    lost = ~completed & (counted.ended_at != NEVER_REACHED)
    ended = np.where(completed, clocks_of(funnel, counted)[:, -1], np.where(lost, counted.ended_at, as_of))
    return Fates(np.maximum(ended - counted.entered_at, 0), completed, lost)


@dataclass(frozen=True, slots=True)
class Table:
    """A life table: at each edge (microseconds) how many completed, ended otherwise, and were last seen."""

    edges: Integers
    completed: Integers
    lost: Integers
    seen: Integers


def table_of(fates: Fates, *, most: int | None = MOST_EDGES) -> Table:
    """The life table of these fates, with ``most`` edges. Those last seen at an edge were still at risk there."""
    edges, place = np.unique(fates.lasted, return_inverse=True)
    if most is not None and len(edges) > most:
        chosen = edges[np.linspace(0, len(edges) - 1, most).astype(np.int64)]
        place = np.searchsorted(chosen, edges)[place]
        edges = chosen
    size = len(edges)
    count = [np.bincount(place[one], minlength=size) for one in (fates.completed, fates.lost)]
    return Table(edges, count[0], count[1], np.bincount(place, minlength=size) - count[0] - count[1])


@dataclass(frozen=True, slots=True)
class Estimate:
    """At each edge: how many were at risk, the share completed by then, the share that neither completed nor ended,
    and the variance of the first share.
    """

    at_risk: Integers
    completed: Shares
    waiting: Shares
    variance: Shares


def estimate(table: Table) -> Estimate:
    """Aalen and Johansen's estimate, with its variance by the delta method."""
    ended = table.completed + table.lost
    at_risk = np.cumsum((ended + table.seen)[::-1])[::-1]
    n = np.maximum(at_risk, 1).astype(np.float64)
    waiting: Shares = np.cumprod(1 - ended / n, dtype=np.float64)
    before = np.concatenate([[1.0], waiting[:-1]]) if len(n) else waiting
    share = np.cumsum(before * table.completed / n)
    stay = ended < at_risk
    all_hazard = np.where(stay, ended / (n * np.where(stay, n - ended, 1)), 0.0)
    own = before**2 * (n - table.completed) * table.completed / n**3
    both = before * table.completed / n**2
    variance = (
        share**2 * np.cumsum(all_hazard)
        - 2 * share * np.cumsum(share * all_hazard)
        + np.cumsum(share**2 * all_hazard)
        + np.cumsum(own)
        - 2 * share * np.cumsum(both)
        + 2 * np.cumsum(share * both)
    )
    return Estimate(at_risk, share, waiting, np.maximum(variance, 0.0, dtype=np.float64))


def interval(share: float, variance: float, number: float) -> tuple[float, float]:
    """Wilson's interval for a share that is known as well as one of ``share (1 - share) / variance`` attempts (of
    ``number`` where it is 0 or 1): the interval of the plain rate where nothing is open.
    """
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    number = max(number, 1.0)
    known = min(share * (1 - share) / variance, number) if variance > _ROUNDING else number
    middle = (share + z * z / (2 * known)) / (1 + z * z / known)
    half = z * math.sqrt(share * (1 - share) / known + z * z / (4 * known * known)) / (1 + z * z / known)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Point:
    """Of all that entered, the share completed ``seconds`` after the entry at the latest, its 95 % interval, and how
    many were still at risk then.
    """

    seconds: float
    share: float
    low: float
    high: float
    at_risk: int


@dataclass(frozen=True, slots=True)
class Curve:
    """The share completed by the time since the entry, at no more than some sixty times; ``final`` is the last one."""

    entered: int
    open: int
    points: tuple[Point, ...]

    @property
    def final(self) -> Point | None:
        """The share that completed in the end, as far as the data goes; None without attempts."""
        return self.points[-1] if self.points else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def curve_of(fates: Fates) -> Curve:
    """The curve of these fates."""
    entered, is_open = len(fates.lasted), int((~fates.completed & ~fates.lost).sum())
    if not entered:
        return Curve(0, 0, ())
    table = table_of(fates)
    found = estimate(table)
    steps = np.flatnonzero(table.completed)
    chosen = steps[np.unique(np.linspace(0, len(steps) - 1, MOST_POINTS).astype(np.int64))] if len(steps) else steps
    chosen = np.unique(np.append(chosen, len(table.edges) - 1))
    points = []
    for at in chosen.tolist():
        share = float(min(found.completed[at], 1.0))
        low, high = interval(share, float(found.variance[at]), float(entered))
        points.append(Point(float(table.edges[at]) / SECOND, share, low, high, int(found.at_risk[at])))
    return Curve(entered, is_open, tuple(points))


__all__ = ["Curve", "Estimate", "Fates", "Point", "Table", "curve_of", "estimate", "fates_of", "interval", "table_of"]
