"""The life of a journey: versions, causes, what is announced, moves by hand, and tables for other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest

from doorstep.errors import DoorstepError, RegistryError, StoreError
from doorstep.lake.attach import attached
from doorstep.ledger import activate, archive, draft, move, pause, sync, take_effect
from doorstep.ledger.exporting import export
from doorstep.ledger.handing_on import transitions_of
from doorstep.server.stores import syncing
from ledgers import HOUR, START, World, event, replayed
from postgres import serving

JOURNEY: dict[str, Any] = {
    "journey": "life",
    "count_by": "account_id",
    "stages": [
        {"id": "new"},
        {"id": "tried", "criteria": {"did": "try"}},
        {"id": "paying", "criteria": {"did": "pay"}},
    ],
}


def _lines(world: World, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(one[name] for name in columns) for one in transitions_of(world.ledger, "life").to_pylist()]


def _announced(world: World) -> list[tuple[str, str]]:
    with world.ledger.database.reading() as session:
        from sqlalchemy import text

        found = session.execute(text("SELECT account, announce_why FROM journey_transitions ORDER BY seq"))
        return [(account, why) for account, why in found]


def test_a_new_version_marks_what_it_finds_and_announces_nothing_of_it(tmp_path: Path) -> None:
    """A stage that is gone loses no history: its transitions are retracted by the definition's change, and kept."""
    world = World.at(tmp_path)
    world.activate(JOURNEY, START)
    world.lake.accept([event(1, "acme", "try", 0), event(2, "acme", "pay", HOUR), event(3, "zoo", "try", HOUR)])
    world.sync(START + 2 * HOUR)
    gone = {**JOURNEY, "stages": [{"id": "new"}, {"id": "paying", "criteria": {"did": "pay"}}]}
    draft(world.ledger, gone, by="ann", at=START + 3 * HOUR)
    (found,) = take_effect(world.lake, world.ledger, "life", START + 3 * HOUR, by="ann")
    assert (found.whole, found.failure) == ("version 2 is new", None)
    assert _lines(world, "account", "to_stage", "change", "cause", "version") == [
        ("acme", "tried", "added", "criteria", 1),
        ("acme", "paying", "added", "criteria", 1),
        ("zoo", "tried", "added", "criteria", 1),
        ("acme", "paying", "changed", "definition change", 2),
        ("acme", "tried", "retracted", "definition change", 2),
        ("zoo", "tried", "retracted", "definition change", 2),
    ]
    assert [why for _, why in _announced(world)][3:] == ["it was known before", *["it is retracted"] * 2]
    assert (world.told("life"), world.stands("life")) == replayed(gone, world.lake, START + 3 * HOUR)
    world.close()


def test_a_transition_is_announced_once_after_the_activation_and_while_it_is_fresh(tmp_path: Path) -> None:
    """Each line says why it is not announced."""
    world = World.at(tmp_path)
    world.lake.accept([event(1, "old", "try", 0)])
    world.activate(JOURNEY, START + HOUR, announce_within=2 * HOUR)
    world.sync(START + HOUR)
    world.lake.accept([event(2, "fresh", "try", 2 * HOUR), event(3, "stale", "try", HOUR)])
    world.sync(START + 4 * HOUR)
    said = dict(_announced(world))
    assert said == {
        "old": "it occurred before the activation",
        "fresh": "",
        "stale": "it occurred too long ago",
    }
    world.close()


def test_moves_by_hand_are_inputs_with_who_and_why(tmp_path: Path) -> None:
    """They are kept, taken in by the next sync, and survive versions; a stage that a version lacks is said."""
    world = World.at(tmp_path)
    world.activate(JOURNEY, START)
    world.lake.accept([event(1, "acme", "try", 0)])
    world.sync(START + HOUR)
    move(world.ledger, "life", "acme", "paying", by="eve", reason="signed on paper", at=START + HOUR + 1, now=START)
    assert world.sync(START + 2 * HOUR).added == 1
    assert _lines(world, "to_stage", "cause")[-1] == ("paying", "manual")
    moved = [{"unit": "acme", "to": "paying", "at": START + HOUR + 1}]
    assert (world.told("life"), world.stands("life")) == replayed(JOURNEY, world.lake, START + 2 * HOUR, moved)
    with pytest.raises(RegistryError, match="Did you mean paying"):
        move(world.ledger, "life", "acme", "payin", by="eve", reason="x", at=START, now=START)
    with pytest.raises(RegistryError, match="reason"):
        move(world.ledger, "life", "acme", "paying", by="eve", reason=" ", at=START, now=START)
    fewer = {**JOURNEY, "stages": JOURNEY["stages"][:2]}
    draft(world.ledger, fewer, by="ann", at=START + 3 * HOUR)
    (found,) = take_effect(world.lake, world.ledger, "life", START + 3 * HOUR, by="ann")
    assert "1 moves by hand lead to stages" in found.notes[0]
    world.close()


