"""Figures that others have published, and those of formulas that are known to be exact."""

from __future__ import annotations

import math

import pytest

from doorstep.statistics.posterior import choices
from doorstep.statistics.proportions import (
    benjamini_hochberg,
    detectable,
    difference,
    holm,
    odds,
    power,
    ratio,
    share,
    split_mismatch,
    two_shares,
)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_those_of_newcombe(part: int, whole: int, low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 857-872, Table I, method 3."""
    found = share(part, whole)
    assert [found.low, found.high] == pytest.approx([low, high], abs=5e-5)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
    ],
)
def test_differences_are_those_of_newcombe(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 873-890, Table II, method 10."""
    found = difference(*counts)
    assert [found.low, found.high] == pytest.approx([low, high], abs=5e-5)


def test_the_ratio_of_the_physicians_health_study() -> None:
    """Agresti, Categorical Data Analysis: 189 of 11,034 on placebo and 104 of 11,037 on aspirin had a heart attack;
    the relative risk is 1.82, from 1.43 to 2.31 (2.30 as he rounds on the way); the odds ratio 1.83, 1.44 to 2.33.
    """
    found = ratio(189, 11034, 104, 11037)
    assert [round(one or 0, 2) for one in (found.value, found.low, found.high)] == [1.82, 1.43, 2.31]
    by_odds = odds(189, 11034 - 189, 104, 11037 - 104).ratio
    assert [round(one or 0, 2) for one in (by_odds.value, by_odds.low, by_odds.high)] == [1.83, 1.44, 2.33]


def test_two_proportions_of_the_statsmodels_documentation() -> None:
    """`proportions_ztest` shows 5 of 83 against 12 of 99: p = 0.159."""
    found = two_shares(5, 83, 12, 99)
    assert found.method == "two-proportion z-test"
    assert found.p_value == pytest.approx(0.159, abs=5e-4)


def test_the_lady_tasting_tea() -> None:
    """Fisher 1935, and R's `fisher.test`: 3 of 4 against 1 of 4 has a two-sided p of 0.4857."""
    found = two_shares(3, 4, 1, 4)
    assert found.method == "Fisher's exact test"
    assert found.p_value == pytest.approx(0.4857, abs=5e-5)


def test_power_is_that_of_the_documentation_of_r() -> None:
    """`power.prop.test(n = 50, p1 = .50, p2 = .75)` has power 0.740; p1 = .5, p2 = .75 needs n = 76.7 for 0.9."""
    assert power(0.25, 0.5, 50, 50) == pytest.approx(0.740, abs=5e-4)
    assert power(0.25, 0.5, 77, 77) == pytest.approx(0.9, abs=3e-3)
    assert detectable(0.5, 50, 50, wanted=0.740) == pytest.approx(0.25, abs=5e-4)


def test_a_split_of_mendel_fits() -> None:
    """Mendel's peas, 315:108:101:32 against 9:3:3:1: chi-square 0.470, p = 0.925 (a textbook example since 1900)."""
    assert split_mismatch([315, 108, 101, 32], [9, 3, 3, 1]) == pytest.approx(0.925, abs=5e-4)


def test_holm_and_benjamini_hochberg() -> None:
    """Benjamini and Hochberg 1995, Table 1 (fifteen tests): four are found at a rate of 5 %, three by Holm."""
    values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    values += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert sum(one <= 0.05 for one in benjamini_hochberg(values)) == 4
    assert sum((one or 0) <= 0.05 for one in holm(values)) == 3
    first, none, last = holm([0.01, None, 0.04])
    assert [first, last] == pytest.approx([0.02, 0.04])
    assert none is None


@pytest.mark.parametrize(
    "counts", [((10, 100), (15, 100)), ((0, 7), (5, 6)), ((40, 2000), (60, 2100)), ((0, 0), (3, 3))]
)
def test_the_chance_to_be_best_is_that_of_evan_miller(counts: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Miller, "Formulas for Bayesian A/B Testing" (2014): a sum that is exact for whole numbers."""
    (a, n), (b, m) = counts
    exact = _miller(a + 1, n - a + 1, b + 1, m - b + 1)
    found = choices(counts)
    assert found[1].chance_best == pytest.approx(exact, abs=1e-6)
    assert sum(one.chance_best for one in found) == pytest.approx(1)


def _miller(a: int, b: int, c: int, d: int) -> float:
    def log_beta(one: float, two: float) -> float:
        return math.lgamma(one) + math.lgamma(two) - math.lgamma(one + two)

    return sum(
        math.exp(log_beta(a + i, b + d) - math.log(d + i) - log_beta(1 + i, d) - log_beta(a, b)) for i in range(c)
    )


def test_expected_loss_of_two_alike_is_half_their_mean_difference() -> None:
    """For two uniform beliefs E[max] = 2/3, so each loses 1/6 (a textbook integral); for three E[max] = 3/4."""
    assert [one.expected_loss for one in choices([(0, 0), (0, 0)])] == pytest.approx([1 / 6, 1 / 6], abs=1e-7)
    assert [one.expected_loss for one in choices([(0, 0)] * 3)] == pytest.approx([1 / 4] * 3, abs=1e-7)
    assert [one.chance_best for one in choices([(0, 0)] * 3)] == pytest.approx([1 / 3] * 3, abs=1e-7)


def test_what_is_undefined_is_none() -> None:
    """Nobody, 0 and 100 %: never NaN, never an exception."""
    assert share(0, 0).value is None
    assert difference(0, 0, 1, 2).low is None
    assert ratio(1, 2, 0, 5).value is None
    assert ratio(0, 2, 1, 5).high is None
    assert two_shares(0, 0, 1, 2).p_value is None
    assert two_shares(100, 100, 100, 100).p_value == 1.0
    assert split_mismatch([5], [1]) is None
    assert (power(0.1, 0.0, 5, 5), detectable(1.0, 5, 5)) == (None, None)
    assert odds(0, 0, 1, 2).p_value is None
    assert odds(0, 5, 5, 0).ratio.value == pytest.approx((0.5 * 0.5) / (5.5 * 5.5))
    assert choices([]) == ()
    assert choices([(3, 9)])[0].chance_best == 1.0
    for part, whole in [(0, 10), (10, 10)]:
        for estimate in (share(part, whole), difference(part, whole, part, whole), ratio(part, whole, 10, 10)):
            assert all(one is None or math.isfinite(one) for one in (estimate.value, estimate.low, estimate.high))
