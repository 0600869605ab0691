"""Several definitions over the same rows: read once, grouped once for each kind of unit, walked once for each.

The rows that any of them asks for are fetched with the union of their questions. A definition's own word is made of the
bits of that union, so that a walk finds exactly the attempts that a run of the definition alone would find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from doorstep.definitions.funnel import Funnel, Selector, SessionOf
from doorstep.definitions.identity import canonical
from doorstep.engines.duckdb import Engine, buckets_of, numbers_of, rows_that_matter, spans_of
from doorstep.engines.grouping import Coded, Grouped, arrow, by_unit, code, in_value_order
from doorstep.engines.query import Query, needs_of
from doorstep.engines.stitching import stitched, unit_identities
from doorstep.matching.attempts import Attempts, from_table, joined
from doorstep.matching.kernel import attempts_of
from doorstep.matching.kernel.layout import lay_out
from doorstep.matching.plan import MOST_QUESTIONS, Plan, Question, compile_plan
from doorstep.matching.reference import Bounds
from doorstep.rows import EventRows, Needs, reading
from doorstep.rows.shape import fresh_name

Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A definition and its plan."""

    funnel: Funnel
    plan: Plan

    @classmethod
    def of(cls, funnel: Funnel) -> Asked:
        """The definition, compiled."""
        return cls(funnel, compile_plan(funnel))

    @property
    def excluded(self) -> tuple[Question, ...]:
        """What `exclude` asks of a row."""
        return tuple(_question(one) for one in self.funnel.exclude)


def _question(selector: Selector) -> Question:
    return Question(selector.event, selector.condition)


def needs_of_all(asked: Sequence[Asked], also: Sequence[str] = ()) -> Needs:
    """What runs of all of them want to know of each row, and columns to carry beside."""
    each = [needs_of(one.funnel, one.plan, None) for one in asked]
    return Needs(
        properties=frozenset[str]().union(*(needs.properties for needs in each)),
        units=tuple(dict.fromkeys(name for needs in each for name in needs.units)),
        hold=tuple(dict.fromkeys([*(name for needs in each for name in needs.hold), *also])),
    )


@dataclass(frozen=True)
class Batch:
    """Some or all units, with their rows; ``members`` are the definitions, by index, that can be walked over them.

    ``reading``: which time of reading the rows this is; the first definition counts in reading 0, and is there for
    comparison in others. Rows of unit ``u`` lie at [starts[u], starts[u + 1]) and have the words of the union of
    questions; definitions of one batch number its units alike.
    """

    reading: int
    members: tuple[int, ...]
    unit_values: tuple[pa.Array, ...]
    spell: tuple[Callable[[pa.Array], pa.Array], ...]
    _asked: Sequence[Asked]
    _bits: dict[Question, int]
    _grouped: Grouped
    _table: pa.Table
    _held: tuple[str, ...]
    _bounds: Bounds
    _first_time: bool
    _threads: int
    _streams: dict[tuple[str, ...], Coded] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """How many units have rows here."""
        return len(self._grouped.starts) - 1

    @property
    def rows(self) -> NDArray[np.void]:
        """The rows, in the order of their units."""
        return self._grouped.rows

    @property
    def starts(self) -> Integers:
        """Where the rows of each unit begin, and the last end."""
        return self._grouped.starts

    def bit(self, question: Question) -> int:
        """Which bit of a word answers the question."""
        return self._bits[question]

    def column(self, name: str) -> pa.ChunkedArray:
        """A column that was carried, by the place of each row (``rows["place"]``)."""
        return self._table.column(f"h{self._held.index(name)}")

    def names(self, units: Integers) -> tuple[pa.Array, ...]:
        """The values of these units, a column each."""
        taken = arrow(np.asarray(units, np.int64))
        return tuple(spell(values.take(taken)) for spell, values in zip(self.spell, self.unit_values, strict=True))

    def of_units(self, units: Integers) -> Batch:
        """The same, with the rows of these units alone; they keep their numbers."""
        keep = np.zeros(self.units, np.int64)
        keep[units] = 1
        lengths = np.diff(self.starts) * keep
        rows = self.rows[np.repeat(keep == 1, np.diff(self.starts))]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return replace(self, _grouped=replace(self._grouped, rows=rows, starts=starts))

    def after(self, firsts: Integers, lasting: int) -> Batch:
        """The same without what each unit did before its time in ``firsts`` (microseconds); of such rows only the bits
        of ``lasting`` are left.
        """
        rows = self.rows.copy()
        early = rows["time"] < np.repeat(firsts, np.diff(self.starts))
        rows["word"][early] &= lasting
        return replace(self, _grouped=replace(self._grouped, rows=rows))

    def walk(self, member: int, asked: Asked | None = None) -> Attempts:
        """The attempts of one definition; ``asked`` in place of it must ask no other questions of rows."""
        one = asked or self._asked[member]
        rows, starts = self._fitted(one)
        record = lay_out(one.plan)

        def walked(span: tuple[int, int]) -> Attempts:
            table, _, _ = attempts_of(record, rows, starts, span, self._bounds, first_time=self._first_time)
            return from_table(table, rows, len(one.plan.steps), len(one.plan.required), None, 0)

        with ThreadPoolExecutor(self._threads) as pool:
            return joined(list(pool.map(walked, spans_of(starts, self._threads))))

    def _fitted(self, asked: Asked) -> tuple[NDArray[np.void], Integers]:
        """The rows with the definition's own words and streams; the shared ones where they are that already."""
        wanted = np.array([self._bits[one] for one in asked.plan.questions], np.int64)
        drop = _mask(self._bits[one] for one in asked.excluded if one in self._bits)
        own = np.array_equal(wanted, np.arange(len(wanted)))
        if own and not drop and not asked.plan.firsts and not asked.funnel.hold_constant:
            return self.rows, self.starts
        rows = self.rows.copy()
        if asked.funnel.hold_constant:
            rows["stream"] = self._stream_codes(asked.funnel.hold_constant)[rows["place"]]
        spans = spans_of(self.starts, self._threads)
        with ThreadPoolExecutor(self._threads) as pool:
            edges = [(int(self.starts[first]), int(self.starts[last])) for first, last in spans]
            list(pool.map(lambda edge: _fit(rows, edge[0], edge[1], wanted, own, drop), edges))
        if not drop or not asked.plan.needs_every_row:
            return rows, self.starts
        kept = (self.rows["word"] & drop) == 0
        before = np.concatenate([[0], np.cumsum(kept)])
        return rows[kept], before[self.starts]

    def _stream_codes(self, held: tuple[str, ...]) -> NDArray[np.int32]:
        if held not in self._streams:
            self._streams[held] = in_value_order(code([self.column(name) for name in held]))
        return self._streams[held].codes


