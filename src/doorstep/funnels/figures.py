"""Attempts → the figures of a report (semantics 8). A ratio over zero is None; times are seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from doorstep.definitions.funnel import Funnel, branch_label
from doorstep.matching.attempts import NEVER_REACHED, STATUSES, Attempts, Flags, side_by_side

SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Times:
    """How long those took who have a time: quartile-style figures by linear interpolation between order statistics."""

    median: float | None
    p90: float | None
    mean: float | None


@dataclass(frozen=True, slots=True)
class BranchFigures:
    """How many passed a step by one of its alternatives."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class StepFigures:
    """One step of a report.

    ``from_previous``: of those who reached the previous required step of their attempt, the share that reached this
    one; ``dropped``: those of them who did not (None for an optional step, which drops nobody). ``entered_here``:
    attempts that started at this step. Times run from the previous clock, and from the entry.
    """

    id: int | str
    name: str
    count: int
    from_start: float | None
    from_previous: float | None
    dropped: int | None
    optional: bool
    entered_here: int
    median_seconds: float | None
    p90_seconds: float | None
    mean_seconds: float | None
    from_entry: Times
    branches: tuple[BranchFigures, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a set of counted attempts. ``mature``: those completed or past every deadline."""

    entered: int
    completed: int
    conversion: float | None
    open: int
    mature: int
    mature_completed: int
    mature_conversion: float | None
    statuses: dict[str, int]
    steps: tuple[StepFigures, ...]


def ratio(part: int, whole: int) -> float | None:
    """part / whole; None over zero."""
    return part / whole if whole else None


def figures_of(funnel: Funnel, counted: Attempts) -> Figures:
    """The figures of attempts that all count."""
    entered = len(counted)
    reached = reached_of(funnel, counted)
    clocks = clocks_of(funnel, counted)
    last = reached[:, funnel.required[-1]]
    mature = counted.status != STATUSES.index("open")
    completed = int(last.sum())
    return Figures(
        entered=entered,
        completed=completed,
        conversion=ratio(completed, entered),
        open=int((~mature).sum()),
        mature=int(mature.sum()),
        mature_completed=int((last & mature).sum()),
        mature_conversion=ratio(int((last & mature).sum()), int(mature.sum())),
        statuses=dict(zip(STATUSES, np.bincount(counted.status, minlength=len(STATUSES)).tolist(), strict=True)),
        steps=tuple(side_by_side(partial(_step, funnel, counted, reached, clocks), range(len(funnel.steps)), entered)),
    )


def reached_of(funnel: Funnel, counted: Attempts) -> Flags:
    """n x N: whether the step counts for the attempt; with `order: any`, whether so many steps were filled."""
    if funnel.order == "any":
        depths = np.arange(1, len(funnel.steps) + 1)
        any_order: Flags = counted.reached[:, None] >= depths[None, :]
        return any_order
    reached: Flags = counted.at != NEVER_REACHED
    return reached


def clocks_of(funnel: Funnel, counted: Attempts) -> NDArray[np.int64]:
    """n x R: the clocks of the required steps; steps that were not reached carry the clock before them."""
    if funnel.order == "any":
        required = counted.at[:, list(funnel.required)]
        late = np.where(required == NEVER_REACHED, np.iinfo(np.int64).max, required)
        return np.sort(late, axis=1)
    clocks = np.empty((len(funnel.required), len(counted)), np.int64)
    for rank, position in enumerate(funnel.required):
        before = clocks[rank - 1] if rank else counted.at[:, position]
        np.maximum(before, counted.at[:, position], out=clocks[rank])
    return clocks.T


def _step(funnel: Funnel, counted: Attempts, reached: Flags, clocks: NDArray[np.int64], position: int) -> StepFigures:
    step, here = funnel.steps[position], reached[:, position]
    rank = funnel.required.index(position) if position in funnel.required else None
    before = sum(1 for required in funnel.required if required < position) - 1
    came = reached[:, funnel.required[before]] if before >= 0 else np.zeros(len(counted), bool)
    both = here & came
    times = clocks[:, rank] if rank is not None else counted.at[:, position]
    since_previous = times_of(times[both] - clocks[:, before][both]) if before >= 0 else times_of(times[:0])
    count = int(here.sum())
    return StepFigures(
        id=step.id,
        name=step.label,
        count=count,
        from_start=ratio(count, len(counted)),
        from_previous=ratio(int(both.sum()), int(came.sum())) if before >= 0 else None,
        dropped=None if rank is None else int((came & ~here).sum()),
        optional=step.optional,
        entered_here=0 if rank is None else int((counted.entry_rank == rank).sum()),
        median_seconds=since_previous.median,
        p90_seconds=since_previous.p90,
        mean_seconds=since_previous.mean,
        from_entry=times_of(times[here] - counted.entered_at[here]) if before >= 0 else times_of(times[:0]),
        branches=() if rank is None else tuple(_branches(funnel, counted, position, rank)),
    )


def times_of(microseconds: NDArray[np.int64]) -> Times:
    """How long those took, from lengths in microseconds."""
    if len(microseconds) == 0:
        return Times(None, None, None)
    seconds = microseconds / SECOND
    median, p90 = np.quantile(seconds, [0.5, 0.9])
    return Times(float(median), float(p90), float(seconds.mean()))


def _branches(funnel: Funnel, counted: Attempts, position: int, rank: int) -> Iterator[BranchFigures]:
    for number, alternative in enumerate(funnel.steps[position].any_of):
        yield BranchFigures(branch_label(alternative), int((counted.branch[:, rank] == number).sum()))
