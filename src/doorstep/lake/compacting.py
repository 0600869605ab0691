"""Small files into large sorted ones, and the end of old snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import duckdb

from doorstep.lake import tables
from doorstep.lake.place import Place
from doorstep.lake.splitting import split, wanted

SMALL: Final = 64 << 20
"""Files below so many bytes are put together when merging could not (the columns changed in between)."""
CHUNK: Final = 1_000


@dataclass(frozen=True, slots=True)
class Compacted:
    """Files of events before and after, and snapshots that expired."""

    files_before: int
    files_after: int
    expired: int


def compact(connection: duckdb.DuckDBPyConnection, place: Place, history: timedelta, grace: timedelta) -> Compacted:
    """Merges, lets snapshots older than ``history`` expire that nobody keeps or reads, and deletes files that no
    snapshot has needed for ``grace``. The caller holds the lock ``settle``.
    """
    before = len(_files(connection))
    connection.execute("CALL ducklake_merge_adjacent_files('lake')")
    small = [path for path, size in _files(connection) if size < SMALL]
    if len(small) > 1:
        _rewrite(connection, small)
    _tidy(connection)
    with place.expiring() as read:
        expired = _expire(connection, history, read)
    for clean in ("cleanup_old_files", "delete_orphaned_files"):
        seconds = max(grace.total_seconds(), 86_400 if clean == "delete_orphaned_files" else 0)
        connection.execute(
            f"SELECT path FROM ducklake_{clean}('lake', older_than => now() - INTERVAL {int(seconds)} SECOND)"
        )
    return Compacted(before, len(_files(connection)), expired)


def _files(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    return connection.execute(
        "SELECT data_file, data_file_size_bytes FROM ducklake_list_files('lake', 'events')"
    ).fetchall()


def _rewrite(connection: duckdb.DuckDBPyConnection, files: list[str]) -> None:
    """Reads files and writes their rows anew, sorted, with every property that is worth it in its column. Snapshots
    before this one keep the old files.
    """
    chosen = f"filename IN (SELECT unnest({tables.literal_list(files)}))"
    connection.execute("BEGIN")
    try:
        rest = f"(SELECT rest::JSON AS properties FROM lake.events WHERE rest IS NOT NULL AND {chosen})"
        columns = tables.add_columns(connection, tables.columns(connection), wanted(connection, rest))
        apart = split(connection, f"(SELECT * FROM lake.events WHERE {chosen})", "rest::JSON", columns)
        anew = {name: f"coalesce({name}, {sql})" for name, sql in apart.typed.items()} | {"rest": apart.rest}
        replaced = ", ".join(f"{sql} AS {name}" for name, sql in anew.items())
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE anew AS SELECT * EXCLUDE ({', '.join(apart.beside)}) REPLACE ({replaced})"
            f" FROM {apart.relation}"
        )
        connection.execute(f"DELETE FROM lake.events WHERE {chosen}")
        order = ", ".join(tables.ORDER)
        connection.execute(f"INSERT INTO lake.events BY NAME SELECT * FROM anew ORDER BY {order}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("DROP TABLE IF EXISTS anew")


def _tidy(connection: duckdb.DuckDBPyConnection) -> None:
    """Only the last word on how far settling came is needed."""
    found = connection.execute("SELECT count(*), max(seq) FROM lake.settled").fetchone()
    if found is not None and found[0] > CHUNK:
        connection.execute("DELETE FROM lake.settled WHERE seq < ?", (found[1],))


def _expire(connection: duckdb.DuckDBPyConnection, history: timedelta, read: frozenset[int]) -> int:
    """Ends snapshots that were the latest for the last time before ``history``, but for those that are read."""
    found = connection.execute(
        "SELECT snapshot_id FROM (SELECT snapshot_id, lead(snapshot_time) OVER (ORDER BY snapshot_id) AS followed"
        f" FROM lake.snapshots()) WHERE followed < now() - INTERVAL {int(history.total_seconds())} SECOND"
        " AND snapshot_id NOT IN (SELECT snapshot FROM lake.kept)"
    ).fetchall()
    old = [number for (number,) in found if number not in read]
    for first in range(0, len(old), CHUNK):
        listed = ", ".join(map(str, old[first : first + CHUNK]))
        ended = f"SELECT snapshot_id FROM ducklake_expire_snapshots('lake', versions => [{listed}])"
        connection.execute(ended).fetchall()
    return len(old)
