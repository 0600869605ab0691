"""A small real sink: SQLite, durable on return, every message id once."""

from __future__ import annotations

import pickle
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from doorstep.ingest.records import Arrival, Event, Record, Rejected
from doorstep.ingest.sink import Accepted, Busy


class SqliteSink:
    """Keeps arrivals and rejects in one file. ``busy``: so many calls of `accept` are asked to come again first; a set
    ``gate`` lets calls through.
    """

    def __init__(self, path: Path, *, busy: int = 0) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.commits = 0
        self.busy = busy
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(
            "CREATE TABLE IF NOT EXISTS arrivals (message_id TEXT PRIMARY KEY, arrival BLOB) WITHOUT ROWID;"
            "CREATE TABLE IF NOT EXISTS rejects (number INTEGER PRIMARY KEY, reject BLOB);"
        )

    def accept(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> Accepted:
        self.gate.wait()
        if self.busy:
            self.busy -= 1
            raise Busy("asked-to-wait", "the test asks to wait. Send again later.", 0.2)
        self.commits += 1
        before = self._connection.total_changes
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT OR IGNORE INTO arrivals VALUES (?, ?)",
                [(one.message_id, pickle.dumps(one)) for one in arrivals],
            )
            new = self._connection.total_changes - before
            self._connection.executemany(
                "INSERT INTO rejects (reject) VALUES (?)", [(pickle.dumps(one),) for one in rejected]
            )
        return Accepted(new, len(arrivals) - new)

    def arrivals(self) -> list[Arrival]:
        found = [pickle.loads(row[0]) for row in self._connection.execute("SELECT arrival FROM arrivals")]
        return sorted(found, key=lambda one: min((record.time for record in one.records), default=0))

    def records(self) -> list[Record]:
        return [record for arrival in self.arrivals() for record in arrival.records]

    def events(self) -> list[Event]:
        return [record for record in self.records() if isinstance(record, Event)]

    def rejects(self) -> list[Rejected]:
        return [pickle.loads(row[0]) for row in self._connection.execute("SELECT reject FROM rejects ORDER BY number")]

    def empty(self) -> None:
        self.commits = self.busy = 0
        self.gate.set()
        self._connection.executescript("DELETE FROM arrivals; DELETE FROM rejects;")

    def close(self) -> None:
        self._connection.close()
