"""Calls that try to break the store: each ends in the tables or among the rejects, and none holds up another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import doorstep
from doorstep.ingest import segment
from doorstep.ingest.again import read_again
from doorstep.ingest.calls import Rules
from doorstep.ingest.records import Arrival, Event, Identify, Record, Traits
from doorstep.ingest.sink import Accepted
from doorstep.lake import settling, unpacking
from doorstep.lake.inbox import Inbox
from doorstep.rows.times import FIRST, LAST
from lakes import START, event, rows_of

RULES = Rules(event_bytes=1 << 20)


def _nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = {"a": value} if level % 2 else [value]
    return value


HOSTILE: dict[str, dict[str, Any]] = {
    "numbers at every limit": {"a": 2**63 - 1, "b": -(2**63), "c": 2**64, "d": 10**400, "e": 1.7e308, "f": 5e-324},
    "text that looks like a number": {"a": "1e999", "b": "-0", "c": "0x10", "d": "NaN", "e": "9" * 400},
    "NUL in a value and in a name": {"a": "x\0y", "x\0y": 1, "\0": "\0"},
    "names that differ in case": {"Plan": "a", "plan": "b", "PLAN": "c", "pLan": 4},
    "an empty name, and names that are paths": {"": 1, "/": 2, "$": 3, "$.a": 4, "a.b": 5, "*": 6, "~0": 7, "0": 8},
    "names of SQL": {"'; DROP TABLE lake.events; --": 1, '"': 2, "p1": 3, "event": "x", "rest": {"p1": 1}},
    "names of the tables' own": {"properties": {"properties": 1}, "seq": "x", "found": [1], "kind": 1, "one": 2},
    "deeply nested": {"a": _nested(240)},
    "ten thousand names": {f"name {n}": n for n in range(10_000)},
    "one long name, one long value": {"n" * 60_000: "v" * 60_000},
    "odd texts": {"a": "\ufffe\uffff", "b": "\U0010ffff", "c": "\u202e", "d": "e\u0301", "e": "\x7f\x1b[31m"},
    "empty everything": {"a": {}, "b": [], "c": "", "d": [{}], "e": {"": {}}},
    "many types of one name": {"v": [1, "1", True, None, 1.5, {}]},
}


@pytest.fixture
def lake(tmp_path: Any) -> Iterator[doorstep.Lake]:
    with doorstep.open_lake(tmp_path / "lake") as opened:
        yield opened


def _all_there(lake: doorstep.Lake, sent: list[str]) -> None:
    """Each call is there once: as an event, or as a reject."""
    kept = [name for (name,) in rows_of(lake, "message_id")]
    rejects = [json.loads(one.rejected.body)["doorstep_accepted"] for one in lake.inbox.dead_letters()]
    assert sorted([*kept, *rejects]) == sorted(sent)


def test_hostile_properties_are_kept_as_they_were_sent(lake: doorstep.Lake) -> None:
    """Beside ordinary ones, twice, so that the names that have columns by then come again."""
    for turn in range(2):
        lake.accept(
            [
                Arrival(f"{turn} {name}", START, "test", (Event("e", START, "u1", properties=given),))
                for name, given in HOSTILE.items()
            ]
        )
        settled = lake.settle()
        assert (settled.arrivals, settled.rejected) == (len(HOSTILE), 0)
    _all_there(lake, [f"{turn} {name}" for turn in range(2) for name in HOSTILE])
    assert lake.inbox.dead_letters() == ()
    lake.compact()
    _all_there(lake, [f"{turn} {name}" for turn in range(2) for name in HOSTILE])
    for filters, found in (({"Plan": "b"}, 0), ({"Plan": "a", "plan": "b", "PLAN": "c", "pLan": 4}, 1), ({"": 1}, 1)):
        definition = {
            "funnel": "f",
            "count_by": "user_id",
            "steps": [{"event": "e", "filters": filters}, {"event": "z"}],
        }
        assert doorstep.run(definition, lake).steps[0].count == found


def test_hostile_identities_and_names_are_kept(lake: doorstep.Lake) -> None:
    """Whatever text an id, an event's name, a message id or a trait is, it comes back; times at their limits too."""
    odd = ["a", "'", '"', "\\", "NULL", "null", " ", "\u202e", "\U0010ffff", "x" * 30_000, "{}", "A"]
    lake.accept(
        [
            Arrival(
                f"m{text}",
                START,
                "test",
                (Event(text, time, text, text, text, text), Traits("user", text, time, {text: text})),
            )
            for number, text in enumerate(odd)
            for time in [(FIRST, LAST, START)[number % 3]]
        ]
    )
    settled = lake.settle()
    _all_there(lake, [f"m{text}" for text in odd])
    assert (settled.rejected, sorted(name for (name,) in rows_of(lake, "name", "names"))) == (0, sorted(odd))
    assert {text for (text,) in rows_of(lake, "id", "ids")} == set(odd)
    assert len(rows_of(lake, "name, value", "traits")) == len(odd)
    assert lake.check() == ()


