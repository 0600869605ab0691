"""Traits of a run's unit beside each row, as they were at the row's time (semantics 2, *Filters*)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

import duckdb
import pyarrow as pa

from doorstep.errors import SourceError, nearest
from doorstep.lake import tables
from doorstep.rows import Needs, Value, quoting
from doorstep.rows.needs import TRAIT
from doorstep.rows.paths import paths
from doorstep.rows.values import json_at

HOLDERS: Final = {"user_id": tables.PERSON, "account_id": tables.ACCOUNT}
"""Identity column → whose traits count for it."""


def beside(
    connection: duckdb.DuckDBPyConnection, events: str, needs: Needs
) -> tuple[str, dict[str, tuple[Value, ...]]]:
    """``events`` joined with the traits that are needed, and where in that each name is. SourceError ``no-traits`` when
    the unit has none, ``no-such-trait`` for a name that nobody ever set.
    """
    asked = [name for name in needs.names if name.startswith(TRAIT)]
    if not asked:
        return events, {}
    unit = needs.units[0] if len(needs.units) == 1 else ""
    if unit not in HOLDERS:
        raise SourceError(
            "no-traits",
            f"the definition looks at {asked[0]}, but only users and accounts have traits. "
            "Count user_id or account_id, or use a property of the rows.",
        )
    found = connection.execute(
        "SELECT DISTINCT name FROM lake.traits WHERE holder = ? ORDER BY name", (HOLDERS[unit],)
    ).fetchall()
    known = [name for (name,) in found]
    columns: dict[str, str] = {}
    values = {name: tuple(_places(name.removeprefix(TRAIT), known, columns)) for name in asked}
    for name, there in values.items():
        if not there:
            raise _unknown(name, known)
    joins = " ".join(_join(trait, column, unit) for trait, column in columns.items())
    selects = ", ".join(f"{column}.value AS {column}" for column in columns.values())
    return f"(SELECT e.*, {selects} FROM {events} AS e {joins})", values


def history(
    connection: duckdb.DuckDBPyConnection, unit: tuple[str, ...], names: Sequence[str], *, spelt: bool = False
) -> str | None:
    """Every value that the traits ``names`` of the unit were given, over an attached lake: ``u0`` (VARCHAR, the number
    of the id, or the id ``spelt`` out), ``t``, ``seq`` (later arrivals are greater), and the values as JSON in ``c0``…;
    None where the unit has no traits.
    """
    if len(unit) != 1 or unit[0] not in HOLDERS:
        return None
    whose = _spelt(HOLDERS[unit[0]]) if spelt else "CAST(id AS VARCHAR)"
    looked = {path[0]: None for name in names for path in paths(name)}
    columns = ", ".join(f"{_value_at(name)} AS c{number}" for number, name in enumerate(names))
    return (
        f"(SELECT {whose} AS u0, time AS t, row_number() OVER (ORDER BY received_at, seq) AS seq"
        f"{', ' if columns else ''}{columns} FROM (SELECT * FROM lake.traits WHERE holder = {HOLDERS[unit[0]]}"
        f" AND list_contains({quoting.texts(looked)}::VARCHAR[], name) QUALIFY NOT once OR"
        " row_number() OVER (PARTITION BY id, name ORDER BY time, received_at, seq) = 1) AS held)"
    )


def latest(
    connection: duckdb.DuckDBPyConnection, column: str, ids: Sequence[str], until: int
) -> dict[str, dict[str, object]]:
    """Id → its traits as they were at ``until`` (microseconds UTC), over an attached lake; ids without any are left
    out, and every id where ``column`` is no identity column with traits.
    """
    if column not in HOLDERS or not ids:
        return {}
    connection.register("doorstep_asked", pa.table({"id": pa.array(ids, pa.string())}))
    kind, holder = tables.IDENTITIES[column], HOLDERS[column]
    found = connection.execute(
        "SELECT id, name, value FROM (SELECT asked.id, t.* EXCLUDE (id) FROM doorstep_asked AS asked"
        f" JOIN lake.ids AS known ON known.kind = {kind} AND known.id = asked.id"
        f" JOIN lake.traits AS t ON t.holder = {holder} AND t.id = known.code WHERE t.time <= {until}"
        " QUALIFY NOT t.once OR row_number() OVER"
        " (PARTITION BY t.id, t.name ORDER BY t.time, t.received_at, t.seq) = 1)"
        " WHERE value IS NOT NULL AND value <> 'null' QUALIFY row_number() OVER"
        " (PARTITION BY id, name ORDER BY time DESC, received_at DESC, seq DESC) = 1"
    ).fetchall()
    told: dict[str, dict[str, object]] = {}
    for one, name, value in found:
        told.setdefault(one, {})[name] = json.loads(value)
    return told


def _spelt(holder: int) -> str:
    return f"(SELECT i.id FROM lake.ids AS i WHERE i.kind = {holder} AND i.code = held.id)"


def _value_at(name: str) -> str:
    json = "TRY_CAST(value AS JSON)"
    cases = " ".join(
        f"WHEN {quoting.text(path[0])} THEN {json_at(json, path[1:]) if path[1:] else json}" for path in paths(name)
    )
    return f"CASE name {cases} END"


def _places(name: str, known: Iterable[str], columns: dict[str, str]) -> Iterable[Value]:
    """The trait itself, or a key inside of one; ``columns`` gets each trait that is looked at."""
    for path in paths(name):
        if path[0] in known:
            column = columns.setdefault(path[0], f"trait{len(columns)}")
            json = f"TRY_CAST({column} AS JSON)"
            yield Value(json_at(json, path[1:]) if path[1:] else json, "json")


def _join(trait: str, column: str, unit: str) -> str:
    """Of equal times the one that arrived last counts; ``once`` sets a trait only where it never had a value."""
    history = (
        f"SELECT id, time, value FROM (SELECT * FROM lake.traits WHERE holder = {HOLDERS[unit]}"
        f" AND name = {quoting.text(trait)} QUALIFY NOT once OR"
        " row_number() OVER (PARTITION BY id ORDER BY time, received_at, seq) = 1)"
        " QUALIFY row_number() OVER (PARTITION BY id, time ORDER BY received_at DESC, seq DESC) = 1"
    )
    return f"ASOF LEFT JOIN ({history}) AS {column} ON e.{unit} = {column}.id AND e.time >= {column}.time"


def _unknown(name: str, known: list[str]) -> SourceError:
    near = nearest(name.removeprefix(TRAIT), known)
    mend = f"Did you mean {TRAIT}{near}?" if near else f"Its traits are: {', '.join(known[:30]) or 'none'}."
    return SourceError("no-such-trait", f"the lake knows no value of {name}. {mend}")
