"""Shares as beliefs: a Beta prior and counts, and what follows for a choice among several. No random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

POINTS: Final = 20_001
"""Of the grid on which integrals are taken by Simpson's rule; the error is far below what is shown."""

OUTSIDE: Final = 1e-12
"""The chance left out at each end of the grid."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Of one of several: its share as believed, the chance that it is the best, and what is lost on average by taking
    it, in points of the share.
    """

    mean: float
    chance_best: float
    expected_loss: float


def choices(counts: Sequence[tuple[int, int]], prior: tuple[float, float] = (1.0, 1.0)) -> tuple[Choice, ...]:
    """For (part, whole) of each; with one alone it is the best, and with none there is nothing to say.

    The chance is the integral of each density times the others' distribution functions; the loss is the expected best
    share less the own one.
    """
    if not counts:
        return ()
    from scipy.integrate import simpson  # noqa: PLC0415 - slow to load
    from scipy.stats import beta  # noqa: PLC0415 - slow to load

    shapes = [(prior[0] + part, prior[1] + whole - part) for part, whole in counts]
    means = [one / (one + other) for one, other in shapes]
    low = min(float(beta.ppf(OUTSIDE, *one)) for one in shapes)
    high = max(float(beta.isf(OUTSIDE, *one)) for one in shapes)
    # Fine where a distribution has its bulk, so that a sharp one is not missed between the points of a wide one.
    levels = np.linspace(0, 1, 2_001)[1:-1]
    marks = np.unique(np.concatenate([[low, high], *(beta.ppf(levels, *one) for one in shapes)]))
    grid = np.unique(np.concatenate([np.linspace(low, high, POINTS), marks, (marks[1:] + marks[:-1]) / 2]))
    below = np.array([beta.cdf(grid, *one) for one in shapes])
    best = low + float(simpson(1 - below.prod(axis=0), x=grid))
    # By distribution functions alone: a density may be infinite at 0 or 1.
    steps = np.diff(below, axis=1)
    middle = (below[:, 1:] + below[:, :-1]) / 2
    chances = np.array(
        [float((steps[one] * np.delete(middle, one, axis=0).prod(axis=0)).sum()) for one in range(len(shapes))]
    )
    chances = chances / chances.sum()
    return tuple(
        Choice(mean, float(chance), max(0.0, best - mean)) for mean, chance in zip(means, chances, strict=True)
    )