def test_the_character_nul_in_an_id_is_rejected_at_once(lake: doorstep.Lake) -> None:
    """DuckLake cannot look for such a text, as an event's name or a message id either; in properties it is kept."""
    odd: list[Record] = [
        Event("e", START, "a\0b"),
        Traits("account", "\0", START, {"a": 1}),
        Identify("a\0", "u", START),
        Event("e\0", START, "a"),
    ]
    kept = Event("a", START, "u", properties={"\0": "\0"})
    sent = [Arrival(f"m{number}", START, "test", (record,)) for number, record in enumerate(odd)]
    assert lake.accept(
        [*sent, Arrival("ab", START, "test", (kept,)), Arrival("a\0b", START, "test", (kept,))]
    ) == Accepted(1, 0)
    assert {one.rejected.code for one in lake.inbox.dead_letters()} == {"unfit"}
    settled = lake.settle()
    assert (settled.arrivals, settled.rejected) == (1, 0)
    assert rows_of(lake, "message_id, rest") == [("ab", '{"\\u0000":"\\u0000"}')]


def _poisoned(monkeypatch: pytest.MonkeyPatch, ids: set[str]) -> None:
    """DuckDB fails on these calls, as it would on a value that it cannot take."""

    def put(connection: duckdb.DuckDBPyConnection, arrived: str) -> None:
        unpacking.put(connection, arrived)
        listed = ", ".join(f"'{one}'" for one in ids)
        connection.execute(
            f"SELECT count(*) FROM {arrived} WHERE CASE WHEN message_id IN ({listed}) THEN payload::INTEGER > 0 END"
        )

    monkeypatch.setattr(settling, "put", put)


