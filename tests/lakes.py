"""A small world for the lake's tests: arrivals as a sender would make them, and what became of them."""

from __future__ import annotations

from typing import Any

import doorstep
from doorstep.ingest.records import Arrival, Event
from doorstep.lake.attach import again, attached

START = 1_767_225_600_000_000
HOUR = 3_600_000_000


def event(message_id: str, name: str, user: str | None = "u1", hours: float = 0, **properties: Any) -> Arrival:
    """One event, so many hours after the start of 2026."""
    moment = START + int(hours * HOUR)
    return Arrival(message_id, moment, "test", (Event(name, moment, user, properties=properties),))


FUNNEL = {
    "funnel": "f",
    "count_by": "user_id",
    "steps": [{"event": "signup", "filters": {"plan": "pro"}}, {"event": "pay", "window": "7d"}],
}


def counts(source: object, definition: dict[str, Any] | None = None, **options: Any) -> list[int]:
    """How many reached each step."""
    return [step.count for step in doorstep.run(definition or FUNNEL, source, **options).steps]


def rows_of(lake: doorstep.Lake, columns: str, table: str = "events") -> list[tuple[Any, ...]]:
    """These columns of a table, in order."""
    with attached(lake.place) as connection:
        return again(lambda: connection.execute(f"SELECT {columns} FROM lake.{table} ORDER BY ALL").fetchall())
