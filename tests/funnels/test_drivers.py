"""What goes together with dropping, counted right and told with care."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import doorstep
from doorstep.demo import write

FUNNEL = {"count_by": "user_id", "steps": [{"event": "a"}, {"event": "b", "window": "100s"}]}
HOUR = 3_600_000_000


def _table(rows: list[tuple[str, str, int, Any]], **columns: Any) -> pa.Table:
    return pa.table(
        {
            "user_id": [row[0] for row in rows],
            "event": [row[1] for row in rows],
            "time": pa.array([row[2] * 1_000_000 for row in rows], pa.timestamp("us", tz="UTC")),
            "platform": [row[3] for row in rows],
            **columns,
        }
    )


def _people() -> list[tuple[str, str, int, Any]]:
    """40 on x, of whom 30 go on after 50 s, and 40 on y, of whom 10 do; the end is far away. All who drop ask for help
    after 80 s, which is too late to be watched.
    """
    rows: list[tuple[str, str, int, Any]] = [("z", "end", 100_000, None)]
    for platform, going in (("x", 30), ("y", 10)):
        for number in range(40):
            unit = f"{platform}{number}"
            rows.append((unit, "a", 0, platform))
            if number < going:
                rows.append((unit, "b", 50 if number else 20, None))
            if number >= going:
                rows.append((unit, "help", 80, None))
    return rows


def test_a_property_at_the_step_before_is_told_with_its_odds() -> None:
    """30 of 40 on y drop, 10 of 40 on x: odds nine times as high; of two values the one that drops more is told."""
    found = doorstep.drivers(FUNNEL, _table(_people()), step=2)
    assert (found.went_on, found.dropped, found.young) == (40, 40, 0)
    first = found.drivers[0]
    assert (first.kind, first.name, first.value, first.found) == ("property", "platform", "y", True)
    assert (first.went_on, first.dropped, first.others_went_on, first.others_dropped) == (10, 30, 30, 10)
    assert first.odds.value == pytest.approx(9.0)
    assert first.odds.low is not None
    assert first.odds.low > 1
    assert first.q_value >= first.p_value


def test_events_are_watched_equally_long_for_both() -> None:
    """A quarter of those who went on took 50 s at most, and the two who took less are not looked at: nobody who was
    undecided at 50 s went on later, so there is nothing to compare, and help after 80 s is no sign of dropping.
    """
    found = doorstep.drivers(FUNNEL, _table(_people()), step=2)
    assert found.watched == 50.0
    assert found.watched_of == 40
    assert not any(one.kind == "event" for one in found.found)


def test_an_event_before_the_decision_is_found() -> None:
    """All take 20 s or 50 s; help within the first 20 s goes together with going on."""
    rows: list[tuple[str, str, int, Any]] = [("z", "end", 100_000, None)]
    for number in range(120):
        unit = f"u{number}"
        rows.append((unit, "a", 0, None))
        if number < 60:
            rows.append((unit, "b", 20 if number < 20 else 50, None))
        if 20 <= number < 55 or number > 110:
            rows.append((unit, "help", 5, None))
    found = doorstep.drivers(FUNNEL, _table(rows), step=2)
    assert (found.watched, found.watched_of) == (20.0, 100)
    (event,) = [one for one in found.found if one.kind == "event"]
    assert (event.name, event.went_on, event.dropped, event.others_went_on, event.others_dropped) == (
        "help",
        35,
        9,
        5,
        51,
    )
    assert event.odds.value is not None
    assert event.odds.value < 1


def test_late_attempts_are_left_out_whether_they_went_on_or_not() -> None:
    """Else the last days would seem to lose nobody: of them only those who went on are known."""
    rows = [*_people(), ("l1", "a", 99_950, "x"), ("l1", "b", 99_960, None), ("l2", "a", 99_940, "y")]
    found = doorstep.drivers(FUNNEL, _table(rows), step=2)
    assert (found.went_on, found.dropped, found.young) == (40, 40, 2)
    assert any("left out, whether they went on or not" in note for note in found.notes)


def test_without_a_window_those_who_have_not_gone_on_are_said_to_have_dropped() -> None:
    """And that they may still go on."""
    open_ended = {"count_by": "user_id", "steps": [{"event": "a"}, {"event": "b"}]}
    found = doorstep.drivers(open_ended, _table(_people()), step=2)
    assert (found.went_on, found.dropped) == (40, 40)
    assert any("no window" in note for note in found.notes)


def test_numbers_are_told_by_quarters_and_names_are_passed_over() -> None:
    """Prices of many values fall into ranges; a name of each row tells rows apart and is not tested."""
    rows = _people()
    prices = [float(number % 97) if row[1] == "a" else None for number, row in enumerate(rows)]
    names = [f"name {number}" for number in range(len(rows))]
    table = _table(rows, price=pa.array(prices), label=pa.array(names))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("doorstep.funnels.drivers.MOST_VALUES", 50)
        found = doorstep.drivers(FUNNEL, table, step=2, support=5)
    assert {one.value for one in found.drivers if one.name == "price"}
    assert all(" to " in (one.value or "") for one in found.drivers if one.name == "price")
    assert found.passed_over == ("label",)


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ([("z", "end", 100_000, None)], "nothing to compare"),
        ([("u", "a", 0, "x"), ("z", "end", 100_000, None)], "nobody went on"),
        ([("u", "a", 0, "x"), ("u", "b", 1, "x"), ("z", "end", 100_000, None)], "nobody dropped"),
    ],
)
def test_nobody_one_unit_all_or_none(rows: list[tuple[str, str, int, Any]], note: str) -> None:
    """A clear answer, and no NaN."""
    found = doorstep.drivers(FUNNEL, _table(rows), step=2)
    assert any(note in one for one in found.notes)
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("funnel", "given", "code"),
    [
        (FUNNEL, {"step": 3}, "no-such-step"),
        (FUNNEL, {"step": 1}, "no-drop"),
        (
            {**FUNNEL, "order": "any", "window": "9s", "steps": [{"event": "a"}, {"event": "b"}]},
            {"step": 2},
            "steps-in-any-order",
        ),
        (FUNNEL, {"step": 2, "support": 0}, "bad-support"),
        (FUNNEL, {"step": 2, "at": "noon"}, "bad-place"),
    ],
)
def test_what_cannot_be_is_refused(funnel: Any, given: dict[str, Any], code: str) -> None:
    """With a code and a remedy."""
    with pytest.raises(doorstep.RunError) as error:
        doorstep.drivers(funnel, _table(_people()), **given)
    assert error.value.code == code


def test_counts_are_those_of_independent_sql(tmp_path: Path) -> None:
    """On the example data: Android's checkouts in February, counted in SQL alone."""
    events = write(tmp_path, rows=60_000)
    funnel = {
        "count_by": "user_id",
        "steps": [{"event": "checkout_started"}, {"event": "payment_submitted", "window": "2d"}],
    }
    found = doorstep.drivers(funnel, str(events), step=2, until="2026-03-01", support=5)
    rows = duckdb.sql(
        f"""WITH once AS (SELECT * FROM '{events}'
                          QUALIFY row_number() OVER (PARTITION BY message_id ORDER BY time) = 1),
                 first AS (SELECT user_id, min(time) AS began, any_value(platform) AS platform FROM once
                           WHERE event = 'checkout_started' AND time < '2026-03-01 00:00:00+00' GROUP BY ALL)
            SELECT platform, count(*) FILTER (went), count(*) FILTER (NOT went) FROM (
              SELECT platform, EXISTS (SELECT 1 FROM once WHERE once.user_id = first.user_id
                AND event = 'payment_submitted' AND time BETWEEN began AND began + INTERVAL 2 DAY) AS went FROM first)
            GROUP BY platform"""
    ).fetchall()
    told = {one.value: (one.went_on, one.dropped) for one in found.drivers if one.name == "platform"}
    assert told
    assert told == {platform: (went, dropped) for platform, went, dropped in rows if platform in told}
    (android,) = [one for one in found.drivers if one.value == "android"]
    assert android.drop_share > (android.others_drop_share or 0)


def test_a_memory_limit_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bucket by bucket the table of attempts is the same."""
    path = tmp_path / "events.parquet"
    pq.write_table(_table(_people()), path)
    at_once = doorstep.drivers(FUNNEL, path, step=2)
    monkeypatch.setattr("doorstep.engines.duckdb.BYTES_PER_ROW", 3_000_000)
    in_parts = doorstep.drivers(FUNNEL, path, step=2, memory=100_000_000)
    assert in_parts.drivers == at_once.drivers
