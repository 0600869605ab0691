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
from doorstep.ingest.records import Alias, Arrival, Event, Identify, Member, Rejected, Traits
from doorstep.ingest.sink import Accepted, Busy
from doorstep.lake.place import Place
from doorstep.rows.times import FIRST, LAST

LIMIT: Final = 1_000_000
"""How many arrivals may wait to be settled before senders are asked to wait."""
WAIT: Final = 5.0
"""Seconds to wait for another writer before a sender is asked to come again."""

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
        self._mutex = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                place.inbox, timeout=wait, isolation_level=None, check_same_thread=False, cached_statements=32
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_TABLES)
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def close(self) -> None:
        """Gives the file back."""
        with self._mutex:
            self._connection.close()

    def accept(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> Accepted:
        """See `Lake.accept`."""
        new = 0
        payloads, unfit = _written(arrivals)
        rejected = [*rejected, *unfit]
        with self._transaction() as connection:
            if self._waiting(connection) > self._limit:
                raise Busy(
                    "inbox-full", f"more than {self._limit:,} arrivals wait to be settled. Send again later.", 5.0
                )
            for one, written in payloads:
                known = connection.execute("INSERT INTO seen VALUES (?) ON CONFLICT DO NOTHING", (one.message_id,))
                if known.rowcount:
                    new += 1
                    connection.execute(
                        "INSERT INTO inbox (message_id, received_at, source, payload) VALUES (?, ?, ?, ?)",
                        (one.message_id, one.received_at, one.source, written),
                    )
            connection.executemany(
                "INSERT INTO dead_letters (code, message, received_at, source, body) VALUES (?, ?, ?, ?, ?)",
                [(one.code, one.message, one.received_at, one.source, one.body) for one in rejected],
            )
        return Accepted(new, len(payloads) - new)

    def waiting(self, after: int, limit: int) -> pa.Table:
        """The first arrivals with a number above ``after``: ``seq, message_id, received_at, source, payload``."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT seq, message_id, received_at, source, payload FROM inbox WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, limit),
            ).fetchall()
        types = (pa.int64(), pa.string(), pa.int64(), pa.string(), pa.string())
        columns = zip(*rows, strict=True) if rows else [()] * len(types)
        return pa.table(
            [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)],
            ["seq", "message_id", "received_at", "source", "payload"],
        )

    def forget(self, up_to: int) -> None:
        """Drops the payloads of settled arrivals; their ids stay known."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM inbox WHERE seq <= ?", (up_to,))

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
        with self._mutex:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise self._failure(error) from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

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
            fit.append((one, payload(one)))
        except (TypeError, ValueError, RecursionError) as error:
            message = f"the call cannot be kept: {error}. Send texts of Unicode, finite numbers and times we know."
            unfit.append(Rejected("unfit", message, one.received_at, one.source, repr(one)[:65_536]))
    return fit, unfit


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
