"""A lake's events as a source of rows, as they were at a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import duckdb
import pyarrow as pa

from doorstep.lake import tables
from doorstep.lake.attach import again, attach, attached, storing
from doorstep.lake.maps import number_of
from doorstep.lake.place import Place
from doorstep.lake.traits import beside
from doorstep.rows import EventRows, Needs, Value
from doorstep.rows.facts import Count
from doorstep.rows.identities import identity_of
from doorstep.rows.names import Names
from doorstep.rows.needs import no_unit_column
from doorstep.rows.paths import PROPERTIES, paths, row_paths
from doorstep.rows.shape import Shape
from doorstep.rows.times import TimeColumn
from doorstep.rows.values import json_at

EVENTS = "lake.events"
CANONICAL = ("event", "time", "received_at", "message_id", *tables.IDENTITIES)


@dataclass(frozen=True, slots=True)
class Known:
    """What the lake knows by name at a snapshot."""

    events: Mapping[str, int]
    columns: Mapping[str, tuple[tables.Column, ...]]
    any_rest: bool

    @property
    def event(self) -> str:
        """SQL (VARCHAR) of a row's event."""
        size = max(self.events.values(), default=0)
        by_code = {code: name for name, code in self.events.items()}
        return f"({tables.literal_list(by_code.get(code, '') for code in range(1, size + 1))})[event]"

    def places(self, name: str) -> tuple[Value, ...]:
        """Every place at which a property may stand in a row."""
        found: list[Value] = []
        for path in row_paths(name):
            if len(path) == 1 and path[0] in CANONICAL:
                found.append(self._canonical(path[0]))
            elif path[0] == PROPERTIES and len(path) > 1:
                found += self._properties(path[1:])
        for path in paths(name):
            found += self._properties(path)
        return tuple(dict.fromkeys(found))

    def columns_of(self, name: str) -> Mapping[str, str] | None:
        """The columns that `places` of the name look at, with their SQL types; None where one is no property's."""
        typed = {one.sql: tables.SQL_TYPES[one.kind] for ones in self.columns.values() for one in ones}
        found: dict[str, str] = {}
        for place in self.places(name):
            column = "rest" if place.kind == "json" else place.sql.removeprefix("epoch_us(").removesuffix(")")
            if column != "rest" and column not in typed:
                return None
            found[column] = typed.get(column, "VARCHAR")
        return found

    def _canonical(self, name: str) -> Value:
        match name:
            case "event":
                return Value(self.event, "text")
            case "time" | "received_at":
                return Value(name, "time")
            case "message_id":
                return Value(name, "text")
            case _:
                return Value(tables.text_of_id(name), "text")

    def _properties(self, path: tuple[str, ...]) -> list[Value]:
        typed = self.columns.get(path[0], ()) if len(path) == 1 else ()
        found = [Value(f"epoch_us({one.sql})" if one.kind == "time" else one.sql, one.kind) for one in typed]
        if self.any_rest:
            found.append(Value(json_at("rest", path), "json"))
        return found


def open_at(connection: duckdb.DuckDBPyConnection, place: Place, snapshot: int | None, needs: Needs) -> EventRows:
    """Attaches the lake to the connection, as it was at the snapshot or at the latest one, and says where in it each
    thing is. RunError ``snapshot-gone``.
    """
    with storing(place):
        snapshot, facts, names = again(partial(_attach_at, connection, place, snapshot))
        relation, traits = beside(connection, EVENTS, needs)
    time = TimeColumn("time", "us", "UTC", guarded=False)
    if facts.first is not None and facts.last is not None:
        time = replace(time, low=facts.first, high=facts.last)
    shape = Shape(
        relation=relation,
        event=names.event,
        time=time,
        given="true",
        message_id="message_id",
        values={name: traits[name] if name in traits else names.places(name) for name in needs.names},
        description=f"the lake {place.directory}",
        columns=(*CANONICAL, *names.columns),
    )
    shape = replace(shape, values=_present(connection, shape, needs))
    codes = {name for name in needs.units if name in tables.IDENTITIES and name not in needs.hold}
    return EventRows(
        relation=shape.relation,
        event=shape.event,
        time="time",
        message_id=shape.message_id,
        description=shape.description,
        kinds={
            name: found[0].kind for name, found in shape.values.items() if len(found) == 1 and found[0].kind != "json"
        },
        columns=shape.columns,
        snapshot=snapshot,
        links="lake.links",
        number_of=partial(number_of, connection, place, snapshot),
        _time=shape.time,
        _identities={
            name: name if name in codes else identity_of(connection, shape, shape.values[name])
            for name in needs.identities
        },
        _values=shape.values,
        _facts=Count(facts.rows, 0, 0, 0, 0, facts.last, facts.first).facts(),
        _codes=names.events,
        _spelt={name: speller(place, tables.IDENTITIES[name]) for name in codes},
    )


