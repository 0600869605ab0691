"""A JSON object of properties taken apart: values of common kinds into columns, the rest as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Split:
    """A relation with its objects taken apart beside its own columns. ``typed``: property column → SQL over the
    relation; ``rest``: SQL of what is in none of them, NULL where there is no such thing.
    """

    relation: str
    typed: Mapping[str, str]
    rest: str
    beside: tuple[str, ...] = ()
    """The columns that the relation has beside those of the first one."""


def split(connection: duckdb.DuckDBPyConnection, relation: str, json: str, columns: Iterable[tables.Column]) -> Split:
    """Takes the objects in ``json`` (SQL over ``relation``, JSON or NULL) apart. Each is looked into once, and only
    for properties that some row has: what is written in a statement would else grow with the lake's columns.
    """
    found = connection.execute(f"SELECT DISTINCT unnest(json_keys({json})) FROM {relation}").fetchall()
    there = {name for (name,) in found}
    columns = tuple(one for one in columns if one.name in there)
    if not columns:
        whole = f"(SELECT *, {json} AS split_json FROM {relation})"
        rest = "CASE WHEN len(json_keys(split_json)) > 0 THEN split_json::VARCHAR END"
        return Split(whole, {}, rest, ("split_json",))
    names = list(dict.fromkeys(one.name for one in columns))
    pointers = quoting.texts(json_pointer((name,)) for name in names)
    values = {one: f"split_found[{names.index(one.name) + 1}]" for one in columns}
    looked = (
        f"SELECT *, {json} AS split_json, json_extract({json}, {pointers}::VARCHAR[]) AS split_found FROM {relation}"
    )
    typed = "".join(f", {_typed(value, one.kind)} AS split_{one.sql}" for one, value in values.items())
    placed = {one: f"split_{one.sql}" for one in columns}
    return Split(
        f"(SELECT *{typed} FROM ({looked}))",
        {one.sql: sql for one, sql in placed.items()},
        _rest(names, placed),
        ("split_json", "split_found", *placed.values()),
    )


def _rest(names: Sequence[str], placed: Mapping[tables.Column, str]) -> str:
    held = " + ".join(f"({sql} IS NOT NULL)::INTEGER" for sql in placed.values())
    any_of = {
        name: " OR ".join(f"{sql} IS NOT NULL" for one, sql in placed.items() if one.name == name) for name in names
    }
    kept = ", ".join(
        f"{quoting.text(name)}, CASE WHEN {any_of[name]} THEN NULL ELSE split_found[{position}] END"
        for position, name in enumerate(names, start=1)
    )
    left = f"json_merge_patch('{{}}', json_merge_patch(split_json, json_object({kept})))"
    return f"CASE WHEN len(json_keys(split_json)) > {held} THEN nullif({left}::VARCHAR, '{{}}') END"


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
