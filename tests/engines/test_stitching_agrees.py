"""Stitched runs: the SQL over the rows finds the units that the rules of docs/identity.md name, then the same walk."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import strategies
from doorstep.definitions.reading import load
from doorstep.errors import RunError, SourceError
from doorstep.funnels.data_check import check_against
from doorstep.funnels.examples import run_examples
from doorstep.funnels.explain import explain
from doorstep.funnels.run import run
from walks import by_reference, case_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STITCH = {"stitch": {"known": "user_id", "anonymous": "anonymous_id"}}
ACCOUNTS = {"account_of": STITCH, "account": "team"}
USERS = ["ann", "ben", "d1", "anonymous:d1"]
DEVICES = ["d1", "d2", "ann"]


def _table(rows: list[dict[str, Any]], ids: Any = None) -> pa.Table:
    ids = ids or pa.string()
    return pa.table(
        {
            "user_id": pa.array([row["user_id"] for row in rows], ids),
            "anonymous_id": pa.array([row["anonymous_id"] for row in rows], ids),
            "event": pa.array([row["event"] for row in rows], pa.string()),
            "time": pa.array([row["time"] for row in rows], pa.timestamp("us", tz="UTC")),
            "p": pa.array([row.get("p") for row in rows], pa.int64()),
            "k": pa.array([row.get("k") for row in rows], pa.string()),
            "team": pa.array([row.get("team") for row in rows], pa.string()),
        }
    )


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)


def _by_engine(document: dict[str, Any], rows: list[dict[str, Any]], options: dict[str, Any], **more: Any) -> Any:
    steps = [{"id": index, **step} for index, step in enumerate(document["steps"], start=1)]
    result = run(
        {**document, "steps": steps},
        _table(rows),
        since=_instant(options.get("since")),
        until=_instant(options.get("until")),
        as_of=_instant(options.get("as_of")),
        first_time=options["first_time"],
        **more,
    )
    found = result.attempts.select(["unit", "entered_at", "status", "reached", "dropped", "counted"]).to_pylist()
    return Counter((*one.values(),) for one in found)


def _expected(document: dict[str, Any], rows: list[dict[str, Any]], options: dict[str, Any]) -> Any:
    return Counter(
        (one.unit, _instant(one.entry[0]), one.status, one.reached, one.dropped, one.counted)
        for one in by_reference(case_of(document, rows, options))
    )


@st.composite
def stitched(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A definition that stitches, maybe on to accounts, maybe cut into sessions, and rows with any of the ids."""
    document = draw(strategies.documents())
    by, actor = document["count_by"], draw(st.sampled_from([STITCH, ACCOUNTS]))
    document["count_by"] = actor if isinstance(by, str) else {"session_of": actor, "gap": by["gap"]}
    if any("first_time" in step for step in document["steps"]):
        # Of rows alike in all but the held value, which one is the first ever is not settled: the join may turn them.
        document.pop("hold_constant", None)
    rows = draw(strategies.timelines(units=3))
    for row in rows:
        row["user_id"] = draw(st.none() | st.sampled_from(USERS))
        row["anonymous_id"] = draw(st.none() | st.sampled_from(DEVICES))
        row["team"] = draw(st.none() | st.sampled_from(["acme", "bolt", ""]))
    return document, rows


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(stitched(), strategies.options(), st.sampled_from([1, 3]))
def test_a_stitched_run_finds_the_attempts_of_the_rules(
    both: tuple[dict[str, Any], list[dict[str, Any]]], options: dict[str, Any], threads: int
) -> None:
    """Over random definitions and rows, whatever the number of threads."""
    assert _by_engine(*both, options, threads=threads) == _expected(*both, options)


