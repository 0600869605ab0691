"""Which accounts news can mean something for, and which of them can go on from where they stood."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from doorstep.engines.conditions import asks
from doorstep.engines.stitching import whose
from doorstep.journeys.account import CREATED_AT
from doorstep.journeys.query import needs_of
from doorstep.journeys.resuming import reachable, resumable, told_apart
from doorstep.journeys.run import Opened, named_by
from doorstep.lake.changes import Between, changed_rows, changed_traits, numbered, spelt
from doorstep.lake.reading import EVENTS
from doorstep.ledger.footing import NAMES, Footing
from doorstep.rows.needs import TRAIT
from doorstep.rows.paths import paths
from doorstep.stitching.units import anonymous_unit_sql, known_unit_sql

TOUCHED: Final = "doorstep_touched"
"""The table of accounts that have news or are due: ``u0``…, ``kind``, ``place`` in the footing (-1: not in it), what
stands there, ``first`` and ``future`` instants of new rows, and ``n0``…, how many of these bring a leaf nearer.
"""

PASSED, FROM_THERE, ANEW, WHOLE = range(4)
"""What is to be done: nothing; go on from where it stood; walk the new rows, as there was nothing before; walk all."""


@dataclass(frozen=True, slots=True)
class News:
    """What came after the snapshot ``since``, which histories up to ``horizon`` rest on; ``moved`` by hand since."""

    since: int
    horizon: int
    footing: Footing
    moved: Sequence[str] = ()


def touch(opened: Opened, news: News, snapshot: int) -> None:
    """Makes the table `TOUCHED`."""
    _ask(opened, news, snapshot)
    connection, plan = opened.engine.connection, opened.plan
    connection.register("doorstep_footing", news.footing.table())
    keys = opened.query.unit_columns
    leaves = len(plan.leaves)
    connection.execute(
        f"INSERT INTO doorstep_asked BY NAME SELECT {', '.join(keys)}, true AS due FROM doorstep_footing"
        f" WHERE due <= {opened.query.until}"
    )
    sums = "".join(f", sum(n{leaf})::BIGINT AS n{leaf}" for leaf in range(leaves))
    present = " AND ".join(f"{column} IS NOT NULL" for column in keys)
    one = (
        f"SELECT {', '.join(keys)}, coalesce(bool_or(whole), false) AS whole, coalesce(bool_or(late), false) AS late,"
        f" coalesce(bool_or(due), false) AS due, min(first) AS first, min(future) AS future{sums}"
        f" FROM doorstep_asked WHERE {present} GROUP BY {', '.join(keys)}"
    )
    stands = ", ".join(f"f.{name}" for name in [*NAMES, *(f"s{leaf}" for leaf in range(leaves))])
    connection.execute(
        f"CREATE TEMP TABLE {TOUCHED} AS SELECT {_kind(opened)} AS kind, * FROM ("
        f"SELECT a.* EXCLUDE (due), a.due AS is_due, coalesce(f.place, -1) AS place, {stands} FROM ({one}) AS a"
        f" LEFT JOIN doorstep_footing AS f USING ({', '.join(keys)})) AS t"
    )


def _kind(opened: Opened) -> str:
    plan, top = opened.plan, len(opened.plan.programs) - 1
    keys = ", ".join(f"CAST({column} AS VARCHAR)" for column in opened.query.unit_columns)
    by_hand = "false" if opened.moves is None else f"({keys}) IN (SELECT {keys} FROM {opened.moves})"
    again = ["late", "stage < 0", by_hand, *(["true"] if not resumable(plan) else [])]
    able = reachable(plan, lambda leaf: f"s{leaf} <= coalesce(n{leaf}, 0)", "stage")
    over = "false" if plan.backward else f"stage = {top}"
    return (
        f"CASE WHEN whole THEN {WHOLE} WHEN place < 0 THEN {ANEW} WHEN {' OR '.join(again)} THEN {WHOLE}"
        f" WHEN {over} THEN {PASSED} WHEN is_due OR {able} THEN {FROM_THERE} ELSE {PASSED} END"
    )


def _ask(opened: Opened, news: News, snapshot: int) -> None:
    """The table of what is asked of whom: rows of the change feed, traits, moves."""
    connection, query = opened.engine.connection, opened.query
    names, keys = query.journey.unit_columns, query.unit_columns
    between = Between.of(connection, news.since, snapshot)
    changed = changed_rows(between, query.units, _matches(opened), news.horizon, query.until, _whose(opened))
    connection.execute(f"CREATE TEMP TABLE doorstep_asked AS SELECT *, false AS whole, false AS due FROM ({changed})")
    whole = []
    traits = changed_traits(between, names[0], _trait_names(opened)) if len(names) == 1 else None
    if traits is not None:
        whole.append(traits if opened.stitching is None else _named(traits, opened))
    if news.moved:
        connection.register("doorstep_moved", texts_of(names, news.moved))
        moved = "FROM doorstep_moved" if opened.stitching is not None else numbered(names, "doorstep_moved")
        whole.append(f"SELECT {', '.join(keys)} FROM ({moved})")
    if opened.stitching is not None:
        connection.register("doorstep_was", news.footing.who)
        connection.register("doorstep_is", who_is_who(opened))
        whole.append(who_changed("doorstep_was", "doorstep_is", accounts=query.journey.account is not None))
    for asked in whole:
        connection.execute(f"INSERT INTO doorstep_asked BY NAME SELECT *, true AS whole FROM ({asked})")


def _whose(opened: Opened) -> Callable[[str], str]:
    """From rows of the change feed to what has the units' columns."""
    if opened.stitching is None or opened.bare is None:
        return lambda feed: feed
    bare, (wanted, found) = opened.bare, opened.stitching
    return lambda feed: f"({whose(bare, f'(SELECT *, snapshot_id FROM {feed})', wanted, found)})"