def test_a_paused_journey_waits_and_an_archived_one_stays_so(tmp_path: Path) -> None:
    """What happened meanwhile is found afterwards, and not announced."""
    world = World.at(tmp_path)
    world.activate(JOURNEY, START)
    world.lake.accept([event(1, "acme", "try", 0)])
    world.sync(START + HOUR)
    pause(world.ledger, "life", by="ann", at=START + HOUR)
    world.lake.accept([event(2, "acme", "pay", 2 * HOUR)])
    assert sync(world.lake, world.ledger, START + 3 * HOUR) == ()
    activate(world.ledger, "life", by="ann", at=START + 4 * HOUR)
    assert world.sync(START + 4 * HOUR).added == 1
    assert _announced(world)[-1] == ("acme", "it occurred before the activation")
    archive(world.ledger, "life", by="ann", at=START + 5 * HOUR)
    with pytest.raises(RegistryError, match="archived"):
        activate(world.ledger, "life", by="ann", at=START + 6 * HOUR)
    world.close()


def test_journeys_of_several_units_go_side_by_side_and_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    """Accounts, users and a property of the rows; a literal that a column cannot equal is told of its journey alone."""
    world = World.at(tmp_path)
    for number, unit in enumerate(("account_id", "user_id", "workspace")):
        world.activate({**JOURNEY, "journey": f"by-{unit}", "count_by": unit}, START + number)
    broken = {"did": {"event": "try", "filters": {"unit.plan": "pro"}}}
    world.activate({**JOURNEY, "journey": "broken", "stages": [{"id": "a"}, {"id": "b", "criteria": broken}]}, START)
    world.lake.accept([event(1, "acme", "try", 0, workspace="w1"), event(2, "zoo", "visit", 0, workspace="w2")])
    found = {one.journey: one for one in sync(world.lake, world.ledger, START + HOUR)}
    assert found.pop("broken").failure is not None
    assert [one.failure for one in found.values()] == [None] * 3
    world.lake.accept([event(3, "zoo", "pay", HOUR + 1, workspace="w2")])
    again = {one.journey: one for one in sync(world.lake, world.ledger, START + 2 * HOUR)}
    assert again["by-workspace"].accounts == 1
    for unit in ("account_id", "user_id", "workspace"):
        journey = {**JOURNEY, "journey": f"by-{unit}", "count_by": unit}
        lines, stands = replayed(journey, world.lake, START + 2 * HOUR)
        assert (world.told(f"by-{unit}"), world.stands(f"by-{unit}")) == (lines, stands)
    world.close()


def test_a_clock_that_goes_back_does_nothing_and_two_syncs_do_not_meet(tmp_path: Path) -> None:
    """History is never shortened; the second of two syncs waits, or is refused."""
    world = World.at(tmp_path)
    world.activate(JOURNEY, START)
    world.lake.accept([event(1, "acme", "try", 0)])
    world.sync(START + 2 * HOUR)
    before = world.told("life")
    back = world.sync(START + HOUR)
    assert (back.horizon, "clock" in back.notes[0], world.told("life")) == (START + 2 * HOUR, True, before)
    with world.lake.place.locked("sync", wait=0), pytest.raises(StoreError, match="another process"):
        sync(world.lake, world.ledger, START + 3 * HOUR, wait=0)
    world.close()


