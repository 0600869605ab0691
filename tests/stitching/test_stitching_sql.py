"""The SQL over the map's tables says what the map says, row by row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorstep.ingest.records import Alias, Identify, Member
from doorstep.stitching import Link, Refusal, stitch
from doorstep.stitching.accounts import refused_members
from doorstep.stitching.identity_map import digest_of
from doorstep.stitching.links import Identified
from doorstep.stitching.rules import follow, refused_links
from doorstep.stitching.sql import (
    at_once,
    earliest_about,
    intervals_in,
    links_in,
    memberships_in,
    passed_over,
    sums,
    with_accounts,
    with_units,
)
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


def _found(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], said: list[Said]
) -> tuple[dict[str, str], tuple[Refusal, ...]]:
    """The tables of the map of rows not later than 5 and of what was said, by SQL, and which links are refused."""
    _keep(connection, "rows", _events(rows))
    _keep(connection, "told", _told([one for one in said if isinstance(one, Identify)]))
    ids = {"known": "user_id", "anonymous": "anonymous_id", "time": "time"}
    links = links_in("rows", **ids, where="time <= 5", said="told")
    aliases = [one for one in said if isinstance(one, Alias)]
    concerned = sorted({one for alias in aliases for one in (alias.previous_id, alias.user_id)})
    _keep(connection, "concerned", pa.table({"id": pa.array(concerned, pa.string())}))
    early = connection.execute(earliest_about(links, "concerned")).fetchall()
    followed = follow([Link(*one) for one in early], aliases)
    _keep(connection, "given_up", _table(followed.names, ["user_id", "kept"]))
    _keep(connection, "added", _told(followed.links))
    links += " UNION ALL SELECT user_id, anonymous_id, time FROM added"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE found_intervals AS {intervals_in(links, names='given_up')}")
    joined = [(one.user_id, one.anonymous_id, one.account_id, one.time, 0) for one in said if isinstance(one, Member)]
    _keep(connection, "joined", _table(joined, ["user_id", "anonymous_id", "account_id", "time", "n"]))
    both = "(SELECT * FROM rows WHERE time <= 5 UNION ALL SELECT * FROM joined)"
    units = with_units(both, **ids, intervals="found_intervals", names="given_up")
    members = f"SELECT unit, account_id, time AS said_at FROM ({units}) WHERE unit IS NOT NULL AND account_id <> ''"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE found_memberships AS {memberships_in(members)}")
    refused = (
        *followed.refused,
        *refused_links(connection.execute(passed_over(links, names="given_up")).fetchall()),
        *refused_members(connection.execute(at_once(members)).fetchall()),
    )
    return {"intervals": "found_intervals", "names": "given_up", "memberships": "found_memberships"}, tuple(
        sorted({*refused})
    )


def _keep(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """A table of the connection's own: scans of Arrow tables refuse some filters that joins push into them."""
    connection.register("given", table)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM given")


def _told(links: Iterable[Identified]) -> pa.Table:
    return _table([(one.user_id, one.anonymous_id, one.time) for one in links], ["user_id", "anonymous_id", "time"])


def _table(lines: Iterable[tuple[Any, ...]], names: list[str]) -> pa.Table:
    columns = list(zip(*lines, strict=True)) or [()] * len(names)
    kinds = [pa.int64() if name in {"time", "n"} else pa.string() for name in names]
    return pa.table([pa.array(one, kind) for one, kind in zip(columns, kinds, strict=True)], names)


@settings(max_examples=250, deadline=None)
@given(rows=ROWS, said=said_links())
def test_links_in_rows_and_calls_give_the_map_of_the_rules(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], said: list[Said]
) -> None:
    """The same intervals, names and memberships, so the same digest; the same links are refused, in the same words."""
    tables, refused = _found(connection, rows, said)
    visible = [one for one in rows if one[3] <= 5]
    expected = stitch(
        [one for one in said if isinstance(one, Identify)]
        + [Identify(device, user, time) for user, device, _, time in visible if user and device],
        [one for one in said if isinstance(one, Alias)],
        [one for one in said if isinstance(one, Member)]
        + [Member(account, time, user, device) for user, device, account, time in visible if account],
    )
    for name, part in (
        ("intervals", expected.intervals),
        ("names", expected.names),
        ("memberships", expected.memberships),
    ):
        assert sorted(connection.execute(f"FROM {tables[name]}").fetchall()) == sorted(map(tuple, part))
    found = connection.execute(sums(**tables)).fetchall()
    assert digest_of({part: (count, mixed or 0) for part, count, mixed in found}) == expected.digest
    assert refused == expected.refused


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