def _named(traits: str, opened: Opened) -> str:
    """Ids that traits changed of, as numbers, under the name of whom they belong to."""
    assert opened.stitching is not None
    column = opened.query.journey.unit_columns[0]
    texts = f"(SELECT id AS u0 FROM ({spelt(column, f'(SELECT u0 AS code, 0 AS place FROM ({traits}))')}))"
    return f"SELECT u0 FROM {named_by(texts, *opened.stitching)}"


def who_is_who(opened: Opened) -> pa.Table | None:
    """The map as one relation: ``kind``, whose ``id``, what it belongs to (``whom``), from when until when."""
    if opened.stitching is None:
        return None
    found = opened.stitching[1]
    parts = [f"SELECT 'device' AS kind, anonymous_id AS id, user_id AS whom, from_us, until_us FROM {found.intervals}"]
    if found.names is not None:
        parts.append(f"SELECT 'name', user_id, kept, 0, 0 FROM {found.names}")
    if found.memberships is not None:
        parts.append(f"SELECT 'member', unit, account_id, from_us, until_us FROM {found.memberships}")
    return opened.engine.connection.execute(" UNION ALL ".join(parts)).to_arrow_table()


def who_changed(was: str, now: str, *, accounts: bool) -> str:
    """A query of the units that have, or had, rows which the one map gives to others than the other."""
    known, anonymous = known_unit_sql("whom"), anonymous_unit_sql("id")
    other = f"((FROM {was} EXCEPT FROM {now}) UNION (FROM {now} EXCEPT FROM {was}))"
    people = (
        f"SELECT unnest(CASE kind WHEN 'device' THEN [{known}, {anonymous}] WHEN 'name' THEN [{known},"
        f" {known_unit_sql('id')}] ELSE []::VARCHAR[] END) AS u0 FROM {other}"
    )
    if not accounts:
        return people
    return (
        f"SELECT whom AS u0 FROM {other} WHERE kind = 'member' UNION SELECT whom FROM (FROM {was} UNION FROM {now})"
        f" WHERE kind = 'member' AND id IN (SELECT u0 FROM ({people}))"
    )


def _matches(opened: Opened) -> list[str]:
    """SQL, for each leaf: the row may bring it nearer to holding."""
    if (opened.bare or opened.rows).relation != EVENTS:  # the change feed has no traits beside its rows
        return ["true"] * len(opened.plan.leaves)
    known = told_apart(opened.plan)
    return [
        " OR ".join(asks(question, opened.rows) for question in known[leaf]) if known.get(leaf) else "true"
        for leaf in range(len(opened.plan.leaves))
    ]


def _trait_names(opened: Opened) -> list[str]:
    asked = [test.property for test in opened.plan.tests]
    needed = needs_of(opened.query.journey, opened.plan).properties
    asked += [name.removeprefix(TRAIT) for name in needed if name.startswith(TRAIT)]
    return [*dict.fromkeys([CREATED_AT, *(path[0] for name in asked for path in paths(name))])]


def texts_of(columns: Sequence[str], accounts: Sequence[str]) -> pa.Table:
    """Accounts by their names, a column for each of the unit's."""
    values = [(one,) for one in accounts] if len(columns) == 1 else [json.loads(one) for one in accounts]
    return pa.table(
        {f"u{number}": pa.array([value[number] for value in values], pa.string()) for number in range(len(columns))}
    )


__all__ = ["ANEW", "FROM_THERE", "PASSED", "TOUCHED", "WHOLE", "News", "texts_of", "touch", "who_is_who"]
