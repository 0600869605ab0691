"""Sync: histories that are kept are those of a replay, however the cycles were cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from doorstep.lake.attach import attached
from ledgers import HOUR, SECOND, START, World, event, replayed, traits

JOURNEY: dict[str, Any] = {
    "journey": "life",
    "count_by": "account_id",
    "movement": {"backward": True},
    "stages": [
        {"id": "new"},
        {"id": "active", "criteria": {"count": {"at_least": 2, "in_last": "4h"}}},
        {"id": "paying", "criteria": {"all": [{"trait": {"plan": "pro"}}, {"did": "pay"}]}},
    ],
}


def _same(world: World, until: int, journey: dict[str, Any] = JOURNEY) -> None:
    lines, stands = replayed(journey, world.lake, START + until)
    assert world.told(journey["journey"]) == lines
    assert world.stands(journey["journey"]) == stands


def test_each_cycle_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """New rows, traits, and edges of windows that are due; after each cycle the ledger says what a replay says."""
    world = World.at(tmp_path)
    world.activate(JOURNEY, START)
    world.lake.accept([event(1, "acme", "visit", 0), event(2, "acme", "visit", HOUR), event(3, "zoo", "visit", 0)])
    first = world.sync(START + 2 * HOUR)
    assert (first.added, first.accounts, first.whole) == (1, 2, "it is the first sync")
    _same(world, 2 * HOUR)
    world.lake.accept([event(4, "zoo", "pay", 2 * HOUR + 1), traits(1, "zoo", 2 * HOUR + 5, plan="pro")])
    second = world.sync(START + 3 * HOUR)
    assert (second.accounts, second.added, second.whole) == (1, 2, None)
    _same(world, 3 * HOUR)
    third = world.sync(START + 4 * HOUR)  # first rows leave the window now
    assert (third.accounts, third.added, third.rows) == (2, 1, 4)
    _same(world, 4 * HOUR)
    assert world.sync(START + 4 * HOUR + 1).accounts == 0
    world.close()


def test_a_late_row_rewrites_history_and_what_it_undoes_is_retracted(tmp_path: Path) -> None:
    """Nothing is deleted: lines of the cause late data say what changed, and what never was."""
    world = World.at(tmp_path)
    world.activate(JOURNEY, START)
    world.lake.accept([event(1, "acme", "visit", 0), event(2, "acme", "visit", 3 * HOUR)])
    world.sync(START + 8 * HOUR)
    before = [("new", 4 * HOUR), ("active", 3 * HOUR)]
    assert [(one[2], one[5] - START) for one in world.told("life")] == before
    world.lake.accept([event(3, "acme", "visit", 2 * HOUR)])
    late = world.sync(START + 9 * HOUR)
    assert (late.added, late.changed, late.retracted) == (0, 2, 0)
    _same(world, 9 * HOUR)
    world.close()


def test_compaction_is_no_news_and_an_expired_snapshot_is_told(tmp_path: Path) -> None:
    """Rows that were only written anew touch nobody; where the lake forgot the last snapshot, everything is walked."""
    from datetime import timedelta

    world = World.at(tmp_path)
    world.activate(JOURNEY, START)
    for number in range(4):
        world.lake.accept([event(number, f"a{number}", "visit", number * SECOND, **{f"p{number}": number})])
        world.lake.settle()
    world.sync(START + HOUR)
    world.lake.compact()
    assert world.sync(START + HOUR + 1).accounts == 0
    world.lake.accept([event(9, "a1", "visit", 10 * SECOND, fresh=True)])
    world.lake.settle()
    world.lake.compact()
    assert world.sync(START + HOUR + 2).accounts == 1
    world.lake.accept([event(10, "a2", "visit", 10 * SECOND)])
    world.lake.settle()
    world.lake.compact(history=timedelta(0), grace=timedelta(0))
    again = world.sync(START + HOUR + 3)
    assert "no longer knows snapshot" in str(again.whole)
    assert (again.accounts, again.added) == (4, 1)
    _same(world, HOUR + 3)
    world.close()


def test_rows_that_are_deleted_take_their_history_with_them(tmp_path: Path) -> None:
    """Their transitions are retracted; an account that has nothing left stands nowhere, and its lines stay."""
    world = World.at(tmp_path)
    world.activate(JOURNEY, START)
    world.lake.accept([event(1, "acme", "visit", 0), event(2, "acme", "visit", HOUR), event(3, "zoo", "visit", 0)])
    world.sync(START + 2 * HOUR)
    with attached(world.lake.place) as connection:
        connection.execute("DELETE FROM lake.events WHERE message_id = 'e2'")
    assert world.sync(START + 2 * HOUR + 1).retracted == 1
    _same(world, 2 * HOUR + 1)
    with attached(world.lake.place) as connection:
        connection.execute("DELETE FROM lake.events WHERE message_id = 'e1'")
    world.sync(START + 2 * HOUR + 2)
    assert list(world.stands("life")) == ["zoo"]
    with attached(world.lake.place) as connection:
        assert connection.execute("SELECT account FROM lake.account_stage_current").fetchall() == [("zoo",)]
    world.close()


def test_rows_from_the_future_are_seen_when_their_time_has_come(tmp_path: Path) -> None:
    """A row, and the birth of an account, beyond the horizon are due by themselves."""
    world = World.at(tmp_path)
    world.activate(JOURNEY, START, lag=HOUR)
    world.lake.accept([event(1, "acme", "visit", 0), event(2, "acme", "visit", 3 * HOUR), event(3, "zoo", "visit", 9)])
    world.sync(START + HOUR)
    _same(world, 0)
    world.sync(START + 2 * HOUR)
    _same(world, HOUR)
    assert world.sync(START + 4 * HOUR).added == 1
    _same(world, 3 * HOUR)
    world.close()
