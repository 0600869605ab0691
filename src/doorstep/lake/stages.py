"""Where accounts stand, and how they came there, as tables of the lake that any tool can read.

``account_stage_transitions`` only grows: a line for each thing that was found out, in the order of ``seq``; the last
line of a ``transition_id`` is what holds. ``account_stage_current`` has a row for each account that is in a stage.
"""

from __future__ import annotations

from typing import Final

import duckdb
import pyarrow as pa

CURRENT: Final = "account_stage_current"
TRANSITIONS: Final = "account_stage_transitions"
_TIME: Final = "TIMESTAMP WITH TIME ZONE"
COLUMNS: Final = {
    CURRENT: {
        "journey": "VARCHAR",
        "account": "VARCHAR",
        "stage": "VARCHAR",
        "high_water": "VARCHAR",
        "since": _TIME,
        "born_at": _TIME,
        "cycle": "BIGINT",
        "updated_at": _TIME,
    },
    TRANSITIONS: {
        "seq": "BIGINT",
        "transition_id": "VARCHAR",
        "journey": "VARCHAR",
        "account": "VARCHAR",
        "to_stage": "VARCHAR",
        "entry": "BIGINT",
        "change": "VARCHAR",
        "from_stage": "VARCHAR",
        "skipped": "VARCHAR[]",
        "occurred_at": _TIME,
        "detected_at": _TIME,
        "cause": "VARCHAR",
        "version": "BIGINT",
        "evidence": "VARCHAR",
        "updated_at": _TIME,
    },
}
"""Table → column → type."""


def reached(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Journey → the last ``seq`` and the last ``cycle`` that the tables of the attached lake have."""
    there = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = 'lake' AND table_name = ?", (TRANSITIONS,)
    ).fetchone()
    if there is None:
        return {}
    found = connection.execute(
        f"SELECT journey, max(seq), max(cycle) FROM (SELECT journey, seq, 0 AS cycle FROM lake.{TRANSITIONS}"
        f" UNION ALL SELECT journey, 0, cycle FROM lake.{CURRENT}) GROUP BY journey"
    ).fetchall()
    return {journey: (seq, cycle) for journey, seq, cycle in found}


def put(connection: duckdb.DuckDBPyConnection, current: pa.Table, transitions: pa.Table) -> None:
    """Adds transitions and puts what accounts' rows are now in the place of what they were, in one transaction."""
    connection.execute("BEGIN")
    try:
        for table, columns in COLUMNS.items():
            listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            connection.execute(f"CREATE TABLE IF NOT EXISTS lake.{table} ({listed})")
        connection.register("current_now", current)
        connection.register("transitions_now", transitions)
        connection.execute(f"INSERT INTO lake.{TRANSITIONS} BY NAME SELECT * FROM transitions_now ORDER BY seq")
        connection.execute(
            f"DELETE FROM lake.{CURRENT} WHERE (journey, account) IN (SELECT journey, account FROM current_now)"
        )
        connection.execute(
            f"INSERT INTO lake.{CURRENT} BY NAME SELECT * FROM current_now WHERE stage IS NOT NULL"
            " ORDER BY journey, account"
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    finally:
        connection.unregister("current_now")
        connection.unregister("transitions_now")


__all__ = ["COLUMNS", "CURRENT", "TRANSITIONS", "put", "reached"]
