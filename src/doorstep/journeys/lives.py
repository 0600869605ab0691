"""Accounts' lives as Python values: what the reference walks, for one account's story or where sums are odd."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from doorstep.definitions.journey import Journey
from doorstep.engines.duckdb import Engine
from doorstep.journeys.account import CREATED_AT, NEVER, Account, Move, Row, TraitsSet
from doorstep.journeys.account import Traits as TraitHistories
from doorstep.journeys.given import Traits, created_sql
from doorstep.journeys.histories import Walked
from doorstep.journeys.query import RowsQuery, needs_of
from doorstep.journeys.reference import walk
from doorstep.matching.conditions import meets
from doorstep.matching.plan import Question
from doorstep.rows import Value, quoting, reading

Unit = tuple[str, ...]


def lives_of(
    engine: Engine, query: RowsQuery, traits: Traits | None, moves: str | None, chosen: Sequence[Unit] | None = None
) -> dict[Unit, Account]:
    """Every account (or those chosen), by its values as texts, up to the horizon."""
    rows, names = query.rows, sorted({*_looked_at(query)})
    places = [(name, place) for name in names for place in rows.values(name)]
    units = [f"CAST({sql} AS VARCHAR)" for sql in query.units]
    selects = [*units, rows.event, rows.time, *map(_sql, (place for _, place in places))]
    present = " AND ".join([query.where, *(f"{sql} IS NOT NULL" for sql in units)])
    found: dict[Unit, tuple[list[Row], list[TraitsSet], list[Move]]] = {}
    width = len(units)

    def rows_of(statement: str) -> list[tuple[Any, ...]]:
        with reading(rows.description):
            return engine.connection.execute(statement).fetchall()

    for line in rows_of(f"SELECT {', '.join(selects)} FROM {rows.relation} WHERE {present}{_mine(units, chosen)}"):
        event, time, *values = line[width:]
        found.setdefault(line[:width], ([], [], []))[0].append(Row(time, event, _properties(places, values)))
    columns = [f"CAST(u{number} AS VARCHAR)" for number in range(width)]
    if traits is not None:
        known = [(name, place) for name, some in traits.values.items() if name != CREATED_AT for place in some]
        created = created_sql(traits.values.get(CREATED_AT, ()))
        selected = ", ".join([*columns, "t", created, *(_sql(place) for _, place in known)])
        statement = f"SELECT {selected} FROM {traits.relation} WHERE (t IS NULL OR t <= {query.until})"
        for line in rows_of(f"{statement}{_mine(columns, chosen)} ORDER BY seq"):
            time, born, *values = line[width:]
            given = {**_properties(known, values), **({} if born is None else {CREATED_AT: born})}
            if None not in line[:width]:
                found.setdefault(line[:width], ([], [], []))[1].append(TraitsSet(time, given))
    if moves is not None:
        statement = f"SELECT {', '.join(columns)}, t, place, by_whom, reason FROM {moves} WHERE t <= {query.until}"
        for line in rows_of(f"{statement}{_mine(columns, chosen)} ORDER BY seq"):
            if line[:width] in found:
                found[line[:width]][2].append(Move(*line[width:]))
    later = query.excluded_by_traits
    return {name: _left_by(later, Account(*parts)) for name, parts in found.items()}


def _left_by(excluded: Sequence[Question], account: Account) -> Account:
    """The account without the rows that its traits, as they were at the row's time, exclude; before birth, too."""
    if not excluded:
        return account
    known = TraitHistories.of(account, -NEVER)
    seen = ((row, known.beside(row)) for row in account.rows)
    rows = [row for row, full in seen if not any(meets(one, full.event, full.properties) for one in excluded)]
    return replace(account, rows=rows)


def _looked_at(query: RowsQuery) -> Sequence[str]:

    return sorted(name for name in needs_of(query.journey, query.plan).properties if not _is_trait(query, name))


def _is_trait(query: RowsQuery, name: str) -> bool:
    return name.startswith("unit.") and query.rows.snapshot is None


def _mine(units: Sequence[str], chosen: Sequence[Unit] | None) -> str:
    if chosen is None:
        return ""
    if not chosen:
        return " AND false"
    if len(chosen) == 1:
        return "".join(f" AND {sql} = {quoting.text(value)}" for sql, value in zip(units, chosen[0], strict=True))
    listed = ", ".join(f"({', '.join(map(quoting.text, unit))})" for unit in chosen)
    return f" AND ({', '.join(units)}) IN ({listed})"


def _sql(place: Value) -> str:
    return f"CAST({place.sql} AS VARCHAR)" if place.kind == "json" else place.sql


def _properties(places: Sequence[tuple[str, Value]], values: Sequence[object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for (name, place), value in zip(places, values, strict=True):
        if value is not None and name not in found:
            found[name] = json.loads(str(value)) if place.kind == "json" and place.opaque is None else value
    return found


def walk_plainly(journey: Journey, lives: Mapping[Unit, Account], until: int) -> Walked:
    """What the reference makes of lives, in the kernel's form."""
    lines: list[tuple[int, ...]] = []
    accounts: list[tuple[int, ...]] = []
    for number, account in enumerate(lives.values()):
        history = walk(journey, account, until)
        if history is None:
            accounts.append((NEVER, -1, -1, -1, NEVER))
            continue
        state, high = history.state, history.high_water
        accounts.append((history.born_at, state.stage, state.since, -1 if high is None else high, history.due))
        lines += [
            (number, one.from_stage, one.to_stage, bool(one.skipped), one.occurred_at, one.cause == "manual")
            for one in history.transitions
        ]
    units = [pa.array(list(column), pa.string()) for column in zip(*lives, strict=True)] if lives else []
    return Walked(
        tuple(units) or tuple(pa.array([], pa.string()) for _ in journey.unit_columns),
        np.array(lines, np.int64).reshape(-1, 6),
        np.array(accounts, np.int64).reshape(-1, 5),
        sum(len(account.rows) for account in lives.values()),
        0,
    )


__all__ = ["Unit", "lives_of", "walk_plainly"]
