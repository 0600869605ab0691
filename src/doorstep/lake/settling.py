"""From the inbox into the tables: exactly once, in one lake transaction that also says how far it came."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import duckdb

from doorstep.errors import StoreError
from doorstep.lake import tables
from doorstep.lake.imported import Imported
from doorstep.lake.inbox import Inbox
from doorstep.lake.place import Place
from doorstep.lake.splitting import split_json, wanted
from doorstep.rows import quoting

BATCH: Final = 50_000
"""How many arrivals go into one transaction."""

_EVENT: Final = (
    '{"event":"VARCHAR","time":"BIGINT","user_id":"VARCHAR","anonymous_id":"VARCHAR","account_id":"VARCHAR",'
    '"session_id":"VARCHAR","properties":"JSON"}'
)
_TRAITS: Final = '{"holder":"VARCHAR","id":"VARCHAR","time":"BIGINT","values":"JSON","once":"BOOLEAN"}'
_LINK: Final = (
    '{"kind":"VARCHAR","link":{"anonymous_id":"VARCHAR","previous_id":"VARCHAR","user_id":"VARCHAR",'
    '"account_id":"VARCHAR","time":"BIGINT"}}'
)
_PAYLOAD: Final = f'{{"events":[{_EVENT}],"traits":[{_TRAITS}],"links":[{_LINK}]}}'
_ENVELOPE: Final = "seq, message_id, received_at, source"


@dataclass(frozen=True, slots=True)
class Settled:
    """How many arrivals were settled, and how many of them had been imported before and were left out."""

    arrivals: int
    repeated: int


def settle_all(connection: duckdb.DuckDBPyConnection, place: Place, inbox: Inbox) -> Settled:
    """Settles until nothing waits. The caller holds the lock ``settle``."""
    arrivals = repeated = 0
    imported = Imported(place)
    while True:
        reached = settled_up_to(connection)
        if inbox.last_number() < reached:
            raise StoreError(
                "inbox-behind",
                f"{place.inbox} is older than the tables, as if from a backup; settling would drop what waits in it. "
                "Run `doorstep lake repair`.",
            )
        inbox.forget(reached)
        batch = inbox.waiting(reached, BATCH)
        if batch.num_rows == 0:
            return Settled(arrivals, repeated)
        known = imported.among(connection, batch.column("message_id").to_pylist())
        connection.register("arrived", batch)
        try:
            _settle(connection, int(batch.column("seq")[-1].as_py()), known)
        finally:
            connection.unregister("arrived")
        sync_files(connection, place)
        arrivals += batch.num_rows
        repeated += len(known)


def settled_up_to(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the last arrival that is in the tables."""
    found = connection.execute("SELECT coalesce(max(seq), 0) FROM lake.settled").fetchone()
    assert found is not None
    return int(found[0])


def _settle(connection: duckdb.DuckDBPyConnection, reached: int, known: set[str]) -> None:
    left_out = f"WHERE message_id NOT IN ({', '.join(map(quoting.text, sorted(known)))})" if known else ""
    connection.execute("BEGIN")
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE read AS SELECT {_ENVELOPE}, from_json(payload, {quoting.text(_PAYLOAD)}) AS"
            f" calls FROM arrived {left_out}"
        )
        _events(connection)
        _traits(connection)
        _links(connection)
        connection.execute("INSERT INTO lake.settled VALUES (?)", (reached,))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _unnested(connection: duckdb.DuckDBPyConnection, what: str) -> bool:
    """Makes the temporary table ``batch`` of one kind of record; whether it holds any."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE batch AS SELECT one.*, {_ENVELOPE}"
        f" FROM (SELECT {_ENVELOPE}, unnest(calls.{what}) AS one FROM read)"
    )
    return connection.execute("SELECT 1 FROM batch LIMIT 1").fetchone() is not None


def _events(connection: duckdb.DuckDBPyConnection) -> None:
    if not _unnested(connection, "events"):
        return
    columns = tables.add_columns(connection, tables.columns(connection), wanted(connection, "batch"))
    tables.number_all(connection, "batch")
    typed, rest = split_json("b.properties", columns)
    envelope = {name: f"b.{name}" for name in ("time", "received_at", "message_id", "seq", "source")}
    tables.insert_events(connection, "batch", {**envelope, "rest": rest, **typed})


def _traits(connection: duckdb.DuckDBPyConnection) -> None:
    if not _unnested(connection, "traits"):
        return
    for kind, holder in ((tables.PERSON, "user"), (tables.ACCOUNT, "account")):
        tables.number_ids(connection, kind, f"SELECT id FROM batch WHERE holder = '{holder}'")
        connection.execute(
            "INSERT INTO lake.traits"
            f" SELECT {kind}, i.code, e.key, e.value::VARCHAR, b.time, b.once, b.received_at, b.message_id, b.seq"
            f" FROM batch AS b JOIN lake.ids AS i ON i.kind = {kind} AND i.id = b.id,"
            f" json_each(b.values) AS e WHERE b.holder = '{holder}' AND e.type <> 'NULL'"
        )


def _links(connection: duckdb.DuckDBPyConnection) -> None:
    if not _unnested(connection, "links"):
        return
    connection.execute(
        "INSERT INTO lake.links SELECT kind, link.anonymous_id, link.previous_id, link.user_id, link.account_id,"
        " link.time, received_at, message_id, seq FROM batch"
    )
    people = " UNION ALL ".join(
        f"SELECT link.{name} AS id FROM batch WHERE link.{name} IS NOT NULL"
        for name in ("anonymous_id", "previous_id", "user_id")
    )
    tables.number_ids(connection, tables.PERSON, people)
    tables.number_ids(
        connection, tables.ACCOUNT, "SELECT link.account_id AS id FROM batch WHERE link.account_id IS NOT NULL"
    )


def sync_files(connection: duckdb.DuckDBPyConnection, place: Place) -> None:
    """Makes the files of the last snapshot outlive a power failure, before what they were made of is dropped."""
    if "://" in place.data:
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
