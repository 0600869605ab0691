from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

import doorstep
from doorstep.ingest.records import Arrival, Event, Rejected
from doorstep.lake import Accepted
from lakes import START, counts, event, rows_of


def _settled(lake: doorstep.Lake) -> Path:
    """Two settlements; the file of the later one's events."""
    lake.accept([event("1", "signup", plan="pro")])
    lake.settle()
    before = set(_files(lake))
    lake.accept([event("2", "pay", hours=1), event("3", "signup", "u2", plan="pro")])
    lake.settle()
    return (set(_files(lake)) - before).pop()


def _files(lake: doorstep.Lake) -> list[Path]:
    return list((lake.place.directory / "data").rglob("events/*.parquet"))


def test_a_whole_lake_has_no_findings(lake: doorstep.Lake) -> None:
    """Sent, imported, rejected and waiting rows are all as they should be."""
    _settled(lake)
    two = (Event("a", START, "u1"), Event("b", START, "u1"))
    lake.accept([Arrival("4", START, "test", two)], [Rejected("x", "no.", START, "test", "{}")])
    lake.settle()
    lake.add(pl.DataFrame({"user_id": ["a"], "event": ["e"], "time": [START], "message_id": ["i"]}), received_at=START)
    lake.compact()
    lake.accept([event("5", "pay")])
    assert lake.check() == ()
    facts = lake.facts()
    assert (facts.tables["events"].rows, facts.waiting, facts.rejects) == (6, 1, 1)


@pytest.mark.parametrize("harm", ["missing", "short", "other"])
def test_a_damaged_file_is_found_and_its_loss_told(lake: doorstep.Lake, harm: str) -> None:
    """Check names the file and its rows; repair leaves a lake that works without them, and says so."""
    file = _settled(lake)
    match harm:
        case "missing":
            file.unlink()
        case "short":
            file.write_bytes(file.read_bytes()[:-10])
        case _:
            file.write_bytes(bytes(file.stat().st_size))
    (finding,) = lake.check()
    assert finding.code == "damaged-file"
    assert f"{file} of 2 rows of events" in finding.message
    (mended,) = lake.repair()
    assert mended.mended is not None
    lake.close()
    assert lake.check() == ()
    assert counts(lake) == [1, 0]


def test_an_inbox_from_a_backup_loses_nothing_that_it_holds(lake: doorstep.Lake) -> None:
    """Settling refuses to drop what an old inbox has under numbers that are settled; repair renumbers it."""
    lake.accept([event("1", "signup")])
    lake.close()
    saved = lake.place.directory.parent / "saved.sqlite"
    shutil.copy(lake.place.inbox, saved)
    lake.accept([event(str(n), "pay") for n in range(2, 9)])
    lake.settle()
    lake.close()
    shutil.copy(saved, lake.place.inbox)
    assert lake.accept([event("new", "pay")]) == Accepted(1, 0)
    with pytest.raises(doorstep.StoreError, match="lake repair"):
        lake.settle()
    assert [one.code for one in lake.check()] == ["inbox-behind"]
    lake.repair()
    lake.settle()
    assert ("new",) in rows_of(lake, "message_id")


def test_lost_lists_of_imported_ids_are_made_again(lake: doorstep.Lake) -> None:
    """Without them a sent copy of an imported event would be kept twice."""
    lake.add(pl.DataFrame({"user_id": ["a"], "event": ["e"], "time": [START], "message_id": ["i"]}), received_at=START)
    shutil.rmtree(lake.place.imported)
    assert [one.code for one in lake.check()] == ["imported-ids"]
    lake.repair()
    assert lake.check() == ()
    lake.accept([event("i", "e")])
    assert lake.settle().repeated == 1


def test_rejects_are_replayed_by_what_can_read_them_now(lake: doorstep.Lake) -> None:
    """Those that are calls now are accepted and gone from the rejects; the others stay."""
    lake.accept([], [Rejected("x", "no.", START, "test", name) for name in ("good", "bad")])

    def read(one: Rejected) -> Arrival | Rejected:
        return event(one.body, "signup") if one.body == "good" else one

    assert lake.replay(read) == Accepted(1, 0)
    assert [one.rejected.body for one in lake.inbox.dead_letters()] == ["bad"]
