"""Arrivals as rows of the lake's tables: their records unnested, numbered and put into columns, in one transaction."""

from __future__ import annotations

from typing import Final

import duckdb

from doorstep.lake import tables
from doorstep.lake.splitting import split, wanted
from doorstep.rows import quoting

SAMPLE: Final = 5_000
"""How many events of a batch are looked at for properties that want a column."""

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
_KINDS: Final = ("events", "traits", "links")


class Incomplete(Exception):  # noqa: N818 - what `settling` makes of it is no error of its caller
    """Some record would not become a row."""


def put(connection: duckdb.DuckDBPyConnection, arrived: str) -> None:
    """Adds the records of a relation of arrivals (as `Inbox.waiting` gives them) to the tables. The caller begins and
    ends the transaction. Raises `Incomplete`, or what DuckDB says, where it cannot.
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE read AS SELECT {_ENVELOPE}, from_json(payload, {quoting.text(_PAYLOAD)}) AS"
        f" calls FROM {arrived}"
    )
    if connection.execute("SELECT 1 FROM read WHERE calls IS NULL LIMIT 1").fetchone():
        raise Incomplete("what waits is not what was accepted")
    some = {what: _unnested(connection, what) for what in _KINDS}
    tables.number(connection, _ids(), into="numbers")
    if some["events"]:
        _events(connection)
    if some["traits"]:
        _traits(connection)
    if some["links"]:
        connection.execute(
            "INSERT INTO lake.links SELECT kind, link.anonymous_id, link.previous_id, link.user_id, link.account_id,"
            " link.time, received_at, message_id, seq FROM read_links"
        )


def _unnested(connection: duckdb.DuckDBPyConnection, what: str) -> bool:
    """Makes the temporary table ``read_<what>`` of one kind of record; whether it holds any."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE read_{what} AS SELECT one.*, {_ENVELOPE}"
        f" FROM (SELECT {_ENVELOPE}, unnest(calls.{what}) AS one FROM read)"
    )
    return connection.execute(f"SELECT 1 FROM read_{what} LIMIT 1").fetchone() is not None


def _ids() -> str:
    """A query (kind, id) of every identity in what was read."""
    found = [f"SELECT {kind} AS kind, {name} AS id FROM read_events" for name, kind in tables.IDENTITIES.items()]
    found += [
        f"SELECT {kind}, id FROM read_traits WHERE holder = '{holder}'"
        for kind, holder in ((tables.PERSON, "user"), (tables.ACCOUNT, "account"))
    ]
    linked = {"previous_id": tables.PERSON, **{name: tables.IDENTITIES[name] for name in _LINKED}}
    found += [f"SELECT {kind}, link.{name} FROM read_links" for name, kind in linked.items()]
    return " UNION ALL ".join(found)


_LINKED: Final = ("anonymous_id", "user_id", "account_id")


def _events(connection: duckdb.DuckDBPyConnection) -> None:
    wishes = wanted(connection, "read_events", of=SAMPLE)
    columns = tables.add_columns(connection, tables.columns(connection), wishes)
    tables.number_names(connection, "read_events")
    apart = split(connection, "read_events", "properties", columns)
    envelope = {name: f"b.{name}" for name in ("time", "received_at", "message_id", "seq", "source")}
    selects = {**envelope, "rest": apart.rest, **apart.typed}
    put_in = tables.insert_events(connection, apart.relation, selects, ids="numbers")
    _whole(connection, "read_events", put_in)


def _traits(connection: duckdb.DuckDBPyConnection) -> None:
    for kind, holder in ((tables.PERSON, "user"), (tables.ACCOUNT, "account")):
        connection.execute(
            "INSERT INTO lake.traits"
            f" SELECT {kind}, i.code, e.key, e.value::VARCHAR, b.time, b.once, b.received_at, b.message_id, b.seq"
            f" FROM read_traits AS b JOIN numbers AS i ON i.kind = {kind} AND i.id = b.id,"
            f" json_each(b.values) AS e WHERE b.holder = '{holder}' AND e.type <> 'NULL'"
        )


def _whole(connection: duckdb.DuckDBPyConnection, read: str, put_in: int) -> None:
    (said,) = connection.execute(f"SELECT count(*) FROM {read}").fetchone() or (0,)
    if said != put_in:
        raise Incomplete(f"{said:,} events were read and {put_in:,} would be kept")
