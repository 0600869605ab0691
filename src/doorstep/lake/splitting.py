"""A JSON object of properties taken apart: values of common kinds into columns, the rest as it is."""

from __future__ import annotations

import duckdb

from doorstep.lake import tables
from doorstep.rows import quoting
from doorstep.rows.values import json_pointer


def wanted(connection: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, tables.PropertyKind]]:
    """Properties among the relation's ``properties`` by kind, most frequent first; rare ones wait."""
    found = connection.execute(
        "SELECT name, kind FROM (SELECT key AS name, CASE type WHEN 'VARCHAR' THEN 'text' WHEN 'BOOLEAN' THEN 'boolean'"
        " WHEN 'DOUBLE' THEN 'number' WHEN 'UBIGINT' THEN 'integer' WHEN 'BIGINT' THEN 'integer' END AS kind"
        f" FROM {relation} AS r, json_each(r.properties)) WHERE kind IS NOT NULL GROUP BY ALL"
        f" HAVING count(*) * 100 >= (SELECT count(*) FROM {relation}) ORDER BY count(*) DESC, name, kind"
    ).fetchall()
    return [(name, kind) for name, kind in found]


def split_json(json: str, columns: tuple[tables.Column, ...]) -> tuple[dict[str, str], str]:
    """SQL for each property column, and for ``rest``: what is not in the columns, NULL where there is no such thing."""
    if not columns:
        return {}, f"CASE WHEN len(json_keys({json})) > 0 THEN {json}::VARCHAR END"
    names = list(dict.fromkeys(one.name for one in columns))
    found = f"json_extract({json}, {quoting.texts(json_pointer((name,)) for name in names)})"
    typed = {one.sql: _typed(f"({found})[{names.index(one.name) + 1}]", one.kind) for one in columns}
    held = " + ".join(f"({sql} IS NOT NULL)::INTEGER" for sql in typed.values())
    any_of = {
        name: " OR ".join(f"{typed[one.sql]} IS NOT NULL" for one in columns if one.name == name) for name in names
    }
    kept = ", ".join(
        f"{quoting.text(name)}, CASE WHEN {any_of[name]} THEN NULL ELSE ({found})[{position}] END"
        for position, name in enumerate(names, start=1)
    )
    remainder = f"json_merge_patch('{{}}', json_merge_patch({json}, json_object({kept})))"
    return typed, f"CASE WHEN len(json_keys({json})) > {held} THEN nullif({remainder}::VARCHAR, '{{}}') END"


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
