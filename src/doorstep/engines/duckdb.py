"""The embedded engine: DuckDB reads, filters and asks the plan's questions; the kernel walks what is left.

Only rows that matter leave DuckDB, each reduced to its unit, its time and its word. Equal results whatever the
threads: nothing downstream depends on the order in which rows arrive.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from doorstep.definitions.funnel import Funnel
from doorstep.engines.grouping import (
    Coded,
    across,
    arrow,
    by_unit,
    code,
    combined,
    in_one,
    in_value_order,
    whole_numbers,
)
from doorstep.engines.lookups import Looked, Lookups, look_up, touched
from doorstep.engines.query import Query, needs_of
from doorstep.engines.stitching import stitched, unit_identities
from doorstep.errors import RunError
from doorstep.matching.attempts import Attempts, from_table, joined
from doorstep.matching.kernel import attempts_of
from doorstep.matching.kernel.layout import lay_out
from doorstep.matching.plan import Plan
from doorstep.matching.reference import Bounds
from doorstep.rows import EventRows, quoting, reading

Progress = Callable[[str, float | None], None]
"""Told what is going on and how much of it is done (0 to 1; None: unknown)."""

SIDE_BY_SIDE: Final = 1_000_000
"""From so many rows on, reading ranges of time side by side costs less than it saves."""

AT_A_TIME: Final = 25_000_000
"""Plain columns of about so many rows are read at once; between two reads progress is told and Ctrl-C heard."""

BYTES_PER_ROW: Final = 250
"""What a matching row costs at most while it is grouped and walked: Arrow columns, keys, two of the kernel's rows."""


@dataclass(frozen=True, slots=True)
class Matched:
    """What came of a run: ``units`` and ``streams`` hold a value per column for each number in ``attempts``. A store
    may have its own numbers for units; ``spell`` turns them into values when these are asked for.

    ``group_values``: for each breakdown the values of the groups in ``attempts``; ``segments``: bit n of an attempt's
    number says that it is in segment n. ``rows``: rows that met a question (or all, where all matter); ``no_unit`` and
    ``no_stream``: how many of them were dropped because the unit, or a value to hold constant, is null; ``vanished``:
    units that `exclude_units` removed.
    """

    attempts: Attempts
    unit_values: tuple[pa.Array, ...]
    spell: tuple[Callable[[pa.Array], pa.Array], ...]
    streams: tuple[pa.Array, ...]
    group_values: tuple[pa.Array, ...]
    segments: NDArray[np.int64]
    rows: int
    unit_count: int
    no_unit: int
    no_stream: int
    vanished: int
    map_version: str | None = None
    """The identity map that was used."""

    @property
    def groups(self) -> tuple[object, ...]:
        """The value of each group; of several breakdowns a tuple of theirs."""
        columns = [values.to_pylist() for values in self.group_values]
        return tuple(columns[0]) if len(columns) == 1 else tuple(zip(*columns, strict=True))

    @property
    def units(self) -> tuple[pa.Array, ...]:
        """The units' values, a column each."""
        return tuple(spell(values) for spell, values in zip(self.spell, self.unit_values, strict=True))


