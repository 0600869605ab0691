"""Which accounts news can mean something for, and which of them can go on from where they stood."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from doorstep.engines.conditions import asks
from doorstep.journeys.account import CREATED_AT
from doorstep.journeys.query import needs_of
from doorstep.journeys.resuming import reachable, resumable, told_apart
from doorstep.journeys.run import Opened
from doorstep.lake.changes import Between, changed_rows, changed_traits, numbered
from doorstep.lake.reading import EVENTS
from doorstep.ledger.footing import NAMES, Footing
from doorstep.rows.needs import TRAIT
from doorstep.rows.paths import paths

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
    changed = changed_rows(between, query.units, _matches(opened), news.horizon, query.until)
    connection.execute(f"CREATE TEMP TABLE doorstep_asked AS SELECT *, false AS whole, false AS due FROM ({changed})")
    whole = []
    traits = changed_traits(between, names[0], _trait_names(opened)) if len(names) == 1 else None
    if traits is not None:
        whole.append(traits)
    if news.moved:
        connection.register("doorstep_moved", texts_of(names, news.moved))
        whole.append(f"SELECT {', '.join(keys)} FROM ({numbered(names, 'doorstep_moved')})")
    for asked in whole:
        connection.execute(f"INSERT INTO doorstep_asked BY NAME SELECT *, true AS whole FROM ({asked})")


def _matches(opened: Opened) -> list[str]:
    """SQL, for each leaf: the row may bring it nearer to holding."""
    if opened.rows.relation != EVENTS:  # the change feed has no traits beside its rows
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


__all__ = ["ANEW", "FROM_THERE", "PASSED", "TOUCHED", "WHOLE", "News", "texts_of", "touch"]
