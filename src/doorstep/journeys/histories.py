"""From rows, traits and moves to histories: DuckDB reads and asks, the kernel walks (semantics 10)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from doorstep.engines import conditions
from doorstep.engines.duckdb import Engine
from doorstep.engines.grouping import Grouped, by_unit, code, in_one, whole_numbers
from doorstep.journeys.account import CREATED_AT
from doorstep.journeys.given import Traits, created_sql
from doorstep.journeys.kernel import Begun, Events, Given, Moves, from_birth, histories_of, lay_out
from doorstep.journeys.kernel.layout import NONE, UNTIMED
from doorstep.journeys.plan import JourneyPlan
from doorstep.journeys.query import RowsQuery, in_part
from doorstep.rows import reading
from doorstep.rows.shape import fresh_name

Integers = NDArray[np.int64]

BYTES_PER_ROW: Final = 160
"""What a row costs while it is grouped and walked: Arrow columns, keys, two of the kernel's rows."""

AT_ONCE: Final = 1_500_000_000
"""About how many bytes of rows are held at a time where no limit is given; more is walked part by part."""

MOST_DIGITS: Final = 12


class InexactError(Exception):
    """Numbers to add that are no whole multiples of a small part of one: the reference adds these."""


@dataclass(frozen=True, slots=True)
class Walked:
    """Histories: ``units`` (an array a column) name the accounts of ``accounts``; ``lines`` are transitions, both with
    the kernel's columns. ``rows`` were looked at; ``no_unit`` of them belong to nobody. ``lacking``: how many rows each
    leaf of the plan needs to hold, at least; ``places``: those of `Stood`, -1 for an account that is not in it.
    """

    units: tuple[pa.Array, ...]
    lines: Integers
    accounts: Integers
    rows: int
    no_unit: int
    lacking: NDArray[np.int32] | None = None
    places: Integers | None = None


@dataclass(frozen=True, slots=True)
class Stood:
    """Accounts to walk, with rows or without, and where they stood at the instant ``at``: ``relation`` has ``u0``…,
    ``place`` (a number of the caller's), ``born``, ``stage`` (-1: walked from nothing), ``entered``, ``high``.
    """

    relation: str
    at: int


