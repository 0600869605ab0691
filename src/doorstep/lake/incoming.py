"""What an import is given, as one relation: where the event, the time, identities and properties are in its rows.

Typed columns (Parquet, data frames, tables) keep their type; the cells of a CSV column get the type that all of them
spell; JSON lines bring each value with its own. Rows that cannot be used keep what they were, as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import duckdb
from duckdb.sqltypes import VARCHAR, DuckDBPyType

from doorstep.lake import tables
from doorstep.rows import Value, quoting
from doorstep.rows.delimited import cells_of, decide_kinds, headers_of
from doorstep.rows.files import Files, literal
from doorstep.rows.json_lines import Lookups, keys_of, objects_of
from doorstep.rows.names import EVENT, MESSAGE_ID, TIME, Names, match_names, require
from doorstep.rows.paths import PROPERTIES
from doorstep.rows.shape import fresh_name, reading
from doorstep.rows.times import TimeColumn
from doorstep.rows.typed import as_text, event_of, time_of
from doorstep.rows.values import places

REASON: Final = "doorstep_rejected"
"""The key under which a reject says why; left out when the mended row is imported."""
NO_OBJECT: Final = "'{}'::JSON"
NOBODY: Final = "NULL::VARCHAR"
"""The SQL of an identity that no row has."""
_OURS: Final = frozenset({EVENT, TIME, MESSAGE_ID, *tables.IDENTITIES})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Incoming:
    """Rows to import. SQL over ``relation``: ``event`` VARCHAR, ``time``, ``identities`` VARCHAR each, ``message_id``;
    ``typed`` properties; ``json``: an object of further ones; ``raw``: the whole row as JSON.

    ``lost``: a query of one column, the texts of lines that could not be read at all; ``lost_counted``: whether such a
    line is among the rows too, as one that is not ``readable``.
    """

    relation: str
    description: str
    event: str
    time: TimeColumn
    given: str
    readable: str
    identities: Mapping[str, str]
    message_id: str | None
    typed: Mapping[str, Value]
    json: str | None
    raw: str
    lost: str | None = None
    lost_counted: bool = False
    notes: tuple[str, ...] = field(default=())
    names: Mapping[str, str] = field(default_factory=dict)
    """Our names for columns → theirs."""

    @property
    def usable(self) -> str:
        """SQL: the row has a readable time and an event's name, and every text that names something can be stored."""
        named = f"{self.event} IS NOT NULL AND {self.event} <> ''"
        return f"({self.readable} AND {self.time.us} IS NOT NULL AND {named} AND NOT {self._nul})"

    @property
    def _nul(self) -> str:
        """SQL: an id or the event's name holds the character NUL. DuckLake writes such texts into queries of its own,
        which break at one.
        """
        texts = (self.event, *(sql for sql in self.identities.values() if sql != NOBODY), self.message_id)
        return f"coalesce({' OR '.join(f'contains({sql}, chr(0))' for sql in texts if sql)}, false)"

    @property
    def reason(self) -> str:
        """SQL: why a row is not usable."""
        return (
            f"CASE WHEN NOT {self.readable} THEN 'unreadable_line' WHEN NOT {self.given} THEN 'no_time'"
            f" WHEN {self.time.us} IS NULL THEN 'unreadable_time' WHEN {self._nul} THEN 'nul_character'"
            " ELSE 'no_event' END"
        )


def of_files(connection: duckdb.DuckDBPyConnection, files: Files, columns: Mapping[str, str], zone: str) -> Incoming:
    """Files of one kind."""
    match files.kind:
        case "parquet":
            listed = quoting.texts(literal(path) for path in files.paths)
            return of_table(connection, f"read_parquet({listed})", files.description, columns, zone)
        case "csv":
            return _of_csv(connection, files, columns, zone)
        case "json":
            return _of_json(connection, files, columns, zone)


def of_table(
    connection: duckdb.DuckDBPyConnection, relation: str, description: str, columns: Mapping[str, str], zone: str
) -> Incoming:
    """Anything with typed columns: ``relation`` goes after FROM."""
    with reading(description):
        table = connection.sql(f"SELECT * FROM {relation} LIMIT 0")
        types = dict(zip(table.columns, table.types, strict=True))
    known = tuple(types)
    names = match_names(known, columns, description)
    time = time_of(require(names, TIME, known, description), types, zone)
    taken = _taken(names)
    typed, objects = _properties({name: kind for name, kind in types.items() if name not in taken})
    typed, objects = _renamed(typed, columns), _renamed(objects, columns)
    whole = [f"{quoting.text(name)}, {_object_of(name, types[name])}" for name in known]
    return Incoming(
        relation=relation,
        description=description,
        event=event_of(require(names, EVENT, known, description), types),
        time=time,
        given=f"({time.raw} IS NOT NULL)",
        readable="true",
        identities=_identities(names, types),
        message_id=_message_id(names, types),
        typed=typed,
        json=_merged(objects, types.get(PROPERTIES)),
        raw=f"json_object({', '.join(whole)})",
        notes=names.notes,
        names=names.theirs,
    )


