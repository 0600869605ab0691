"""Figures of journeys, each beside one SQL statement over the tables of accounts and transitions."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import doorstep

START = datetime(2026, 1, 1, tzinfo=UTC)
JOURNEY: dict[str, Any] = {
    "journey": "dense",
    "count_by": "account_id",
    "movement": {"backward": True},
    "stages": [
        {"id": "new"},
        {"id": "active", "criteria": {"count": {"at_least": 1, "event": "a", "in_last": "10d"}}},
        {"id": "busy", "criteria": {"count": {"at_least": 3, "in_last": "5d"}}},
        {"id": "keen", "criteria": {"count": {"at_least": 5, "in_last": "5d"}}},
        {"id": "asleep", "rank": "none", "criteria": {"did_not": {"in_last": "20d"}}},
    ],
}
STAGES = [stage["id"] for stage in JOURNEY["stages"]]
VISITS = """
    WITH moves AS (
        SELECT unit, 'new' AS stage, born_at AS t, 0 AS n FROM accounts
        UNION ALL
        SELECT unit, to_stage, occurred_at, row_number() OVER (PARTITION BY unit ORDER BY number) FROM numbered
    ), spans AS (SELECT *, lead(t) OVER (PARTITION BY unit ORDER BY n) AS gone FROM moves),
    visits AS (
        SELECT *, lag(stage) OVER w AS came, lead(stage) OVER w AS went FROM spans WHERE gone IS NULL OR gone > t
        WINDOW w AS (PARTITION BY unit ORDER BY n)
    )
"""


@pytest.fixture(scope="module")
def result() -> doorstep.JourneyResult:
    """Sixty accounts, some busy, some asleep; moves by hand put zero-length visits among the visits."""
    dice = random.Random(5)
    rows, moves = [], []
    for number in range(60):
        day = dice.uniform(0, 60)
        for _ in range(dice.randrange(1, 25)):
            name = dice.choice(["a", "a", "b"])
            rows.append({"account_id": f"u{number:02}", "event": name, "time": START + timedelta(days=day)})
            day += dice.choice([0, 0.01, 0.3, 1, 1, 2, 9, 30])
        if number % 5 == 0:
            at = START + timedelta(days=70)
            moves += [{"account_id": f"u{number:02}", "at": at, "to": to} for to in ("keen", "busy")]
    return doorstep.replay(JOURNEY, pa.Table.from_pylist(rows), moves=moves, until="2026-05-01")


@pytest.fixture(scope="module")
def ask(result: doorstep.JourneyResult) -> Any:
    """SQL over the two tables."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("accounts", result.accounts)
    numbers = pa.array(range(result.transitions.num_rows))
    connection.register("numbered", result.transitions.append_column("number", numbers))
    until = "TIMESTAMPTZ '2026-05-01 00:00:00+00'"

    def asked(statement: str) -> list[tuple[Any, ...]]:
        return connection.execute(f"{VISITS} {statement.replace('HORIZON', until)}").fetchall()

    return asked


def test_zero_length_visits_are_there_and_are_no_visits(result: doorstep.JourneyResult, ask: Any) -> None:
    """At birth, and by two moves at once, an account passes through a stage at one instant: no visits of it."""
    visits = dict(ask("SELECT stage, count(*) FROM visits GROUP BY ALL"))
    assert {one.id: one.stay.visits for one in result.reports} == {stage: visits.get(stage, 0) for stage in STAGES}
    assert sum(visits.values()) < result.transitions.num_rows + result.accounts.num_rows
    assert [one.id for one in result.reports if one.stay.open != one.accounts] == []


