"""Open a source of events: files, globs, data frames (semantics 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import duckdb
import pyarrow as pa

from doorstep.errors import SourceError
from doorstep.rows import quoting
from doorstep.rows.delimited import read_csv
from doorstep.rows.duplicates import without_duplicates
from doorstep.rows.facts import Count, Facts, count
from doorstep.rows.files import resolve
from doorstep.rows.identities import identity_of
from doorstep.rows.json_lines import read_json
from doorstep.rows.needs import Needs
from doorstep.rows.plain import PlainFiles, plain_files
from doorstep.rows.shape import Shape
from doorstep.rows.times import FIRST, LAST, TimeColumn, check_timezone
from doorstep.rows.typed import ArrowStream, as_text, read_frame, read_parquet, refuse_opaque
from doorstep.rows.values import Kind, Value


@dataclass(frozen=True, slots=True)
class EventRows:
    """Usable events, each once: rows without a readable time or an event, and repeated messages, are left out.

    ``relation`` goes after FROM; ``event`` (VARCHAR, never NULL or empty) and ``time`` (BIGINT microseconds UTC, never
    NULL) are SQL over it. ``kinds`` tells what each typed property holds; ``snapshot`` which state of a store this is.
    Lives as long as the connection it was opened on.
    """

    relation: str
    event: str
    time: str
    message_id: str | None
    description: str
    kinds: Mapping[str, Kind]
    columns: tuple[str, ...]
    _time: TimeColumn
    _identities: Mapping[str, str]
    _values: Mapping[str, tuple[Value, ...]]
    _facts: Facts
    plain: PlainFiles | None = None
    """The same rows as plain columns of Parquet files, where they are that."""
    snapshot: int | None = None
    links: str | None = None
    """What goes after FROM to read what calls said of ids, beside the rows: ``kind`` (``identify``, ``alias`` or
    ``member``), ``user_id, anonymous_id, previous_id, account_id, time``."""
    number_of: Callable[[str], int] | None = None
    """From the digest of an identity map to its number; None where maps are not numbered."""
    map_version: str | None = None
    """The identity map that gave the rows their unit, if one did."""
    _codes: Mapping[str, int] | None = None
    _spelt: Mapping[str, Callable[[pa.Array], pa.Array]] = field(default_factory=dict)

    def is_named(self, events: Iterable[str]) -> str:
        """SQL: the row's event has one of these names."""
        if self._codes is None:
            return f"{self.event} IN ({', '.join(quoting.text(name) for name in events)})"
        codes = sorted(self._codes[name] for name in events if name in self._codes)
        return f"event IN ({', '.join(map(str, codes))})" if codes else "false"

    def time_at_least(self, us: int) -> str:
        """SQL: the row is not earlier than ``us`` (microseconds UTC); lets a Parquet scan skip row groups."""
        return self._time.bound(">=", us)

    def time_at_most(self, us: int) -> str:
        """SQL: the row is not later than ``us`` (microseconds UTC); lets a Parquet scan skip row groups."""
        return self._time.bound("<=", us)

    @property
    def spans(self) -> tuple[int, int] | None:
        """The first and last time, where the files' statistics tell and other connections can read the relation too:
        then ranges of time may be read side by side. Not in a store, whose rows are not in the order of time.
        """
        if (
            self.snapshot is not None
            or self._time.low <= FIRST
            or self._time.high >= LAST
            or "doorstep_" in self.relation
        ):
            return None
        return self._time.low, self._time.high

    def identity(self, name: str) -> str:
        """SQL of a column of `Needs.units` or `Needs.hold`: an integer type, VARCHAR, BOOLEAN or DOUBLE. A column of
        units may hold numbers that stand for the values; `speller` turns them into these.
        """
        return self._identities[name]

    def speller(self, name: str) -> Callable[[pa.Array], pa.Array]:
        """From values of `identity` to those that they stand for; works after the connection was closed, too."""
        return self._spelt.get(name, _as_it_is)

    def is_coded(self, name: str) -> bool:
        """Whether `identity` of the column gives numbers that stand for its values."""
        return name in self._spelt

    def identity_text(self, name: str) -> str:
        """SQL (VARCHAR) of a column of `Needs.units` or `Needs.hold`, as a person writes it."""
        return as_text(self._values[name]) if name in self._spelt else f"CAST({self._identities[name]} AS VARCHAR)"

    def values(self, name: str) -> tuple[Value, ...]:
        """Where a property of `Needs` is to be found, to be tried in turn; nothing when there is no such place."""
        return self._values[name]

    def joined(self, relation: str, map_version: str, **identities: str) -> EventRows:
        """The same rows over ``relation``, which has every column that this one has, and more ``identities`` (SQL)
        by an identity map.
        """
        both = {**self._identities, **identities}
        return replace(self, relation=relation, plain=None, map_version=map_version, _identities=both)

    def names_identity(self, name: str) -> bool:
        """Whether `identity` knows the name."""
        return name in self._identities

    def facts(self) -> Facts:
        """What the source is like as a whole."""
        return self._facts


