"""What a source is like as a whole: how many rows, which cannot be used and why, and when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import duckdb

from doorstep.rows.shape import Shape, reading
from doorstep.rows.times import FIRST, LAST

_YEAR_1990: Final = 631_152_000_000_000
_NATIVE: Final = frozenset({"timestamp", "timestamptz", "integer"})


@dataclass(frozen=True, slots=True)
class Facts:
    """Counts over all rows of a source. ``last_time`` (microseconds UTC) is of the last row that has time and event.

    ``rejected``: reason → rows, without zeros: ``unreadable_line``, ``no_time``, ``unreadable_time``, ``no_event``,
    ``duplicate``; a row is counted under the first of these that applies. ``rows`` counts the rejected ones too.
    """

    rows: int
    no_time: int
    no_event: int
    unreadable_time: int
    last_time: int | None
    rejected: Mapping[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """The same, as counted; ``first_time`` where it is known without a look at the rows."""

    rows: int
    unreadable_line: int
    no_time: int
    unreadable_time: int
    no_event: int
    last_time: int | None
    first_time: int | None = None

    @property
    def clean(self) -> bool:
        """Whether every row is usable."""
        return not (self.unreadable_line or self.no_time or self.unreadable_time or self.no_event)

    def facts(self, duplicates: int = 0, *, lost_lines: int = 0, notes: tuple[str, ...] = ()) -> Facts:
        """For people."""
        rejected = {
            "unreadable_line": self.unreadable_line + lost_lines,
            "no_time": self.no_time,
            "unreadable_time": self.unreadable_time,
            "no_event": self.no_event,
            "duplicate": duplicates,
        }
        return Facts(
            rows=self.rows + lost_lines,
            no_time=self.no_time,
            no_event=self.no_event,
            unreadable_time=self.unreadable_time,
            last_time=self.last_time,
            rejected={reason: number for reason, number in rejected.items() if number},
            notes=notes + _time_notes(self),
        )


def count(connection: duckdb.DuckDBPyConnection, shape: Shape) -> tuple[Shape, Count]:
    """Count the rows, from the file's own statistics where they tell; the shape comes back without needless guards."""
    with reading(shape.description):
        quick = _from_statistics(connection, shape)
        if quick is not None:
            return replace(shape, time=replace(shape.time, guarded=False)), quick
        return shape, _by_scan(connection, shape)


def _from_statistics(connection: duckdb.DuckDBPyConnection, shape: Shape) -> Count | None:
    """Native times and no row without one or without an event: a few aggregates that need not read the rows."""
    time = shape.time
    if time.kind not in _NATIVE or (time.kind == "timestamp" and time.zone != "UTC") or shape.readable:
        return None
    plain = replace(time, guarded=False)
    low, high = replace(plain, raw="low").us, replace(plain, raw="high").us
    found = connection.execute(
        f"SELECT rows, given, {low}, {high} FROM (SELECT count(*) AS rows, count({time.raw}) AS given,"
        f" min({time.raw}) AS low, max({time.raw}) AS high FROM {shape.relation})"
    ).fetchone()
    if found is None or found[0] != found[1] or found[2] is None or found[3] is None:
        return None
    if found[2] < FIRST or found[3] > LAST:
        return None
    for nameless in (f"{shape.event} IS NULL", f"{shape.event} = ''"):
        if connection.execute(f"SELECT 1 FROM {shape.relation} WHERE {nameless} LIMIT 1").fetchone():
            return None
    return Count(found[0], 0, 0, 0, 0, found[3], found[2])


def _by_scan(connection: duckdb.DuckDBPyConnection, shape: Shape) -> Count:
    nameless = "(event IS NULL OR event = '')"
    found = connection.execute(
        "SELECT count(*), count(*) FILTER (NOT readable), count(*) FILTER (readable AND NOT given),"
        f" count(*) FILTER (readable AND given AND time IS NULL), count(*) FILTER (time IS NOT NULL AND {nameless}),"
        f" max(time) FILTER (NOT {nameless}) FROM (SELECT {shape.readable or 'true'} AS readable,"
        f" {shape.given} AS given, {shape.time.us} AS time, {shape.event} AS event FROM {shape.relation})"
    ).fetchone()
    assert found is not None
    return Count(*found)


def _time_notes(count: Count) -> tuple[str, ...]:
    if count.last_time is not None and count.last_time < _YEAR_1990:
        return (
            "every time lies before 1990: integers are read as microseconds since 1970, and these look like seconds or "
            "milliseconds. Multiply them by 1,000,000 or 1,000, or give timestamps.",
        )
    if count.rows and count.unreadable_time == count.rows - count.unreadable_line - count.no_time > 0:
        return (
            "no time could be read: times are timestamps, ISO 8601 texts (2026-03-09T10:00:00Z) or integers of "
            "microseconds since 1970.",
        )
    return ()
