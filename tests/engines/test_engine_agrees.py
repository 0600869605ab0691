"""The whole road, from typed columns through SQL and grouping to the kernel, gives what the reference gives."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import strategies
from doorstep.funnels.run import run
from doorstep.matching.attempts import NEVER_REACHED, STATUSES
from walks import Case, by_reference, case_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.table(
        {
            "user_id": pa.array([row["user_id"] for row in rows], pa.string()),
            "event": pa.array([row["event"] for row in rows], pa.string()),
            "time": pa.array([row["time"] for row in rows], pa.timestamp("us", tz="UTC")),
            "p": pa.array([row.get("p") for row in rows], pa.int64()),
            "k": pa.array([row.get("k") for row in rows], pa.string()),
        }
    )


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)


def _by_engine(case: Case, source: Any, options: dict[str, Any], **more: Any) -> Counter[Any]:
    result = run(
        case.funnel,
        source,
        since=_instant(options.get("since")),
        until=_instant(options.get("until")),
        as_of=_instant(options.get("as_of")),
        first_time=options["first_time"],
        **more,
    )
    found = result.matched.attempts
    names = result.matched.units[0].to_pylist()
    outcomes: Counter[Any] = Counter()
    for index in range(len(found)):
        unit = names[found.unit[index]]
        outcomes[
            f"{unit}#{found.session[index]}" if found.session[index] else unit,
            int(found.entered_at[index]),
            int(found.entry_rank[index]),
            STATUSES[found.status[index]],
            int(found.reached[index]),
            bool(found.dropped[index]),
            bool(found.counted[index]),
            tuple(None if at == NEVER_REACHED else int(at) for at in found.at[index]),
            tuple(int(branch) for branch in found.branch[index]),
        ] += 1
    return outcomes


def _expected(case: Case) -> Counter[Any]:
    return Counter(
        (
            one.unit,
            one.entry[0],
            one.entry_rank,
            one.status,
            one.reached,
            one.dropped,
            one.counted,
            one.times,
            one.branches,
        )
        for one in by_reference(case)
    )


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.documents(), strategies.timelines(units=4), strategies.options(), st.sampled_from([1, 3]))
def test_a_run_finds_the_attempts_of_the_reference(
    document: dict[str, Any], rows: list[dict[str, Any]], options: dict[str, Any], threads: int
) -> None:
    """Over random definitions and rows, whatever the number of threads."""
    case = case_of(document, rows, options)
    assert _by_engine(case, _table(rows), options, threads=threads) == _expected(case)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.documents(), strategies.timelines(units=4), strategies.options(), st.sampled_from([1, 3]))
def test_a_run_over_parquet_finds_the_attempts_of_the_reference(
    tmp_path_factory: pytest.TempPathFactory,
    document: dict[str, Any],
    rows: list[dict[str, Any]],
    options: dict[str, Any],
    pieces: int,
) -> None:
    """Plain columns are read past SQL, in one go or in several ranges of time: the attempts are the same."""
    case = case_of(document, rows, options)
    path = tmp_path_factory.mktemp("plain") / "events.parquet"
    pq.write_table(_table(rows), path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("doorstep.engines.duckdb.AT_A_TIME", max(1, len(rows) // pieces))
        assert _by_engine(case, path, options) == _expected(case)


@pytest.mark.parametrize("buckets", [1, 2, 7])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=strategies.documents(), rows=strategies.timelines(units=5), options=strategies.options())
def test_buckets_change_nothing(
    buckets: int, document: dict[str, Any], rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    """Rows walked in several parts, as under a memory limit, give the same attempts."""
    case = case_of(document, rows, options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("doorstep.engines.duckdb.buckets_of", lambda *_: buckets)
        assert _by_engine(case, _table(rows), options) == _expected(case)


def test_rows_without_unit_or_held_value_are_counted() -> None:
    """Null units and null values to hold constant are dropped, and told."""
    rows = _table(
        [
            {"user_id": "u", "event": "a", "time": 0, "k": "x"},
            {"user_id": None, "event": "a", "time": 1, "k": "x"},
            {"user_id": "u", "event": "a", "time": 2},
        ]
    )
    document = {"count_by": "user_id", "hold_constant": "k", "steps": [{"event": "a"}]}
    result = run(document, rows)
    assert dict(result.data.rejected) == {"no_unit": 1, "no_held_value": 1}
    assert result.figures.entered == 1


def test_units_of_several_columns_and_of_numbers_are_told_apart() -> None:
    """(1, 'x') and (1, 'y') are two units; numbers stay numbers in the attempts."""
    rows = pa.table(
        {"org": [1, 1, 2], "name": ["x", "y", "x"], "event": ["a"] * 3, "time": pa.array([0, 1, 2], pa.timestamp("us"))}
    )
    both = run({"count_by": ["org", "name"], "steps": [{"event": "a"}]}, rows)
    assert both.attempts["unit"].to_pylist() == ['[1, "x"]', '[1, "y"]', '[2, "x"]']
    one = run({"count_by": "org", "steps": [{"event": "a"}]}, rows)
    assert one.attempts["unit"].to_pylist() == [1, 2]


def test_a_breakdown_does_not_depend_on_the_order_of_rows() -> None:
    """Of entry rows alike in all but the breakdown's value, the least value is taken."""
    document = {"count_by": "user_id", "steps": [{"event": "a"}]}
    for order in (["y", "x"], ["x", "y"]):
        rows = _table([{"user_id": "u", "event": "a", "time": 0, "k": value} for value in order])
        assert [value for value, _ in run(document, rows, breakdown="k").breakdown] == ["x"]