def test_time_in_a_stage_is_kaplan_and_meiers(result: doorstep.JourneyResult, ask: Any) -> None:
    """Median and p90 are where the product-limit estimate, worked out in SQL, falls to one half and to a tenth."""
    rows = ask("""
        , lasted AS (
            SELECT stage, epoch_us(coalesce(gone, HORIZON)) - epoch_us(t) AS d, gone IS NOT NULL AS ended FROM visits)
        , table_ AS (SELECT stage, d, count(*) AS n, count(*) FILTER (ended) AS e FROM lasted GROUP BY ALL)
        , risk AS (SELECT stage, d, e, sum(n) OVER (PARTITION BY stage ORDER BY d DESC) AS r FROM table_)
        , left_ AS (SELECT stage, d, product(1 - e / r) OVER (PARTITION BY stage ORDER BY d) AS s FROM risk)
        SELECT stage, min(d) FILTER (s <= 0.5 + 1e-9) / 1e6, min(d) FILTER (s <= 0.1 + 1e-9) / 1e6
        FROM left_ GROUP BY ALL
    """)
    found = {one.id: (one.stay.median_seconds, one.stay.p90_seconds) for one in result.reports}
    assert found == {stage: (median, p90) for stage, median, p90 in rows}
    assert any(median is not None and p90 is None for median, p90 in found.values()) or None in found["asleep"]


def test_conversion_counts_accounts_that_reached_the_next_ranked_stage(
    result: doorstep.JourneyResult, ask: Any
) -> None:
    """An account that was keen has reached busy; one that is asleep has reached nothing more."""
    rank = "list_position(['new', 'active', 'busy', 'keen'], stage)"
    (counts,) = ask(f"""
        , furthest AS (SELECT unit, max({rank}) AS f FROM moves WHERE stage <> 'asleep' GROUP BY unit)
        SELECT count(*), count(*) FILTER (f >= 2), count(*) FILTER (f >= 3), count(*) FILTER (f >= 4) FROM furthest
    """)
    (asleep,) = ask("SELECT count(DISTINCT unit) FROM moves WHERE stage = 'asleep'")[0]
    assert tuple(one.reached for one in result.reports) == (*counts, asleep)
    assert [one.conversion for one in result.reports] == [
        *(after / before for before, after in pairwise(counts)),
        None,
        None,
    ]


def test_leaving_tells_onward_from_back(result: doorstep.JourneyResult, ask: Any) -> None:
    """Onward is to a ranked stage further on; sleep is not onward."""
    order = "list_position(['new', 'active', 'busy', 'keen'], {})"
    onward = f"coalesce({order.format('went')} > coalesce({order.format('stage')}, 9), false)"
    rows = ask(f"""
        SELECT stage, count(*) FILTER ({onward}), count(*) FILTER (gone IS NOT NULL AND NOT ({onward}))
        FROM visits GROUP BY ALL
    """)
    assert {one.id: (one.leaving.onward, one.leaving.back) for one in result.reports} == {
        stage: (forth, back) for stage, forth, back in rows
    }


def test_velocity_is_the_time_from_birth_to_the_stage(result: doorstep.JourneyResult, ask: Any) -> None:
    """The plain median of those who came, and Kaplan and Meier's over all."""
    (line,) = ask("""
        , came AS (SELECT a.unit, min(m.t) AS t, any_value(a.born_at) AS b FROM accounts a LEFT JOIN moves m
                   ON m.unit = a.unit AND m.stage IN ('busy', 'keen') GROUP BY a.unit)
        , taken AS (SELECT epoch_us(coalesce(t, HORIZON)) - epoch_us(b) AS d, t IS NOT NULL AS there FROM came)
        , risk AS (
            SELECT d, count(*) FILTER (there) AS e, sum(count(*)) OVER (ORDER BY d DESC) AS r FROM taken GROUP BY d)
        , left_ AS (SELECT d, product(1 - e / r) OVER (ORDER BY d) AS s FROM risk)
        SELECT (SELECT min(d) / 1e6 FROM left_ WHERE s <= 0.5 + 1e-9), (SELECT median(d) / 1e6 FROM taken WHERE there)
    """)
    busy = result.reports[2].velocity
    assert (busy.median_seconds, busy.median_reached_seconds) == line


