"""Open a source of events: files, globs, data frames (semantics 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from doorstep.errors import SourceError
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
    NULL) are SQL over it. ``kinds`` tells what each typed property holds. Lives as long as the connection it was opened
    on.
    """

    relation: str
    event: str
    time: str
    message_id: str | None
    description: str
    kinds: Mapping[str, Kind]
    columns: tuple[str, ...]
    plain: PlainFiles | None
    """The same rows as plain columns of Parquet files, where they are that."""
    _time: TimeColumn
    _identities: Mapping[str, str]
    _values: Mapping[str, tuple[Value, ...]]
    _facts: Facts

    def time_at_least(self, us: int) -> str:
        """SQL: the row is not earlier than ``us`` (microseconds UTC); lets a Parquet scan skip row groups."""
        return self._time.bound(">=", us)

    def time_at_most(self, us: int) -> str:
        """SQL: the row is not later than ``us`` (microseconds UTC); lets a Parquet scan skip row groups."""
        return self._time.bound("<=", us)

    @property
    def spans(self) -> tuple[int, int] | None:
        """The first and last time, where the files' statistics tell and other connections can read the relation too:
        then ranges of time may be read side by side.
        """
        if self._time.low <= FIRST or self._time.high >= LAST or "doorstep_" in self.relation:
            return None
        return self._time.low, self._time.high

    def identity(self, name: str) -> str:
        """SQL of a column of `Needs.units` or `Needs.hold`: an integer type, VARCHAR, BOOLEAN or DOUBLE."""
        return self._identities[name]

    def values(self, name: str) -> tuple[Value, ...]:
        """Where a property of `Needs` is to be found, to be tried in turn; nothing when there is no such place."""
        return self._values[name]

    def joined(self, relation: str, **identities: str) -> EventRows:
        """The same rows over ``relation``, which has every column that this one has, and more ``identities`` (SQL)."""
        return replace(self, relation=relation, plain=None, _identities={**self._identities, **identities})

    def names_identity(self, name: str) -> bool:
        """Whether `identity` knows the name."""
        return name in self._identities

    def facts(self) -> Facts:
        """What the source is like as a whole."""
        return self._facts


def open_rows(
    connection: duckdb.DuckDBPyConnection,
    source: object,
    *,
    columns: Mapping[str, str] | None = None,
    source_timezone: str = "UTC",
    needs: Needs,
) -> EventRows:
    """Open ``source``: a path, a glob, a list of them, or anything that speaks the Arrow PyCapsule interface.

    ``columns`` maps our names to theirs; naive times are read in ``source_timezone`` (IANA). CSV, JSON lines and frames
    are read now, into a temporary table of what is needed; Parquet stays where it is. Raises SourceError when the rows
    cannot be read as events.
    """
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
        _facts=counted.facts(shape, duplicates),
    )


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
