"""From the inbox into the tables: exactly once, in one lake transaction that also says how far it came."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from doorstep.errors import StoreError
from doorstep.ingest.records import Arrival, Event
from doorstep.lake.imported import Imported
from doorstep.lake.inbox import Inbox, payload
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
_OF_SQL: Final = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.SyntaxException)
"""What it raises for a statement, which is ours; a call has a part in it by the names it brings at most."""
_TRIED: Final = 256
"""How many calls of a batch are tried one by one before its failing is taken for ours, at most."""
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
        self._whole = pa.table({})
        self._sound = False

    def settle(self, batch: pa.Table, known: set[str]) -> int:
        """Moves a batch, but for the ``known``, into the tables; how many of it went to the rejects instead. One call
        that DuckDB cannot take must not hold up the others: it is found by halving. StoreError ``cannot-settle-any``
        when it is our statements that fail, whatever the call: all of it stays where it is.
        """
        self._whole, self._sound = batch, False
        return self._halved(batch, known)

    def _halved(self, batch: pa.Table, known: set[str]) -> int:
        try:
            self._commit(batch, known)
        except (duckdb.Error, Incomplete) as error:
            if batch.num_rows > 1 and (_of_data(error) or isinstance(error, duckdb.OutOfMemoryException)):
                half = batch.num_rows // 2
                return self._halved(batch.slice(0, half), known) + self._halved(batch.slice(half), known)
            if not _of_data(error):
                raise
            self._acquit(error)
            (seq,) = batch.column("seq").to_pylist()
            self._inbox.reject(seq, "cannot-settle", _reason(error))
            log.warning("an accepted call cannot be settled and is kept with the rejects: %s", _reason(error))
            self._commit(batch.slice(0, 0), known, reached=seq)
            return 1
        return 0

    def _acquit(self, error: Exception) -> None:
        """Before a first call is rejected for an error of SQL: do an ordinary call, or all calls of the batch (where it
        has several), fail alike? Then the calls are not to blame.
        """
        if self._sound or not isinstance(error, _OF_SQL):
            return
        whole = self._whole
        several = range(0, whole.num_rows, -(-whole.num_rows // _TRIED)) if whole.num_rows > 1 else ()
        if self._fails_alike(_ordinary(whole), error) or (
            several and all(self._fails_alike(whole.slice(at, 1), error) for at in several)
        ):
            raise StoreError(
                "cannot-settle-any",
                f"a defect of Doorstep keeps every call out of the tables of {self._place.directory} ({_said(error)}). "
                "Nothing is lost: all of them wait in the inbox. Please report it; an upgrade will settle them.",
            ) from error
        self._sound = True

    def _fails_alike(self, batch: pa.Table, error: Exception) -> bool:
        """Whether a batch, tried and taken back, meets the same error."""
        connection = self._connection
        connection.register("arrived", batch)
        connection.execute("BEGIN")
        try:
            put(connection, "arrived")
        except (duckdb.Error, Incomplete) as found:
            return type(found) is type(error) and _said(found) == _said(error)
        finally:
            _give_up(connection)
            connection.unregister("arrived")
        return False

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


def _said(error: Exception) -> str:
    """One line of what DuckDB says."""
    return next(iter(str(error).splitlines()), "").encode("utf-8", "replace").decode()[:300]


def _reason(error: Exception) -> str:
    said = _said(error)
    return f"the tables cannot hold the call: {said}. Read it again (doorstep lake rejects replay) after an upgrade."


def _ordinary(batch: pa.Table) -> pa.Table:
    """The first of a batch with a plain event in place of what it says."""
    first = batch.slice(0, 1).to_pylist()[0]
    event = Event("ordinary", first["received_at"], user_id="ordinary")
    written = payload(Arrival(first["message_id"], first["received_at"], first["source"], (event,)))
    return pa.Table.from_pylist([{**first, "payload": written}], schema=batch.schema)


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
