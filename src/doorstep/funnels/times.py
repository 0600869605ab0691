"""How long steps took: distributions, and the conversion over the time since the entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from doorstep.definitions.funnel import Funnel
from doorstep.funnels.curve import Curve, curve_of, fates_of
from doorstep.funnels.figures import SECOND, clocks_of, reached_of, times_of
from doorstep.funnels.notebook import Shown
from doorstep.funnels.projection import Projection, project
from doorstep.matching.attempts import Attempts

MINUTE, HOUR, DAY = 60, 3_600, 86_400
EDGES: Final = (
    *(0, 1, 2, 5, 10, 20, 30),
    *(MINUTE * n for n in (1, 2, 5, 10, 20, 30)),
    *(HOUR * n for n in (1, 2, 4, 8, 12)),
    *(DAY * n for n in (1, 2, 3, 5, 7, 14, 21, 30, 60, 90, 180, 365)),
)
"""Where the bins of every histogram begin, in seconds; the last one has no end. They are the same for all data, so that
two histograms can be laid side by side.
"""


@dataclass(frozen=True, slots=True)
class Bin:
    """How many times lie in [``low``, ``high``) seconds; None: without end."""

    low: float
    high: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """How long ``count`` attempts took, in seconds; ``bins`` from the first that holds any to the last."""

    count: int
    median: float | None
    p90: float | None
    mean: float | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class StepTimes:
    """One step: since the previous required step's clock, of those who reached both, and since the entry."""

    id: int | str
    name: str
    from_previous: Distribution
    from_entry: Distribution


@dataclass(frozen=True, slots=True)
class TimeFigures(Shown):
    """How long each step took, how long those took who completed, the conversion over time, and what the conversion is
    expected to be once nothing is open (None while nothing is).
    """

    steps: tuple[StepTimes, ...]
    overall: Distribution
    curve: Curve
    projected: Projection | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def times_of_attempts(funnel: Funnel, counted: Attempts, as_of: int) -> TimeFigures:
    """See `FunnelResult.times`."""
    fates = fates_of(funnel, counted, as_of)
    curve = curve_of(fates)
    return TimeFigures(
        steps=tuple(_steps(funnel, counted)),
        overall=distribution(fates.lasted[fates.completed]),
        curve=curve,
        projected=project(fates, fates) if curve.open else None,
    )


def _steps(funnel: Funnel, counted: Attempts) -> Iterator[StepTimes]:
    reached, clocks = reached_of(funnel, counted), clocks_of(funnel, counted)
    for position, step in enumerate(funnel.steps):
        before = sum(1 for required in funnel.required if required < position) - 1
        if before < 0:
            continue
        here = reached[:, position]
        both = here & reached[:, funnel.required[before]]
        rank = None if step.optional else funnel.required.index(position)
        times = counted.at[:, position] if rank is None else clocks[:, rank]
        yield StepTimes(
            id=step.id,
            name=step.label,
            from_previous=distribution(times[both] - clocks[both, before]),
            from_entry=distribution((times - counted.entered_at)[here]),
        )


def distribution(microseconds: NDArray[np.int64]) -> Distribution:
    """The distribution of these lengths."""
    told = times_of(microseconds)
    bounds = np.array(EDGES, np.int64) * SECOND
    counts = np.bincount(np.maximum(np.searchsorted(bounds, microseconds, side="right") - 1, 0), minlength=len(EDGES))
    held = np.flatnonzero(counts)
    bins = tuple(
        Bin(EDGES[at], EDGES[at + 1] if at + 1 < len(EDGES) else None, int(counts[at]))
        for at in (range(held[0], held[-1] + 1) if len(held) else ())
    )
    return Distribution(len(microseconds), told.median, told.p90, told.mean, bins)


__all__ = ["Bin", "Distribution", "StepTimes", "TimeFigures", "distribution", "times_of_attempts"]
