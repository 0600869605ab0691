"""What is usual: a band around counts of earlier periods, and whether two shares differ for real."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SPREADS: Final = 4.0
"""A count further than so many spreads from the middle is out of the ordinary."""

LEAST_SPREAD: Final = 0.05
"""Counts that hardly vary still vary by this share, or a trend of a few percent would be called a break."""

MAD_TO_SD: Final = 1.4826
"""What a median absolute deviation is multiplied by to be a standard deviation, for a normal distribution."""


@dataclass(frozen=True, slots=True)
class Band:
    """Counts that would surprise nobody: ``low`` to ``high``, around ``middle``."""

    low: float
    middle: float
    high: float


def usual(counts: Sequence[int]) -> Band:
    """The band of earlier periods' counts (at least one): their median, give or take `SPREADS` times the largest of
    their robust standard deviation, a Poisson count's, and `LEAST_SPREAD` of the median. One odd period moves neither
    the median nor the deviation, so an earlier outage does not hide a new one.
    """
    middle = statistics.median(counts)
    deviation = MAD_TO_SD * statistics.median(abs(count - middle) for count in counts)
    spread = max(deviation, math.sqrt(middle), LEAST_SPREAD * middle)
    return Band(max(0.0, middle - SPREADS * spread), middle, middle + SPREADS * spread)


def differ(part: int, whole: int, other_part: int, other_whole: int, *, least: float) -> bool:
    """Whether two shares differ by at least ``least``, and by more than `SPREADS` of their pooled standard error."""
    if whole == 0 or other_whole == 0:
        return False
    apart = abs(part / whole - other_part / other_whole)
    pooled = (part + other_part) / (whole + other_whole)
    error = math.sqrt(pooled * (1 - pooled) * (1 / whole + 1 / other_whole))
    return apart >= least and apart > SPREADS * error
