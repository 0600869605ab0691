"""The identity maps that runs over a lake have used, numbered in the order of their first use.

A map follows from a snapshot and the bounds of a run, so that it is made again and not kept; what is kept is its
number, its digest, and where it was seen first.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import duckdb

from doorstep.lake.place import Place

WAIT: Final = 10.0
"""Seconds to wait for another process that is numbering a map."""
UNNUMBERED: Final = 0
"""Stands for a number where the lake's directory cannot be written."""
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS maps (number INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE,"
    " snapshot INTEGER NOT NULL, snapshot_at INTEGER)"
)


@dataclass(frozen=True, slots=True)
class NumberedMap:
    """A map that some run has used: ``snapshot`` is where it was seen first, ``snapshot_at`` how old that is
    (microseconds UTC).
    """

    number: int
    digest: str
    snapshot: int
    snapshot_at: int | None


def number_of(connection: duckdb.DuckDBPyConnection, place: Place, snapshot: int, digest: str) -> int:
    """The map's number: that which it has, else the next; `UNNUMBERED` where none can be given, so that a lake that
    cannot be written can still be read. The connection has the lake attached at ``snapshot``.
    """
    try:
        with closing(sqlite3.connect(place.maps, timeout=WAIT, isolation_level=None)) as numbers:
            if (had := _numbered(numbers, digest)) is not None:
                return had
            metadata = "SELECT epoch_us(snapshot_time::TIMESTAMPTZ) FROM __ducklake_metadata_lake.ducklake_snapshot"
            at = connection.execute(f"{metadata} WHERE snapshot_id = {snapshot}").fetchone()
            numbers.execute("PRAGMA synchronous = FULL")
            numbers.execute("BEGIN IMMEDIATE")
            numbers.execute(_TABLE)
            numbers.execute(
                "INSERT INTO maps SELECT coalesce(max(number), 0) + 1, ?, ?, ? FROM maps WHERE true"
                " ON CONFLICT (digest) DO NOTHING",
                (digest, snapshot, None if at is None else at[0]),
            )
            number = _numbered(numbers, digest)
            numbers.execute("COMMIT")
    except sqlite3.Error:
        return UNNUMBERED
    assert number is not None
    return number


def maps_of(place: Place) -> tuple[NumberedMap, ...]:
    """Every map that has a number, in order."""
    if not place.maps.exists():
        return ()
    with closing(sqlite3.connect(place.maps, timeout=WAIT)) as numbers:
        found = numbers.execute("SELECT number, digest, snapshot, snapshot_at FROM maps ORDER BY number").fetchall()
    return tuple(NumberedMap(*one) for one in found)


def _numbered(numbers: sqlite3.Connection, digest: str) -> int | None:
    if not numbers.execute("SELECT 1 FROM sqlite_master WHERE name = 'maps'").fetchone():
        return None
    found = numbers.execute("SELECT number FROM maps WHERE digest = ?", (digest,)).fetchone()
    return None if found is None else int(found[0])