@dataclass(frozen=True, slots=True)
class Engine:
    """A DuckDB connection of our own. ``memory`` limits, in bytes, what is held of the rows, by halves in DuckDB and
    here; the attempts found, and about 250 MB for the program itself, come on top. None: DuckDB's default.
    """

    connection: duckdb.DuckDBPyConnection
    memory: int | None = None
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    progress: Progress | None = None

    def execute(self, statement: str, what: str) -> duckdb.DuckDBPyConnection:
        """Runs a statement in a thread of its own, tells its progress, and stops it on Ctrl-C."""
        failure: list[BaseException] = []

        def work() -> None:
            try:
                self.connection.execute(statement)
            except BaseException as error:  # handed over to the caller's thread below
                failure.append(error)

        thread = threading.Thread(target=work, name="doorstep-query", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(0.1)
                if self.progress is not None and thread.is_alive():
                    done = self.connection.query_progress()
                    self.progress(what, done / 100 if done > 0 else None)
        except KeyboardInterrupt:
            self.connection.interrupt()
            thread.join()
            raise RunError("interrupted", f"{what} was interrupted; nothing was kept.") from None
        if failure:
            raise failure[0]
        return self.connection


@contextmanager
def engine(
    *, memory: int | None = None, threads: int | None = None, progress: Progress | None = None
) -> Iterator[Engine]:
    """A fresh engine; what does not fit in memory goes to a temporary directory, which is removed at the end."""
    count = threads or os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="doorstep-") as directory:
        place = os.path.join(directory, "work.duckdb") if memory is not None else ":memory:"
        # A lake loads extensions, which are installed by pinned hashes as DuckDB itself is: none is checked again.
        connection = duckdb.connect(place, config={"allow_unsigned_extensions": True})
        try:
            connection.execute(f"SET threads = {count}")
            connection.execute("SET preserve_insertion_order = false")
            connection.execute(f"SET temp_directory = {quoting.text(os.path.join(directory, 'spill'))}")
            if memory is not None:
                connection.execute(f"SET memory_limit = '{memory // 2_000_000}MB'")
            yield Engine(connection, memory, count, progress)
        finally:
            connection.close()


def match(
    engine: Engine,
    rows: EventRows,
    funnel: Funnel,
    plan: Plan,
    bounds: Bounds,
    *,
    first_time: bool = False,
    lookups: Lookups | None = None,
) -> Matched:
    """Runs the plan over the rows (semantics 1-7). ``bounds.as_of`` is a time, not `FOREVER`."""
    with reading(rows.description):
        query = Query(stitched(engine, rows, funnel, bounds), funnel, plan, bounds, first_time, lookups)
        buckets = buckets_of(engine, rows, query)
        if buckets == 1:
            parts = [_walk(engine, query, rows_that_matter(engine, query), 0)]
        else:
            parts = list(_in_buckets(engine, query, buckets))
        return _together(engine, parts, query)


def rows_that_matter(engine: Engine, query: Query) -> pa.Table:
    """The columns of ``query.carried``, ``t`` and ``w`` of every row that matters."""
    return _read_plain(engine, query) or _read(engine, query)


def _fetch(engine: Engine, statement: str, what: str) -> pa.Table:
    return engine.execute(statement, what).to_arrow_table()


