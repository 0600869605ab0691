"""One way to open a source in a test and look at what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from doorstep.rows import EventRows, Needs, open_rows


@dataclass(frozen=True)
class Reader:
    """Opens sources on one connection."""

    connection: duckdb.DuckDBPyConnection

    def open(self, source: object, *properties: str, units: tuple[str, ...] = (), **options: Any) -> EventRows:
        """The rows of a source."""
        return open_rows(self.connection, source, needs=Needs(frozenset(properties), units), **options)

    def table(self, rows: EventRows, *properties: str, units: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        """Each row as time, event, units, and the first place of each property; by time and event."""
        selects = [rows.time, rows.event, *(rows.identity(unit) for unit in units)]
        for name in properties:
            places = [
                f"({place.sql} ->> '$')" if place.kind == "json" else f"CAST({place.sql} AS VARCHAR)"
                for place in rows.values(name)
            ]
            selects.append(f"coalesce({', '.join(places)}, NULL)" if places else "NULL")
        return self.connection.execute(f"SELECT {', '.join(selects)} FROM {rows.relation} ORDER BY ALL").fetchall()

    def read(self, source: object, *properties: str, units: tuple[str, ...] = (), **options: Any) -> list[Any]:
        """The rows of a source as `table` shows them."""
        return self.table(self.open(source, *properties, units=units, **options), *properties, units=units)


@pytest.fixture
def reader() -> Iterator[Reader]:
    """A reader on a fresh database in memory."""
    with duckdb.connect() as connection:
        yield Reader(connection)
