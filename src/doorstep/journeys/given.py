"""Traits and moves by hand: where they come from, as one relation each (semantics 10)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from doorstep.errors import RunError, SourceError, nearest
from doorstep.journeys.account import CREATED_AT
from doorstep.rows import Value, quoting, reading
from doorstep.rows.files import literal, resolve
from doorstep.rows.paths import paths
from doorstep.rows.shape import fresh_name
from doorstep.rows.times import TimeColumn, kind_of
from doorstep.rows.typed import ArrowStream, as_text
from doorstep.rows.values import json_at, value_of

_TIMES: Final = ("time", "timestamp", "ts", "set_at")


@runtime_checkable
class TraitStore(Protocol):
    """A store that knows the traits of its accounts."""

    def open_traits(
        self, connection: duckdb.DuckDBPyConnection, unit: tuple[str, ...], names: Sequence[str], *, spelt: bool = False
    ) -> str | None:
        """A relation of columns ``u0`` (VARCHAR, as the store's rows name the unit, or ``spelt`` out), ``t`` (BIGINT),
        ``seq`` and a JSON column for each of ``names``, in their order ``c0``…; None where the unit has no traits.
        """
        ...


@dataclass(frozen=True, slots=True)
class Traits:
    """``relation`` has ``u0``… (VARCHAR), ``t`` (BIGINT or NULL), ``seq``; ``values`` tells where each trait is."""

    relation: str
    values: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)


def open_traits(
    connection: duckdb.DuckDBPyConnection,
    source: object,
    units: tuple[str, ...],
    names: Sequence[str],
    columns: Mapping[str, str],
) -> Traits:
    """Opens rows of traits: the account's columns, a time (absent or null: since birth), a column for each trait."""
    relation, known = _staged(connection, source, "traits")
    unit_sql = _units(units, known, columns, "traits")
    time = next((known_as for name in _TIMES if (known_as := columns.get(name, name)) in known), None)
    selects = [f"{sql} AS u{number}" for number, sql in enumerate(unit_sql)]
    selects.append(f"{'NULL::BIGINT' if time is None else time_sql(time, known[time])} AS t")
    view = fresh_name("given")
    with reading("the traits"):
        connection.execute(f"CREATE TEMP TABLE {view} AS SELECT {', '.join(selects)}, * FROM {relation}")
    return Traits(view, {name: _places(columns.get(name, name), known) for name in names})


def _places(name: str, known: Mapping[str, DuckDBPyType]) -> tuple[Value, ...]:
    found: list[Value] = []
    for path in paths(name):
        if path[0] in known:
            kind = known[path[0]]
            column = quoting.identifier(path[0])
            found.append(
                value_of(column, kind) if not path[1:] else Value(json_at(f"to_json({column})", path[1:]), "json")
            )
    return tuple(found)


def time_sql(column: str, kind: DuckDBPyType) -> str:
    """SQL (BIGINT) of a column of times: timestamps, dates, ISO texts, or integers of microseconds."""
    read = kind_of(kind.id, str(kind))
    if str(kind).strip('"') == "NULL" or read is None:
        return "NULL::BIGINT"
    return TimeColumn(quoting.identifier(column), read, "UTC").us


def created_sql(places: Sequence[Value]) -> str:
    """SQL (BIGINT) of `created_at`: a time, an ISO text or whole microseconds; NULL for what is none."""
    parts = []
    for place in places:
        match place.kind:
            case "time":
                parts.append(place.sql)
            case "integer":
                parts.append(f"TRY_CAST({place.sql} AS BIGINT)")
            case "boolean":
                continue
            case kind:
                parts.append(TimeColumn(place.sql, kind, "UTC").us)
    return f"coalesce({', '.join([*parts, 'NULL::BIGINT'])})"


def trait_columns(connection: duckdb.DuckDBPyConnection, source: object) -> tuple[str, ...]:
    """The columns that rows of traits have."""
    return tuple(_staged(connection, source, "traits")[1])


def open_moves(
    connection: duckdb.DuckDBPyConnection,
    source: object,
    units: tuple[str, ...],
    stages: Mapping[str, int],
    columns: Mapping[str, str],
) -> str:
    """A relation of moves by hand: ``u0``…, ``t``, ``place`` (the stage's position), ``by_whom`` and ``reason`` (texts
    or null), ``seq``. RunError ``unknown-stage``.
    """
    relation, known = _staged(connection, source, "moves")
    unit_sql = _units(units, known, columns, "moves")
    for name in ("at", "to"):
        if name not in known:
            raise SourceError(
                "no-such-column", f"the moves have no column {name!r}. A move says its account, at and to."
            )
    to = f"CAST({quoting.identifier('to')} AS VARCHAR)"
    with reading("the moves"):
        named = [name for (name,) in connection.execute(f"SELECT DISTINCT {to} FROM {relation}").fetchall()]
    for name in named:
        if name not in stages:
            near = nearest(str(name), stages)
            mend = f"Did you mean {near}?" if near else f"The stages are {', '.join(stages)}."
            raise RunError("unknown-stage", f"a move leads to {name!r}, which is no stage. {mend}")
    cases = " ".join(f"WHEN {quoting.text(stage)} THEN {place}" for stage, place in stages.items() if stage in named)
    selects = [f"{sql} AS u{number}" for number, sql in enumerate(unit_sql)]
    where = f"CASE {to} {cases} END" if cases else "0"
    said = ", ".join(
        f"{f'CAST({quoting.identifier(theirs)} AS VARCHAR)' if theirs in known else 'NULL::VARCHAR'} AS {ours}"
        for theirs, ours in (("by", "by_whom"), ("reason", "reason"))
    )
    view = fresh_name("moved")
    connection.execute(
        f"CREATE TEMP TABLE {view} AS SELECT {', '.join(selects)}, {time_sql('at', known['at'])} AS t,"
        f" {where} AS place, {said}, seq FROM {relation}"
    )
    return view


def _units(
    units: tuple[str, ...], known: Mapping[str, DuckDBPyType], columns: Mapping[str, str], what: str
) -> list[str]:
    found = []
    for name in units:
        theirs = next((one for one in (columns.get(name, name), name, "unit") if one in known), None)
        if theirs is None:
            listed = ", ".join(list(known)[:30])
            raise SourceError(
                "no-unit-column", f"the {what} have no column {name!r} to say whose they are. Their columns: {listed}."
            )
        found.append(as_text((value_of(quoting.identifier(theirs), known[theirs]),)))
    return found


def _staged(connection: duckdb.DuckDBPyConnection, source: object, what: str) -> tuple[str, Mapping[str, DuckDBPyType]]:
    """The rows as a table with ``seq``, their order in the source; and the types of its columns."""
    table = fresh_name(what)
    connection.execute("SET preserve_insertion_order = true")
    try:
        with reading(f"the {what}"):
            relation = _relation(connection, source, what)
            connection.execute(f"CREATE TEMP TABLE {table} AS SELECT *, row_number() OVER () AS seq FROM {relation}")
    finally:
        connection.execute("SET preserve_insertion_order = false")
    read = connection.table(table)
    return table, dict(zip(read.columns, read.types, strict=True))


def _relation(connection: duckdb.DuckDBPyConnection, source: object, what: str) -> str:
    if isinstance(source, list | tuple) and all(isinstance(one, Mapping) for one in source):
        return _objects(connection, source)
    if isinstance(source, str | Path | list | tuple):
        files = resolve(source)
        listed = quoting.texts(literal(path) for path in files.paths)
        match files.kind:
            case "parquet":
                return f"read_parquet({listed}, union_by_name = true)"
            case "csv":
                return f"read_csv({listed}, union_by_name = true, sample_size = -1)"
            case "json":
                return f"read_json({listed}, union_by_name = true, sample_size = -1, maximum_depth = 1)"
    if isinstance(source, ArrowStream):
        name = fresh_name("frame")
        connection.register(name, source if isinstance(source, pa.Table) else pa.RecordBatchReader.from_stream(source))
        return name
    raise SourceError(
        "unknown-source",
        f"{what} cannot be read from a {type(source).__name__}. Give a path, a list of mappings, or a data frame.",
    )


def _objects(connection: duckdb.DuckDBPyConnection, rows: Sequence[Mapping[str, object]]) -> str:
    """Mappings of Python: a column for each key, JSON where its values are of several types."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    arrays = []
    for name in names:
        values = [row.get(name) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if kinds <= {int} or kinds <= {str} or kinds <= {bool}:
            arrays.append(pa.array(values))
        else:
            arrays.append(
                pa.array([None if value is None else json.dumps(value, default=str) for value in values], pa.json_())
            )
    name = fresh_name("frame")
    columns = {
        name: array if array.type != pa.null() else array.cast(pa.string())
        for name, array in zip(names, arrays, strict=True)
    }
    connection.register(name, pa.table(columns or {"unit": pa.array([], pa.string())}))
    return name


__all__ = ["CREATED_AT", "TraitStore", "Traits", "created_sql", "open_moves", "open_traits", "trait_columns"]
