"""From the lake to histories: of every account, or of those about which something is new."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from doorstep.definitions.journey import Journey
from doorstep.engines.duckdb import Engine, Progress, engine
from doorstep.journeys.account import CREATED_AT, NEVER
from doorstep.journeys.given import Traits, open_moves
from doorstep.journeys.histories import Walked
from doorstep.journeys.query import needs_of
from doorstep.journeys.run import Opened, open_all, walk_opened
from doorstep.lake import LakeAt
from doorstep.lake.changes import Between, changed_rows, changed_traits, has_snapshot, numbered
from doorstep.ledger.records import History, Move, Standing, Transition, Walk
from doorstep.rows.needs import TRAIT
from doorstep.rows.paths import paths

TOUCHED = "doorstep_touched"

Key = tuple[str, ...]
"""An account as the lake's rows name it: ids by their numbers."""


@dataclass(frozen=True, slots=True)
class News:
    """Since when things are news (a snapshot; None: everything is), and accounts to look at in any case."""

    since: int | None
    accounts: Sequence[str] = ()


def walk(
    journey: Journey, lake: LakeAt, until: int, moves: Sequence[Move], news: News, progress: Progress | None = None
) -> Walk | None:
    """Histories up to ``until``. None when the lake no longer knows what changed since ``news.since``."""
    with engine(progress=progress) as running:
        opened = open_all(running, journey, lake, None, _moment(until), None, None, "UTC", "UTC")
        notes = list(opened.notes)
        if moves:
            opened = replace(opened, moves=_moves(running, journey, moves, notes))
        if news.since is not None:
            if news.since > lake.snapshot or not has_snapshot(running.connection, news.since):
                return None
            if not _touch(opened, news, lake.snapshot):
                return Walk({}, False, 0, notes)
            opened = _narrowed(opened)
        walked = walk_opened(opened)
        later = _later(opened, moves)
        touched = _keys_in(running, opened) if news.since is not None else []
        names = _names(opened, [*_keys(walked.units), *later, *touched])
        return Walk(_histories(journey, walked, later, names), news.since is None, walked.rows, notes)


