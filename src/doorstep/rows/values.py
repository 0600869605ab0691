"""What a name stands for in a source: SQL expressions with the kind of value each gives.

A `Value` is one place to look; a name has several when it may stand at several paths (see `paths`), to be
tried in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from duckdb.sqltypes import DuckDBPyType

from doorstep.rows import quoting
from doorstep.rows.paths import row_paths

Kind = Literal["text", "number", "integer", "boolean", "json", "time"]


@dataclass(frozen=True, slots=True)
class Value:
    """One place to look for a property. ``sql`` is NULL where it is missing or null there.

    ``text`` VARCHAR; ``number`` DOUBLE; ``integer`` any integer type; ``boolean`` BOOLEAN; ``time`` BIGINT microseconds
    UTC (naive times and dates read as UTC); ``json`` a JSON value of any type, never the JSON null. ``opaque``: what
    kind of list, object or bytes the column holds, of which only the presence is known; the values are all alike.
    """

    sql: str
    kind: Kind
    opaque: str | None = None


_INTEGERS: Final = {"tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger"}
_TIMES: Final = {"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "date"}
_AS_TEXT: Final = {"enum", "uuid", "time", "time with time zone", "interval", "bit"}


def value_of(sql: str, kind: DuckDBPyType) -> Value:
    """A typed SQL expression as a value; lists, structs, maps and bytes exist but equal nothing."""
    name = kind.id
    if str(kind) == "JSON":
        return Value(f"nullif(TRY_CAST({sql} AS JSON), 'null'::JSON)", "json")
    if name == "varchar":
        return Value(sql, "text")
    if name == "boolean":
        return Value(sql, "boolean")
    if name in _INTEGERS:
        return Value(sql, "integer")
    if name in {"ubigint", "uhugeint"} or (name == "decimal" and dict(kind.children)["scale"] == 0):
        return Value(f"TRY_CAST({sql} AS HUGEINT)", "integer")
    if name == "float":  # the shortest decimal that names it, as people write it: 0.1 is 0.1
        return Value(f"CAST(CAST({sql} AS VARCHAR) AS DOUBLE)", "number")
    if name in {"double", "decimal", "bignum"}:
        return Value(f"CAST({sql} AS DOUBLE)", "number")
    if name in _TIMES:
        return Value(f"epoch_us(CAST({sql} AS TIMESTAMP))", "time")
    if name == "timestamp with time zone":
        return Value(f"epoch_us({sql})", "time")
    if name in _AS_TEXT:
        return Value(f"CAST({sql} AS VARCHAR)", "text")
    return Value(f"(CASE WHEN {sql} IS NOT NULL THEN '{{}}'::JSON END)", "json", str(kind)[:80])


def json_pointer(path: tuple[str, ...]) -> str:
    """A path into a JSON object that DuckDB takes; keys made of digits are names here, never positions in a list."""
    if any(key.isascii() and key.isdigit() for key in path) and "*" not in path:
        return "$." + ".".join('"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in path)
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def json_at(json: str, path: tuple[str, ...]) -> str:
    """SQL of the JSON value at ``path`` in the JSON expression ``json``; NULL when missing or null."""
    return f"nullif(json_extract({json}, {quoting.text(json_pointer(path))}), 'null'::JSON)"


def places(name: str, columns: Mapping[str, DuckDBPyType]) -> tuple[Value, ...]:
    """Every place at which ``name`` may stand in rows with these typed columns."""
    found: list[Value] = []
    for path in row_paths(name):
        kind = columns.get(path[0])
        if kind is not None:
            found += _within(quoting.identifier(path[0]), kind, path[1:])
    return tuple(found)


def _within(sql: str, kind: DuckDBPyType, path: tuple[str, ...]) -> list[Value]:
    """The place ``path`` leads to inside a column; none when its type rules that out."""
    if not path:
        return [value_of(sql, kind)]
    if kind.id == "varchar":
        return [Value(json_at(f"TRY_CAST({sql} AS JSON)", path), "json")]
    if kind.id == "struct":
        inner = _children(kind).get(path[0])
        return [] if inner is None else _within(f"struct_extract({sql}, {quoting.text(path[0])})", inner, path[1:])
    if kind.id == "map":
        types = _children(kind)
        if types["key"].id != "varchar":
            return []
        return _within(f"map_extract_value({sql}, {quoting.text(path[0])})", types["value"], path[1:])
    return []


def _children(kind: DuckDBPyType) -> dict[str, DuckDBPyType]:
    return {name: child for name, child in kind.children if isinstance(child, DuckDBPyType)}
