"""Who stands where, with their times; branches and optional steps; the same lists by independent SQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

import doorstep
from funnels.world import SIGNUP, run

STEPS: dict[str, Any] = {
    "steps": [
        {"id": "a", "event": "a"},
        {"id": "b", "event": "b", "window": "10h"},
        {"id": "c", "event": "c", "window": "10h"},
    ]
}
UNITS = {
    "u1": "0h a p=x; 1h b; 2h c",
    "u2": "0h a; 3h b",
    "u3": "0h a p=x",
    "u4": "38h a; 39h b; 40h page",
    "u5": "1h a; 2h k; 3h b",
}


def _units(table: Any) -> list[str]:
    return list(table.column("unit").to_pylist())


@pytest.mark.parametrize(
    ("step", "outcome", "expected"),
    [
        ("b", "reached", ["u1", "u2", "u5", "u4"]),
        (None, "reached", ["u1"]),
        ("b", "dropped", ["u3"]),
        ("c", "dropped", ["u2", "u5"]),
        ("c", "open", ["u4"]),
        ("a", "dropped", []),
    ],
)
def test_a_list_holds_those_with_the_outcome_by_entry(step: Any, outcome: Any, expected: list[str]) -> None:
    """By entry, then by name; who dropped and who is open are those that the report calls dropped."""
    result = run(STEPS, UNITS)
    assert _units(result.people(step, outcome)) == expected


def test_dropped_and_open_are_what_the_report_calls_dropped() -> None:
    """And reached is its count."""
    result = run(STEPS, UNITS)
    for step in result.steps:
        sizes = {outcome: result.people(step.id, outcome).num_rows for outcome in ("reached", "dropped", "open")}
        assert sizes["reached"] == step.count
        assert sizes["dropped"] + sizes["open"] == step.dropped


def test_the_excluded_are_listed_at_the_step_they_did_not_come_to() -> None:
    """Whether an exclusion drops the attempt or stops it, and whatever it reached afterwards."""
    for effect in ("drop", "stop"):
        rule = {"event": "k", "after": "a", "before": "b", "effect": effect}
        result = run({**STEPS, "exclude_between": [rule]}, UNITS)
        assert _units(result.people("b", "excluded")) == ["u5"]
        assert _units(result.people("c", "excluded")) == []


def test_a_list_tells_times_status_and_value() -> None:
    """One column for each step; the value of the breakdown, by which it can be limited, also to none."""
    result = run(STEPS, UNITS, breakdown="p")
    assert result.people().schema.names == ["unit", "entered_at", "at_a", "at_b", "at_c", "status", "value"]
    assert _units(result.people("a", breakdown_value="x")) == ["u1", "u3"]
    assert _units(result.people("a", breakdown_value=None)) == ["u2", "u5", "u4"]
    (line,) = result.people("c").to_pylist()
    assert (line["status"], line["value"], line["at_c"].hour) == ("completed", "x", 2)


@pytest.mark.parametrize(
    ("code", "arguments", "value"),
    [
        ("no-such-step", ("bb",), None),
        ("bad-outcome", ("b", "lost"), None),
        ("no-such-value", ("b",), "y"),
    ],
)
def test_what_is_not_there_is_refused(code: str, arguments: Any, value: Any) -> None:
    """No such step, outcome or value."""
    with pytest.raises(doorstep.RunError) as caught:
        run(STEPS, UNITS, breakdown="p").people(*arguments, breakdown_value=value)
    assert caught.value.code == code


def test_a_long_list_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows, some at a time; of nobody one part without rows."""
    result = run(STEPS, UNITS)
    whole = result.people("a")
    monkeypatch.setattr("doorstep.funnels.people.AT_A_TIME", 2)
    parts = list(result.people_batches("a"))
    assert [part.num_rows for part in parts] == [2, 2, 1]
    assert result.people("a").equals(whole)
    assert [part.num_rows for part in result.people_batches("a", "dropped")] == [0]


def test_lists_are_what_sql_finds(demo: Path, sql: duckdb.DuckDBPyConnection) -> None:
    """Every unit of every list, over the example data."""
    result = doorstep.run(SIGNUP, demo)
    for step, outcome, where in (
        ("verified", "reached", "t2 IS NOT NULL"),
        ("verified", "dropped", "t2 IS NULL AND status = 'expired'"),
        ("verified", "open", "t2 IS NULL AND status = 'open'"),
        ("session", "dropped", "t2 IS NOT NULL AND t3 IS NULL AND status = 'expired'"),
        ("session", "open", "t2 IS NOT NULL AND t3 IS NULL AND status = 'open'"),
    ):
        found = result.people(step, outcome)  # type: ignore[arg-type]
        expected = sql.execute(f"SELECT user_id, t1, t2 FROM attempts WHERE {where}").fetchall()
        times = (
            found.column("entered_at").cast("int64").to_pylist(),
            found.column("at_verified").cast("int64").to_pylist(),
        )
        assert sorted(zip(_units(found), *times, strict=True), key=str) == sorted(expected, key=str)
        assert len(expected) > 0


def test_each_branch_is_followed_to_the_end() -> None:
    """Of those who took x, all went on to c; of those who took y, half."""
    steps = [{"id": "a", "event": "a"}, {"id": "way", "any_of": [{"event": "x"}, {"event": "y"}, {"event": "z"}]}]
    document = {"steps": [*steps, {"id": "c", "event": "c"}]}
    units = {"u1": "0h a; 1h x; 2h c", "u2": "0h a; 1h y; 2h c", "u3": "0h a; 1h y"}
    x, y, z = run(document, units).branches()
    assert (x.step, x.branch, x.count, x.conversion) == ("way", "x", 1, 1.0)
    assert (y.count, y.steps[0].id, y.steps[0].count, y.conversion, y.open) == (2, "c", 1, 0.5, 1)
    assert (z.count, z.conversion) == (0, None)
    json.dumps([one.to_dict() for one in (x, y, z)], allow_nan=False)


def test_those_who_took_an_optional_step_stand_beside_those_who_did_not() -> None:
    """Of the three who came to it, one took it and completed; of the two others one did."""
    steps = [{"id": "a", "event": "a"}, {"id": "o", "event": "o", "optional": True}, {"id": "b", "event": "b"}]
    units = {"u1": "0h a; 1h o; 2h b", "u2": "0h a; 2h b", "u3": "0h a"}
    (found,) = run({"steps": steps}, units).optional_steps()
    assert (found.step, found.came) == ("o", 3)
    assert (found.took.count, found.took.conversion, found.took.next_share) == (1, 1.0, 1.0)
    assert (found.did_not.count, found.did_not.conversion, found.did_not.open) == (2, 0.5, 1)


def test_an_optional_step_is_what_sql_finds(demo: Path, sql: duckdb.DuckDBPyConnection) -> None:
    """Who saw a page between the signup and the confirmation, and who did not."""
    steps = [SIGNUP["steps"][0], {"id": "page", "event": "page_view", "optional": True}, *SIGNUP["steps"][1:]]
    (found,) = doorstep.run({**SIGNUP, "steps": steps}, demo).optional_steps()
    query = """SELECT page, count(*), count(t3), count(t2) FROM (SELECT a.*, EXISTS (FROM events AS e, horizon
        WHERE e.user_id = a.user_id AND event = 'page_view' AND us BETWEEN t1 AND coalesce(t2, t1 + 7 * 86400000000))
        AS page FROM attempts AS a) GROUP BY page ORDER BY page"""
    told = [
        (taken, one.count, one.completed, one.next_count) for taken, one in ((False, found.did_not), (True, found.took))
    ]
    assert told == sql.execute(query).fetchall()
