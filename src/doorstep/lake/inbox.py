"""What was accepted and is not settled yet, in SQLite: an answer is given when it is on disk.

``seen`` holds every message id for ever; ``inbox`` what is still to be settled, under numbers that only grow;
``dead_letters`` what cannot be kept and why. One transaction for each call: all of it is there, or nothing.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import orjson
import pyarrow as pa

from doorstep.errors import StoreError
from doorstep.ingest.again import accepted
from doorstep.ingest.records import Alias, Arrival, Event, Identify, Member, Rejected, Traits
from doorstep.ingest.sink import Accepted, Busy
from doorstep.lake.place import Place
from doorstep.rows.times import FIRST, LAST

LIMIT: Final = 1_000_000
"""How many arrivals may wait to be settled before senders are asked to wait."""
WAIT: Final = 5.0
"""Seconds to wait for another writer before a sender is asked to come again."""

_SOME: Final = 500
"""Rows in one statement."""
_STEP: Final = 5_000
"""Rows dropped in one transaction."""
_NOTHING: Final = '{"events":[],"traits":[],"links":[]}'
_REJECT: Final = "INSERT INTO dead_letters (code, message, received_at, source, body) VALUES (?, ?, ?, ?, ?)"

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS seen (message_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL, received_at INTEGER NOT NULL, source TEXT NOT NULL,
  payload TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS dead_letters (
  number INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL, message TEXT NOT NULL, received_at INTEGER NOT NULL,
  source TEXT NOT NULL, body TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A rejected call and the number it is kept under."""

    number: int
    rejected: Rejected