def _moment(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def _touch(opened: Opened, news: News, until: int) -> int:
    """Makes the table of the accounts to look at; how many there are."""
    connection, query = opened.engine.connection, opened.query
    columns, since = query.journey.unit_columns, news.since
    assert since is not None
    between = Between.of(connection, since, until)
    connection.execute(f"CREATE TEMP TABLE {TOUCHED} AS {changed_rows(between, query.units)}")
    traits = changed_traits(between, columns[0], _trait_names(opened)) if len(columns) == 1 else None
    if traits is not None:
        connection.execute(f"INSERT INTO {TOUCHED} {traits}")
    if news.accounts:
        connection.register("doorstep_due", _texts(columns, news.accounts))
        connection.execute(f"INSERT INTO {TOUCHED} {numbered(columns, 'doorstep_due')}")
    present = " AND ".join(f"{column} IS NOT NULL" for column in query.unit_columns)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {TOUCHED} AS SELECT DISTINCT * FROM {TOUCHED} WHERE {present}")
    return _count(opened.engine, TOUCHED)


def _count(running: Engine, table: str) -> int:
    found = running.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return 0 if found is None else int(found[0])


def _trait_names(opened: Opened) -> list[str]:
    asked = [test.property for test in opened.plan.tests]
    needed = needs_of(opened.query.journey, opened.plan).properties
    asked += [name.removeprefix(TRAIT) for name in needed if name.startswith(TRAIT)]
    return [*dict.fromkeys([CREATED_AT, *(path[0] for name in asked for path in paths(name))])]


def _narrowed(opened: Opened) -> Opened:
    """The same, of the accounts to look at alone."""
    columns = opened.query.unit_columns
    keys = ", ".join(f"CAST({column} AS VARCHAR)" for column in columns)
    query = replace(opened.query, only=f"SELECT {', '.join(columns)} FROM {TOUCHED}")

    def mine(relation: str) -> str:
        return f"(SELECT * FROM {relation} WHERE ({keys}) IN (SELECT {keys} FROM {TOUCHED}))"

    traits = opened.traits and Traits(mine(opened.traits.relation), opened.traits.values)
    return replace(opened, query=query, traits=traits, moves=opened.moves and mine(opened.moves))


def _moves(running: Engine, journey: Journey, moves: Sequence[Move], notes: list[str]) -> str:
    """Moves under the lake's numbers; those to stages that this version does not have are left out."""
    columns, positions = journey.unit_columns, journey.positions
    known = [one for one in moves if one.to_stage in positions]
    if len(known) < len(moves):
        notes.append(f"{len(moves) - len(known)} moves by hand lead to stages that this version does not have.")
    texts = _texts(columns, [one.account for one in known]).append_column(
        "move", pa.array(range(len(known)), pa.int64())
    )
    running.connection.register("doorstep_moves", texts)
    found = running.connection.execute(f"{numbered(columns, 'doorstep_moves')} ORDER BY move").fetchall()
    rows = [
        {
            **{name: str(value) for name, value in zip(columns, key, strict=True)},
            "at": known[number].at,
            "to": known[number].to_stage,
        }
        for *key, number in found
    ]
    empty = pa.table(
        {
            **{name: pa.array([], pa.string()) for name in columns},
            "at": pa.array([], pa.int64()),
            "to": pa.array([], pa.string()),
        }
    )
    return open_moves(running.connection, rows or empty, columns, positions, {})


def _later(opened: Opened, moves: Sequence[Move]) -> dict[Key, int]:
    """When the first fact beyond the horizon comes, of each account to look at that has one."""
    query, connection = opened.query, opened.engine.connection
    parts = []
    last = opened.rows.facts().last_time
    if last is not None and last > query.until:
        units = ", ".join(f"CAST({sql} AS VARCHAR) AS u{number}" for number, sql in enumerate(query.units))
        parts.append(f"SELECT {units}, {opened.rows.time} AS t FROM {opened.rows.relation} WHERE {query.mine}")
    keys = ", ".join(f"CAST({column} AS VARCHAR) AS {column}" for column in query.unit_columns)
    if opened.traits is not None:
        parts.append(f"SELECT {keys}, t FROM {opened.traits.relation}")
    if opened.moves is not None:
        parts.append(f"SELECT {keys}, t FROM {opened.moves}")
    if not parts:
        return {}
    columns = ", ".join(query.unit_columns)
    found = connection.execute(
        f"SELECT {columns}, min(t) FROM ({' UNION ALL '.join(parts)}) WHERE t > {query.until} GROUP BY {columns}"
    ).fetchall()
    return {tuple(key): int(time) for *key, time in found if None not in key}


def _keys_in(running: Engine, opened: Opened) -> list[Key]:
    keys = ", ".join(f"CAST({column} AS VARCHAR)" for column in opened.query.unit_columns)
    return running.connection.execute(f"SELECT {keys} FROM {TOUCHED}").fetchall()


def _keys(units: Sequence[pa.Array]) -> list[Key]:
    return list(zip(*(column.cast(pa.string()).to_pylist() for column in units), strict=True))


def _names(opened: Opened, keys: Iterable[Key]) -> dict[Key, str]:
    """What accounts are called: an id's text; of several columns their JSON list."""
    wanted = list(dict.fromkeys(keys))
    columns = opened.query.journey.unit_columns
    spelt = []
    for number, name in enumerate(columns):
        values = pa.array([key[number] for key in wanted], pa.string())
        if opened.coded and opened.rows.is_coded(name):
            values = opened.rows.speller(name)(values.cast(pa.int64()))
        spelt.append(values.to_pylist())
    named = spelt[0] if len(columns) == 1 else [json.dumps(values) for values in zip(*spelt, strict=True)]
    return dict(zip(wanted, named, strict=True))


def _texts(columns: Sequence[str], accounts: Sequence[str]) -> pa.Table:
    """Accounts by their names, a column for each of the unit's."""
    values = [(one,) for one in accounts] if len(columns) == 1 else [json.loads(one) for one in accounts]
    return pa.table(
        {f"u{number}": pa.array([value[number] for value in values], pa.string()) for number in range(len(columns))}
    )


def _histories(
    journey: Journey, walked: Walked, later: Mapping[Key, int], names: Mapping[Key, str]
) -> dict[str, History]:
    """By name; an account that has nothing up to the horizon is not born."""
    stages = [stage.id for stage in journey.stages]
    found = {name: History(Standing(due_at=later.get(key))) for key, name in names.items()}
    ordered = walked.lines[np.argsort(walked.lines[:, 0], kind="stable")]
    cuts = np.searchsorted(ordered[:, 0], np.arange(len(walked.accounts) + 1))
    lines, accounts = ordered.tolist(), walked.accounts.tolist()
    for number, key in enumerate(_keys(walked.units)):
        born, stage, since, high, due = accounts[number]
        due_at = min(due, later.get(key, NEVER))
        standing = Standing(due_at=due_at if due_at < NEVER else None)
        if stage >= 0:
            standing = replace(
                standing, stage=stages[stage], high_water=stages[high] if high >= 0 else None, since=since, born_at=born
            )
        found[names[key]] = History(standing, _transitions(stages, lines[cuts[number] : cuts[number + 1]]))
    return found


def _transitions(stages: Sequence[str], lines: Sequence[Sequence[Any]]) -> tuple[Transition, ...]:
    entries: dict[int, int] = {}
    found = []
    for _, old, new, skips, time, manual in lines:
        entries[new] = entries.get(new, 0) + 1
        skipped = tuple(stages[old + 1 : new]) if skips else ()
        found.append(Transition(stages[new], entries[new], stages[old], skipped, time, bool(manual)))
    return tuple(found)


__all__ = ["News", "walk"]