def test_the_lake_has_tables_that_any_tool_reads_and_a_lost_write_is_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transitions only grow, under stable ids; what was not handed on is handed on by the next sync, once."""
    world = World.at(tmp_path)
    world.activate(JOURNEY, START)
    world.lake.accept([event(1, "acme", "try", 0), event(2, "zoo", "visit", 0)])
    world.sync(START + HOUR)
    world.lake.accept([event(3, "zoo", "pay", HOUR + 1)])
    with monkeypatch.context() as broken:
        broken.setattr(world.lake, "put_stages", _fail)
        with pytest.raises(DoorstepError, match="disk is full"):
            sync(world.lake, world.ledger, START + 2 * HOUR)
    for hours in (3, 4):
        world.sync(START + hours * HOUR)
        with attached(world.lake.place) as connection:
            current = connection.execute(
                "SELECT account, stage FROM lake.account_stage_current ORDER BY account"
            ).fetchall()
            lines = connection.execute(
                "SELECT account, to_stage, change, skipped FROM lake.account_stage_transitions ORDER BY seq"
            ).fetchall()
        assert current == [("acme", "tried"), ("zoo", "paying")]
        assert lines == [("acme", "tried", "added", []), ("zoo", "paying", "added", ["tried"])]
    assert world.lake.check() == ()
    world.close()


def _fail(*_: object) -> None:
    raise StoreError("disk-full", "the disk is full")


def test_a_journey_is_exported_to_files_and_to_postgresql(tmp_path: Path) -> None:
    """Parquet and CSV hold what the ledger says; PostgreSQL keeps what is there and gets what is new."""
    world = World.at(tmp_path / "d")
    world.activate(JOURNEY, START)
    world.lake.accept([event(1, "acme", "try", 0), event(2, "zoo", "pay", 0)])
    world.sync(START + HOUR)
    export(world.ledger, "life", str(tmp_path / "t.parquet"), "transitions")
    assert pq.read_table(tmp_path / "t.parquet").column("to_stage").to_pylist() == ["tried", "paying"]
    export(world.ledger, "life", str(tmp_path / "c.csv"), "current")
    read = duckdb.sql(f"SELECT account, stage FROM '{tmp_path}/c.csv' ORDER BY 1").fetchall()
    assert read == [("acme", "tried"), ("zoo", "paying")]
    with pytest.raises(DoorstepError, match="should end in"):
        export(world.ledger, "life", "x.txt", "current")
    with serving() as server:
        address = server.database()
        assert export(world.ledger, "life", address, "")["account_stage_transitions"] == 2
        assert export(world.ledger, "life", address, "")["account_stage_transitions"] == 0
        with psycopg.connect(address) as connection:
            stands = connection.execute("SELECT account, stage FROM account_stage_current ORDER BY 1").fetchall()
        assert stands == read
    world.close()


def test_the_server_syncs_beside_its_work(tmp_path: Path) -> None:
    """What it does again and again brings active journeys up to its clock."""
    world = World.at(tmp_path)
    work = syncing(world.lake, world.ledger.database, lambda: START + HOUR)
    work()
    world.activate(JOURNEY, START)
    world.lake.accept([event(1, "acme", "try", 0)])
    work()
    assert world.stands("life")["acme"][0] == "tried"
    world.close()


def test_a_version_that_is_named_is_activated(tmp_path: Path) -> None:
    """Versions of journeys are those of the registry; an older one than the last can be made to count."""
    world = World.at(tmp_path)
    name = world.activate(JOURNEY, START)
    draft(world.ledger, {**JOURNEY, "title": "Another"}, by="ann", at=START)
    assert [str(one) for one in world.ledger.published().versions(name)] == ["life@1", "life@2"]
    activate(world.ledger, name, by="ann", at=START + 1)
    assert world.ledger.head(name).version == 2
    activate(world.ledger, name, by="ann", at=START + 2, version=1)
    head = world.ledger.head(name)
    assert (head.version, head.activated_at) == (1, START + 2)
    with pytest.raises(RegistryError) as caught:
        activate(world.ledger, name, by="ann", at=START, version=3)
    assert caught.value.code == "no-such-version"
    funnel = {"funnel": "a", "semantics": 1, "count_by": "user_id", "steps": [{"event": "a"}, {"event": "b"}]}
    with pytest.raises(RegistryError) as caught:
        draft(world.ledger, funnel, by="ann", at=START)
    assert caught.value.code == "not-a-journey"
    world.close()


def test_what_tipped_a_transition_is_kept_with_it(tmp_path: Path) -> None:
    """The criterion and the row, as evidence told them when the line was written; in the lake's table, too."""
    world = World.at(tmp_path)
    often = {"id": "often", "criteria": {"count": {"event": "visit", "at_least": 3, "in_last": "2h"}}}
    journey = {**JOURNEY, "movement": {"backward": True}, "stages": [{"id": "new"}, often]}
    name = world.activate(journey, START)
    world.lake.accept([event(1, "acme", "visit", 0), event(2, "acme", "visit", HOUR)])
    world.sync(START + HOUR)
    world.lake.accept([event(3, "acme", "visit", HOUR + 5)])
    world.sync(START + HOUR + 10)
    world.sync(START + 3 * HOUR)
    first, second = world.ledger.lines(name, "acme")
    assert first.evidence is not None
    (tipped,) = first.evidence
    assert (tipped["tipped"], tipped["rows"][0]["did"]) == (True, "came")
    assert tipped["words"].startswith("3 rows of `visit` in the last 2 hours: the third, visit on")
    assert second.evidence is not None
    assert (second.from_stage, second.evidence[0]["rows"][0]["did"]) == ("often", "left")
    with attached(world.lake.place) as connection:
        found = connection.execute("SELECT evidence FROM lake.account_stage_transitions ORDER BY seq").fetchall()
    assert [json.loads(one) for (one,) in found] == [first.evidence, second.evidence]
    with pytest.raises(RegistryError) as caught:
        world.ledger.lines(name, "acne")
    assert caught.value.code == "no-such-account"
    world.close()