class Inbox:
    """The inbox of one lake; safe to call from several threads and processes."""

    def __init__(self, place: Place, *, limit: int = LIMIT, wait: float = WAIT) -> None:
        self._place = place
        self._limit = limit
        self._mutex, self._reader_mutex = threading.Lock(), threading.Lock()
        try:
            self._connection = _opened(place, wait)
            self._connection.executescript(_TABLES)
            self._reader = _opened(place, wait)
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def close(self) -> None:
        """Gives the file back."""
        with self._mutex, self._reader_mutex:
            self._connection.close()
            self._reader.close()

    def accept(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> Accepted:
        """See `Lake.accept`."""
        payloads, unfit = _written(arrivals)
        rejected = [*rejected, *unfit]
        with self._transaction() as connection:
            if self._waiting(connection) > self._limit:
                raise Busy(
                    "inbox-full", f"more than {self._limit:,} arrivals wait to be settled. Send again later.", 5.0
                )
            fresh = _made_known(connection, [one.message_id for one, _ in payloads])
            new = []
            for one, written in payloads:
                if one.message_id in fresh:
                    fresh.remove(one.message_id)
                    new.append((one.message_id, one.received_at, one.source, written))
            connection.executemany(
                "INSERT INTO inbox (message_id, received_at, source, payload) VALUES (?, ?, ?, ?)", new
            )
            connection.executemany(
                _REJECT, [(one.code, one.message, one.received_at, one.source, one.body) for one in rejected]
            )
        return Accepted(len(new), len(payloads) - len(new))

    def waiting(self, after: int, limit: int, size: int) -> pa.Table:
        """The first arrivals with a number above ``after``: ``seq, message_id, received_at, source, payload``; no more
        than ``limit``, nor much more than ``size`` bytes of payload.
        """
        rows: list[tuple[int, str, int, str, str]] = []
        with self._reading() as connection:
            found = connection.execute(
                "SELECT seq, message_id, received_at, source, payload FROM inbox WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, limit),
            )
            while size > 0 and (some := found.fetchmany(_SOME)):
                rows += some
                size -= sum(len(row[-1]) for row in some)
            found.close()
        types = (pa.int64(), pa.string(), pa.int64(), pa.string(), pa.string())
        columns = zip(*rows, strict=True) if rows else [()] * len(types)
        return pa.table(
            [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)],
            ["seq", "message_id", "received_at", "source", "payload"],
        )

    def forget(self, up_to: int) -> None:
        """Drops the payloads of settled arrivals; their ids stay known. In small steps: accepting waits for each."""
        while True:
            with self._transaction() as connection:
                dropped = connection.execute(
                    "DELETE FROM inbox WHERE seq <= min(?, (SELECT min(seq) FROM inbox) + ?)", (up_to, _STEP)
                )
                if not dropped.rowcount:
                    return

    def reject(self, seq: int, code: str, message: str) -> None:
        """Turns a call that waits into a reject, which can be replayed: its id is no longer known, and its number
        stands for nothing from now on.
        """
        with self._transaction() as connection:
            message_id, received_at, source, written = connection.execute(
                "SELECT message_id, received_at, source, payload FROM inbox WHERE seq = ?", (seq,)
            ).fetchone()
            connection.execute(_REJECT, (code, message, received_at, source, accepted(message_id, written)))
            connection.execute("UPDATE inbox SET payload = ? WHERE seq = ?", (_NOTHING, seq))
            connection.execute("DELETE FROM seen WHERE message_id = ?", (message_id,))

    def depth(self) -> int:
        """How many arrivals wait to be settled, or a few more."""
        with self._reading() as connection:
            return self._waiting(connection)

    def last_number(self) -> int:
        """The highest number ever given to an arrival."""
        with self._reading() as connection:
            found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'inbox'").fetchone()
        return 0 if found is None else int(found[0])

    def count_after(self, number: int) -> int:
        """How many arrivals with a higher number wait."""
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM inbox WHERE seq > ?", (number,)).fetchone()[0])

    def renumber(self, settled: int) -> None:
        """Moves the numbers of all that waits above ``settled``: an inbox from a backup gave some of them before."""
        with self._transaction() as connection:
            connection.execute("UPDATE inbox SET seq = -seq")
            connection.execute("UPDATE inbox SET seq = ? - seq", (settled,))
            top = connection.execute("SELECT coalesce(max(seq), ?) FROM inbox", (settled,)).fetchone()[0]
            changed = connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'inbox'", (top,))
            if not changed.rowcount:
                connection.execute("INSERT INTO sqlite_sequence VALUES ('inbox', ?)", (top,))

    def damage(self) -> str | None:
        """What SQLite finds wrong with the file."""
        with self._reading() as connection:
            found = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
        return None if found == "ok" else found

    def known(self, message_id: str) -> bool:
        """Whether an arrival with this id was ever accepted here."""
        with self._reading() as connection:
            return connection.execute("SELECT 1 FROM seen WHERE message_id = ?", (message_id,)).fetchone() is not None

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """All rejects, oldest first."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT number, code, message, received_at, source, body FROM dead_letters ORDER BY number"
            ).fetchall()
        return tuple(DeadLetter(number, Rejected(*rest)) for number, *rest in rows)

    def bury(self, numbers: Sequence[int]) -> None:
        """Drops rejects that were replayed."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM dead_letters WHERE number = ?", [(number,) for number in numbers])

    @staticmethod
    def _waiting(connection: sqlite3.Connection) -> int:
        low, high = connection.execute("SELECT min(seq), max(seq) FROM inbox").fetchone()
        return 0 if low is None else int(high - low + 1)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own, so that who accepts need not wait for who reads."""
        with self._reader_mutex, self._told():
            yield self._reader

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._mutex, self._told():
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def _failure(self, error: sqlite3.Error) -> StoreError:
        where = self._place.inbox
        match error.sqlite_errorname.split("_")[1] if getattr(error, "sqlite_errorname", None) else "":
            case "BUSY" | "LOCKED":
                return Busy("locked", f"another process keeps {where} locked; nothing was kept. Send again later.", 1.0)
            case "FULL" | "IOERR":
                return Busy(
                    "disk-full", f"the disk of {where} is full; nothing of this call was kept. Make room.", 30.0
                )
            case "CORRUPT" | "NOTADB":
                return StoreError("corrupt-inbox", f"{where} is damaged: {error}. Restore it from a backup.")
            case _:
                return StoreError("inbox-failed", f"{where} cannot be used: {error}.")


def _opened(place: Place, wait: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        place.inbox, timeout=wait, isolation_level=None, check_same_thread=False, cached_statements=32
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _made_known(connection: sqlite3.Connection, message_ids: Sequence[str]) -> set[str]:
    """Those of the ids that were not known; they are now."""
    fresh: set[str] = set()
    for first in range(0, len(message_ids), _SOME):
        some = message_ids[first : first + _SOME]
        places = ", ".join(["(?)"] * len(some))
        told = f"INSERT INTO seen VALUES {places} ON CONFLICT DO NOTHING RETURNING message_id"
        fresh.update(name for (name,) in connection.execute(told, some))
    return fresh


def _written(arrivals: Sequence[Arrival]) -> tuple[list[tuple[Arrival, str]], list[Rejected]]:
    """Arrivals with their records as JSON, and those that JSON or SQL cannot hold, which must not stop the others."""
    fit: list[tuple[Arrival, str]] = []
    unfit: list[Rejected] = []
    for one in arrivals:
        try:
            if not all(FIRST <= record.time <= LAST for record in one.records):
                raise ValueError("a time lies outside of the years 1 to 9999")
            if any(isinstance(record, Event) and not record.event for record in one.records):
                raise ValueError("an event has no name")
            one.message_id.encode()
            written = payload(one)
            if "\0" in one.message_id or ("\\u0000" in written and any("\0" in text for text in _named(one))):
                raise ValueError("an id or a name holds the character NUL")  # DuckLake's own queries break at one
            fit.append((one, written))
        except (TypeError, ValueError, RecursionError) as error:
            message = f"the call cannot be kept: {error}. Send texts of Unicode, finite numbers and times we know."
            unfit.append(Rejected("unfit", message, one.received_at, one.source, repr(one)[:65_536]))
    return fit, unfit


def _named(arrival: Arrival) -> Iterator[str]:
    """The texts that the tables find rows by."""
    for record in arrival.records:
        named = (name for name in record.__slots__ if name in {"id", "event"} or name.endswith("_id"))
        values = (getattr(record, name) for name in named)
        yield from (value for value in values if value is not None)


def payload(arrival: Arrival) -> str:
    """An arrival's records by kind, as JSON. TypeError or ValueError when JSON cannot hold them."""
    kinds: dict[str, list[object]] = {"events": [], "traits": [], "links": []}
    for record in arrival.records:
        match record:
            case Event():
                kinds["events"].append(record)
            case Traits():
                kinds["traits"].append(record)
            case Identify() | Alias() | Member():
                kinds["links"].append({"kind": type(record).__name__.lower(), "link": record})
    try:
        return orjson.dumps(kinds).decode()
    except TypeError:  # an integer beyond 64 bits is one of the things that orjson refuses
        text = json.dumps(kinds, default=_plain, allow_nan=False, ensure_ascii=False)
        text.encode()
        return text


def _plain(record: object) -> object:
    if not isinstance(record, Event | Traits | Identify | Alias | Member):
        raise TypeError(f"{type(record).__name__} is no JSON value")
    return {name: getattr(record, name) for name in record.__slots__}
