from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest

import doorstep
from doorstep.lake.attach import attached
from lakes import FUNNEL, counts, event, rows_of

NOW = timedelta(0)


def _fill(lake: doorstep.Lake, start: int, users: int, **properties: Any) -> int:
    """Settles so many users who sign up, half of whom pay; the snapshot that shows them."""
    for first in range(start, start + users, 5):
        several = range(first, min(first + 5, start + users))
        lake.accept(
            [event(f"s{n}", "signup", f"u{n}", plan="pro", **properties) for n in several]
            + [event(f"p{n}", "pay", f"u{n}", hours=1, **properties) for n in several if n % 2]
        )
        lake.settle()
    return lake.snapshot().id


def test_a_run_at_a_snapshot_gives_the_same_figures_whatever_comes_later(lake: doorstep.Lake) -> None:
    """More events, new properties, compaction and expiry of others: a kept snapshot's run is identical to the byte."""
    first = _fill(lake, 0, 20)
    before = doorstep.run(FUNNEL, lake.at(first), breakdown="plan")
    lake.keep(first, "experiment")
    _fill(lake, 20, 20, seats=3, admin=True)
    lake.compact(history=NOW, grace=NOW)
    _fill(lake, 40, 10, other="x")
    lake.compact(history=NOW, grace=NOW)
    again = doorstep.run(FUNNEL, lake.at(first), breakdown="plan")
    assert again.to_dict() == before.to_dict()
    assert again.attempts.equals(before.attempts)
    assert counts(lake.at(first)) == [20, 10]
    assert counts(lake) == [50, 25]


def test_an_expired_snapshot_says_so(lake: doorstep.Lake) -> None:
    """A snapshot that nobody keeps ends with its time; a run at it, or keeping it, names the number and the mend."""
    first = _fill(lake, 0, 5)
    _fill(lake, 5, 5)
    assert lake.compact(history=NOW).expired > 0
    with pytest.raises(doorstep.RunError, match=f"has no snapshot {first}") as raised:
        doorstep.run(FUNNEL, lake.at(first))
    assert raised.value.code == "snapshot-gone"
    with pytest.raises(doorstep.RunError, match=f"has no snapshot {first}"):
        lake.keep(first, "late")


def test_a_table_that_the_catalog_tells_of_before_it_is_there_is_waited_for(lake: doorstep.Lake) -> None:
    """As a reader sees it while another process writes its first small rows: it reads again, and nobody is told."""
    _fill(lake, 0, 4)
    _fill(lake, 4, 4, colour="red")  # a column more, so that there is a table of small rows
    lake.close()
    catalog = str(lake.place.directory / "catalog.sqlite")

    def change(statement: str) -> None:
        child = f"import sqlite3; c = sqlite3.connect({catalog!r}, timeout=10); c.execute({statement!r}); c.commit()"
        subprocess.run([sys.executable, "-c", child], check=True)

    change(
        "INSERT INTO ducklake_inlined_data_tables SELECT table_id, 'ducklake_inlined_data_9_9', 99 FROM ducklake_table"
        " WHERE table_name = 'columns'"
    )
    columns = "row_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, number BIGINT, name VARCHAR, kind VARCHAR"
    later = threading.Timer(0.1, change, [f"CREATE TABLE ducklake_inlined_data_9_9({columns})"])
    later.start()
    with doorstep.open_lake(lake.place.directory) as reader:
        assert reader.facts().tables["events"].rows == 12
        assert counts(reader) == [8, 4]
    later.join()


def test_a_released_snapshot_ends(lake: doorstep.Lake) -> None:
    """What is kept twice needs two releases."""
    first = _fill(lake, 0, 5)
    lake.keep(first, "a")
    lake.keep(first, "b")
    lake.release(first, "a")
    lake.compact(history=NOW)
    assert counts(lake.at(first)) == [5, 2]
    lake.release(first, "b")
    lake.compact(history=NOW)
    with pytest.raises(doorstep.RunError, match="has no snapshot"):
        doorstep.run(FUNNEL, lake.at(first))


def test_compaction_leaves_one_sorted_file_and_every_row(lake: doorstep.Lake) -> None:
    """Files written under different columns too; rows are side by side by event, then user, then time."""
    _fill(lake, 0, 10)
    _fill(lake, 10, 10, seats=3)
    before = rows_of(lake, "message_id, event, time")
    assert lake.compact(history=NOW, grace=NOW).files_after == 1
    assert rows_of(lake, "message_id, event, time") == before
    with attached(lake.place) as connection:
        order = connection.execute("SELECT event, user_id, time FROM lake.events ORDER BY file_row_number").fetchall()
    assert order == sorted(order)
    assert len(list((lake.place.directory / "data").rglob("events/*.parquet"))) == 1


def test_properties_that_became_frequent_get_a_column_at_compaction(lake: doorstep.Lake) -> None:
    """A value that stood in JSON moves to its column, and is found as before."""
    lake.accept([event(f"a{n}", "signup", f"u{n}", plan="pro", **({"rare": n} if n == 7 else {})) for n in range(200)])
    lake.settle()
    lake.accept([event(f"b{n}", "signup", f"v{n}", plan="pro", rare=n) for n in range(100)])
    lake.settle()
    lake.compact(history=NOW, grace=NOW)
    assert rows_of(lake, "count(*)", "events WHERE rest IS NOT NULL") == [(0,)]
    definition = {**FUNNEL, "steps": [{"event": "signup", "filters": {"rare": 7}}, {"event": "pay"}]}
    assert counts(lake, definition) == [2, 0]


LONG_RUN = """
import sys, duckdb, doorstep
from doorstep.lake.attach import CONFIG, attach
from doorstep.lake.place import find
connection = duckdb.connect(config=CONFIG)
attach(connection, find(sys.argv[1]), int(sys.argv[2]))
count = "SELECT count(*), count(DISTINCT user_id), count(rest) FROM lake.events"
print(*connection.execute(count).fetchone(), flush=True)
for _ in sys.stdin:
    print(*connection.execute(count).fetchone(), flush=True)
"""


def test_a_snapshot_that_is_read_does_not_expire_under_its_reader(lake: doorstep.Lake) -> None:
    """A long run in another process sees its rows to the end, whatever is settled, compacted and cleaned meanwhile; its
    snapshot ends at the first compaction after it.
    """
    first = _fill(lake, 0, 10)
    command = [sys.executable, "-c", LONG_RUN, str(lake.place.directory), str(first)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        before = reader.stdout.readline()
        assert before.startswith("15 10 ")
        for turn in range(1, 4):
            _fill(lake, 10 * turn, 10, **{f"new{turn}": turn})
            assert lake.compact(history=NOW, grace=NOW).expired > 0
            print(file=reader.stdin)
            assert reader.stdout.readline() == before
        assert counts(lake.at(first)) == [10, 5]
        reader.kill()
    lake.compact(history=NOW, grace=NOW)
    with pytest.raises(doorstep.RunError, match=f"has no snapshot {first}"):
        doorstep.run(FUNNEL, lake.at(first))


def test_a_run_holds_its_snapshot_no_longer_than_it_takes(lake: doorstep.Lake) -> None:
    """In the same process: after the run its snapshot expires as any other."""
    first = _fill(lake, 0, 5)
    result = doorstep.run(FUNNEL, lake.at(first))
    _fill(lake, 5, 5)
    lake.compact(history=NOW, grace=NOW)
    assert result.steps[0].count == 5
    with pytest.raises(doorstep.RunError, match="has no snapshot"):
        doorstep.run(FUNNEL, lake.at(first))