def _read_plain(engine: Engine, query: Query) -> pa.Table | None:
    """The rows that matter, where the source is plain columns and what is held in memory need not be bounded."""
    rows, spans = query.rows, query.rows.spans
    if rows.plain is None or spans is None or engine.memory is not None:
        return None
    from doorstep.engines.plain import Wanted, read_plain  # noqa: PLC0415 - polars is slow to import, and not always used

    properties = needs_of(query.funnel, query.plan, query.lookups).properties
    first, last = max(spans[0], query.earliest), min(spans[1], query.bounds.as_of)
    pieces = max(1, rows.facts().rows // AT_A_TIME)
    cuts = [first, *(first + (last - first) * piece // pieces for piece in range(1, pieces)), last + 1]
    tables = []
    for number, (low, high) in enumerate(pairwise(cuts)):
        if engine.progress is not None:
            engine.progress("reading events", number / pieces)
        wanted = Wanted(
            questions=query.plan.questions,
            exclude=query.funnel.exclude,
            properties=sorted(properties),
            carried=query.carried,
            events=query.events,
            low=low if low > spans[0] else None,
            high=high - 1 if high <= spans[1] else None,
            every_row=query.plan.needs_every_row,
            segments=query.segments,
        )
        table = read_plain(rows.plain, wanted)
        if table is None:
            return None
        tables.append(table)
    return pa.concat_tables(tables)


def _read(engine: Engine, query: Query) -> pa.Table:
    """The rows that matter. DuckDB collects a result in one thread, so ranges of time are read side by side;
    which row comes first makes no difference.
    """
    spans = query.rows.spans
    if spans is None or engine.threads == 1 or query.rows.facts().rows < SIDE_BY_SIDE:
        return _fetch(engine, query.text, "reading events")
    cuts = np.linspace(spans[0], spans[1] + 1, engine.threads * 2 + 1).astype(np.int64).tolist()

    cursors = [engine.connection.cursor() for _ in cuts[1:]]

    def one(cursor: duckdb.DuckDBPyConnection, low: int, high: int) -> pa.Table:
        text = query.limited(query.rows.time_at_least(low), query.rows.time_at_most(high - 1))
        return cursor.execute(text).to_arrow_table()

    with ThreadPoolExecutor(engine.threads) as pool:
        reads = [pool.submit(one, *each) for each in zip(cursors, cuts[:-1], cuts[1:], strict=True)]
        try:
            while waiting := wait(reads, timeout=0.1).not_done:
                if engine.progress is not None:
                    engine.progress("reading events", 1 - len(waiting) / len(reads))
        except KeyboardInterrupt:
            for read, cursor in zip(reads, cursors, strict=True):
                read.cancel()
                cursor.interrupt()
            raise RunError("interrupted", "reading events was interrupted; nothing was kept.") from None
    return pa.concat_tables([read.result() for read in reads])


def buckets_of(engine: Engine, rows: EventRows, query: Query) -> int:
    """In how many parts the rows must be walked to stay within the memory limit."""
    if engine.memory is None:
        return 1
    room = engine.memory // 2
    if rows.facts().rows * BYTES_PER_ROW <= room:
        return 1
    found = engine.execute(f"SELECT count(*) FROM ({query.text})", "counting events").fetchone()
    assert found is not None
    return int(found[0]) * BYTES_PER_ROW // room + 1


def _in_buckets(engine: Engine, query: Query, buckets: int) -> Iterator[_Part]:
    """Rows are put down on disk by a hash of their unit, then walked a bucket at a time: a unit is never split."""
    key = ", ".join(query.unit_columns)
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE doorstep_matched AS"
        f" SELECT *, hash({key}) % {buckets} AS bucket FROM ({query.text})",
        "reading events",
    )
    offset = 0
    for bucket in range(buckets):
        if engine.progress is not None:
            engine.progress("walking", bucket / buckets)
        table = _fetch(engine, f"SELECT * EXCLUDE bucket FROM doorstep_matched WHERE bucket = {bucket}", "walking")
        part = _walk(engine, query, table, offset)
        offset += part.unit_values
        yield part
    engine.execute("DROP TABLE doorstep_matched", "walking")


@dataclass(frozen=True, slots=True)
class _Part:
    attempts: Attempts
    units: tuple[pa.Array, ...]
    streams: tuple[pa.Array, ...]
    looked: Looked
    look_values: tuple[pa.Array, ...]
    rows: int
    unit_values: int
    walked: int
    no_unit: int
    no_stream: int
    vanished: int


def _walk(engine: Engine, query: Query, table: pa.Table, offset: int) -> _Part:
    # Rows alike in time and word may differ here: the kernel takes them in value order.
    coded = [
        in_value_order(code([table.column(name)])) for name in (*query.look_columns, *("s" * bool(query.segments)))
    ]
    streams = None
    if query.stream_columns:
        streams = in_value_order(code([table.column(name) for name in query.stream_columns]))
    time = numbers_of(table.column("t"))
    word = numbers_of(table.column("w"))
    columns = [table.column(name) for name in query.unit_columns]
    units = by_unit(columns, time, word, None if streams is None else streams.codes, engine.threads)
    no_stream = 0 if streams is None else int((units.rows["stream"] < 0).sum())
    plan = query.plan
    attempts, looked, walked, vanished = _walk_units(engine, plan, units.rows, units.starts, query, coded, offset)
    return _Part(
        attempts,
        tuple(column.combine_chunks().take(arrow(units.example)) for column in columns),
        () if streams is None else streams.values,
        looked,
        tuple(one.values[0] for one in coded),
        table.num_rows,
        len(units.example),
        walked,
        units.no_unit,
        no_stream,
        vanished,
    )


def numbers_of(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A column of integers without nulls."""
    return whole_numbers(in_one(column))


def spans_of(starts: NDArray[np.int64], threads: int) -> list[tuple[int, int]]:
    """Ranges of units with about as many rows each."""
    rows = int(starts[-1])
    pieces = max(1, min(threads * 4, rows // 50_000))
    cuts = np.searchsorted(starts, np.linspace(0, rows, pieces + 1)[1:-1])
    return list(pairwise([0, *(int(cut) for cut in cuts), len(starts) - 1]))


def _walk_units(
    engine: Engine,
    plan: Plan,
    rows: NDArray[np.void],
    starts: NDArray[np.int64],
    query: Query,
    coded: Sequence[Coded],
    offset: int,
) -> tuple[Attempts, Looked, int, int]:
    """Ranges of units, one after another or side by side."""
    record = lay_out(plan)
    lookups = query.lookups or Lookups()
    codes = np.stack([one.codes for one in coded], axis=1) if coded else np.empty((0, 0), np.int32)
    masks = coded[-1].values[0] if lookups.segments else None

    def one(span: tuple[int, int]) -> tuple[Attempts, Looked, int, int]:
        table, walked, vanished = attempts_of(
            record, rows, starts, span, query.bounds, first_time=query.first_time, codes=codes
        )
        looked = look_up(table, rows, plan, lookups, codes, masks)
        return from_table(table, rows, len(plan.steps), len(plan.required), None, offset), looked, walked, vanished

    with ThreadPoolExecutor(engine.threads) as pool:
        found = list(pool.map(one, spans_of(starts, engine.threads)))
    looked = Looked(
        np.concatenate([part.codes for _, part, _, _ in found]),
        np.concatenate([part.segments for _, part, _, _ in found]),
    )
    return joined([part for part, *_ in found]), looked, sum(w for *_, w, _ in found), sum(v for *_, v in found)


def _together(engine: Engine, parts: list[_Part], query: Query) -> Matched:
    """One result; numbers of streams and breakdown values are made to hold across parts."""
    streams = 0
    pieces = []
    for part in parts:
        pieces.append(replace(part.attempts, stream=part.attempts.stream + streams))
        streams += len(part.streams[0]) if part.streams else 0
    held = range(len(query.stream_columns))
    attempts = joined(pieces)
    units = tuple(pa.concat_arrays([part.units[column] for part in parts]) for column in range(len(query.unit_columns)))
    group, values = _grouped(engine, parts, query, attempts, units)
    return Matched(
        attempts=replace(attempts, group=group),
        unit_values=units,
        spell=tuple(query.rows.speller(name) for name in unit_identities(query.funnel)),
        streams=tuple(pa.concat_arrays([part.streams[column] for part in parts]) for column in held),
        group_values=values,
        segments=np.concatenate([part.looked.segments for part in parts]),
        rows=sum(part.rows for part in parts),
        unit_count=sum(part.walked for part in parts),
        no_unit=sum(part.no_unit for part in parts),
        no_stream=sum(part.no_stream for part in parts),
        vanished=sum(part.vanished for part in parts),
        map_version=query.rows.map_version,
    )


def _grouped(
    engine: Engine, parts: list[_Part], query: Query, attempts: Attempts, units: tuple[pa.Array, ...]
) -> tuple[NDArray[np.int32], tuple[pa.Array, ...]]:
    """(the number of each attempt's group, the values of the groups for each breakdown)."""
    lookups = query.lookups or Lookups()
    found: list[Coded] = []
    for number, look in enumerate(lookups.looks):
        if look.touches:
            codes, values = touched(engine, query, attempts, units, look)
        else:
            column = lookups.columns.index(look.of)
            codes, values = across([(one.looked.codes[:, number], one.look_values[column]) for one in parts])
        found.append(Coded(codes, (values,)))
    if not found:
        return attempts.group, ()
    whole = found[0] if len(found) == 1 else combined(found)
    return whole.codes, whole.values
