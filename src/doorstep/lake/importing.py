"""Events brought in bulk: from files, tables and data frames into the lake, each once however often they are brought.

A row with a message id is known by it. A row without is known by its content and by how often that content came before
it: of two equal rows of a file both are kept, and neither is added again when the file is imported again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import duckdb
import numpy as np

from doorstep.lake import imported, tables
from doorstep.lake.incoming import REASON, Incoming
from doorstep.lake.place import Place
from doorstep.lake.settling import sync_files
from doorstep.lake.splitting import split_json, wanted
from doorstep.rows import Value, quoting, reading

Told = Callable[[str, float | None], None]
"""Told what is going on and how much of it is done (0 to 1; None: unknown)."""
_FETCH: Final = 10_000


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import: rows read, added, known already, and reason → rows that could not be used."""

    rows: int
    added: int
    duplicates: int
    rejected: Mapping[str, int]
    rejects: Path | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Batch:
    """The temporary table ``batch``: usable rows with texts for identities, typed values as ``v0``, ``v1``, …"""

    typed: Mapping[str, Value]
    has_json: bool


def import_rows(
    connection: duckdb.DuckDBPyConnection,
    place: Place,
    incoming: Incoming,
    *,
    received_at: int,
    rejects: Path,
    told: Told,
) -> Imported:
    """One lake transaction. The caller holds the lock ``settle`` and has settled the inbox."""
    told(f"reading {incoming.description}", None)
    with reading(incoming.description):
        batch = _read(connection, incoming)
        rows, usable = _counts(connection, incoming)
        rejected = _write_rejects(connection, incoming, rejects) if rows > usable or incoming.lost else {}
        rows = usable + sum(rejected.values())
    told("looking for what is known", None)
    _number_repeats(connection)
    _drop_known(connection)
    added = _count(connection, "batch")
    if added:
        told(f"writing {added:,} rows", None)
        _write(connection, place, batch, incoming, received_at, sum(rejected.values()))
        sync_files(connection, place)
    connection.execute("DROP TABLE batch")
    return Imported(rows, added, usable - added, rejected, None, incoming.notes)


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    assert found is not None
    return int(found[0])


def _counts(connection: duckdb.DuckDBPyConnection, incoming: Incoming) -> tuple[int, int]:
    return _count(connection, incoming.relation), _count(connection, "batch")


def _read(connection: duckdb.DuckDBPyConnection, incoming: Incoming) -> _Batch:
    values = {f"v{number}": value for number, value in enumerate(incoming.typed.values())}
    selects = {
        "event": incoming.event,
        "time": incoming.time.us,
        **incoming.identities,
        "message_id": f"nullif({incoming.message_id}, '')" if incoming.message_id else "NULL::VARCHAR",
        **{name: value.sql for name, value in values.items()},
    }
    if incoming.json:
        selects["properties"] = incoming.json
    columns = ", ".join(f"{sql} AS {name}" for name, sql in selects.items())
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE batch AS SELECT *, CASE WHEN message_id IS NULL THEN {_digest(incoming)} END"
        f" AS digest FROM (SELECT {columns} FROM {incoming.relation} WHERE {incoming.usable})"
    )
    typed = {
        name: Value(f"v{number}", value.kind)
        for number, (name, value) in enumerate(incoming.typed.items())
        if connection.execute(f"SELECT 1 FROM batch WHERE v{number} IS NOT NULL LIMIT 1").fetchone()
    }
    return _Batch(typed, incoming.json is not None)


def _digest(incoming: Incoming) -> str:
    """SQL (UHUGEINT) of a row's whole content; lengths keep one value from running into the next."""
    parts = ["event", "time::VARCHAR"]
    parts += [f"'{name}=' || length({name}) || ':' || {name}" for name in incoming.identities]
    for number, (name, value) in enumerate(incoming.typed.items()):
        label = quoting.text(f"{len(name)}:{name}:{value.kind}=")
        text = f"length(v{number}) || ':' || v{number}" if value.kind == "text" else f"v{number}::VARCHAR"
        parts.append(f"{label} || {text}")
    if incoming.json:
        parts.append("'properties=' || nullif(properties::VARCHAR, '{}')")
    return f"md5_number(length(event) || ':' || concat_ws(chr(31), {', '.join(parts)}))"