def test_calls_that_cannot_be_settled_are_rejects_and_hold_up_nobody(
    lake: doorstep.Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are found among many, kept with their reason, counted, and settled when they can be."""
    sent = [f"m{n}" for n in range(60)]
    lake.accept([event(one, "e", plan="pro", huge=2**70) for one in sent])
    _poisoned(monkeypatch, {"m0", "m30", "m59"})
    settled = lake.settle()
    assert (settled.arrivals, settled.rejected) == (60, 3)
    assert len(rows_of(lake, "message_id")) == 57
    _all_there(lake, sent)
    assert {one.rejected.code for one in lake.inbox.dead_letters()} == {"cannot-settle"}
    assert (lake.facts().waiting, lake.facts().rejects) == (0, 3)
    assert lake.check() == ()
    assert lake.settle() == settling.Settled(0, 0)
    monkeypatch.undo()
    assert lake.replay(lambda one: read_again(one, RULES)).new == 3
    lake.settle()
    assert sorted(name for (name,) in rows_of(lake, "message_id")) == sorted(sent)
    assert {rest for (rest,) in rows_of(lake, "rest")} == {f'{{"huge":{2**70}}}'}
    assert lake.inbox.dead_letters() == ()


def test_a_lone_call_that_cannot_be_settled_does_not_wait_for_ever(
    lake: doorstep.Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a second delivery of it is no duplicate: it was not kept."""
    _poisoned(monkeypatch, {"m"})
    lake.accept([event("m", "e")])
    assert lake.settle().rejected == 1
    assert lake.settle().arrivals == 0
    assert lake.check() == ()
    assert lake.accept([event("m", "e")]).new == 1


def _broken(monkeypatch: pytest.MonkeyPatch, broken: str, *, but: str = "") -> None:
    """Our own SQL fails, as after a slip of ours, for every call but those that say ``but``."""

    def put(connection: duckdb.DuckDBPyConnection, arrived: str) -> None:
        met = f"SELECT 1 FROM {arrived} WHERE NOT contains(payload, '{but}')"
        if but and connection.execute(met).fetchone() is None:
            unpacking.put(connection, arrived)
            return
        connection.execute(broken)

    monkeypatch.setattr(settling, "put", put)


@pytest.mark.parametrize("calls", [1, 5])
@pytest.mark.parametrize("broken", ["SELEKT 1", "SELECT no_such_column", "FROM lake.no_such_table"])
def test_a_slip_in_our_own_sql_rejects_nobody(
    lake: doorstep.Lake, monkeypatch: pytest.MonkeyPatch, broken: str, calls: int
) -> None:
    """Where an ordinary call fails as well, the fault is told as ours and everything keeps waiting."""
    lake.accept([event(f"m{n}", "e", plan="pro") for n in range(calls)])
    _broken(monkeypatch, broken)
    for _ in range(2):
        with pytest.raises(doorstep.StoreError, match=r"a defect of Doorstep .* wait in the inbox") as caught:
            lake.settle()
        assert caught.value.code == "cannot-settle-any"
    assert (lake.inbox.depth(), lake.inbox.dead_letters()) == (calls, ())
    monkeypatch.undo()
    assert lake.settle() == settling.Settled(calls, 0)
    assert len(rows_of(lake, "message_id")) == calls


def test_a_slip_that_an_ordinary_event_does_not_meet_rejects_nobody(
    lake: doorstep.Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All calls of a batch fail one by one with one error of SQL: that is no coincidence of what they say."""
    lake.accept([Arrival(f"m{n}", START, "test", (Traits("user", f"u{n}", START, {"a": n}),)) for n in range(5)])
    _broken(monkeypatch, "SELECT no_such_column", but="ordinary")
    with pytest.raises(doorstep.StoreError, match="no_such_column"):
        lake.settle()
    assert (lake.inbox.depth(), lake.inbox.dead_letters()) == (5, ())
    monkeypatch.undo()
    assert lake.settle().arrivals == 5


def test_a_call_that_breaks_a_statement_is_a_reject(lake: doorstep.Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others of its batch pass, or it is alone and an ordinary one passes, the call is to blame."""
    for sent in (["m0", "m1"], ["m2"]):
        _broken(monkeypatch, "SELECT no_such_column", but="ordinary")
        lake.accept([event(one, "ordinary" if one == "m1" else "e") for one in sent])
        assert lake.settle().rejected == 1
    assert lake.inbox.depth() == 0
    assert {one.rejected.code for one in lake.inbox.dead_letters()} == {"cannot-settle"}


def test_trouble_of_the_disk_makes_no_rejects(lake: doorstep.Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails for the state of the machine waits, and is settled when it is over."""

    def put(connection: duckdb.DuckDBPyConnection, arrived: str) -> None:
        raise duckdb.IOException("IO Error: Could not write file: No space left on device")

    lake.accept([event(f"m{n}", "e") for n in range(3)])
    monkeypatch.setattr(settling, "put", put)
    with pytest.raises(doorstep.StoreError, match="is full"):
        lake.settle()
    assert (lake.inbox.depth(), lake.inbox.dead_letters()) == (3, ())
    monkeypatch.undo()
    assert lake.settle().arrivals == 3


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS,
        st.sampled_from(["\0", "2026-01-01", "1", "true", "null", 2**63, -(2**63) - 1, 1e400]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
OBJECTS = st.dictionaries(TEXTS | st.sampled_from(["plan", "Plan", "seats", ""]), JSON, max_size=6)
CALLS = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "identify", "group", "alias", "page"])},
    optional={
        "userId": TEXTS | st.integers(), "anonymousId": TEXTS, "previousId": TEXTS, "groupId": TEXTS, "event": TEXTS,
        "properties": OBJECTS, "traits": OBJECTS, "context": OBJECTS,
        "timestamp": st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-03-01", "soon"]),
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[doorstep.Lake]:
    with doorstep.open_lake(tmp_path_factory.mktemp("fuzz") / "lake") as opened:
        yield opened


def _fuzzed(lake: doorstep.Lake, calls: list[dict[str, Any]]) -> None:
    before = lake.facts()
    known = lake.inbox.last_number()
    body: Any = json.loads(json.dumps({"batch": calls}, allow_nan=True), parse_constant=lambda _: None)
    reading = segment.read(body, kind=None, received_at=START, source="fuzz", rules=RULES)
    accepted = lake.accept(reading.arrivals, reading.rejected)
    assert lake.inbox.last_number() - known == accepted.new
    settled = lake.settle()
    after = lake.facts()
    rejects = len(calls) - accepted.new - accepted.duplicates
    assert (settled.arrivals, settled.rejected, after.waiting) == (accepted.new, 0, 0)
    assert after.rejects - before.rejects == rejects
    events = {
        one.message_id: sum(isinstance(record, Event) for record in one.records) for one in reversed(reading.arrivals)
    }
    rows = after.tables["events"].rows - before.tables["events"].rows
    assert rows <= sum(events.values())
    kept = {name for (name,) in rows_of(lake, "DISTINCT message_id")}
    unfit = {one.rejected.body for one in lake.inbox.dead_letters()}
    for name, many in events.items():
        assert not many or name in kept or any(repr(name) in body for body in unfit), name


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.lists(CALLS, min_size=1, max_size=20))
def test_whatever_json_comes_is_in_the_tables_or_among_the_rejects(
    shared: doorstep.Lake, calls: list[dict[str, Any]]
) -> None:
    """Nothing lost, nothing doubled, nothing left waiting, and no call of the readers' making stops settling."""
    _fuzzed(shared, calls)


@pytest.mark.long
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(CALLS, min_size=1, max_size=20))
def test_much_more_json(shared: doorstep.Lake, calls: list[dict[str, Any]]) -> None:
    """The same, more often."""
    _fuzzed(shared, calls)


def test_an_inbox_hands_out_no_more_bytes_than_asked(lake: doorstep.Lake) -> None:
    """However large the calls are, a batch that is settled has a limit."""
    inbox = Inbox(lake.place)
    inbox.accept([event(f"m{n}", "e", text="x" * 10_000) for n in range(2_000)], [])
    assert 0 < inbox.waiting(0, 100_000, 1_000_000).num_rows < 1_000
    assert inbox.waiting(0, 100_000, 1 << 30).num_rows == 2_000
    inbox.close()
    assert lake.settle().arrivals == 2_000
