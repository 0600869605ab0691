"""The same four-step funnel, asked of each engine. Every contestant gives the counts of its steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.events import STEPS

Contestant = Callable[[Path], list[int]]

WINDOW_DAYS = 30
_NAMES = ", ".join(f"'{name}'" for name in STEPS)


def furthest(path: Path) -> list[int]:
    """Doorstep, `match: furthest`: what window functions count."""
    return _doorstep(FURTHEST, path)


def broken_down(path: Path) -> list[int]:
    """The same, with the figures of each platform too."""
    return _doorstep(FURTHEST, path, breakdown="platform")


def declared(path: Path) -> list[int]:
    """Doorstep, the full walk: a window for each step, an exclusion between steps, re-entry."""
    return _doorstep(DECLARED, path)


FURTHEST: dict[str, Any] = {
    "match": "furthest",
    "window": f"{WINDOW_DAYS}d",
    "steps": [{"event": name} for name in STEPS],
}
DECLARED: dict[str, Any] = {
    "steps": [{"event": STEPS[0]}, *({"event": name, "window": "14d"} for name in STEPS[1:])],
    "exclude_between": [{"event": "other3", "filters": {"platform": "1"}, "after": 1, "before": 2}],
    "reentry": [{"after": ["completed"]}, {"no_within": "14d"}],
}


def _doorstep(definition: dict[str, Any], path: Path, **options: Any) -> list[int]:
    import doorstep

    result = doorstep.run({"funnel": "bench", "count_by": "user_id", **definition}, path, **options)
    return [step.count for step in result.steps]


def clickhouse(path: Path) -> list[int]:
    """ClickHouse's `windowFunnel` over the file, in process."""
    import chdb

    window = WINDOW_DAYS * 86_400_000_000
    conditions = ", ".join(f"event = '{name}'" for name in STEPS)
    found = chdb.query(
        f"""SELECT {", ".join(f"countIf(level >= {step})" for step in range(1, len(STEPS) + 1))}
            FROM (SELECT windowFunnel({window})(toUInt64(toUnixTimestamp64Micro(toDateTime64(time, 6))), {conditions})
                         AS level FROM file('{path}', Parquet) WHERE event IN ({_NAMES}) GROUP BY user_id)""",
        "CSV",
    )
    return [int(count) for count in str(found).strip().split(",")]


def plain_sql(path: Path) -> list[int]:
    """DuckDB, in SQL alone: for each step the latest entry of a chain that ends there, by running maxima."""
    import duckdb

    window = f"{WINDOW_DAYS} * 86400000000"
    first = f"max(CASE WHEN event = '{STEPS[0]}' THEN moment END) OVER so_far AS entry1, user_id, event, moment"
    so_far = "WINDOW so_far AS (PARTITION BY user_id ORDER BY moment ROWS UNBOUNDED PRECEDING)"
    query = f"SELECT {first} FROM events {so_far}"
    for step, name in enumerate(STEPS[1:], start=2):
        kept = ", ".join(f"entry{number}" for number in range(1, step))
        query = (
            f"SELECT max(CASE WHEN event = '{name}' AND moment <= entry{step - 1} + {window} THEN entry{step - 1} END)"
            f" OVER so_far AS entry{step}, {kept}, user_id, event, moment FROM ({query})"
            f" {so_far}"
        )
    counts = ", ".join(f"count(DISTINCT user_id) FILTER (entry{step} IS NOT NULL)" for step in range(1, len(STEPS) + 1))
    with duckdb.connect() as connection:
        found = connection.execute(
            f"""WITH events AS (SELECT user_id, event, epoch_us(time) AS moment FROM '{path}' WHERE event IN ({_NAMES}))
                SELECT {counts} FROM ({query})"""
        ).fetchone()
    assert found is not None
    return list(found)


CONTESTANTS: dict[str, Contestant] = {
    "ClickHouse windowFunnel": clickhouse,
    "DuckDB SQL": plain_sql,
    "doorstep furthest": furthest,
    "doorstep declared": declared,
    "doorstep breakdown": broken_down,
}
SAME_QUESTION = ("ClickHouse windowFunnel", "DuckDB SQL", "doorstep furthest", "doorstep breakdown")