@runtime_checkable
class Store(Protocol):
    """What keeps events in a form of its own, and opens them itself."""

    def open_rows(self, connection: duckdb.DuckDBPyConnection, needs: Needs) -> EventRows:
        """The events, over this connection."""
        ...


def open_rows(
    connection: duckdb.DuckDBPyConnection,
    source: object,
    *,
    columns: Mapping[str, str] | None = None,
    source_timezone: str = "UTC",
    needs: Needs,
) -> EventRows:
    """Open ``source``: a path, a glob, a list of them, anything that speaks the Arrow PyCapsule interface, or a store.

    ``columns`` maps our names to theirs; naive times are read in ``source_timezone`` (IANA). CSV, JSON lines and frames
    are read now, into a temporary table of what is needed; Parquet stays where it is. Raises SourceError when the rows
    cannot be read as events.
    """
    if isinstance(source, Store):
        if columns:
            raise SourceError(
                "no-mapping", "a lake has the names of Doorstep, so that nothing can be mapped. Drop the map."
            )
        return source.open_rows(connection, needs)
    shape = _read(connection, source, needs, dict(columns or {}), check_timezone(source_timezone))
    read = shape.relation
    shape, counted = count(connection, shape)
    usable = shape.relation if counted.clean else f"(SELECT * FROM {shape.relation} WHERE {shape.usable})"
    units = [as_text(shape.values[name]) for name in needs.units]
    shape, duplicates = without_duplicates(connection, shape, usable, units)
    shape = replace(shape, time=_settled(shape.time, counted))
    for name in needs.identities:
        refuse_opaque(name, shape.values[name], shape.description)
    return EventRows(
        relation=shape.relation,
        event=shape.event,
        time=shape.time.us,
        message_id=shape.message_id,
        description=shape.description,
        kinds={
            name: found[0].kind for name, found in shape.values.items() if len(found) == 1 and found[0].kind != "json"
        },
        columns=shape.columns,
        plain=plain_files(shape.paths, shape) if shape.relation == read else None,
        _time=shape.time,
        _identities={name: identity_of(connection, shape, shape.values[name]) for name in needs.identities},
        _values=shape.values,
        _facts=counted.facts(duplicates, lost_lines=shape.lost_lines, notes=shape.notes),
    )


def _as_it_is(values: pa.Array) -> pa.Array:
    return values


def _settled(time: TimeColumn, counted: Count) -> TimeColumn:
    """The time column once unusable rows are gone and its bounds are known."""
    low, high = counted.first_time, counted.last_time
    return replace(time, guarded=False, low=FIRST if low is None else low, high=LAST if high is None else high)


def _read(
    connection: duckdb.DuckDBPyConnection, source: object, needs: Needs, columns: Mapping[str, str], zone: str
) -> Shape:
    if isinstance(source, str | Path) or (
        isinstance(source, list | tuple) and all(isinstance(one, str | Path) for one in source)
    ):
        files = resolve(source)
        match files.kind:
            case "parquet":
                return read_parquet(connection, files, needs, columns, zone)
            case "csv":
                return read_csv(connection, files, needs, columns, zone)
            case "json":
                return read_json(connection, files, needs, columns, zone)
    if isinstance(source, ArrowStream):
        return read_frame(connection, source, needs, columns, zone)
    raise SourceError(
        "unknown-source",
        f"events cannot be read from a {type(source).__name__}. Give a path, a glob, a list of them, or a data frame "
        "of pyarrow, polars or pandas (anything with __arrow_c_stream__).",
    )