@pytest.mark.parametrize(("by", "timezone"), [("day", "UTC"), ("week", "America/New_York"), ("month", "Asia/Tokyo")])
def test_the_distribution_is_where_accounts_stood_at_each_end(
    result: doorstep.JourneyResult, ask: Any, by: Any, timezone: str
) -> None:
    """Every account born by then is counted once, in the stage it was in just before the period ended."""
    found = result.distribution(by, timezone)
    rows = ask(f"""
        , days AS (SELECT DISTINCT date_trunc('{by}', s AT TIME ZONE '{timezone}') AS p
                   FROM range((SELECT min(born_at) FROM accounts), HORIZON + INTERVAL 1 HOUR, INTERVAL 1 HOUR) AS r(s))
        , ends AS (
            SELECT p, least((p + INTERVAL 1 {by}) AT TIME ZONE '{timezone}', HORIZON + INTERVAL 1 MICROSECOND) AS e
            FROM days)
        SELECT p::DATE, stage, count(*) FILTER (t < e AND (gone IS NULL OR gone >= e)) FROM ends, visits GROUP BY ALL
    """)
    expected = {(day, stage): count for day, stage, count in rows if count}
    assert {
        (one.start, stage.id): stage.accounts for one in found.periods for stage in one.stages if stage.accounts
    } == expected
    assert sum(one.born for one in found.periods) == result.accounts.num_rows
    assert [stage.accounts for stage in found.periods[-1].stages] == [one.accounts for one in result.reports]


def test_flow_counts_moves_from_visit_to_visit(result: doorstep.JourneyResult, ask: Any) -> None:
    """In a range; a stage passed through at one instant is not on the way; births come from nowhere."""
    found = result.flow("2026-02-01", "2026-03-01")
    rows = ask("""SELECT came, stage, count(*) FROM visits WHERE t >= '2026-02-01' AND t < '2026-03-01'
                  AND came IS DISTINCT FROM stage GROUP BY ALL""")
    assert {(one.from_stage, one.to_stage): one.count for one in found.passages} == {
        (came, stage): count for came, stage, count in rows
    }
    assert found.count("busy", "busy") == 0


def test_cohorts_tell_the_share_that_reached_and_that_is_there_by_age(result: doorstep.JourneyResult, ask: Any) -> None:
    """Of the accounts old enough, at each age in weeks."""
    found = result.cohorts("week", "UTC", ages=6)
    rows = ask("""
        , grid AS (SELECT unit, date_trunc('week', born_at)::DATE AS c, k::INT AS k, born_at + INTERVAL 7 DAY * k AS at
                   FROM accounts, range(0, 7) AS r(k) WHERE born_at + INTERVAL 7 DAY * k <= HORIZON)
        SELECT c, k, count(*) AS n,
            count(*) FILTER (EXISTS (
                SELECT 1 FROM moves m WHERE m.unit = grid.unit AND m.stage IN ('busy', 'keen') AND m.t <= grid.at)),
            count(*) FILTER (EXISTS (
                SELECT 1 FROM visits v WHERE v.unit = grid.unit AND v.stage = 'busy' AND v.t <= grid.at
                AND (v.gone IS NULL OR v.gone > grid.at)))
        FROM grid GROUP BY ALL
    """)
    for start, age, number, reached, there in rows:
        cohort = next(one for one in found.cohorts if one.start == start)
        assert cohort.observed[age] == number
        assert (cohort.stages[2].reached[age], cohort.stages[2].there[age]) == (reached / number, there / number)
    assert len(rows) == sum(1 for one in found.cohorts for number in one.observed if number)


def test_stuck_is_longer_than_and_not_as_long_as(result: doorstep.JourneyResult) -> None:
    """An account that has been in its stage for exactly so long is not stuck yet."""
    first = result.accounts.to_pylist()[0]
    exactly = (datetime(2026, 5, 1, tzinfo=UTC) - first["since"]) // timedelta(microseconds=1)
    assert first["unit"] not in result.stuck(exactly).column("unit").to_pylist()
    assert first["unit"] in result.stuck(exactly - 1).column("unit").to_pylist()


def test_nobody_gives_null_and_never_zero() -> None:
    """Ratios and times over nobody are null, and every figure can be asked for."""
    rows = pa.Table.from_pylist([{"account_id": None, "event": "a", "time": START}])
    result = doorstep.replay(JOURNEY, rows)
    assert [(one.accounts, one.conversion, one.stay.median_seconds) for one in result.reports] == [(0, None, None)] * 5
    assert (result.distribution().periods, result.flow().passages) == ((), ())
    assert result.cohorts().cohorts[0].stages[0].reached[0] is None
    assert result.stuck(0).num_rows == 0