def _attach_at(
    connection: duckdb.DuckDBPyConnection, place: Place, snapshot: int | None
) -> tuple[int, CatalogFacts, Known]:
    """Attaches the lake at the snapshot, or at the latest: which one it is, and what is known there."""
    connection.execute("DETACH DATABASE IF EXISTS lake")
    if snapshot is None:
        attach(connection, place)
        latest = "SELECT max(snapshot_id) FROM __ducklake_metadata_lake.ducklake_snapshot"
        (snapshot,) = connection.execute(latest).fetchone() or (0,)
        connection.execute("DETACH lake")
    attach(connection, place, snapshot)
    facts = from_catalog(connection, snapshot) or _by_scan(connection)
    return snapshot, facts, known_at(connection, facts.any_rest)


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """How many events there are, the first and last time, and whether any has properties outside of the columns."""

    rows: int
    first: int | None
    last: int | None
    any_rest: bool


def from_catalog(connection: duckdb.DuckDBPyConnection, snapshot: int) -> CatalogFacts | None:
    """From what the catalog says of each file; None where a file holds rows of other snapshots too, or deleted ones."""
    meta = "__ducklake_metadata_lake"
    shown = f"begin_snapshot <= {snapshot} AND (end_snapshot IS NULL OR end_snapshot > {snapshot})"
    table = f"(SELECT table_id FROM {meta}.ducklake_table WHERE table_name = 'events' AND {shown})"
    files = f"(SELECT * FROM {meta}.ducklake_data_file WHERE table_id = {table} AND {shown})"
    mixed = connection.execute(
        f"SELECT 1 FROM {files} WHERE partial_max > {snapshot}"
        f" UNION ALL SELECT 1 FROM {meta}.ducklake_delete_file WHERE table_id = {table} AND {shown}"
    ).fetchone()
    if mixed is not None:
        return None
    found = connection.execute(
        f"WITH files AS {files} SELECT (SELECT coalesce(sum(record_count), 0) FROM files),"
        " min(TRY_CAST(s.min_value AS BIGINT)) FILTER (c.column_name = 'time'),"
        " max(TRY_CAST(s.max_value AS BIGINT)) FILTER (c.column_name = 'time'),"
        " coalesce(bool_or(coalesce(s.null_count < f.record_count, true)) FILTER (c.column_name = 'rest'), false)"
        f" FROM files AS f JOIN {meta}.ducklake_file_column_stats AS s USING (data_file_id)"
        f" JOIN {meta}.ducklake_column AS c ON c.column_id = s.column_id AND c.table_id = {table}"
        " AND c.column_name IN ('time', 'rest')"
    ).fetchone()
    if found is None or (found[0] and found[2] is None):
        return None
    return CatalogFacts(int(found[0]), found[1], found[2], found[3])


def _by_scan(connection: duckdb.DuckDBPyConnection) -> CatalogFacts:
    found = connection.execute(f"SELECT count(*), min(time), max(time), count(rest) > 0 FROM {EVENTS}").fetchone()
    assert found is not None
    return CatalogFacts(*found)


def known_at(connection: duckdb.DuckDBPyConnection, any_rest: bool) -> Known:
    """What the attached lake knows, at the snapshot that it is attached at."""
    columns: dict[str, tuple[tables.Column, ...]] = {}
    for column in tables.columns(connection):
        columns[column.name] = (*columns.get(column.name, ()), column)
    events = {name: code for code, name in connection.execute("SELECT code, name FROM lake.names").fetchall()}
    return Known(events, columns, any_rest)


def _present(connection: duckdb.DuckDBPyConnection, shape: Shape, needs: Needs) -> dict[str, tuple[Value, ...]]:
    """The places of each name; of an identity only those where some row has a value, so that it keeps its type."""
    found = dict(shape.values)
    for name in needs.identities:
        if name in tables.IDENTITIES:
            continue
        found[name] = tuple(
            one
            for one in found[name]
            if connection.execute(f"SELECT 1 FROM {shape.relation} WHERE {one.sql} IS NOT NULL LIMIT 1").fetchone()
        )
        if not found[name]:
            raise no_unit_column(name, Names({}, ()), shape.columns, shape.description)
    return found


def speller(place: Place, kind: int) -> Callable[[pa.Array], pa.Array]:
    """From an id's numbers to its texts; numbers are never given anew, so that any later snapshot will do."""

    def spell(codes: pa.Array) -> pa.Array:
        with attached(place) as connection:
            connection.register("codes", pa.table({"code": codes, "place": pa.array(range(len(codes)), pa.int64())}))
            found = connection.execute(
                f"SELECT i.id FROM codes LEFT JOIN lake.ids AS i ON i.kind = {kind} AND i.code = codes.code"
                " ORDER BY codes.place"
            ).to_arrow_table()
        column = found.column("id").combine_chunks()
        return column.chunk(0) if isinstance(column, pa.ChunkedArray) and column.num_chunks else column

    return spell
