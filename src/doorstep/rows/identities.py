"""Values that are compared whole, to tell units and streams apart: kept in their own type where they have one."""

from __future__ import annotations

import duckdb

from doorstep.errors import SourceError
from doorstep.rows.shape import Shape, reading
from doorstep.rows.typed import as_text
from doorstep.rows.values import Value


def spelled(value: object) -> str:
    """A value as the name of a unit or group: 1, 1.0 and "1" are one (what `identity_of` says in SQL)."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else str(value)


def identity_of(connection: duckdb.DuckDBPyConnection, shape: Shape, found: tuple[Value, ...]) -> str:
    """SQL of an identity: an integer type where all values are whole numbers, else VARCHAR, BOOLEAN or DOUBLE.

    JSON values and floating-point columns are integers when every one of them is; JSON of mixed types is text.
    """
    if len(found) == 1:
        sql, kind = found[0].sql, found[0].kind
        match kind:
            case "text" | "integer" | "boolean":
                return sql
            case "time":
                return f"CAST(make_timestamp({sql}) AS VARCHAR)"
            case "number":
                _refuse_inexact(connection, shape, sql)
                whole = f"{sql} = trunc({sql}) AND abs({sql}) < 9007199254740992"
                return f"CAST({sql} AS BIGINT)" if _all(connection, shape, sql, whole) else sql
            case "json":
                integer = f"json_type({sql}) IN ('UBIGINT', 'BIGINT') AND TRY_CAST({sql} ->> '$' AS BIGINT) IS NOT NULL"
                if _all(connection, shape, sql, integer):
                    return f"CAST({sql} ->> '$' AS BIGINT)"
    return as_text(found)


def _refuse_inexact(connection: duckdb.DuckDBPyConnection, shape: Shape, sql: str) -> None:
    """SourceError for numbers so large that different ones are one double."""
    with reading(shape.description):
        found = connection.execute(
            f"SELECT {sql} FROM {shape.relation} WHERE abs({sql}) >= 9007199254740992 AND isfinite({sql}) LIMIT 1"
        ).fetchone()
    if found is not None:
        raise SourceError(
            "unusable-column",
            f"{shape.description} names units or groups by decimals or floating-point numbers, and {found[0]} "
            "is too large for these to be told apart. Cast the column to whole numbers or text.",
        )


def _all(connection: duckdb.DuckDBPyConnection, shape: Shape, sql: str, test: str) -> bool:
    """Whether there are values, and all meet the test."""
    with reading(shape.description):
        found = connection.execute(
            f"SELECT count(*) > 0 AND count_if({test}) = count(*) FROM {shape.relation} WHERE {sql} IS NOT NULL"
        ).fetchone()
    return found == (True,)
