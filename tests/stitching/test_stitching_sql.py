"""The SQL over the map's tables says what the map says, row by row."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorstep.stitching import Link, stitch
from doorstep.stitching.sql import intervals_in, with_accounts, with_units
from said import Said, map_of, said_links

IDS = st.sampled_from(["a", "b", "c", "anonymous:a", "known:b", "é", "\U0001f600", "\uffee", ""])
Row = tuple[str | None, str | None, str | None, int]
ROWS = st.lists(
    st.tuples(st.none() | IDS, st.none() | IDS, st.none() | st.sampled_from(["acme", ""]), st.integers(0, 6)),
    max_size=25,
)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    """One for all cases."""
    return duckdb.connect()


def _events(rows: list[Row]) -> pa.Table:
    known, anonymous, account, time = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = [pa.array(one, pa.string()) for one in (known, anonymous, account)]
    return pa.table(
        [*columns, pa.array(time, pa.int64()), pa.array(range(len(rows)), pa.int64())],
        ["user_id", "anonymous_id", "account_id", "time", "n"],
    )


@settings(max_examples=150, deadline=None)
@given(rows=ROWS)
def test_links_in_rows_give_the_intervals_of_the_rules(connection: duckdb.DuckDBPyConnection, rows: list[Row]) -> None:
    """The same ids, beginnings, ends and users."""
    connection.register("events", _events(rows))
    query = intervals_in("events", known="user_id", anonymous="anonymous_id", time="time", where="time <= 5")
    links = [Link(device, user, time) for user, device, _, time in rows if user and device and time <= 5]
    assert sorted(connection.execute(query).fetchall()) == sorted(map(tuple, stitch(links).intervals))


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, said=said_links())
def test_joins_give_each_row_its_unit_and_account_once(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], said: list[Said]
) -> None:
    """With aliases, memberships, and ids that look like marked ones; the row's own columns stay as they are."""
    found = map_of(said)
    connection.register("events", _events(rows))
    for name, table in found.tables().items():
        connection.register(name, table)
    units = with_units(
        "events", known="user_id", anonymous="anonymous_id", time="time", intervals="intervals", names="names"
    )
    query = with_accounts(f"({units})", unit="unit", account="account_id", time="time", memberships="memberships")
    got = connection.execute(f"SELECT * FROM ({query}) ORDER BY n").fetchall()
    expected = []
    for number, (user, device, account, time) in enumerate(rows):
        unit = found.unit_of(user, device, time)
        expected.append((user, device, account, time, number, unit, account or found.account_of(unit, time)))
    assert got == expected
