from __future__ import annotations

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