def _of_csv(connection: duckdb.DuckDBPyConnection, files: Files, columns: Mapping[str, str], zone: str) -> Incoming:
    headers = headers_of(files)
    known = tuple(dict.fromkeys(name for _, header in headers.values() for name in header))
    types: dict[str, DuckDBPyType] = dict.fromkeys(known, VARCHAR)
    names = match_names(known, columns, files.description)
    event = as_text(places(require(names, EVENT, known, files.description), types))
    time = quoting.identifier(require(names, TIME, known, files.description))
    rejects, staged = fresh_name("rejects"), fresh_name("cells")
    with reading(files.description):
        cells = cells_of(headers, known, rejects)
        connection.execute(f"CREATE TEMP TABLE {staged} AS SELECT * FROM {cells}")
        properties = [name for name in known if name not in _taken(names) and name not in {PROPERTIES, REASON}]
        kinds = decide_kinds(connection, [quoting.identifier(name) for name in properties], staged)
    spelt = {name: kinds[quoting.identifier(name)] for name in properties}
    lost = " UNION ALL ".join(
        f"SELECT DISTINCT ON (scan_id, file_id, line) csv_line AS line FROM {rejects}_{number}"
        for number in range(len(set(headers.values())))
    )
    of_type = {name: value.sql for name, value in spelt.items() if value.kind not in {"text", "json"}}
    whole = [f"{quoting.text(name)}, {of_type.get(name, _as_json(name, names))}" for name in known]
    return Incoming(
        relation=staged,
        description=files.description,
        event=event,
        time=TimeColumn(time, "csv", zone),
        given=f"({time} IS NOT NULL)",
        readable="true",
        identities=_identities(names, types),
        message_id=_message_id(names, types),
        typed=_renamed({name: value for name, value in spelt.items() if value.kind != "json"}, columns),
        json=_object(f"TRY_CAST({quoting.identifier(PROPERTIES)} AS JSON)") if PROPERTIES in known else None,
        raw=f"json_object({', '.join(whole)})",
        lost=lost,
        notes=names.notes,
        names=names.theirs,
    )


def _as_json(name: str, names: Names) -> str:
    """SQL of a CSV cell as a reject shows it, so that it reads as the same once it is imported as JSON."""
    cell = quoting.identifier(name)
    if name == names.theirs[TIME]:
        return f"coalesce(TRY_CAST({cell} AS BIGINT)::JSON, to_json({cell}))"
    return _object_of(name, VARCHAR)


def _object_of(name: str, kind: DuckDBPyType) -> str:
    """SQL of a column as a reject shows it: the text of an object of properties as the object."""
    column = quoting.identifier(name)
    if name == PROPERTIES and kind == VARCHAR:
        return f"coalesce(CASE WHEN json_valid({column}) THEN {column}::JSON END, to_json({column}))"
    return f"to_json({column})"


def _of_json(connection: duckdb.DuckDBPyConnection, files: Files, columns: Mapping[str, str], zone: str) -> Incoming:
    relation = objects_of(files.paths)
    known, names = keys_of(connection, relation, files, columns)
    lookups = Lookups()
    at = lookups.add
    event, time = (at(require(names, ours, known, files.description)) for ours in (EVENT, TIME))
    identities = {name: f"({at(names.of(name))} ->> '$')" for name in tables.IDENTITIES}
    taken = {*_taken(names), *tables.IDENTITIES, PROPERTIES, REASON}
    own = f"json_merge_patch({NO_OBJECT}, json_merge_patch(json, {_nulls(taken)}))"
    properties = _object(lookups.at((PROPERTIES,)))
    inner = f"json_merge_patch({properties}, {_nulls(taken - {PROPERTIES, REASON})})"
    mapped = {ours: theirs for ours, theirs in columns.items() if ours not in _OURS}
    if mapped:
        named = ", ".join(f"{quoting.text(ours)}, {at(theirs)}" for ours, theirs in mapped.items())
        own = f"json_merge_patch(json_merge_patch({own}, {_nulls(set(mapped.values()))}), json_object({named}))"
    message_id = f"({at(names.theirs[MESSAGE_ID])} ->> '$')" if MESSAGE_ID in names.theirs else None
    return Incoming(
        relation=lookups.within(relation),
        description=files.description,
        event=f"(CASE WHEN json_type({event}) NOT IN ('OBJECT', 'ARRAY') THEN {event} ->> '$' END)",
        time=TimeColumn(time, "json", zone),
        given=f"({time} IS NOT NULL)",
        readable="(json_type(json) IS NOT DISTINCT FROM 'OBJECT')",
        identities=identities,
        message_id=message_id,
        typed={},
        json=f"json_merge_patch({inner}, {own})",
        raw="json",
        lost=_no_json(files.paths),
        lost_counted=True,
        notes=names.notes,
        names=names.theirs,
    )


