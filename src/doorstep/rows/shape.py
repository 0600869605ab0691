"""What every reader hands on: a relation, and where in it each thing is to be found."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import duckdb

from doorstep.errors import RunError, SourceError
from doorstep.rows import quoting
from doorstep.rows.times import TimeColumn
from doorstep.rows.values import Value

_serial: Final = itertools.count(1)


def fresh_name(what: str) -> str:
    """A name that no other temporary table or view of this process has."""
    return f"doorstep_{what}_{next(_serial)}"


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows as a reader found them, the unusable ones still among them.

    ``relation`` goes after FROM. ``event`` is VARCHAR; ``given`` says that a time was written, readable or not;
    ``readable`` that the line could be read at all; ``digest`` orders rows that agree in all that is looked at;
    ``paths`` are those of Parquet files that ``relation`` reads where they lie.
    """

    relation: str
    event: str
    time: TimeColumn
    given: str
    message_id: str | None
    values: Mapping[str, tuple[Value, ...]]
    description: str
    readable: str | None = None
    digest: str | None = None
    lost_lines: int = 0
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    @property
    def usable(self) -> str:
        """SQL: the row has a readable time and an event's name."""
        return f"({self.time.us} IS NOT NULL AND {self.event} IS NOT NULL AND {self.event} <> '')"


@contextmanager
def reading(description: str) -> Iterator[None]:
    """Turn what DuckDB raises while it reads ``description`` into a SourceError or RunError of one paragraph."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise RunError(
            "memory",
            f"reading {description} needs more memory than the limit allows. "
            "Raise the limit, or give it disk to spill to.",
        ) from None
    except (duckdb.InterruptException, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "interrupted" not in str(error):  # what DuckDB's Python side raises
            raise
        raise RunError("interrupted", f"reading {description} was interrupted.") from None
    except duckdb.Error as error:
        if "state machine" in str(error):
            raise SourceError(
                "unreadable",
                f"{description} cannot be read as CSV: its quotes or line endings change halfway. "
                "Write it anew with one kind of line ending, and quotes inside cells doubled.",
            ) from None
        reason = str(error).splitlines()[0].split(": ", 1)[-1][:300]
        raise SourceError(
            "unreadable",
            f"{description} cannot be read: {reason} Check that the file is whole and of the kind it says.",
        ) from None


def stage(connection: duckdb.DuckDBPyConnection, shape: Shape, relation: str) -> Shape:
    """Read ``shape`` once from ``relation`` into a temporary table, with only what is needed; it spills to disk."""
    table = fresh_name("rows")
    selects = [f"{shape.event} AS event", f"{shape.time.us} AS time", f"{shape.given} AS given"]
    selects.append(f"{shape.readable or 'true'} AS readable")
    if shape.message_id is not None:
        selects += [f"{shape.message_id} AS message_id", f"{shape.digest or 'NULL::VARCHAR'} AS digest"]
    values: dict[str, tuple[Value, ...]] = {}
    for number, (name, places) in enumerate(shape.values.items()):
        staged = [replace(place, sql=quoting.identifier(f"v{number}_{index}")) for index, place in enumerate(places)]
        selects += [f"{place.sql} AS {new.sql}" for place, new in zip(places, staged, strict=True)]
        values[name] = tuple(staged)
    with reading(shape.description):
        connection.execute(f"CREATE TEMP TABLE {table} AS SELECT {', '.join(selects)} FROM {relation}")
    return replace(
        shape,
        relation=table,
        event="event",
        time=TimeColumn("time", "us", "UTC", guarded=False),
        given="given",
        readable="readable",
        message_id=None if shape.message_id is None else "message_id",
        digest=None if shape.message_id is None else "digest",
        values=values,
    )
