"""Trends by calendar periods of a time zone, the period before, and the same counts by independent SQL."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import doorstep
from doorstep.funnels.previous import compare_previous
from funnels.world import DAY, HOUR, SIGNUP, run

STEPS: dict[str, Any] = {"steps": [{"event": "a"}, {"event": "b", "window": "10d"}]}


def _at(*moments: str) -> pa.Table:
    return pa.table(
        {
            "user_id": [f"u{number}" for number in range(len(moments))],
            "event": ["a"] * len(moments),
            "time": list(moments),
        }
    )


def test_weeks_begin_on_monday_and_empty_ones_are_shown() -> None:
    """1970 began on a Thursday: its first week on 29 December; nobody entered in the week of the 12th of January."""
    units = {"u1": "0d a; 1d b", "u2": "5d a", "u3": "19d a; 20d b"}
    trend = run(STEPS, units).trend("week")
    assert [(one.start, one.figures.entered) for one in trend.periods] == [
        (date(1969, 12, 29), 1),
        (date(1970, 1, 5), 1),
        (date(1970, 1, 12), 0),
        (date(1970, 1, 19), 1),
    ]
    assert trend.periods[2].figures.conversion is None
    json.dumps(trend.to_dict(), allow_nan=False)


def test_a_period_with_an_open_attempt_is_immature() -> None:
    """Its rate is no part of the mature line, and the last day is only there in part."""
    units = {"u1": "0d a; 1d b", "u2": "15d a", "u3": "15d a; 15d12h b"}
    trend = run(STEPS, units).trend("day")
    first, last = trend.periods[0], trend.periods[-1]
    assert (first.immature, first.partial, first.projected) == (False, False, None)
    assert (last.immature, last.partial, last.figures.conversion) == (True, True, 0.5)
    assert last.projected is not None
    assert trend.mature_line[0] == 1.0
    assert trend.mature_line[-1] is None


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        ("2026-03-29T00:59:59Z", "Europe/Berlin", date(2026, 3, 29)),
        ("2026-03-29T22:00:00Z", "Europe/Berlin", date(2026, 3, 30)),
        ("2026-10-25T22:59:59Z", "Europe/Berlin", date(2026, 10, 25)),
        ("2026-03-08T04:59:59Z", "America/New_York", date(2026, 3, 7)),
        ("2026-03-09T03:59:59Z", "America/New_York", date(2026, 3, 8)),
        ("2026-03-09T04:00:00Z", "America/New_York", date(2026, 3, 9)),
        ("2026-01-01T00:00:00Z", "Asia/Kathmandu", date(2026, 1, 1)),
    ],
)
def test_a_day_is_the_zones_own(moment: str, zone: str, day: date) -> None:
    """Also on the days of 23 and of 25 hours."""
    (period,) = doorstep.run({"count_by": "user_id", **STEPS}, _at(moment)).trend("day", zone).periods
    assert period.start == day


def test_months_have_their_own_lengths_and_the_range_bounds_the_trend() -> None:
    """From the month of `since` to that of `until`; where the range cuts a month it says so."""
    rows = _at("2026-02-10T00:00:00Z", "2026-06-01T00:00:00Z")
    result = doorstep.run({"count_by": "user_id", **STEPS}, rows, since="2026-01-15", until="2026-04-01")
    told = [(one.start, one.end, one.partial, one.figures.entered) for one in result.trend("month").periods]
    assert told == [
        (date(2026, 1, 1), date(2026, 2, 1), True, 0),
        (date(2026, 2, 1), date(2026, 3, 1), False, 1),
        (date(2026, 3, 1), date(2026, 4, 1), False, 0),
    ]


def test_what_is_no_trend_is_refused() -> None:
    """No such period, no such zone, more periods than anyone could look at; of nobody there is none."""
    result = run(STEPS, {"u": "0d a", "v": "20000d a"})
    for code, arguments in {
        "bad-period": ("year", "UTC"),
        "unknown-timezone": ("day", "Mars/Olympus"),
        "too-many-periods": ("day", "UTC"),
    }.items():
        with pytest.raises(doorstep.RunError) as caught:
            result.trend(*arguments)  # type: ignore[arg-type]
        assert caught.value.code == code
    assert run({"steps": [{"event": "zzz"}]}, {"u": "0d a"}).trend("day").periods == ()


@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_a_trend_finds_what_sql_finds(by: Any, demo: Path, sql: duckdb.DuckDBPyConnection) -> None:
    """Entered, completed and open of every period, in a zone with a change of clocks within the data."""
    zone = "America/New_York"
    found = doorstep.run(SIGNUP, demo).trend(by, zone)
    query = f"""SELECT date_trunc('{by}', timezone('{zone}', make_timestamptz(t1)))::DATE, count(*), count(t3),
        count_if(status = 'open') FROM attempts GROUP BY 1 ORDER BY 1"""
    expected = sql.execute(query).fetchall()
    told = [(one.start, one.figures.entered, one.figures.completed, one.figures.open) for one in found.periods]
    assert [one for one in told if one[1]] == expected
    assert sum(one.figures.entered for one in found.periods) == sum(one[1] for one in expected)


def test_the_period_before_is_as_long_and_as_old() -> None:
    """Ten days beside the ten before, each with the same time to convert."""
    rows = {f"u{day}": f"{day}d a; {day + 4}d b" for day in range(20)}
    source = run(STEPS, rows).matched  # the rows are sound
    assert source.rows == 40
    from funnels.world import table

    both = compare_previous({"count_by": "user_id", **STEPS}, table(rows), since="1970-01-11", until="1970-01-21")
    now, then = both.current, both.previous
    assert (then.data.since, then.data.until) == (0, 10 * DAY)
    assert now.data.as_of - then.data.as_of == 10 * DAY
    assert [one.figures.completed for one in (now, then)] == [10, 10]
    assert both.difference == 0.0
    assert both.to_dict()["previous"]["entered"] == 10


def test_the_period_before_counts_days_where_the_range_is_of_days() -> None:
    """The week before the one that begins with a change of clocks has 168 hours, this one 167."""
    rows = _at("2026-03-20T00:00:00Z", "2026-03-30T00:00:00Z")
    definition = {"count_by": "user_id", **STEPS}
    both = compare_previous(definition, rows, since="2026-03-23", until="2026-03-30", timezone="Europe/Berlin")
    assert both.previous.data.since is not None
    assert both.current.data.since is not None
    assert both.current.data.since - both.previous.data.since == 168 * HOUR
    with pytest.raises(doorstep.RunError, match="since"):
        compare_previous(definition, rows, since=None)
