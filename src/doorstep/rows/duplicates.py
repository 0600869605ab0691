"""Rows that repeat a ``message_id``: the earliest counts (semantics 1).

Of equally early ones it is the one whose event, then unit columns, then whole row comes first in order. Ids that occur
once pass untouched. Finding the repeated ids groups all ids, which DuckDB does on disk when memory is short; only rows
with a repeated id are kept aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb

from doorstep.rows.shape import Shape, fresh_name, reading


def without_duplicates(
    connection: duckdb.DuckDBPyConnection, shape: Shape, usable: str, units: Sequence[str]
) -> tuple[Shape, int]:
    """The shape without repeated rows, and how many those were. ``usable``: the relation without unusable rows."""
    if shape.message_id is None:
        return replace(shape, relation=usable), 0
    repeated, winners = fresh_name("repeated"), fresh_name("firsts")
    order = ", ".join(f"{part} NULLS FIRST" for part in (shape.time.us, shape.event, *units, shape.digest or "NULL"))
    repeats = f"(SELECT id FROM {repeated})"
    with reading(shape.description):
        connection.execute(
            f"CREATE TEMP TABLE {repeated} AS SELECT {shape.message_id} AS id, count(*) AS rows FROM {usable}"
            f" WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1"
        )
        found = connection.execute(f"SELECT count(*), coalesce(sum(rows), 0)::BIGINT FROM {repeated}").fetchone()
        assert found is not None
        ids, rows = found
        if ids == 0:
            connection.execute(f"DROP TABLE {repeated}")
            return replace(shape, relation=usable), 0
        connection.execute(
            f"CREATE TEMP TABLE {winners} AS SELECT * FROM {usable} WHERE {shape.message_id} IN {repeats}"
            f" QUALIFY row_number() OVER (PARTITION BY {shape.message_id} ORDER BY {order}) = 1"
        )
    once = (
        f"(SELECT * FROM {usable} WHERE {shape.message_id} IS NULL OR {shape.message_id} NOT IN {repeats}"
        f" UNION ALL SELECT * FROM {winners})"
    )
    return replace(shape, relation=once), rows - ids
