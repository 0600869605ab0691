"""Events brought in bulk: from files, tables and data frames into the lake, each once however often they are brought.

A row with a message id is known by it. A row without is known by its content and by how often that content came before
it: of two equal rows of a file both are kept, and neither is added again when the file is imported again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from doorstep.errors import writing
from doorstep.lake import imported, tables
from doorstep.lake.incoming import NOBODY, REASON, Incoming
from doorstep.lake.place import Place
from doorstep.lake.settling import sync_files
from doorstep.lake.splitting import Split, split, wanted
from doorstep.lake.steps import Steps, Told
from doorstep.rows import Value, quoting, reading

_FETCH: Final = 10_000
_AT_A_TIME: Final = 32_000_000
"""How many hashes (8 bytes each) are sorted at once."""
_LOW: Final = 2**64 - 1


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
    with reading(incoming.description):
        told(f"reading {incoming.description}", 0.0)
        steps = Steps(connection, told, _count(connection, incoming.relation))
        batch = _read(steps, incoming)
        usable = _count(connection, "batch")
        rejected = write_rejects(connection, incoming, rejects) if steps.rows != usable or incoming.lost else {}
        rows = usable + sum(rejected.values())
    message_ids = _number_repeats(steps)
    _drop_known(steps)
    added = _count(connection, "batch")
    if added:
        _write(steps, place, batch, incoming, received_at, sum(rejected.values()), message_ids)
        sync_files(connection, place)
    connection.execute("DROP TABLE batch")
    return Imported(rows, added, usable - added, rejected, None, incoming.notes)


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    assert found is not None
    return int(found[0])


def _any(connection: duckdb.DuckDBPyConnection, column: str) -> bool:
    """Whether any row of the batch has a value there."""
    return connection.execute(f"SELECT 1 FROM batch WHERE {column} IS NOT NULL LIMIT 1").fetchone() is not None


def _read(steps: Steps, incoming: Incoming) -> _Batch:
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
    steps.run(
        f"CREATE OR REPLACE TEMP TABLE batch AS SELECT *, CASE WHEN message_id IS NULL THEN {_digest(incoming)} END"
        f" AS digest FROM (SELECT {columns} FROM {incoming.relation} WHERE {incoming.usable})",
        f"reading {incoming.description}",
        0.0,
        0.35,
    )
    typed = {
        name: Value(f"v{number}", value.kind)
        for number, (name, value) in enumerate(incoming.typed.items())
        if _any(steps.connection, f"v{number}")
    }
    return _Batch(typed, incoming.json is not None)


def _digest(incoming: Incoming) -> str:
    """SQL (UHUGEINT) of a row's whole content: each text hashed with its name, so that DuckDB hashes an entry of a
    dictionary once, the other values together, and the time as it is, which tells rows apart that agree in all else.
    Two rows that differ have the same with a chance of 1 in 2^128.
    """
    time = f"((time::HUGEINT + {2**63})::UHUGEINT * {2**64 + 1}::UHUGEINT)"
    texts = {"event": "event", **{name: name for name, sql in incoming.identities.items() if sql != NOBODY}}
    others = []
    for number, (name, value) in enumerate(incoming.typed.items()):
        label = f"{len(name)}:{name}:{value.kind}"
        if value.kind == "text":
            texts[label] = f"v{number}"
        else:
            others.append(f"{quoting.text(f'{label}=')} || v{number}::VARCHAR")
    if incoming.json:
        others.append("'properties=' || nullif(properties::VARCHAR, '{}')")
    found = time
    for label, column in texts.items():
        found = f"xor({found}, coalesce(md5_number({quoting.text(f'{label}=')} || {column}), 0))"
    return f"xor({found}, md5_number(concat_ws(chr(31), {', '.join(others)})))" if others else found


_BY_ID: Final = ("md5_number_upper(message_id)", "message_id IS NOT NULL")
_BY_CONTENT: Final = (f"(digest & {_LOW})::UBIGINT", "digest IS NOT NULL")


def _number_repeats(steps: Steps) -> list[NDArray[np.uint64]]:
    """Of rows with the same message id the earliest stays; rows of the same content are told apart by their number.
    The hashes of the message ids come back, sorted.
    """
    connection = steps.connection
    steps.told("looking for repeats", 0.35)
    rows = _count(connection, "batch")
    by_id, by_content = _sorted(connection, rows, *_BY_ID), _sorted(connection, rows, *_BY_CONTENT)
    twice = [same for one in (*by_id, *by_content) if len(same := one[1:][one[1:] == one[:-1]])]
    if not twice:
        return by_id
    connection.register("twice", pa.table({"hash": np.concatenate(twice)}))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE repeats AS SELECT message_id, digest FROM batch"
        f" WHERE coalesce({_BY_ID[0]}, {_BY_CONTENT[0]}) IN (SELECT hash FROM twice) GROUP BY ALL HAVING count(*) > 1"
    )
    connection.unregister("twice")
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
    return by_id


def _sorted(connection: duckdb.DuckDBPyConnection, rows: int, hashed: str, there: str) -> list[NDArray[np.uint64]]:
    """The hashes (SQL, UBIGINT) of the batch, sorted: as many lists, one above the other, as their number asks for."""
    if not connection.execute(f"SELECT 1 FROM batch WHERE {there} LIMIT 1").fetchone():
        return []
    parts = rows // _AT_A_TIME + 1
    found = []
    for part in range(parts):
        first, last = part * 2**64 // parts, (part + 1) * 2**64 // parts - 1
        between = f" AND {hashed} BETWEEN {first} AND {last}" if parts > 1 else ""
        hashes = connection.execute(f"SELECT {hashed} AS hash FROM batch WHERE {there}{between}").fetchnumpy()["hash"]
        found.append(pl.Series(np.asarray(hashes, np.uint64)).sort().to_numpy())
    return found


def _drop_known(steps: Steps) -> None:
    connection = steps.connection
    first, last = connection.execute("SELECT min(time), max(time) FROM batch WHERE digest IS NOT NULL").fetchone() or ()
    if first is not None:  # rows of the same content have the same time
        known = "SELECT digest_high::UHUGEINT << 64 | digest_low FROM lake.events WHERE digest_high IS NOT NULL"
        known += f" AND time BETWEEN {first} AND {last}"
        steps.run(f"DELETE FROM batch WHERE digest IN ({known})", "looking for what is known", 0.4, 0.45)
    if not _any(connection, "message_id"):
        return
    for table in ("events", "traits", "links"):
        known = f"SELECT message_id FROM lake.{table} WHERE message_id IS NOT NULL"
        steps.run(f"DELETE FROM batch WHERE message_id IN ({known})", "looking for what is known", 0.45, 0.5)


def _write(
    steps: Steps,
    place: Place,
    batch: _Batch,
    incoming: Incoming,
    received_at: int,
    rejected: int,
    message_ids: list[NDArray[np.uint64]],
) -> None:
    connection = steps.connection
    number = _count(connection, "lake.imports") + 1
    if message_ids:
        imported.write(place, str(number), message_ids)
    connection.execute("BEGIN")
    try:
        _insert(steps, batch, f"import {number}", received_at)
        connection.execute(
            "INSERT INTO lake.imports SELECT ?, ?, count(*), ?, ? FROM batch",
            (str(number), incoming.description, rejected, received_at),
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _insert(steps: Steps, batch: _Batch, source: str, received_at: int) -> None:
    connection = steps.connection
    steps.told("numbering names and ids", 0.5)
    wishes = [(name, kind) for name, value in batch.typed.items() if (kind := tables.as_kind(value.kind)) is not None]
    if batch.has_json:
        wishes += wanted(connection, "batch")
    columns = tables.add_columns(connection, tables.columns(connection), wishes)
    tables.number_all(connection, "batch")
    apart = split(connection, "batch", "properties", columns) if batch.has_json else Split("batch", {}, "NULL")
    typed, rest = dict(apart.typed), apart.rest
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
    selects = {"time": "b.time", **typed}
    if _any(connection, "message_id"):
        selects["message_id"] = "b.message_id"
    if _any(connection, "digest"):
        selects |= {"digest_high": "(b.digest >> 64)::UBIGINT", "digest_low": f"(b.digest & {_LOW})::UBIGINT"}
    constants = {"received_at": str(received_at), "source": quoting.text(source)}
    if rest == "NULL":
        constants["rest"] = rest
    else:
        selects["rest"] = rest
    steps.run(tables.insertion(connection, apart.relation, selects, constants), "writing", 0.55, 1.0)


def write_rejects(connection: duckdb.DuckDBPyConnection, incoming: Incoming, path: Path) -> dict[str, int]:
    """Appends each reject as the JSON object it was, with the reason among its keys; a line that is none as text."""
    counted: dict[str, int] = {}
    with writing(path), open(path, "a", encoding="utf-8") as file:
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