def walk_all(
    engine: Engine,
    query: RowsQuery,
    plan: JourneyPlan,
    traits: Traits | None,
    moves: str | None,
    stood: Stood | None = None,
) -> Walked:
    """Every account's history, part by part where there are more rows than can be held. `InexactError` when sums
    cannot be kept as whole numbers.
    """
    room = AT_ONCE if engine.memory is None else engine.memory // 2
    parts = max(1, -(-_rows(engine, query, room) * BYTES_PER_ROW // room))
    found = [_walk_part(engine, query, plan, traits, moves, stood, part, parts) for part in range(parts)]
    offsets = np.cumsum([0, *(len(one.accounts) for one in found)])
    for one, offset in zip(found, offsets[:-1], strict=True):
        one.lines[:, 0] += offset
    return Walked(
        tuple(pa.concat_arrays([one.units[column] for one in found]) for column in range(len(query.units))),
        np.concatenate([one.lines for one in found]),
        np.concatenate([one.accounts for one in found]),
        sum(one.rows for one in found),
        sum(one.no_unit for one in found),
        np.concatenate([one.lacking for one in found if one.lacking is not None]),
        np.concatenate([one.places for one in found if one.places is not None]),
    )


def _rows(engine: Engine, query: RowsQuery, room: int) -> int:
    """About how many rows there are to look at; they are counted only where all there are would be too many."""
    rows = query.rows.facts().rows
    if query.only is None or rows * BYTES_PER_ROW <= room:
        return rows
    counted = engine.connection.execute(f"SELECT count(*) FROM {query.rows.relation} WHERE {query.mine}").fetchone()
    return 0 if counted is None else int(counted[0])


def _walk_part(
    engine: Engine,
    query: RowsQuery,
    plan: JourneyPlan,
    traits: Traits | None,
    moves: str | None,
    stood: Stood | None,
    part: int,
    parts: int,
) -> Walked:
    if engine.progress is not None:
        engine.progress("reading events", part / parts)
    with reading(query.rows.description):
        table = engine.execute(query.text(part, parts), "reading events").to_arrow_table()
    columns = [table.column(name) for name in query.unit_columns]
    time, word = _whole(table, "t"), _whole(table, "w0")
    grouped = by_unit(columns, time, word, None, engine.threads)
    units = tuple(in_one(column).take(pa.array(grouped.example)) for column in columns)
    scales = [scale_of(_doubles(table, f"n{slot}")) for slot in range(len(plan.summed))]
    numbers = _numbers(table, plan, scales, grouped)
    events = Events(
        grouped.rows,
        grouped.starts,
        np.column_stack([_whole(table, f"w{number}") for number in range(1, query.words)])
        if query.words > 1
        else np.zeros((0, 0), np.int64),
        numbers,
        np.column_stack([code([table.column(f"k{slot}")]).codes for slot in range(len(plan.told))])
        if plan.told
        else np.zeros((0, 0), np.int32),
    )
    rows, no_unit = table.num_rows, grouped.no_unit
    del table
    known = _Accounts(engine, units)
    given = _given(engine, plan, query.until, traits, known, _mine(query, part, parts))
    begun, places = _begun(stood, known, _mine(query, part, parts))
    given = given._replace(starts=known.starts(given.starts))
    moved = _moves(query.until, moves, known)
    events = events._replace(starts=known.starts(events.starts))
    lines, accounts, lacking = _walk(engine, plan, scales, events, given, moved, begun, query.until, known.count)
    return Walked(known.units(units), lines, accounts, rows, no_unit, lacking, places)


def _mine(query: RowsQuery, part: int, parts: int) -> str:
    return in_part(query.unit_columns, part, parts) if parts > 1 else "true"


def _walk(
    engine: Engine,
    plan: JourneyPlan,
    scales: Sequence[int],
    events: Events,
    given: Given,
    moves: Moves,
    begun: Begun,
    until: int,
    count: int,
) -> tuple[Integers, Integers, NDArray[np.int32]]:
    """Ranges of accounts with about as many rows each, side by side."""
    laid = lay_out(plan, scales)
    pieces = max(1, min(engine.threads * 4, len(events.rows) // 50_000))
    cuts = np.searchsorted(events.starts, np.linspace(0, len(events.rows), pieces + 1)[1:-1])
    spans = list(pairwise([0, *(min(int(cut), count) for cut in cuts), count]))
    with ThreadPoolExecutor(engine.threads) as pool:
        found = list(pool.map(lambda span: histories_of(laid, events, given, moves, begun, until, span), spans))
    lines, accounts, lacking = zip(*found, strict=True)
    return np.concatenate(lines), np.concatenate(accounts), np.concatenate(lacking)


def scale_of(values: NDArray[np.float64]) -> int:
    """The power of ten by which all values, as the decimals that people write, become whole; `InexactError`."""
    if (np.abs(values) >= 2**53).any():
        raise InexactError
    for digits in range(MOST_DIGITS + 1):
        scaled = np.rint(values * 10.0**digits)
        if (np.abs(scaled) < 2**53).all() and (scaled / 10.0**digits == values).all():
            return int(10**digits)
    raise InexactError


def _numbers(table: pa.Table, plan: JourneyPlan, scales: Sequence[int], grouped: Grouped) -> Integers:
    if not plan.summed:
        return np.zeros((0, 0), np.int64)
    most_rows = int(np.diff(grouped.starts).max(initial=0))
    columns = []
    for slot, scale in enumerate(scales):
        whole = np.rint(_doubles(table, f"n{slot}") * scale).astype(np.int64)
        if int(np.abs(whole).max(initial=0)) * max(1, most_rows) >= 1 << 61:
            raise InexactError
        columns.append(whole)
    return np.column_stack(columns)


def _whole(table: pa.Table, name: str) -> Integers:
    return whole_numbers(in_one(table.column(name))).astype(np.int64, copy=False)


def _doubles(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(in_one(table.column(name)).to_numpy(zero_copy_only=False), np.float64)


class _Accounts:
    """Numbers for accounts: those with rows first, then those that only have traits."""

    def __init__(self, engine: Engine, units: tuple[pa.Array, ...]) -> None:
        self._connection, self._columns = engine.connection, len(units)
        self._table = fresh_name("accounts")
        self.with_rows = self.count = len(units[0])
        self._more: list[pa.Array] = []
        self._frame = pa.table({f"u{number}": column for number, column in enumerate(units)}).append_column(
            "number", pa.array(np.arange(self.count))
        )

    def joined(self, relation: str, selects: str, where: str) -> pa.Table:
        """Rows of ``relation`` with the number of their account, by it; null where no row of events is its."""
        self._connection.register(self._table, self._frame)
        on = " AND ".join(f"CAST(a.u{n} AS VARCHAR) = CAST(g.u{n} AS VARCHAR)" for n in range(self._columns))
        texts = ", ".join(f"CAST(g.u{n} AS VARCHAR) AS u{n}" for n in range(self._columns))
        present = " AND ".join(f"g.u{n} IS NOT NULL" for n in range(self._columns))
        statement = (
            f"SELECT * FROM (SELECT a.number AS number, {texts}, {selects}"
            f" FROM (SELECT * FROM {relation} WHERE {where}) AS g LEFT JOIN {self._table} AS a ON {on} WHERE {present})"
        )
        return self._connection.execute(f"{statement} ORDER BY number, u0, seq").to_arrow_table()

    def numbered(self, table: pa.Table) -> Integers:
        """The account of each row of `joined`; accounts without rows of events get new numbers, once."""
        numbers = np.array(table.column("number").fill_null(-1).to_numpy(), np.int64)
        fresh = np.flatnonzero(numbers < 0)
        if len(fresh):
            columns = [table.column(f"u{n}").take(pa.array(fresh)) for n in range(self._columns)]
            coded = code(columns)
            numbers[fresh] = coded.codes + self.count
            more = self._more or [values.slice(0, 0) for values in coded.values]
            self._more = [pa.concat_arrays(both) for both in zip(more, coded.values, strict=True)]
            self._frame = pa.concat_tables(
                [
                    self._texts(),
                    pa.table(
                        {f"u{n}": values.cast(pa.string()) for n, values in enumerate(coded.values)}
                        | {"number": pa.array(np.arange(len(coded)) + self.count)}
                    ),
                ]
            )
            self.count += len(coded)
        return numbers

    def _texts(self) -> pa.Table:
        texts = {f"u{n}": self._frame.column(f"u{n}").cast(pa.string()) for n in range(self._columns)}
        return pa.table(texts | {"number": self._frame.column("number")})

    def starts(self, starts: Integers) -> Integers:
        """Where what each account has begins, of those that came to be known later too: they have none of it."""
        return np.concatenate([starts, np.full(self.count + 1 - len(starts), starts[-1], np.int64)])

    def units(self, units: tuple[pa.Array, ...]) -> tuple[pa.Array, ...]:
        """The accounts' values, in their own type."""
        if not self._more:
            return units
        return tuple(pa.concat_arrays([one, more.cast(one.type)]) for one, more in zip(units, self._more, strict=True))


def _given(engine: Engine, plan: JourneyPlan, until: int, traits: Traits | None, known: _Accounts, mine: str) -> Given:
    tests = plan.tests
    if traits is None:
        none = np.zeros(0, np.int64)
        empty = np.zeros((0, len(tests)), np.uint8)
        return Given(np.zeros(known.count + 1, np.int64), none, empty, empty, none)
    selects = ["g.t AS t", "g.seq AS seq", f"{created_sql(traits.values.get(CREATED_AT, ()))} AS created"]
    for number, test in enumerate(tests):
        places = traits.values[test.property]
        present = " OR ".join(f"{place.sql} IS NOT NULL" for place in places) or "false"
        selects += [
            f"({present}) AS s{number}",
            f"{conditions.sql(test, lambda name: traits.values[name])} AS h{number}",
        ]
    with reading("the traits"):
        table = known.joined(traits.relation, ", ".join(selects), f"(t IS NULL OR t <= {until}) AND {mine}")
    numbers = known.numbered(table)
    order = np.argsort(numbers, kind="stable")

    def flags(letter: str) -> NDArray[np.uint8]:
        columns = [table.column(f"{letter}{number}").to_numpy().astype(np.uint8)[order] for number in range(len(tests))]
        return np.column_stack(columns) if columns else np.zeros((len(order), 0), np.uint8)

    return Given(
        np.searchsorted(numbers[order], np.arange(known.count + 1)).astype(np.int64),
        np.array(table.column("t").fill_null(UNTIMED).to_numpy(), np.int64)[order],
        flags("s"),
        flags("h"),
        np.array(table.column("created").fill_null(NONE).to_numpy(), np.int64)[order],
    )


def _begun(stood: Stood | None, known: _Accounts, mine: str) -> tuple[Begun, Integers]:
    """Where each account begins, and its place."""
    if stood is None:
        return from_birth(known.count), np.full(known.count, -1, np.int64)
    names = ("place", "born", "stage", "entered", "high")
    table = known.joined(stood.relation, ", ".join([f"g.{name} AS {name}" for name in names] + ["0 AS seq"]), mine)
    numbers = known.numbered(table)
    found = [np.full(known.count, -1, np.int64) for _ in names]
    for column, name in zip(found, names, strict=True):
        column[numbers] = np.array(table.column(name).to_numpy(), np.int64)
    return Begun(stood.at, *found[1:]), found[0]


def _moves(until: int, moves: str | None, known: _Accounts) -> Moves:
    none = np.zeros(0, np.int64)
    if moves is None:
        return Moves(np.zeros(known.count + 1, np.int64), none, none)
    table = known.joined(moves, "g.t AS t, g.place AS place, g.seq AS seq", f"t <= {until}")
    table = table.filter(table.column("number").is_valid())
    numbers = np.array(table.column("number").to_numpy(), np.int64)
    time = np.array(table.column("t").to_numpy(), np.int64)
    order = np.lexsort((np.array(table.column("seq").to_numpy(), np.int64), time, numbers))
    return Moves(
        np.searchsorted(numbers[order], np.arange(known.count + 1)).astype(np.int64),
        time[order],
        np.array(table.column("place").to_numpy(), np.int64)[order],
    )


__all__ = ["InexactError", "Stood", "Walked", "scale_of", "walk_all"]