@pytest.mark.long
@settings(max_examples=2_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(stitched(), strategies.options(), st.sampled_from([1, 3]))
def test_a_stitched_run_finds_the_attempts_of_the_rules_thousands_of_times(
    both: tuple[dict[str, Any], list[dict[str, Any]]], options: dict[str, Any], threads: int
) -> None:
    """The same promise, kept at two thousand cases."""
    assert _by_engine(*both, options, threads=threads) == _expected(*both, options)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(both=stitched(), options=strategies.options())
def test_buckets_change_nothing(both: tuple[dict[str, Any], list[dict[str, Any]]], options: dict[str, Any]) -> None:
    """Under a memory limit a unit's rows, whichever ids they have, are walked together."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("doorstep.engines.duckdb.buckets_of", lambda *_: 3)
        assert _by_engine(*both, options) == _expected(*both, options)


def _rows(*given_: tuple[int, str, Any, Any]) -> list[dict[str, Any]]:
    return [
        {"time": time, "event": event, "user_id": user, "anonymous_id": device} for time, event, user, device in given_
    ]


TWO_STEPS: dict[str, Any] = {"funnel": "f", "count_by": STITCH, "steps": [{"event": "a"}, {"event": "b"}]}
ONE_BEFORE = _rows((0, "a", None, "d1"), (1, "x", "ann", "d1"), (2, "b", "ann", None), (3, "a", None, "d2"))


def test_ids_are_compared_as_texts_and_none_is_counted() -> None:
    """Numbers too; an empty text is no id; a row with neither id has no unit."""
    numbers = _table(_rows((0, "a", None, 7), (1, "x", 42, 7), (2, "b", 42, None), (3, "a", None, None)), pa.int64())
    result = run(TWO_STEPS, numbers)
    assert result.attempts.column("unit").to_pylist() == ["42"]
    assert result.attempts.column("reached").to_pylist() == [2]
    assert dict(result.data.rejected) == {"no_unit": 1}
    empty = run(TWO_STEPS, _table(_rows((0, "a", "", "d1"), (1, "a", "", ""), (2, "x", "ann", ""))))
    assert empty.attempts.column("unit").to_pylist() == ["anonymous:d1"]


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_files_of_every_kind_are_stitched(tmp_path: Path, kind: str) -> None:
    """Under the common spellings of the two ids."""
    path = tmp_path / f"events.{kind}"
    table = _table(ONE_BEFORE).select(["user_id", "anonymous_id", "event", "time"])
    table = table.rename_columns(["distinct_id", "device_id", "event", "time"])
    match kind:
        case "parquet":
            pyarrow.parquet.write_table(table, path)
        case "csv":
            lines = [f"{r['user_id'] or ''},{r['anonymous_id'] or ''},{r['event']},{r['time']}" for r in ONE_BEFORE]
            path.write_text("\n".join(["distinct_id,device_id,event,time", *lines]))
        case _:
            named = {"user_id": "distinct_id", "anonymous_id": "device_id"}
            lines = [json.dumps({named.get(name, name): one for name, one in row.items()}) for row in ONE_BEFORE]
            path.write_text("\n".join(lines))
    result = run(TWO_STEPS, str(path))
    assert result.attempts.column("unit").to_pylist() == ["ann", "anonymous:d2"]
    assert result.unit == "stitched user_id"


def test_excluded_and_late_rows_link_nothing() -> None:
    """They do not exist; rows before the range do."""
    rows = _table(ONE_BEFORE)
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"exclude": [{"event": "x"}]}, {}),
        ({}, {"as_of": _instant(0)}),
        ({"steps": [{"event": "b"}]}, {"since": _instant(2)}),
    ]
    units = [run({**TWO_STEPS, **more}, rows, **bounds).attempts.column("unit").to_pylist() for more, bounds in cases]
    assert units == [["anonymous:d1", "anonymous:d2"], ["anonymous:d1"], ["ann"]]


def test_a_unit_is_explained_by_the_known_id() -> None:
    """Its devices' rows are its own; of a device's id it is told whose it is."""
    story = explain(TWO_STEPS, _table(ONE_BEFORE), "ann")
    assert [(one.status, one.reached) for one in story.attempts] == [("completed", 2)]
    assert story.rows == 3
    assert explain(TWO_STEPS, _table(ONE_BEFORE), "anonymous:d2").attempts[0].status == "open"
    with pytest.raises(RunError, match=r"'d1' is an id of anonymous_id, whose rows are those of 'ann'"):
        explain(TWO_STEPS, _table(ONE_BEFORE), "d1")
    with pytest.raises(RunError, match=r"no row of the pyarrow Table has user_id 'zoe'"):
        explain(TWO_STEPS, _table(ONE_BEFORE), "zoe")


def test_a_session_of_stitched_ids_is_explained() -> None:
    """By the unit's name and its number."""
    document = {**TWO_STEPS, "count_by": {"session_of": STITCH, "gap": "1s"}}
    assert explain(document, _table(ONE_BEFORE), "ann#1").attempts[0].reached == 2


def test_data_without_the_anonymous_column_is_refused() -> None:
    """With the columns it has."""
    with pytest.raises(SourceError, match="anonymous_id"):
        run(TWO_STEPS, _table(ONE_BEFORE).drop_columns(["anonymous_id"]))


@pytest.mark.parametrize(
    ("count_by", "found"),
    [
        ("user_id", ["unstitched-devices"]),
        ({"session_of": "user_id", "gap": "1h"}, ["unstitched-devices"]),
        ("distinct_id", ["unstitched-devices"]),
        (STITCH, []),
        ("anonymous_id", []),
        (["user_id", "anonymous_id"], []),
    ],
)
def test_check_says_when_devices_are_not_stitched(count_by: Any, found: list[str]) -> None:
    """Where rows have no user but an id of a device, whatever the columns are called."""
    funnel = load({**TWO_STEPS, "count_by": count_by})
    columns = {"distinct_id": "user_id"} if count_by == "distinct_id" else None
    issues = check_against(funnel, _table(ONE_BEFORE), columns=columns)
    assert [one.code for one in issues if one.path == "count_by"] == found
    rows = [row for row in ONE_BEFORE if row["user_id"]]
    assert not [one for one in check_against(funnel, _table(rows), columns=columns) if one.path == "count_by"]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(both=stitched())
def test_a_unit_is_told_as_it_was_counted(both: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    """Explaining each unit of a run gives the attempts that the run counted."""
    document, rows = both
    steps = [{"id": index, **step} for index, step in enumerate(document["steps"], start=1)]
    document = {**document, "steps": steps}
    table = _table(rows)
    attempts = run(document, table).attempts
    for unit in sorted(set(attempts.column("unit").to_pylist()))[:3]:
        story = explain(document, table, unit)
        expected = [one["status"] for one in attempts.to_pylist() if one["unit"] == unit]
        assert sorted(one.status for one in story.attempts) == sorted(expected)


def test_an_example_is_about_the_unit_of_its_first_row() -> None:
    """Where its rows hold ids; where none does, all of them are one unit's."""
    events = [
        {"at": "0s", "event": "a", "anonymous_id": "d1"},
        {"at": "1s", "event": "b", "user_id": "ben"},
        {"at": "2s", "event": "x", "anonymous_id": "d1", "user_id": "ann"},
        {"at": "3s", "event": "b", "user_id": "ann"},
    ]
    bare = [{"at": one["at"], "event": one["event"]} for one in events]
    examples = [
        {"name": "ids", "events": events, "expect": {"status": "completed", "at": {"2": "3s"}}},
        {"name": "horizon", "events": events, "as_of": "1s", "expect": {"status": "open", "reached": 1}},
        {"name": "bare", "events": bare, "expect": {"status": "completed", "at": {"2": "1s"}}},
    ]
    steps = [{"id": 1, "event": "a"}, {"id": 2, "event": "b"}]
    results = run_examples(load({**TWO_STEPS, "steps": steps, "examples": examples}))
    assert [one.failures for one in results] == [(), (), ()]