def _number_repeats(connection: duckdb.DuckDBPyConnection) -> None:
    """Of rows with the same message id the earliest stays; rows of the same content are told apart by their number."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE repeats AS SELECT message_id, digest FROM batch GROUP BY ALL HAVING count(*) > 1"
    )
    if not _count(connection, "repeats"):
        return
    connection.execute(
        "DELETE FROM batch WHERE rowid IN (SELECT id FROM (SELECT b.rowid AS id, row_number() OVER (PARTITION BY"
        " message_id ORDER BY b.time, b.event, b.user_id, b.account_id, b.anonymous_id, b.rowid) AS n FROM batch AS b"
        " WHERE message_id IN (SELECT message_id FROM repeats WHERE message_id IS NOT NULL)) WHERE n > 1)"
    )
    connection.execute(
        "UPDATE batch SET digest = md5_number(batch.digest::VARCHAR || '#' || numbered.n) FROM (SELECT b.rowid AS id,"
        " row_number() OVER (PARTITION BY digest ORDER BY b.rowid) AS n FROM batch AS b"
        " WHERE digest IN (SELECT digest FROM repeats WHERE digest IS NOT NULL)) AS numbered"
        " WHERE batch.rowid = numbered.id AND numbered.n > 1"
    )


def _drop_known(connection: duckdb.DuckDBPyConnection) -> None:
    known = "SELECT digest_high::UHUGEINT << 64 | digest_low FROM lake.events WHERE digest_high IS NOT NULL"
    connection.execute(f"DELETE FROM batch WHERE digest IN ({known})")
    if not connection.execute("SELECT 1 FROM batch WHERE message_id IS NOT NULL LIMIT 1").fetchone():
        return
    for table in ("events", "traits", "links"):
        known = f"SELECT message_id FROM lake.{table} WHERE message_id IS NOT NULL"
        connection.execute(f"DELETE FROM batch WHERE message_id IN ({known})")


def _write(
    connection: duckdb.DuckDBPyConnection,
    place: Place,
    batch: _Batch,
    incoming: Incoming,
    received_at: int,
    rejected: int,
) -> None:
    number = _count(connection, "lake.imports") + 1
    hashes = connection.execute(
        "SELECT md5_number_upper(message_id) AS hash FROM batch WHERE message_id IS NOT NULL"
    ).fetchnumpy()["hash"]
    if len(hashes):
        imported.write(place, str(number), np.asarray(hashes, np.uint64))
    connection.execute("BEGIN")
    try:
        _insert(connection, batch, f"import {number}", received_at)
        connection.execute(
            "INSERT INTO lake.imports SELECT ?, ?, count(*), ?, ? FROM batch",
            (str(number), incoming.description, rejected, received_at),
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _insert(connection: duckdb.DuckDBPyConnection, batch: _Batch, source: str, received_at: int) -> None:
    wishes = [(name, kind) for name, value in batch.typed.items() if (kind := tables.as_kind(value.kind)) is not None]
    if batch.has_json:
        wishes += wanted(connection, "batch")
    columns = tables.add_columns(connection, tables.columns(connection), wishes)
    tables.number_all(connection, "batch")
    typed, rest = split_json("b.properties", columns) if batch.has_json else ({}, "NULL")
    overflow = []
    by_place = {(one.name, one.kind): one.sql for one in columns}
    for name, value in batch.typed.items():
        sql = f"make_timestamp(b.{value.sql})" if value.kind == "time" else f"b.{value.sql}"
        kind = tables.as_kind(value.kind)
        column = by_place.get((name, kind)) if kind else None
        if column is None:
            overflow.append(f"{quoting.text(name)}, to_json({sql})")
        else:
            typed[column] = f"coalesce({sql}, {typed[column]})" if column in typed else sql
    if overflow:
        objects = f"json_merge_patch(coalesce({rest}::JSON, '{{}}'), json_object({', '.join(overflow)}))"
        rest = f"nullif({objects}::VARCHAR, '{{}}')"
    tables.insert_events(
        connection,
        "batch",
        {
            "time": "b.time",
            "received_at": str(received_at),
            "message_id": "b.message_id",
            "digest_high": "(b.digest >> 64)::UBIGINT",
            "digest_low": f"(b.digest & {2**64 - 1})::UBIGINT",
            "source": quoting.text(source),
            "rest": rest,
            **typed,
        },
    )


def _write_rejects(connection: duckdb.DuckDBPyConnection, incoming: Incoming, path: Path) -> dict[str, int]:
    """Appends each reject as the JSON object it was, with the reason among its keys; a line that is none as text."""
    counted: dict[str, int] = {}
    with open(path, "a", encoding="utf-8") as file:
        found = connection.execute(
            f"SELECT {incoming.reason}, ({incoming.raw})::VARCHAR FROM {incoming.relation} WHERE NOT {incoming.usable}"
        )
        while rows := found.fetchmany(_FETCH):
            for reason, raw in rows:
                counted[reason] = counted.get(reason, 0) + 1
                if raw is not None:
                    _write_reject(file, reason, raw)
        for (line,) in connection.execute(incoming.lost).fetchall() if incoming.lost else ():
            _write_reject(file, "unreadable_line", line)
            if not incoming.lost_counted:
                counted["unreadable_line"] = counted.get("unreadable_line", 0) + 1
    return counted


def _write_reject(file: TextIO, reason: str, raw: str) -> None:
    try:
        row = json.loads(raw)
    except ValueError:
        row = None
    known = row if isinstance(row, dict) else {"line": raw}
    file.write(
        json.dumps({REASON: reason, **{k: v for k, v in known.items() if k != REASON}}, ensure_ascii=False) + "\n"
    )
