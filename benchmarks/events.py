"""The rows that are timed: time-ordered Parquet with string ids, as an event pipeline writes it."""

from __future__ import annotations

from pathlib import Path

import duckdb

CACHE = Path(__file__).parent.parent / ".bench"
STEPS = ("signup", "verify", "session", "invite")


def written(rows: int) -> Path:
    """The file of so many rows (one user for each twenty), made when absent."""
    path = CACHE / f"events-{rows}.parquet"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        duckdb.sql(
            f"""COPY (
                SELECT 'user-' || lpad((hash(i) % {max(1, rows // 20)})::VARCHAR, 7, '0') AS user_id,
                       CASE WHEN share < 0.02 THEN 'signup' WHEN share < 0.05 THEN 'verify'
                            WHEN share < 0.10 THEN 'session' WHEN share < 0.20 THEN 'invite'
                            ELSE 'other' || ((share * 1000)::INT % 8) END AS event,
                       make_timestamp(1767225600000000 + i * (90 * 86400000000 // {rows})) AS time,
                       (hash(i * 7) % 5)::VARCHAR AS platform
                FROM (SELECT range AS i, (hash(range * 31 + 7) % 1000000) / 1e6 AS share FROM range({rows}))
            ) TO '{path}.part' (FORMAT parquet)"""
        )
        Path(f"{path}.part").rename(path)
    return path
