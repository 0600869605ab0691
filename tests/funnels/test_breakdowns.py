"""Breakdowns by any row of an attempt, by touches, by several at once; the same counts by independent SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import doorstep
import strategies
from doorstep.funnels.breakdowns import Breakdown, Other
from doorstep.funnels.run import run as run_funnel
from funnels.world import SIGNUP, run, table

STEPS: dict[str, Any] = {
    "steps": [{"id": "one", "event": "a"}, {"id": "two", "event": "b"}, {"id": "three", "event": "c"}]
}
UNITS = {
    "u1": "0h a p=x; 1h b p=y; 2h c p=z",
    "u2": "0h a p=x; 1h b p=x",
    "u3": "0h a",
    "u4": "0h view p=early; 1h view p=late; 2h a; 3h view p=after",
}


def _groups(result: doorstep.FunnelResult) -> dict[Any, tuple[int, int]]:
    return {value: (one.entered, one.completed) for value, one in result.breakdown}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("p", {"x": (2, 1), None: (2, 0)}),
        ("p@two", {"y": (1, 1), "x": (1, 0), None: (2, 0)}),
        ("p@step:three", {"z": (1, 1), None: (3, 0)}),
        ("p@last", {"z": (1, 1), "x": (1, 0), None: (2, 0)}),
        ("p@first_touch", {"x": (2, 1), "early": (1, 0), None: (1, 0)}),
        ("p@last_touch", {"x": (2, 1), "late": (1, 0), None: (1, 0)}),
        (Breakdown("p", "last"), {"z": (1, 1), "x": (1, 0), None: (2, 0)}),
    ],
)
def test_the_value_is_read_where_the_breakdown_says(by: Any, expected: dict[Any, Any]) -> None:
    """At the entry, at a step, at the last one reached, or as any row of the unit had it first or last by the entry."""
    assert _groups(run(STEPS, UNITS, breakdown=by)) == expected


def test_a_touch_is_no_empty_value_and_none_that_came_after_the_entry() -> None:
    """Of equally early ones the least; rows that never count are no touches."""
    units = {"u": '0h view p=""; 1h view p=b; 1h view p=a; 2h view p=bot bot=true; 3h a; 4h view p=z'}
    document = {**STEPS, "exclude": [{"filters": {"bot": True}}]}
    assert list(_groups(run(document, units, breakdown="p@first_touch"))) == ["a"]
    assert list(_groups(run(document, units, breakdown="p@last_touch"))) == ["a"]


def test_several_breakdowns_are_taken_together() -> None:
    """Tuples of values; in JSON lists, each with its own form."""
    result = run(STEPS, UNITS, breakdown=["p", Breakdown("p", "last_touch")])
    assert _groups(result) == {("x", "x"): (2, 1), (None, "late"): (1, 0), (None, None): (1, 0)}
    told = result.to_dict()["breakdown"]
    assert told[0]["property"] == ["p", "p@last_touch"]
    assert [one["value"] for one in told] == [["x", "x"], [None, "late"], [None, None]]


def test_top_shows_the_most_entered_and_the_rest_as_one() -> None:
    """What has no value is neither: None, the text None and the text other stay apart."""
    units = {f"u{number}": f"0h a p={value}" for number, value in enumerate(["None", "None", "other", "x"])}
    units["v"] = "0h a"
    result = run(STEPS, units, breakdown="p", top=1)
    assert _groups(result) == {"None": (2, 0), None: (1, 0), Other(2): (2, 0)}
    told = result.to_dict()["breakdown"]
    assert [(one["value"], one.get("other")) for one in told] == [("None", None), (None, None), (None, True)]
    assert told[-1]["values"] == 2


def test_of_equally_many_the_values_that_come_first_are_shown() -> None:
    """So that which are shown does not depend on the order of rows."""
    units = {f"u{number}": f"0h a p={value}" for number, value in enumerate("dbca")}
    assert list(_groups(run(STEPS, units, breakdown="p", top=2))) == ["a", "b", Other(2)]


def test_too_many_values_name_the_way_out_and_top_takes_it() -> None:
    """Twenty thousand values: an error that names --top, or the top and one other."""
    rows = pa.table(
        {
            "user_id": list(range(20_000)),
            "event": ["a"] * 20_000,
            "time": pa.array(range(20_000), pa.timestamp("us")),
            "p": [f"value {number % 19_999}" for number in range(20_000)],
        }
    )
    document = {"count_by": "user_id", **STEPS}
    with pytest.raises(doorstep.RunError, match="--top") as caught:
        doorstep.run(document, rows, breakdown="p")
    assert caught.value.code == "too-many-values"
    first, second, rest = doorstep.run(document, rows, breakdown="p", top=2).breakdown
    assert (first[0], first[1].entered, second[1].entered) == ("value 0", 2, 1)
    assert (rest[0], rest[1].entered) == (Other(19_997), 19_997)


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("bad-breakdown", {"breakdown": "p@twoo"}),
        ("bad-breakdown", {"breakdown": "@last"}),
        ("bad-breakdown", {"breakdown": [5]}),
        ("bad-top", {"breakdown": "p", "top": 0}),
        ("no-unit-column", {"breakdown": "pp"}),
        ("bad-segment", {"segments": {"s": {"p": {"equals": 1}}}}),
        ("bad-segment", {"segments": {"s": 5}}),
        ("impossible-literal", {"segments": {"s": {"p": 5}}}),
    ],
)
def test_what_cannot_be_meant_is_refused(code: str, options: dict[str, Any]) -> None:
    """In one sentence, with a stable code."""
    with pytest.raises(doorstep.DoorstepError) as caught:
        run(STEPS, UNITS, **options)
    assert caught.value.code == code


def test_segments_stand_beside_everyone_and_may_overlap() -> None:
    """Filters are asked of the entry row; a list names units."""
    segments: dict[str, Any] = {
        "X": {"p": "x"},
        "Any": {"p": {"exists": True}},
        "None": {"p": "zz"},
        "Two": ["u1", "u3"],
    }
    result = run(STEPS, UNITS, segments=segments, breakdown="p")
    assert [(one.name, one.figures.entered, one.figures.completed) for one in result.segments] == [
        ("X", 2, 1),
        ("Any", 2, 1),
        ("None", 0, 0),
        ("Two", 2, 1),
    ]
    assert result.segments[2].figures.conversion is None
    assert "no entry is in the segment None." in result.data.notes
    assert [one["name"] for one in result.to_dict()["segments"]] == ["X", "Any", "None", "Two"]


def test_a_breakdown_finds_what_sql_finds(demo: Path, sql: duckdb.DuckDBPyConnection) -> None:
    """Entered and completed by value at the entry, at a step, and by first and last touch, over the example data."""
    session = {"entry": "session_at_entry", "step:verified": "session_at_2"}
    for at, column in session.items():
        found = doorstep.run(SIGNUP, demo, breakdown=Breakdown("session_id", at), top=25).breakdown
        query = f"SELECT {column}, count(*), count(t3) FROM attempts GROUP BY 1"
        expected = {value: numbers for value, *numbers in sql.execute(query).fetchall()}
        told = {value: [one.entered, one.completed] for value, one in found if not isinstance(value, Other)}
        assert told == {value: expected[value] for value in told}
        assert sum(one.entered for _, one in found) == sum(entered for entered, _ in expected.values())
    for at, order in (("first_touch", "us"), ("last_touch", "-us")):
        found = doorstep.run(SIGNUP, demo, breakdown=f"currency@{at}").breakdown
        query = f"""SELECT currency, count(*), count(t3) FROM attempts LEFT JOIN (
            SELECT user_id, arg_min(properties->>'currency', {order}) AS currency
            FROM events JOIN entries USING (user_id)
            WHERE properties->>'currency' IS NOT NULL AND us <= t1 GROUP BY user_id) USING (user_id) GROUP BY 1"""
        assert {(value, one.entered, one.completed) for value, one in found} == set(sql.execute(query).fetchall())
        assert len(found) == 3


def test_a_segment_finds_what_sql_finds(demo: Path, sql: duckdb.DuckDBPyConnection) -> None:
    """Read past SQL from plain columns, and through SQL with a property in JSON."""
    expected = sql.execute("SELECT count(*), count(t3) FROM attempts WHERE plan IN ('pro', 'team')").fetchone()
    for more in ({}, {"not": {"test_user": "never"}}):
        (paid,) = doorstep.run(SIGNUP, demo, segments={"Paid": {"plan": ["pro", "team"], **more}}).segments
        assert (paid.figures.entered, paid.figures.completed) == expected


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    document=strategies.documents(),
    rows=strategies.timelines(units=4),
    at=st.sampled_from(["entry", "last", "first_touch", "last_touch"]),
    buckets=st.sampled_from([1, 3]),
)
def test_groups_sum_to_the_whole(document: dict[str, Any], rows: list[dict[str, Any]], at: str, buckets: int) -> None:
    """Whatever is counted and wherever the value is read, every counted attempt is in one group; rows in any order, in
    one part or several, with `top` or without.
    """
    units = pa.table(
        {
            "user_id": pa.array([row["user_id"] for row in rows], pa.string()),
            "event": pa.array([row["event"] for row in rows], pa.string()),
            "time": pa.array([row["time"] for row in rows], pa.timestamp("us", tz="UTC")),
            "p": pa.array([row.get("p") for row in rows], pa.int64()),
            "k": pa.array([row.get("k") for row in rows], pa.string()),
        }
    )
    steps = [{"id": index, **step} for index, step in enumerate(document["steps"], start=1)]
    funnel = {"funnel": "case", **document, "steps": steps}
    if not rows:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("doorstep.engines.duckdb.buckets_of", lambda *_: buckets)
        result = run_funnel(funnel, units, breakdown=Breakdown("p", at))
        top = run_funnel(funnel, units.take(list(reversed(range(len(rows))))), breakdown=[Breakdown("p", at)], top=1)
    whole = result.figures
    for found in (result, top):
        figures = [one for _, one in found.breakdown]
        assert sum(one.entered for one in figures) == whole.entered
        assert sum(one.completed for one in figures) == whole.completed
        assert sum(one.open for one in figures) == whole.open
        for number, step in enumerate(whole.steps):
            assert sum(one.steps[number].count for one in figures) == step.count
    assert (
        dict(top.breakdown[:1]) == dict(result.breakdown[:1])
        or top.breakdown[0][0] is None
        or result.breakdown[0][0] is None
    )


def test_the_unit_table_is_what_it_was() -> None:
    """A breakdown adds nothing to the attempts."""
    assert (
        run(STEPS, UNITS, breakdown="p").attempts
        == doorstep.run({"count_by": "user_id", **STEPS}, table(UNITS)).attempts
    )
