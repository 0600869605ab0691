"""Distributions, the conversion over time, and what may be expected of those that are still open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight
from statsmodels.stats.proportion import proportion_confint

import doorstep
from doorstep.funnels.curve import Fates, curve_of, estimate, interval, table_of
from doorstep.funnels.projection import project
from doorstep.funnels.times import EDGES
from funnels.world import HOUR, SIGNUP, run

SECOND = 1_000_000


def _fates(told: list[tuple[int, int]]) -> Fates:
    """(time, fate): 0 open, 1 completed, 2 ended otherwise."""
    lasted, fate = (np.array(one, np.int64) for one in zip(*told, strict=True))
    return Fates(lasted, fate == 1, fate == 2)


_TOLD = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2)), min_size=1, max_size=60)


def test_a_histogram_has_bins_that_do_not_depend_on_the_data() -> None:
    """From the first bin that holds any to the last; a time on an edge is in the bin that begins there."""
    units = {"u1": "0s a; 59s b", "u2": "0s a; 60s b", "u3": "0s a; 10m b"}
    (step,) = run({"steps": [{"event": "a"}, {"event": "b"}]}, units).times().steps
    found = step.from_previous
    assert [(one.low, one.count) for one in found.bins] == [(30, 1), (60, 1), (120, 0), (300, 0), (600, 1)]
    assert (found.count, found.median) == (3, 60.0)
    assert found.mean == pytest.approx((59 + 60 + 600) / 3)
    assert list(EDGES) == sorted(set(EDGES))


def test_times_of_nobody_are_null() -> None:
    """No bins, no curve, nothing to expect; never NaN."""
    found = run({"steps": [{"event": "zzz"}, {"event": "b"}]}, {"u": "0s a"}).times()
    assert (found.overall.median, found.overall.bins, found.curve.final, found.projected) == (None, (), None, None)
    json.dumps(found.to_dict(), allow_nan=False)


def test_open_attempts_are_censored_and_lost_ones_are_not() -> None:
    """One of two completed after an hour; of the others one expired and one entered half an hour before the end."""
    units = {"u1": "0h a; 1h b", "u2": "0h a", "u3": "20h a; 20h30m page"}
    found = run({"steps": [{"event": "a"}, {"event": "b", "window": "2h"}]}, units).times()
    final = found.curve.final
    assert final is not None
    assert final.share == pytest.approx(1 / 2)
    assert (found.curve.entered, found.curve.open) == (3, 1)
    assert found.projected is not None
    assert found.projected.conversion == pytest.approx(1 / 2)


@settings(max_examples=300, deadline=None)
@given(_TOLD)
@example([(0, 1), (0, 1), (0, 1), (1, 1), (1, 1), (2, 1), (2, 1)])  # all complete, and 2/7 + 2/7 + 3/7 is not 1
def test_where_nothing_is_open_the_curve_ends_at_the_plain_rate(told: list[tuple[int, int]]) -> None:
    """With Wilson's interval of it; it never falls, and its variance is that of a share."""
    closed = [(time, fate or 2) for time, fate in told]
    fates = _fates(closed)
    curve = curve_of(fates)
    rate, number = float(fates.completed.mean()), len(closed)
    assert curve.final is not None
    assert curve.final.share == pytest.approx(rate)
    assert float(estimate(table_of(fates)).variance[-1]) == pytest.approx(rate * (1 - rate) / number, abs=1e-12)
    low, high = proportion_confint(int(fates.completed.sum()), number, method="wilson")
    assert curve.final.low == pytest.approx(low, abs=1e-9)
    assert curve.final.high == pytest.approx(high, abs=1e-9)
    shares = [one.share for one in curve.points]
    assert shares == sorted(shares)


@settings(max_examples=200, deadline=None)
@given(_TOLD)
def test_the_curve_is_that_of_the_statisticians_library(told: list[tuple[int, int]]) -> None:
    """Aalen-Johansen as statsmodels has it, and its standard error where it has one; without losses Kaplan-Meier."""
    fates = _fates(told)
    table, found = table_of(fates), estimate(table_of(fates))
    with np.errstate(all="ignore"):
        if fates.completed.any() and fates.lost.any():
            theirs = CumIncidenceRight(fates.lasted, np.array([fate for _, fate in told]))
            ours = dict(zip(table.edges.tolist(), found.completed.tolist(), strict=True))
            errors = dict(zip(table.edges.tolist(), np.sqrt(found.variance).tolist(), strict=True))
            for time, share, error in zip(theirs.times, theirs.cinc[0], theirs.cinc_se[0], strict=True):
                assert ours[time] == pytest.approx(share)
                if np.isfinite(error):
                    assert errors[time] == pytest.approx(error, abs=1e-6)
        single = [(time, fate % 2) for time, fate in told]
        if any(fate for _, fate in single):
            fates = _fates(single)
            table, found = table_of(fates), estimate(table_of(fates))
            survival = SurvfuncRight(fates.lasted, fates.completed.astype(int))
            ours = dict(zip(table.edges.tolist(), found.completed.tolist(), strict=True))
            for time, left in zip(survival.surv_times, survival.surv_prob, strict=True):
                assert ours[time] == pytest.approx(1 - left)


