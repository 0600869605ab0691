"""From the inbox into the tables: exactly once, in one lake transaction that also says how far it came."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from doorstep.errors import StoreError
from doorstep.lake.imported import Imported
from doorstep.lake.inbox import Inbox
from doorstep.lake.objects import is_remote
from doorstep.lake.place import Place
from doorstep.lake.unpacking import Incomplete, put

log: Final = logging.getLogger("doorstep.lake")

BATCH: Final = 100_000
"""How many arrivals go into one transaction, at most."""
BATCH_BYTES: Final = 128 << 20
"""About how many bytes of them."""

_OF_DATA: Final = (duckdb.DataError, duckdb.ProgrammingError, duckdb.IntegrityError, duckdb.NotSupportedError)
"""What DuckDB raises for what it is given, rather than for the state of disks, locks and memory."""
_OF_PLACE: Final = ("locked", "No space left", "disk is full")


@dataclass(frozen=True, slots=True)
class Settled:
    """How many arrivals were settled; how many of them had been imported before and were left out, and how many went to
    the rejects because no table can hold them.
    """

    arrivals: int
    repeated: int
    rejected: int = 0


def settle_all(connection: duckdb.DuckDBPyConnection, place: Place, inbox: Inbox) -> Settled:
    """Settles until nothing waits. The caller holds the lock ``settle``."""
    arrivals = repeated = rejected = 0
    settler = _Settler(connection, place, inbox)
    while True:
        reached = settled_up_to(connection)
        if inbox.last_number() < reached:
            raise StoreError(
                "inbox-behind",
                f"{place.inbox} is older than the tables, as if from a backup; settling would drop what waits in it. "
                "Run `doorstep lake repair`.",
            )
        inbox.forget(reached)
        batch = inbox.waiting(reached, BATCH, BATCH_BYTES)
        if batch.num_rows == 0:
            return Settled(arrivals, repeated, rejected)
        known = settler.imported.among(connection, batch.column("message_id").to_pylist())
        rejected += settler.settle(batch, known)
        arrivals += batch.num_rows
        repeated += len(known)


def settled_up_to(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the last arrival that is in the tables."""
    found = connection.execute("SELECT coalesce(max(seq), 0) FROM lake.settled").fetchone()
    assert found is not None
    return int(found[0])


class _Settler:
    """Settles batches; of one that cannot be settled, the halves."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, place: Place, inbox: Inbox) -> None:
        self._connection = connection
        self._place = place
        self._inbox = inbox
        self.imported = Imported(place)

    def settle(self, batch: pa.Table, known: set[str]) -> int:
        """Moves a batch, but for the ``known``, into the tables; how many of it went to the rejects instead. One call
        that DuckDB cannot take must not hold up the others: it is found by halving.
        """
        try:
            self._commit(batch, known)
        except (duckdb.Error, Incomplete) as error:
            if batch.num_rows > 1 and (_of_data(error) or isinstance(error, duckdb.OutOfMemoryException)):
                half = batch.num_rows // 2
                return self.settle(batch.slice(0, half), known) + self.settle(batch.slice(half), known)
            if not _of_data(error):
                raise
            (seq,) = batch.column("seq").to_pylist()
            self._inbox.reject(seq, "cannot-settle", _reason(error))
            log.warning("an accepted call cannot be settled and is kept with the rejects: %s", _reason(error))
            self._commit(batch.slice(0, 0), known, reached=seq)
            return 1
        return 0

    def _commit(self, batch: pa.Table, known: set[str], reached: int | None = None) -> None:
        """One transaction, which says the number it reached; its files outlive a power failure."""
        up_to = int(batch.column("seq")[-1].as_py()) if reached is None else reached
        connection = self._connection
        connection.register("arrived", batch)
        connection.register("known", pa.table({"message_id": pa.array(sorted(known), pa.string())}))
        connection.execute("BEGIN")
        try:
            if batch.num_rows:
                put(connection, "(FROM arrived ANTI JOIN known USING (message_id))" if known else "arrived")
            connection.execute("INSERT INTO lake.settled VALUES (?)", (up_to,))
            connection.execute("COMMIT")
        except BaseException:
            _give_up(connection)
            raise
        finally:
            connection.unregister("arrived")
            connection.unregister("known")
        sync_files(connection, self._place)


def _give_up(connection: duckdb.DuckDBPyConnection) -> None:
    """A commit that failed has ended its transaction already."""
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        return


def _of_data(error: Exception) -> bool:
    if isinstance(error, Incomplete):
        return True
    return isinstance(error, _OF_DATA) and not any(said in str(error) for said in _OF_PLACE)


def _reason(error: Exception) -> str:
    """One line of what DuckDB says."""
    said = next(iter(str(error).splitlines()), "").encode("utf-8", "replace").decode()[:300]
    return f"the tables cannot hold the call: {said}. Read it again (doorstep lake rejects replay) after an upgrade."


def sync_files(connection: duckdb.DuckDBPyConnection, place: Place) -> None:
    """Makes the files of the last snapshot outlive a power failure, before what they were made of is dropped."""
    if is_remote(place.data):
        return
    root = place.directory / place.data
    fresh = connection.execute(
        "SELECT s.path, t.path, f.path, s.path_is_relative, t.path_is_relative, f.path_is_relative"
        " FROM __ducklake_metadata_lake.ducklake_data_file AS f"
        " JOIN __ducklake_metadata_lake.ducklake_table AS t USING (table_id)"
        " JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id)"
        " WHERE f.begin_snapshot = (SELECT max(snapshot_id) FROM __ducklake_metadata_lake.ducklake_snapshot)"
    ).fetchall()
    folders = set()
    for schema, table, file, *_ in fresh:
        path = root / schema / table / file
        folders.add(path.parent)
        _sync(os.fspath(path))
    for folder in folders:
        _sync(os.fspath(folder))


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
