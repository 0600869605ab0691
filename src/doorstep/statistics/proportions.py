"""Shares of counts: how sure they are, how they differ, and what a sample can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

ALPHA: Final = 0.05
FEW: Final = 5
"""Where fewer than this are expected in a cell, the exact test is taken."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval; what is undefined is None."""

    value: float | None
    low: float | None
    high: float | None


NOTHING: Final = Estimate(None, None, None)


@dataclass(frozen=True, slots=True)
class Tested:
    """The p-value of two shares being one, and how it was found."""

    p_value: float | None
    method: str | None


def finite(value: float) -> float | None:
    """The number; None for what is none."""
    number = float(value)
    return number if math.isfinite(number) else None


def share(part: int, whole: int, alpha: float = ALPHA) -> Estimate:
    """part / whole with Wilson's score interval (Wilson 1927; Newcombe 1998a, method 3)."""
    from scipy.stats import binomtest  # noqa: PLC0415 - slow to load

    if not whole:
        return NOTHING
    found = binomtest(part, whole).proportion_ci(1 - alpha, "wilson")
    return Estimate(part / whole, finite(found.low), finite(found.high))


def difference(part: int, whole: int, other_part: int, other_whole: int, alpha: float = ALPHA) -> Estimate:
    """The first share less the other, with Newcombe's hybrid score interval (1998b, method 10)."""
    from statsmodels.stats.proportion import confint_proportions_2indep  # noqa: PLC0415 - slow to load

    if not whole or not other_whole:
        return NOTHING
    low, high = confint_proportions_2indep(
        part, whole, other_part, other_whole, method="newcomb", compare="diff", alpha=alpha
    )
    return Estimate(part / whole - other_part / other_whole, finite(low), finite(high))


def ratio(part: int, whole: int, other_part: int, other_whole: int, alpha: float = ALPHA) -> Estimate:
    """The first share over the other, with the interval of its logarithm (Katz 1978); none where either is 0."""
    from statsmodels.stats.proportion import confint_proportions_2indep  # noqa: PLC0415 - slow to load

    if not whole or not other_whole or not other_part:
        return NOTHING
    value = (part / whole) / (other_part / other_whole)
    if not part:
        return Estimate(value, None, None)
    low, high = confint_proportions_2indep(
        part, whole, other_part, other_whole, method="log", compare="ratio", alpha=alpha
    )
    return Estimate(value, finite(low), finite(high))


def two_shares(part: int, whole: int, other_part: int, other_whole: int) -> Tested:
    """Whether two shares differ, on two sides: the pooled z-test, or Fisher's exact test where a count is small."""
    if not whole or not other_whole:
        return Tested(None, None)
    total, both = whole + other_whole, part + other_part
    expected = min(each * kind / total for each in (whole, other_whole) for kind in (both, total - both))
    if expected < FEW:
        from scipy.stats import fisher_exact  # noqa: PLC0415 - slow to load

        table = np.array([[part, whole - part], [other_part, other_whole - other_part]])
        return Tested(finite(fisher_exact(table).pvalue), "Fisher's exact test")
    from statsmodels.stats.proportion import proportions_ztest  # noqa: PLC0415 - slow to load

    _, p_value = proportions_ztest([part, other_part], [whole, other_whole])
    return Tested(finite(p_value), "two-proportion z-test")


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's correction (1979) for as many tests as there are; None stays None and does not count."""
    known = [one for one in p_values if one is not None]
    if not known:
        return tuple(p_values)
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415 - slow to load

    corrected = iter(multipletests(known, method="holm")[1].tolist())
    return tuple(None if one is None else next(corrected) for one in p_values)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """The least false-discovery rate at which each is found (Benjamini and Hochberg 1995)."""
    from scipy.stats import false_discovery_control  # noqa: PLC0415 - slow to load

    return tuple(false_discovery_control(p_values).tolist()) if p_values else ()


def split_mismatch(counts: Sequence[int], shares: Sequence[float]) -> float | None:
    """The p-value of counts so far from the declared split (chi-square); None with nothing to compare."""
    total = sum(counts)
    whole = sum(shares)
    if not total or len(counts) < 2 or any(one <= 0 for one in shares):
        return None
    from scipy.stats import chisquare  # noqa: PLC0415 - slow to load

    return finite(chisquare(counts, [total * one / whole for one in shares]).pvalue)


def power(change: float, base: float, whole: int, other_whole: int, alpha: float = ALPHA) -> float | None:
    """The chance that a two-sided test finds a share of ``base`` + ``change`` among ``whole`` to differ from ``base``
    among ``other_whole``; None where that is no share, or there is nothing to find.
    """
    if not whole or not other_whole or not 0 < base + change < 1 or not 0 < base < 1 or not change:
        return None
    from statsmodels.stats.proportion import power_proportions_2indep  # noqa: PLC0415 - slow to load

    found = power_proportions_2indep(
        change, base, nobs1=whole, ratio=other_whole / whole, alpha=alpha, return_results=False
    )
    return finite(found)


def detectable(base: float, whole: int, other_whole: int, alpha: float = ALPHA, wanted: float = 0.8) -> float | None:
    """The least rise over ``base`` that is found with the chance ``wanted``; None where even the greatest is not."""
    if not 0 < base < 1 or not whole or not other_whole:
        return None
    from scipy.optimize import brentq  # noqa: PLC0415 - slow to load

    least, most = 1e-9, (1 - base) * (1 - 1e-9)

    def short(change: float) -> float:
        return (power(change, base, whole, other_whole, alpha) or 0.0) - wanted

    return finite(brentq(short, least, most, xtol=1e-9)) if short(most) > 0 > short(least) else None


@dataclass(frozen=True, slots=True)
class Odds:
    """How many times the odds of one group are those of the other; ``p_value`` is Fisher's, on two sides."""

    ratio: Estimate
    p_value: float | None


def odds(yes: int, no: int, other_yes: int, other_no: int, alpha: float = ALPHA) -> Odds:
    """The odds ratio with Woolf's interval; a half is added to each count where one is 0 (Haldane 1956, Anscombe)."""
    if not yes + no or not other_yes + other_no or not yes + other_yes or not no + other_no:
        return Odds(NOTHING, None)
    from scipy.stats import fisher_exact, norm  # noqa: PLC0415 - slow to load

    cells = [float(one) for one in (yes, no, other_yes, other_no)]
    if 0 in cells:
        cells = [one + 0.5 for one in cells]
    a, b, c, d = cells
    logarithm, spread = math.log(a * d / (b * c)), math.sqrt(sum(1 / one for one in cells))
    reach = float(norm.ppf(1 - alpha / 2)) * spread
    estimate = Estimate(math.exp(logarithm), math.exp(logarithm - reach), math.exp(logarithm + reach))
    return Odds(estimate, finite(fisher_exact(np.array([[yes, no], [other_yes, other_no]])).pvalue))