@njit(cache=True, nogil=True)
def _fit(rows: Any, first: Any, last: Any, wanted: Any, own: Any, drop: Any) -> None:
    """Bit n of each word becomes bit ``wanted[n]``; a row that ``drop`` has a bit of keeps none."""
    for i in range(first, last):
        word = rows[i].word
        if word & drop:
            rows[i].word = 0
        elif not own:
            made = np.int64(0)
            for bit in range(len(wanted)):
                made |= ((word >> wanted[bit]) & 1) << bit
            rows[i].word = made


def _mask(bits: Iterator[int]) -> Any:
    mask = 0
    for bit in bits:
        mask |= 1 << bit
    return np.int64(mask - (1 << 64) if mask >> 63 else mask)


# -- which definitions share what ----------------------------------------


def batches(
    engine: Engine,
    rows: EventRows,
    asked: Sequence[Asked],
    bounds: Bounds,
    *,
    first_time: bool = False,
    carry: Sequence[str] = (),
    more: Sequence[Question] = (),
    together: bool = False,
    anchors: int = 1,
) -> Iterator[Batch]:
    """Every unit in some batch, for every definition. The first definition is a member of each batch whose units are of
    its kind, so that others can be held against it unit by unit.

    ``carry``: columns to hand on; ``more``: questions to ask beside; ``together``: definitions that need every row are
    read with those that do not, where the reading would else be apart.
    """
    for reading_, members in enumerate(_readings(asked, together, len(more), anchors)):
        for batch in _read(engine, rows, asked, members, bounds, first_time, carry, more):
            yield replace(batch, reading=reading_)


def _readings(asked: Sequence[Asked], together: bool, more: int, anchors: int) -> Iterator[list[int]]:
    """Definitions that are read together, the anchors with each reading that has their units."""
    groups: dict[object, list[int]] = {}
    for number, one in enumerate(asked):
        every = one.plan.needs_every_row and not together
        links = None
        if one.funnel.stitch is not None:
            stitch = one.funnel.stitch
            links = (stitch.known, stitch.anonymous, str(canonical(one.funnel)["exclude"]))
        groups.setdefault((every, links), []).append(number)
    for members in groups.values():
        part: list[int] = []
        for number in members:
            whole = _anchored(asked, [*part, number], anchors)
            if part and bits_of([asked[one] for one in whole]) + more > MOST_QUESTIONS:
                yield _anchored(asked, part, anchors)
                part = []
            part.append(number)
        yield _anchored(asked, part, anchors)


def _anchored(asked: Sequence[Asked], part: Sequence[int], anchors: int) -> list[int]:
    """The definitions of ``part`` with the anchors that count the units of any, where words have room for all."""
    found = {
        anchor for number in part for anchor in range(anchors) if same_units(asked[anchor].funnel, asked[number].funnel)
    }
    whole = sorted({*found, *part})
    return whole if bits_of([asked[one] for one in whole]) <= MOST_QUESTIONS else sorted(part)


def same_units(one: Funnel, two: Funnel) -> bool:
    """Whether both tell units apart by the same columns (and stitch them by the same rows)."""
    if one.stitch is None and two.stitch is None:
        return unit_identities(one) == unit_identities(two)
    return one.stitch == two.stitch and canonical(one)["exclude"] == canonical(two)["exclude"]


