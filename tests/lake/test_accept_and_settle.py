from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import doorstep
from doorstep.ingest.records import Alias, Arrival, Event, Identify, Member, Rejected, Traits
from doorstep.lake import Accepted, Busy
from doorstep.lake.inbox import Inbox
from lakes import FUNNEL, START, counts, event, rows_of


def test_what_is_accepted_is_seen_by_a_run_once_it_is_settled(lake: doorstep.Lake) -> None:
    """Accepted events become rows of the next snapshot, with their properties typed as they were sent."""
    lake.accept([event("1", "signup", plan="pro"), event("2", "pay", hours=2), event("3", "signup", "u2", plan="free")])
    assert lake.settle().arrivals == 3
    result = doorstep.run(FUNNEL, lake)
    assert [step.count for step in result.steps] == [1, 1]
    assert result.to_dict()["data"]["snapshot"] == lake.snapshot().id
    assert result.attempts.column("unit").to_pylist() == ["u1"]


def test_a_message_id_counts_once_for_ever(lake: doorstep.Lake) -> None:
    """A second arrival with the same id adds nothing: within a call, in a later one, and after settling."""
    assert lake.accept([event("1", "signup"), event("1", "signup")]) == Accepted(1, 1)
    assert lake.accept([event("1", "pay")]) == Accepted(0, 1)
    lake.settle()
    assert lake.accept([event("1", "pay"), event("2", "pay")]) == Accepted(1, 1)
    lake.settle()
    assert [row[0] for row in rows_of(lake, "message_id")] == ["1", "2"]


def test_duplicates_in_parallel_are_kept_once(lake: doorstep.Lake) -> None:
    """Of the same calls sent by several threads through several openings, one of each is kept."""
    found: list[Accepted] = []

    def send() -> None:
        with doorstep.open_lake(lake.place.directory) as mine:
            for batch in range(20):
                found.append(mine.accept([event(f"{batch}-{number}", "signup") for number in range(10)]))
                mine.settle()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lake.settle(wait=10)
    assert sum(one.new for one in found) == 200
    assert len({row[0] for row in rows_of(lake, "message_id")}) == len(rows_of(lake, "message_id")) == 200


def test_every_kind_of_record_is_kept(lake: doorstep.Lake) -> None:
    """Traits by holder, without those that are null, and the three kinds of links."""
    records = (
        Event("signup", START, "u1", "dev1", "acme", "s1"),
        Traits("user", "u1", START, {"plan": "pro", "seats": 3, "gone": None}, once=True),
        Traits("account", "acme", START + 1, {"size": {"people": 5}}),
        Identify("dev1", "u1", START),
        Alias("old", "u1", START),
        Member("acme", START, user_id="u1"),
    )
    lake.accept([Arrival("m", START, "test", records)])
    lake.settle()
    assert rows_of(lake, "holder, name, value, once", "traits") == [
        (0, "plan", '"pro"', True),
        (0, "seats", "3", True),
        (1, "size", '{"people":5}', False),
    ]
    assert rows_of(lake, "kind, anonymous_id, previous_id, user_id, account_id", "links") == [
        ("alias", None, "old", "u1", None),
        ("identify", "dev1", None, "u1", None),
        ("member", None, None, "u1", "acme"),
    ]
    assert rows_of(lake, "kind, id", "ids") == [
        (0, "dev1"), (0, "old"), (0, "u1"), (1, "acme"), (2, "s1"),
    ]  # fmt: skip


def test_types_stay_apart_and_exact(lake: doorstep.Lake) -> None:
    """true, 1, 1.5, "1", a huge integer and an object are told apart, in columns or beside them."""
    values = [True, 1, 1.5, "1", 2**63, -(2**63), 10**30, {"x": 1}, None, [1], "", "a\0b", 1e300]
    lake.accept([event(str(n), "e", f"u{n}", v=value, **{"a.b": n, "7": n, "": n}) for n, value in enumerate(values)])
    lake.settle()
    for n, value in enumerate(values):
        if value is not None and not isinstance(value, dict | list):
            assert _units(lake, {"v": value}) == [f"u{n}"], value
    assert _units(lake, {"v.x": 1}) == ["u7"]
    assert _units(lake, {"v": {"exists": False}}) == ["u8"]
    assert _units(lake, {"v": {"gt": 1, "lt": 2}}) == ["u2"]
    assert _units(lake, {"a.b": 3}) == _units(lake, {"7": 3}) == ["u3"]