def _no_json(paths: Sequence[str]) -> str:
    """The lines that are no JSON at all; a file that is one list has no such lines."""
    listed = quoting.texts(literal(path) for path in paths)
    lines = f"read_csv({listed}, columns = {{'line': 'VARCHAR'}}, auto_detect = false, header = false, delim = chr(1),"
    lines += " quote = '', escape = '', nullstr = chr(2), max_line_size = 16777216, ignore_errors = true)"
    return f"SELECT line FROM {lines} WHERE line <> '' AND NOT json_valid(line) AND NOT starts_with(line, '[')"


def _nulls(names: set[str]) -> str:
    """A patch that takes these keys away."""
    return f"json_object({', '.join(f'{quoting.text(name)}, NULL' for name in sorted(names))})"


def _object(sql: str) -> str:
    """The JSON value where it is an object, else an empty one."""
    return f"(CASE WHEN json_type({sql}) = 'OBJECT' THEN {sql} ELSE {NO_OBJECT} END)"


def _renamed(properties: dict[str, _T], columns: Mapping[str, str]) -> dict[str, _T]:
    """Properties by our names for them."""
    ours = {theirs: name for name, theirs in columns.items() if name not in _OURS}
    return {ours.get(name, name): value for name, value in properties.items()}


def _taken(names: Names) -> set[str]:
    """Columns that are an identity, the event, the time or the message id, and so no property."""
    return {theirs for name, theirs in names.theirs.items() if name in _OURS}


def _identities(names: Names, types: Mapping[str, DuckDBPyType]) -> dict[str, str]:
    found = {name: places(names.of(name), types) for name in tables.IDENTITIES}
    return {name: _identity(values) if values else NOBODY for name, values in found.items()}


def _identity(values: tuple[Value, ...]) -> str:
    """Whole numbers in floating-point columns (pandas makes them of integers with gaps) lose their point."""
    if len(values) == 1 and values[0].kind == "number":
        sql = values[0].sql
        whole = f"{sql} = trunc({sql}) AND abs({sql}) < 9007199254740992"
        return f"(CASE WHEN {whole} THEN CAST(CAST({sql} AS BIGINT) AS VARCHAR) ELSE CAST({sql} AS VARCHAR) END)"
    if len(values) == 1 and values[0].kind == "time":
        return f"CAST(make_timestamp({values[0].sql}) AS VARCHAR)"
    return as_text(values)


def _message_id(names: Names, types: Mapping[str, DuckDBPyType]) -> str | None:
    found = places(names.theirs[MESSAGE_ID], types) if MESSAGE_ID in names.theirs else ()
    return as_text(found) if found else None


_WIDE: Final = {"ubigint", "hugeint", "uhugeint"}


def _properties(types: Mapping[str, DuckDBPyType]) -> tuple[dict[str, Value], dict[str, str]]:
    """(scalar columns as values, other columns as JSON)."""
    typed: dict[str, Value] = {}
    objects: dict[str, str] = {}
    for name, kind in types.items():
        column = quoting.identifier(name)
        if name in {PROPERTIES, REASON} or str(kind).strip('"') == "NULL":
            continue
        value = places(name, {name: kind})[0]
        if value.kind == "json" or kind.id in _WIDE or (kind.id == "decimal" and value.kind == "integer"):
            objects[name] = f"to_json({column})"
        else:
            typed[name] = value
    return typed, objects


def _merged(objects: Mapping[str, str], properties: DuckDBPyType | None) -> str | None:
    """One object of what has no column of a common type, and of ``properties``; nulls are missing."""
    parts = ", ".join(f"{quoting.text(name)}, {sql}" for name, sql in objects.items())
    own = f"json_merge_patch({NO_OBJECT}, json_object({parts}))" if parts else None
    if properties is None:
        return own
    column = quoting.identifier(PROPERTIES)
    inner = _object(f"TRY_CAST({column} AS JSON)" if properties.id == "varchar" else f"to_json({column})")
    return f"json_merge_patch({inner}, {own})" if own else f"json_merge_patch({NO_OBJECT}, {inner})"
