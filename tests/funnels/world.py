"""Small worlds for questions about attempts: units by timeline, and the example data with the same said in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

import doorstep
from timelines import rows_of

HOUR = 3_600_000_000
DAY = 24 * HOUR


def table(units: dict[str, str]) -> pa.Table:
    """Rows of several units."""
    rows = [{**row, "user_id": unit} for unit, text in units.items() for row in rows_of(text)]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: pa.array([row.get(name) for row in rows]) for name in names}
    columns["time"] = columns["time"].cast(pa.timestamp("us", tz="UTC"))
    return pa.table(columns)


def run(document: dict[str, Any], units: dict[str, str], **options: Any) -> doorstep.FunnelResult:
    """A run over these units."""
    return doorstep.run({"count_by": "user_id", **document}, table(units), **options)


SIGNUP: dict[str, Any] = {
    "funnel": "signup",
    "count_by": "user_id",
    "steps": [
        {"id": "signup", "event": "signup_started"},
        {"id": "verified", "event": "email_verified", "window": "7d"},
        {"id": "session", "event": "first_session", "window": "3d"},
    ],
}
"""A funnel that SQL can say: each user's first signup, then the first row of each step within its window."""

ATTEMPTS = """
CREATE TABLE events AS SELECT *, epoch_us(time) AS us FROM '{path}'
    QUALIFY row_number() OVER (PARTITION BY message_id ORDER BY time) = 1;
CREATE TABLE horizon AS SELECT max(us) AS as_of FROM events;
CREATE TABLE entries AS SELECT user_id, min(us) AS t1, arg_min(session_id, us) AS session_at_entry,
    arg_min(plan, us) AS plan FROM events WHERE event = 'signup_started' AND user_id IS NOT NULL GROUP BY user_id;
CREATE TABLE second AS SELECT user_id, any_value(t1) AS t1, any_value(session_at_entry) AS session_at_entry,
    any_value(plan) AS plan, min(us) AS t2, arg_min(session_id, us) AS session_at_2 FROM entries LEFT JOIN
    (SELECT user_id, us, session_id FROM events WHERE event = 'email_verified') AS e USING (user_id)
    WHERE us BETWEEN t1 AND t1 + 7 * 86400000000 GROUP BY user_id;
CREATE TABLE third AS SELECT user_id, min(us) AS t3 FROM second JOIN
    (SELECT user_id, us FROM events WHERE event = 'first_session') AS e USING (user_id)
    WHERE us BETWEEN t2 AND t2 + 3 * 86400000000 GROUP BY user_id;
CREATE TABLE attempts AS SELECT e.*, t2, t3, session_at_2, CASE WHEN t3 IS NOT NULL THEN 'completed'
    WHEN as_of > coalesce(t2 + 3 * 86400000000, e.t1 + 7 * 86400000000) THEN 'expired' ELSE 'open' END AS status
    FROM entries AS e LEFT JOIN second USING (user_id) LEFT JOIN third USING (user_id), horizon;
"""


def in_sql(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The attempts of `SIGNUP`, found by SQL alone: ``user_id, t1, t2, t3, status`` and values at rows."""
    with duckdb.connect() as connection:
        connection.execute(ATTEMPTS.format(path=path))
        yield connection