def bits_of(asked: Sequence[Asked]) -> int:
    """How many bits a word must have for all of them."""
    return len(_union(asked))


def _union(asked: Sequence[Asked]) -> dict[Question, int]:
    """Question → bit: those of the first definition in their own order, then what the others ask, then exclusions that
    only some of them have.
    """
    bits: dict[Question, int] = {}
    for one in asked:
        for question in one.plan.questions:
            bits.setdefault(question, len(bits))
    shared = _shared(asked)
    for one in asked:
        for question in one.excluded:
            if question not in shared:
                bits.setdefault(question, len(bits))
    return bits


def _shared(asked: Sequence[Asked]) -> set[Question]:
    """What every definition excludes, which need not be read at all."""
    return set.intersection(*(set(one.excluded) for one in asked))


def _read(
    engine: Engine,
    rows: EventRows,
    asked: Sequence[Asked],
    members: Sequence[int],
    bounds: Bounds,
    first_time: bool,
    carry: Sequence[str],
    more: Sequence[Question],
) -> Iterator[Batch]:
    chosen = [asked[number] for number in members]
    bits = _union(chosen)
    for question in more:
        bits.setdefault(question, len(bits))
    kinds: dict[tuple[str, ...], list[int]] = {}
    for number in members:
        kinds.setdefault(unit_identities(asked[number].funnel), []).append(number)
    held = tuple(dict.fromkeys([*(name for one in chosen for name in one.funnel.hold_constant), *carry]))
    # With a memory limit rows are spread by a hash of one kind of unit, so that each kind is read for itself.
    parts = [list(kinds)] if engine.memory is None else [[kind] for kind in kinds]
    for part in parts:
        columns = tuple(dict.fromkeys(name for kind in part for name in kind))
        query = _query(engine, rows, chosen, bits, columns, held, bounds, first_time)
        with reading(rows.description):
            for table in _tables(engine, rows, query):
                for kind in part:
                    names = [query.unit_columns[columns.index(name)] for name in kind]
                    unit = [table.column(name) for name in names]
                    grouped = by_unit(
                        unit, numbers_of(table.column("t")), numbers_of(table.column("w")), None, engine.threads
                    )
                    yield Batch(
                        reading=0,
                        members=tuple(kinds[kind]),
                        unit_values=tuple(one.combine_chunks().take(arrow(grouped.example)) for one in unit),
                        spell=tuple(rows.speller(name) for name in kind),
                        _asked=asked,
                        _bits=bits,
                        _grouped=grouped,
                        _table=table,
                        _held=held,
                        _bounds=bounds,
                        _first_time=first_time,
                        _threads=engine.threads,
                    )


def _query(
    engine: Engine,
    rows: EventRows,
    asked: Sequence[Asked],
    bits: dict[Question, int],
    columns: tuple[str, ...],
    held: tuple[str, ...],
    bounds: Bounds,
    first_time: bool,
) -> Query:
    """The reading, said as one definition that asks all questions and holds every column."""
    first = asked[0]
    shared = _shared(asked)
    every = next((one for one in asked if one.plan.needs_every_row), first)
    early = next((one for one in asked if one.plan.needs_early_rows), first)
    plan = replace(
        first.plan,
        questions=tuple(bits),
        order=every.plan.order,
        session_gap=next((one.plan.session_gap for one in asked if one.plan.session_gap is not None), None),
        vanish_bit=early.plan.vanish_bit,
        firsts=early.plan.firsts,
    )
    changed: dict[str, Any] = {
        "exclude": tuple(one for one in first.funnel.exclude if _question(one) in shared),
        "hold_constant": held,
    }
    if first.funnel.stitch is None:
        changed["count_by"] = columns
    elif isinstance(first.funnel.count_by, SessionOf):
        changed["count_by"] = first.funnel.count_by.session_of
    reading_ = first.funnel.model_copy(update=changed)
    return Query(stitched(engine, rows, reading_, bounds), reading_, plan, bounds, first_time, None)


def _tables(engine: Engine, rows: EventRows, query: Query) -> Iterator[pa.Table]:
    """The rows that matter: at once, or, with a memory limit, a bucket of units after another."""
    buckets = buckets_of(engine, rows, query)
    if buckets == 1:
        yield rows_that_matter(engine, query)
        return
    kept = fresh_name("several")
    key = ", ".join(query.unit_columns)
    engine.execute(
        f"CREATE TEMP TABLE {kept} AS SELECT *, hash({key}) % {buckets} AS bucket FROM ({query.text})", "reading events"
    )
    for bucket in range(buckets):
        statement = f"SELECT * EXCLUDE bucket FROM {kept} WHERE bucket = {bucket}"
        yield engine.execute(statement, "walking").to_arrow_table()
    engine.execute(f"DROP TABLE {kept}", "walking")


__all__ = ["Asked", "Batch", "batches", "needs_of_all"]
