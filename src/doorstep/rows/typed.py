"""Rows whose columns have types of their own: Parquet files and data frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from doorstep.errors import SourceError
from doorstep.rows import quoting
from doorstep.rows.files import Files, literal
from doorstep.rows.names import EVENT, MESSAGE_ID, TIME, match_names, refuse_repeated, require
from doorstep.rows.needs import Needs, no_unit_column, refuse_traits
from doorstep.rows.shape import Shape, fresh_name, reading, stage
from doorstep.rows.times import TimeColumn, kind_of
from doorstep.rows.values import Value, places

Columns = Mapping[str, DuckDBPyType]


@runtime_checkable
class ArrowStream(Protocol):
    """Anything that hands its rows over as an Arrow stream: pyarrow, polars, pandas, and more."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A PyCapsule that holds the stream."""
        ...


def read_parquet(
    connection: duckdb.DuckDBPyConnection, files: Files, needs: Needs, columns: Mapping[str, str], zone: str
) -> Shape:
    """Parquet files, read where they lie; files that lack a column others have give null there."""
    for path in files.paths:
        refuse_repeated(parquet_columns(path, files.description), path)
    listed = quoting.texts(literal(path) for path in files.paths)
    relation = f"read_parquet({listed}{', union_by_name = true' if len(files.paths) > 1 else ''})"
    return replace(_typed(connection, relation, files.description, needs, columns, zone), paths=files.paths)


def parquet_columns(path: str, description: str) -> Sequence[str]:
    """The names of a file's columns, as they are written in its footer."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    try:
        names: Sequence[str] = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:300]
        raise SourceError(
            "unreadable",
            f"{description} cannot be read: {reason}. Check that the file is whole.",
        ) from None
    return names


def read_frame(
    connection: duckdb.DuckDBPyConnection, frame: ArrowStream, needs: Needs, columns: Mapping[str, str], zone: str
) -> Shape:
    """A data frame or Arrow stream, staged: a stream can be read but once, and filters pushed into Arrow fail on some
    of its types (views of strings, dictionaries).
    """
    description = f"the {type(frame).__module__.split('.')[0]} {type(frame).__name__}"
    name = fresh_name("frame")
    try:
        rows = frame if isinstance(frame, pa.Table) else pa.RecordBatchReader.from_stream(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0][:300]
        raise SourceError("unreadable", f"{description} cannot be read as Arrow data: {reason}.") from None
    refuse_repeated(rows.schema.names, description)
    with reading(description):
        connection.register(name, rows)
    try:
        return stage(connection, _typed(connection, name, description, needs, columns, zone), name)
    finally:
        connection.unregister(name)


def _typed(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    description: str,
    needs: Needs,
    declared: Mapping[str, str],
    zone: str,
) -> Shape:
    with reading(description):
        table = connection.sql(f"SELECT * FROM {relation} LIMIT 0") if "(" in relation else connection.table(relation)
        columns = dict(zip(table.columns, table.types, strict=True))
    known = tuple(columns)
    names = match_names(known, declared, description)
    event = event_of(require(names, EVENT, known, description), columns)
    time = time_of(require(names, TIME, known, description), columns, zone)
    refuse_traits(needs, known)
    values = {name: places(names.of(name), columns) for name in needs.names}
    for name in needs.identities:
        if not values[name]:
            raise no_unit_column(name, names, known, description)
    message_id = names.theirs.get(MESSAGE_ID)
    refuse_opaque(message_id or "", () if message_id is None else places(message_id, columns), description)
    return Shape(
        relation=relation,
        event=event,
        time=time,
        given=f"({time.raw} IS NOT NULL)",
        message_id=None if message_id is None else as_text(places(message_id, columns)),
        digest=f"md5(to_json({_whole(columns)})::VARCHAR)",
        values=values,
        description=description,
        notes=names.notes,
        columns=known,
    )


def _whole(columns: Columns) -> str:
    parts = ", ".join(f"{quoting.text(name)}: {quoting.identifier(name)}" for name in sorted(columns))
    return "{" + parts + "}"


def event_of(name: str, columns: Columns) -> str:
    """SQL (VARCHAR) of the event's name; SourceError when the column cannot hold names."""
    found = places(name, columns)
    kind = columns.get(name)
    if not found or found[0].kind not in {"text", "integer", "json"} or (kind is not None and _opaque(kind)):
        raise _unusable(name, kind, "an event's name", "Names are texts.")
    return as_text(found)


def as_text(found: tuple[Value, ...]) -> str:
    """SQL (VARCHAR) of the first of the places that holds anything."""
    parts = [_spelled(one.sql) if one.kind == "json" else f"CAST({one.sql} AS VARCHAR)" for one in found]
    plain = found[0].sql if len(found) == 1 and found[0].kind == "text" else None
    return plain or (parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})")


def _spelled(json: str) -> str:
    """A JSON value as text; a whole number without decimals, however it was written: 1.0 is 1."""
    text = f"({json} ->> '$')"
    number = f"TRY_CAST({text} AS DOUBLE)"
    whole = f"json_type({json}) = 'DOUBLE' AND {number} = trunc({number}) AND abs({number}) < 9007199254740992"
    return f"(CASE WHEN {whole} THEN CAST(CAST({number} AS BIGINT) AS VARCHAR) ELSE {text} END)"


def time_of(name: str, columns: Columns, zone: str) -> TimeColumn:
    """How to read the time column; SourceError when its type is no time."""
    kind = columns.get(name)
    if kind is None:
        found = places(name, columns)
        if not found:
            raise _unusable(name, None, "a time", "Times are timestamps, ISO 8601 texts, or integers of microseconds.")
        return TimeColumn(found[0].sql, "us" if found[0].kind == "time" else found[0].kind, zone)
    if str(kind).strip('"') == "NULL":
        return TimeColumn(f"CAST({quoting.identifier(name)} AS BIGINT)", "integer", zone)
    read = kind_of(kind.id, str(kind))
    if read is None:
        raise _unusable(name, kind, "a time", "Times are timestamps, ISO 8601 texts, or integers of microseconds.")
    return TimeColumn(quoting.identifier(name), read, zone)


def refuse_opaque(name: str, found: Sequence[Value], description: str) -> None:
    """SourceError for a column whose values cannot be told apart, where that is what they are for."""
    for place in found:
        if place.opaque is not None:
            raise SourceError(
                "unusable-column",
                f"the column {name!r} of {description} is of type {place.opaque}, whose values cannot be told apart as "
                "units, messages or groups. Cast it to text or whole numbers, or map another column.",
            )


def _opaque(kind: DuckDBPyType) -> bool:
    return kind.id in {"list", "array", "struct", "map", "union", "blob", "variant"}


def _unusable(name: str, kind: DuckDBPyType | None, role: str, what: str) -> SourceError:
    of_type = f" is of type {str(kind)[:80]}, which" if kind is not None else ""
    return SourceError(
        "unusable-column",
        f"the column {name!r}{of_type} cannot be read as {role}. {what} Map another column or cast it.",
    )