@settings(max_examples=60, deadline=None)
@given(_TOLD)
def test_a_projection_lies_between_what_has_completed_and_what_still_may(told: list[tuple[int, int]]) -> None:
    """Whatever the data; the same data give the same interval."""
    fates = _fates(told)
    found = project(fates, fates)
    assert found is not None
    done, still = float(fates.completed.mean()), float((~fates.completed & ~fates.lost).mean())
    assert done - 1e-9 <= found.low <= found.conversion <= found.high <= done + still + 1e-9
    assert project(fates, fates) == found


def _world(rng: np.random.Generator, number: int) -> tuple[Fates, Fates, Fates]:
    """(everyone as seen on day 30, the entries of the last week, their fates at last): 40 % complete after some days, a
    window of ten days.
    """
    day = 24 * HOUR
    entered = rng.uniform(0, 30, number)
    takes = np.where(rng.random(number) < 0.4, rng.exponential(3, number), np.inf)
    completes = takes <= 10
    lasted = np.where(completes, takes, 10)
    seen = entered + lasted <= 30

    def fates(chosen: Any, at_last: bool) -> Fates:
        known = seen | at_last
        time = np.where(known, lasted, 30 - entered)
        return Fates((time * day).astype(np.int64)[chosen], (known & completes)[chosen], (known & ~completes)[chosen])

    recent = entered >= 23
    return fates(entered >= 0, at_last=False), fates(recent, at_last=False), fates(recent, at_last=True)


def test_the_interval_of_a_projection_holds_the_rate_that_comes() -> None:
    """In 200 simulated worlds the final rate of the last week's entries lies within it about 95 times of 100."""
    inside = errors = 0.0
    for seed in range(200):
        everyone, cohort, at_last = _world(np.random.default_rng(seed), 400)
        found = project(cohort, everyone)
        assert found is not None
        truth = float(at_last.completed.mean())
        inside += found.low - 1e-9 <= truth <= found.high + 1e-9
        errors += found.conversion - truth
    assert 0.90 <= inside / 200 <= 0.99
    assert abs(errors / 200) < 0.01


def test_the_interval_of_the_curve_holds_the_share() -> None:
    """In 300 simulated worlds with open attempts the share within ten days lies in its interval 95 times of 100."""
    truth = 0.4 * (1 - np.exp(-10 / 3))
    inside = 0
    for seed in range(300):
        everyone, _, _ = _world(np.random.default_rng(seed), 300)
        final = curve_of(everyone).final
        assert final is not None
        inside += final.low <= truth <= final.high
    assert 0.91 <= inside / 300 <= 0.985


def test_an_interval_of_none_and_of_all_is_wide() -> None:
    """No share is known to be 0 or 1."""
    assert interval(0.0, 0.0, 10)[1] == pytest.approx(proportion_confint(0, 10, method="wilson")[1])
    assert interval(1.0, 0.0, 10)[0] == pytest.approx(proportion_confint(10, 10, method="wilson")[0])


def test_times_are_what_sql_finds(demo: Path, sql: duckdb.DuckDBPyConnection) -> None:
    """Median, p90 and mean by step and overall, every bin, and the share completed within each time of the curve."""
    result = doorstep.run(SIGNUP, demo, until="2026-03-01")
    found = result.times()
    chosen = "FROM attempts WHERE t1 < epoch_us(TIMESTAMP '2026-03-01')"
    for one, length in (
        (found.steps[0].from_previous, "t2 - t1"),
        (found.steps[1].from_previous, "t3 - t2"),
        (found.overall, "t3 - t1"),
    ):
        query = f"""SELECT count({length}), quantile_cont(({length}) / 1e6, 0.5), quantile_cont(({length}) / 1e6, 0.9),
            avg(({length}) / 1e6) {chosen}"""
        assert (one.count, one.median, one.p90, one.mean) == pytest.approx(sql.execute(query).fetchone())
        for part in one.bins:
            high = part.high or 1e12
            query = f"SELECT count(*) {chosen} AND {length} >= {part.low} * 1e6 AND {length} < {high} * 1e6"
            assert (part.count,) == sql.execute(query).fetchone()
    assert found.curve.open == 0
    for point in found.curve.points:
        query = f"SELECT count(*) FILTER (t3 - t1 <= {round(point.seconds * SECOND)}) / count(*) {chosen}"
        assert point.share == pytest.approx((sql.execute(query).fetchone() or (None,))[0])
