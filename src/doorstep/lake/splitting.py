"""A JSON object of properties taken apart: values of common kinds into columns, the rest as it is."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from doorstep.lake import tables
from doorstep.rows import quoting
from doorstep.rows.values import json_pointer


def wanted(
    connection: duckdb.DuckDBPyConnection, relation: str, *, of: int | None = None
) -> list[tuple[str, tables.PropertyKind]]:
    """Properties among the relation's ``properties`` by kind, most frequent first; rare ones wait, and a row with more
    names than there can be columns has no say. ``of``: look at so many of its rows, spread evenly (the relation is a
    table then).
    """
    if of is not None:
        (size,) = connection.execute(f"SELECT count(*) FROM {relation}").fetchone() or (0,)
        relation = f"(SELECT properties FROM {relation} WHERE rowid % {max(1, size // of)} = 0)"
    found = connection.execute(
        "SELECT name, kind FROM (SELECT key AS name, CASE type WHEN 'VARCHAR' THEN 'text' WHEN 'BOOLEAN' THEN 'boolean'"
        " WHEN 'DOUBLE' THEN 'number' WHEN 'UBIGINT' THEN 'integer' WHEN 'BIGINT' THEN 'integer' END AS kind"
        f" FROM (SELECT properties FROM {relation} WHERE len(json_keys(properties)) <= {tables.MOST_COLUMNS}) AS r,"
        " json_each(r.properties)) WHERE kind IS NOT NULL GROUP BY ALL"
        f" HAVING count(*) * 100 >= (SELECT count(*) FROM {relation}) ORDER BY count(*) DESC, name, kind"
    ).fetchall()
    return [(name, kind) for name, kind in found if "\0" not in name]  # no SQL text can hold such a name


def there(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: tuple[tables.Column, ...]
) -> tuple[tables.Column, ...]:
    """Those of the columns whose property some row of the relation has: the others need not be looked for."""
    found = connection.execute(f"SELECT DISTINCT unnest(json_keys(properties)) FROM {relation}").fetchall()
    names = {name for (name,) in found}
    return tuple(one for one in columns if one.name in names)


def extracted(json: str, columns: tuple[tables.Column, ...]) -> str:
    """SQL (JSON[]) of the values that the columns' properties have, one for each name: one look at each object."""
    return f"json_extract({json}, {quoting.texts(json_pointer((name,)) for name in _names(columns))}::VARCHAR[])"


def split_json(json: str, columns: tuple[tables.Column, ...]) -> tuple[dict[str, str], str]:
    """SQL for each property column, and for ``rest``: what is not in the columns, NULL where there is no such thing."""
    found = f"({extracted(json, columns)})"
    typed = typed_values(columns, found)
    return typed, remainder(json, columns, typed, found)


def typed_values(columns: tuple[tables.Column, ...], found: str) -> dict[str, str]:
    """SQL for each property column. ``found``: SQL of what `extracted` gives; best a column, since each value of it is
    looked at several times.
    """
    names = _names(columns)
    return {one.sql: _typed(f"{found}[{names.index(one.name) + 1}]", one.kind) for one in columns}


def remainder(json: str, columns: tuple[tables.Column, ...], typed: Mapping[str, str], found: str) -> str:
    """SQL of an object's properties that are in none of the columns, given SQL of the columns' values; NULL without."""
    if not columns:
        return f"CASE WHEN len(json_keys({json})) > 0 THEN {json}::VARCHAR END"
    held = " + ".join(f"({sql} IS NOT NULL)::INTEGER" for sql in typed.values())
    names = _names(columns)
    any_of = {
        name: " OR ".join(f"{typed[one.sql]} IS NOT NULL" for one in columns if one.name == name) for name in names
    }
    kept = ", ".join(
        f"{quoting.text(name)}, CASE WHEN {any_of[name]} THEN NULL ELSE {found}[{position}] END"
        for position, name in enumerate(names, start=1)
    )
    left = f"json_merge_patch('{{}}', json_merge_patch({json}, json_object({kept})))"
    return f"CASE WHEN len(json_keys({json})) > {held} THEN nullif({left}::VARCHAR, '{{}}') END"


def _names(columns: tuple[tables.Column, ...]) -> list[str]:
    return list(dict.fromkeys(one.name for one in columns))


def _typed(value: str, kind: tables.PropertyKind) -> str:
    """SQL of the JSON value when it is of the kind, else NULL."""
    spelt = f"({value} ->> '$')"
    match kind:
        case "text":
            return f"CASE WHEN json_type({value}) = 'VARCHAR' THEN {spelt} END"
        case "boolean":
            return f"CASE WHEN json_type({value}) = 'BOOLEAN' THEN {spelt} = 'true' END"
        case "integer":
            return f"CASE WHEN json_type({value}) IN ('UBIGINT', 'BIGINT') THEN TRY_CAST({spelt} AS BIGINT) END"
        case "number":  # digits alone are an integer beyond 64 bits, which a DOUBLE would round
            whole = f"regexp_full_match({spelt}, '-?[0-9]+')"
            return f"CASE WHEN json_type({value}) = 'DOUBLE' AND NOT {whole} THEN TRY_CAST({spelt} AS DOUBLE) END"
        case "time":
            return "NULL"