def _units(lake: doorstep.Lake, filters: dict[str, object]) -> list[str]:
    definition = {"funnel": "f", "count_by": "user_id", "steps": [{"event": "e", "filters": filters}, {"event": "z"}]}
    return doorstep.run(definition, lake).attempts.column("unit").to_pylist()  # type: ignore[no-any-return]


def test_what_json_cannot_hold_is_rejected_alone(lake: doorstep.Lake) -> None:
    """Half a surrogate pair, NaN, a time beyond all years: those calls are kept as rejects, the others settle."""
    bad = [event("1", "e", p="\ud800"), event("\udfff", "e"), event("3", "e", p=2**70, q=float("nan"))]
    late = Arrival("4", START, "test", (Event("e", 10**18, "u1"),))
    assert lake.accept([*bad, late, event("5", "e", p=2**70), event("6", "")]) == Accepted(1, 0)
    assert lake.settle().arrivals == 1
    assert [one.rejected.code for one in lake.inbox.dead_letters()] == ["unfit"] * 5


def test_rejects_are_kept_with_their_reason(lake: doorstep.Lake) -> None:
    """A call that cannot be kept is in the dead letters, in the same transaction as what can be."""
    reject = Rejected("no-event", "the call names no event.", START, "segment", '{"type": "track"}')
    lake.accept([event("1", "signup")], [reject])
    assert [one.rejected for one in lake.inbox.dead_letters()] == [reject]


def test_a_full_inbox_asks_to_wait(lake: doorstep.Lake) -> None:
    """Beyond the limit nothing is kept and the sender is told when to come again; settling makes room."""
    inbox = Inbox(lake.place, limit=2)
    inbox.accept([event(str(n), "e") for n in range(3)], [])
    with pytest.raises(Busy) as raised:
        inbox.accept([event("4", "e")], [])
    assert (raised.value.code, raised.value.retry_after) == ("inbox-full", 5.0)
    lake.settle()
    assert inbox.accept([event("4", "e")], []) == Accepted(1, 0)
    inbox.close()


def test_an_inbox_held_by_another_process_asks_to_wait(lake: doorstep.Lake) -> None:
    """When another writer does not let go within the deadline nothing is kept, and a later call succeeds."""
    inbox = Inbox(lake.place, wait=0.1)
    other = sqlite3.connect(lake.place.inbox, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy, match="locked"):
        inbox.accept([event("1", "e")], [])
    other.execute("ROLLBACK")
    other.close()
    assert inbox.accept([event("1", "e")], []) == Accepted(1, 0)
    inbox.close()


def test_readers_see_whole_settlements_while_another_process_ingests(lake: doorstep.Lake, tmp_path: Path) -> None:
    """Each run sees pairs that were accepted together, never half of them, and ever more."""
    script = """
import sys, doorstep
from lakes import event
lake = doorstep.open_lake(sys.argv[1])
for n in range(15):
    lake.accept([event(f"{n}-{m}", name, f"u{n}-{m // 2}", hours=m % 2, plan="pro")
                 for m in range(40) for name in [("signup", "pay")[m % 2]]])
    lake.settle()
"""
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(lake.place.directory)], cwd=Path(__file__).parent.parent
    )
    seen = []
    while writer.poll() is None:
        if lake.snapshot().id > 1:
            found = doorstep.run({**FUNNEL, "steps": [{"event": "signup"}, {"event": "pay"}]}, lake)
            assert found.steps[0].count == found.steps[1].count
            seen.append(found.steps[0].count)
    assert writer.returncode == 0
    assert seen == sorted(seen)
    assert counts(lake) == [300, 300]


def test_a_lake_may_be_moved(lake: doorstep.Lake) -> None:
    """Nothing in it says where it lay."""
    lake.accept([event("1", "signup", plan="pro")])
    lake.settle()
    lake.close()
    moved = lake.place.directory.rename(lake.place.directory.parent / "moved")
    with doorstep.open_lake(moved, create=False) as again:
        again.accept([event("2", "pay", hours=1)])
        again.settle()
        assert counts(again) == [1, 1]
        assert again.check() == ()


def test_no_lake_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    """Asking for a lake that is not there says so, and makes none."""
    with pytest.raises(doorstep.StoreError, match="there is no lake in"):
        doorstep.open_lake(tmp_path / "typo", create=False)
    assert not (tmp_path / "typo").exists()
