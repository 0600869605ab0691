"""DuckDB connections with a lake attached as ``lake``; extensions come from installed packages, no network."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import duckdb

from doorstep.errors import RunError, StoreError
from doorstep.lake.objects import EXTENSIONS, is_remote, sign_in
from doorstep.lake.place import Place
from doorstep.rows import quoting

BUSY_MS: Final = 10_000
"""How long to wait for another process that is writing the catalog."""
_WAITS: Final = (0.01, 0.05, 0.2, 1.0)
"""Seconds before each reading anew."""
_UNSEEN: Final = ("Failed to read inlined data", "fetch from an unsuccessful query result")
_LITTLE: Final = 1 << 20
"""Bytes of a disk that is as good as full."""
Found = TypeVar("Found")

CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {"allow_unsigned_extensions": True}
"""Extensions are installed with us by pinned hashes, as DuckDB itself is; checking them again takes 0.3 s each time."""


def load(connection: duckdb.DuckDBPyConnection, *extensions: str) -> None:
    """Loads DuckDB extensions from their packages."""
    connection.execute("SET autoinstall_known_extensions = false")
    for name in extensions:
        package = importlib.util.find_spec(f"duckdb_extension_{name}")
        files = (
            [] if package is None or package.origin is None else Path(package.origin).parent.rglob("*.duckdb_extension")
        )
        file = next(iter(files), None)
        if file is None:
            raise StoreError(
                "no-extension",
                f"the DuckDB extension {name} is missing. Install duckdb-extension-{name.replace('_', '-')}.",
            )
        connection.execute(f"LOAD {quoting.text(str(file))}")


def attach(connection: duckdb.DuckDBPyConnection, place: Place, snapshot: int | None = None) -> None:
    """Attaches the lake as ``lake``, as it was at ``snapshot`` (then read-only, and the snapshot does not expire as
    long as there is the connection). RunError ``snapshot-gone``.
    """
    if snapshot is None:
        _attach(connection, place, None)
        return
    with place.reading(snapshot) as lease:
        if lease is not None:
            weakref.finalize(connection, os.close, lease)
        _attach(connection, place, snapshot)


def _attach(connection: duckdb.DuckDBPyConnection, place: Place, snapshot: int | None) -> None:
    kind, _, target = place.catalog.partition(":")
    if kind == "sqlite":
        target = str(place.directory / target)
        sqlite = f", META_BUSY_TIMEOUT {BUSY_MS}"
    else:
        sqlite = ""
    load(connection, "sqlite_scanner" if kind == "sqlite" else "postgres_scanner", "ducklake")
    data = place.data if is_remote(place.data) else str(place.directory / place.data)
    if is_remote(place.data):
        load(connection, *EXTENSIONS)
        sign_in(connection, data)
    # The catalog remembers the whole path where it was made; a lake may be moved, or restored elsewhere.
    options = f"DATA_PATH {quoting.text(data.rstrip('/') + '/')}, OVERRIDE_DATA_PATH true, DATA_INLINING_ROW_LIMIT 0"
    options += sqlite
    if snapshot is not None:
        options += f", SNAPSHOT_VERSION {snapshot}"
    connection.execute("SET ducklake_max_retry_count = 100")
    try:
        connection.execute(f"ATTACH {quoting.text(f'ducklake:{kind}:{target}')} AS lake ({options})")
    except duckdb.Error as error:
        if snapshot is not None and "snapshot" in str(error).lower():
            raise gone(snapshot, place) from None
        raise
    if snapshot is not None:  # DuckLake attaches an expired snapshot too, and shows what is left of it
        there = "SELECT 1 FROM __ducklake_metadata_lake.ducklake_snapshot WHERE snapshot_id = ?"
        if connection.execute(there, (snapshot,)).fetchone() is None:
            connection.execute("DETACH lake")
            raise gone(snapshot, place)


def gone(snapshot: int, place: Place) -> RunError:
    """The error for a snapshot that the lake no longer has."""
    return RunError(
        "snapshot-gone",
        f"the lake in {place.directory} has no snapshot {snapshot}: it never had, or the snapshot expired. "
        "`doorstep lake show` lists those it has; a kept snapshot never expires.",
    )


def prepare(place: Place) -> None:
    """Makes the file of a SQLite catalog, in the mode in which readers and the writer do not wait for each other.

    Once DuckDB has such a file open, nothing else of this process may open it: closing it would drop DuckDB's locks.
    """
    kind, _, target = place.catalog.partition(":")
    path = place.directory / target
    if kind == "sqlite" and not path.exists():
        catalog = sqlite3.connect(path)
        catalog.execute("PRAGMA journal_mode = WAL")
        catalog.close()


def again(read: Callable[[], Found]) -> Found:
    """Reads, and reads again where a writer has just made a new table for the small rows that the catalog holds itself:
    DuckLake may know of such a table before it can see it.
    """
    for wait in _WAITS:
        try:
            return read()
        except duckdb.Error as error:
            if not any(said in str(error) for said in _UNSEEN):
                raise
        time.sleep(wait)
    return read()


@contextmanager
def attached(place: Place, snapshot: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A fresh connection with the lake attached, closed at the end."""
    with duckdb.connect(config=CONFIG) as connection, storing(place):
        attach(connection, place, snapshot)
        yield connection


def _is_full(error: duckdb.Error, place: Place) -> bool:
    """SQLite says no more than that it cannot write, even to a reader, when its own small files do not fit."""
    said = str(error)
    full = shutil.disk_usage(place.directory).free < _LITTLE if "disk I/O error" in said else False
    return full or "No space left" in said or "disk is full" in said


@contextmanager
def storing(place: Place) -> Iterator[None]:
    """Turns what DuckDB raises about the lake into a StoreError of one paragraph."""
    try:
        yield
    except duckdb.Error as error:
        reason = str(error).splitlines()[0].split(": ", 1)[-1][:300]
        if _is_full(error, place):
            raise StoreError(
                "disk-full", f"the disk of {place.directory} is full; nothing was lost. Make room."
            ) from None
        if "database is locked" in str(error):
            raise StoreError(
                "locked",
                f"another process keeps the catalog of {place.directory} locked. Try again, or end that process.",
            ) from None
        if isinstance(error, duckdb.HTTPException) or (is_remote(place.data) and isinstance(error, duckdb.IOException)):
            raise StoreError(
                "no-storage",
                f"the files of the lake in {place.directory} cannot be reached at {place.data}: {reason} Check the"
                " bucket, the keys (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile) and AWS_ENDPOINT_URL.",
            ) from None
        raise StoreError("lake-failed", f"the lake in {place.directory} cannot be used: {reason}") from None
