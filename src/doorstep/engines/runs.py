"""Runs of a store, walked where they lie: no statement, no hashing, no table of rows.

The runs of a plan's events are put side by side for a range of units at a time, few enough rows to stay in a core's
cache, and the kernel walks them. What is asked of a row depends on its event and a few coded properties, so each
combination is judged once, by the same conditions as in explanations.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from doorstep.definitions.conditions import properties_of
from doorstep.definitions.funnel import Funnel, Selector
from doorstep.engines.duckdb import Matched, Progress
from doorstep.engines.grouping import arrow
from doorstep.engines.query import earliest_of, events_of, flat
from doorstep.matching.attempts import Attempts, from_table, joined
from doorstep.matching.conditions import meets, word_of
from doorstep.matching.kernel import ROW, attempts_of
from doorstep.matching.kernel.layout import lay_out
from doorstep.matching.plan import FOREVER, Plan, Question
from doorstep.matching.reference import Bounds
from doorstep.rows.runs import EventRuns, Run

CHUNK: Final = 1 << 18
"""About how many rows are looked at together; those that are needed, side by side, stay in a core's cache."""

MOST_COMBINATIONS: Final = 10_000
"""With more different values of properties than this, SQL judges rows sooner than Python judges combinations."""

SPARSE: Final = 8
"""With more than so many numbers of units for each row, units are renumbered before rows are counted by them."""


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Read-only, as what is mapped is: compiled code is compiled for one kind."""
    array.setflags(write=False)
    return array


_NO_CODES: Final = _frozen(np.zeros(0, np.uint16))


def covered(funnel: Funnel, plan: Plan) -> bool:
    """Whether runs can have all that the plan asks: units of one column, no held values, and only rows of events that
    it names.
    """
    names = events_of(plan)
    return names is not None and funnel.stitch is None and len(funnel.unit_columns) == 1 and not funnel.hold_constant


@dataclass(frozen=True, slots=True)
class _Judged:
    """A run's rows with what each meets: the word of row i is ``words[codes[i]]``, or ``words[0]`` without codes; 0 for
    rows that do not matter.
    """

    units: NDArray[np.int32]
    times: NDArray[np.int64]
    codes: NDArray[np.uint16]
    words: NDArray[np.int64]


def match_runs(
    runs: EventRuns,
    funnel: Funnel,
    plan: Plan,
    bounds: Bounds,
    *,
    threads: int,
    first_time: bool = False,
    progress: Progress | None = None,
) -> Matched | None:
    """Runs a `covered` plan over runs (semantics 1-7): what `duckdb.match` gives, but for units without an attempt,
    which have no number. None when some rows cannot be had as runs, or have too many different values.
    """
    judged: list[_Judged] = []
    for event in events_of(plan) or ():
        of_event = runs.of(event)
        if of_event is None:
            return None
        for run in of_event:
            found = _judge(run, event, funnel.exclude, plan.questions)
            if found is None:
                return None
            if len(found.units) and found.words.any():
                judged.append(found)
    span = (earliest_of(plan, bounds, first_time=first_time), bounds.as_of)
    no_unit = sum(_without_unit(one, span) for one in judged)
    walk = _Walk(plan, lay_out(plan), judged, span, bounds, first_time)
    parts = list(_walk_all(walk, threads, progress))
    attempts = joined([part.attempts for part in parts])
    units, numbered = _numbered(attempts.unit)
    return Matched(
        attempts=attempts.with_units(numbered),
        unit_values=(arrow(units.astype(np.int32)),),
        spell=(runs.spell,),
        streams=(),
        group_values=(),
        segments=np.zeros(len(attempts), np.int64),
        rows=sum(part.rows for part in parts) + no_unit,
        unit_count=sum(part.walked for part in parts),
        no_unit=no_unit,
        no_stream=0,
        vanished=sum(part.vanished for part in parts),
    )


# -- what is asked of a row ------------------------------------------------------------------------------------------


def _judge(run: Run, event: str, exclude: Sequence[Selector], questions: tuple[Question, ...]) -> _Judged | None:
    """The run with its words; None when a property that is looked at is not coded, or values are too many."""
    rules = [Question(one.event, one.condition) for one in exclude]
    asked = [one for one in flat((*questions, *rules)) if not one.of and one.names(event)]
    names = sorted(frozenset[str]().union(*(properties_of(one.condition) for one in asked)))
    codes, values = _NO_CODES, [dict[str, object]()]
    for name in names:
        coded = run.coded(name)
        if coded is None:
            return None
        combined = _combined(codes, len(values), coded.codes, len(coded.values))
        if combined is None:
            return None
        codes, taken = combined
        values = [{**values[one // len(coded.values)], name: coded.values[one % len(coded.values)]} for one in taken]
    words = [0 if any(meets(rule, event, one) for rule in rules) else word_of(questions, event, one) for one in values]
    return _Judged(run.units, run.times, codes, np.array(words, np.uint64).view(np.int64))


def _combined(
    left: NDArray[np.uint16], many: int, right: NDArray[np.uint16], more: int
) -> tuple[NDArray[np.uint16], list[int]] | None:
    """Codes of both together, and which pairs they stand for (left * more + right); None when these are too many."""
    if many == 1:
        return right, list(range(more))
    both = left.astype(np.int64) * more + right
    if many * more <= MOST_COMBINATIONS:
        return _frozen(both.astype(np.uint16)), list(range(many * more))
    pairs, codes = np.unique(both, return_inverse=True)
    return None if len(pairs) > MOST_COMBINATIONS else (_frozen(codes.astype(np.uint16)), pairs.tolist())


def _without_unit(run: _Judged, span: tuple[int, int]) -> int:
    """How many rows that matter have no unit; those are the first ones."""
    end = int(np.searchsorted(run.units, np.int32(1)))  # of another type it would copy them all
    times = run.times[:end]
    words = run.words[run.codes[:end]] if len(run.codes) else np.broadcast_to(run.words, end)
    return int(np.count_nonzero((times >= span[0]) & (times <= span[1]) & (words != 0)))


# -- rows side by side -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """What came of a range of units; these are numbered as in the store."""

    attempts: Attempts
    rows: int
    walked: int
    vanished: int


@dataclass(frozen=True, slots=True)
class _Walk:
    plan: Plan
    record: NDArray[np.void]
    runs: Sequence[_Judged]
    span: tuple[int, int]
    bounds: Bounds
    first_time: bool

    def cuts(self) -> list[int]:
        """Numbers of units, ascending, between which lie about `CHUNK` rows; the first is 1."""
        step = max(1, CHUNK // 64)
        sample = np.sort(np.concatenate([run.units[::step] for run in self.runs] or [np.zeros(1, np.int32)]))
        inner = sample[64::64]
        last = max((int(run.units[-1]) for run in self.runs), default=0) + 1
        return sorted({1, last, *(int(one) for one in inner if 1 < one < last)})

    def range(self, first: int, last: int, scratch: _Scratch) -> _Part:
        """Walks the units [first, last)."""
        edges = [np.searchsorted(run.units, np.array([first, last], np.int32)).tolist() for run in self.runs]
        pieces = [
            (
                run.units[begin:end],
                run.times[begin:end],
                run.codes[begin:end] if len(run.codes) else run.codes,
                run.words,
            )
            for run, (begin, end) in zip(self.runs, edges, strict=True)
            if begin < end
        ]
        names: NDArray[np.int32] | None = None
        if last - first > SPARSE * sum(len(piece[0]) for piece in pieces):
            names = np.unique(np.concatenate([piece[0] for piece in pieces])) if pieces else np.zeros(0, np.int32)
            pieces = [(_frozen(np.searchsorted(names, one[0]).astype(np.int32)), *one[1:]) for one in pieces]
            first, last = 0, len(names)
        plan, places = self.record[0], last - first
        needed = np.full(places, FOREVER)
        for units, times, codes, words in pieces:
            if (words & plan["entry_mask"]).any():
                _enter(units, times, codes, words, first, *self.span, plan["entry_mask"], needed)
        if plan["firsts"] or plan["vanish_bit"] >= 0 or plan["session_gap"] >= 0:  # then rows before it matter too
            needed[needed < FOREVER] = self.span[0]
        sizes, seen, matter = np.zeros(places, np.int64), np.zeros(places, np.int64), 0
        for units, times, codes, words in pieces:
            matter += _count(units, times, codes, words, first, *self.span, needed, sizes, seen)
        idle, gone = _idle(needed, seen, plan)
        starts = np.zeros(places + 1, np.int64)
        np.cumsum(sizes, out=starts[1:])
        rows = scratch.rows(int(starts[-1]))
        following = starts[:-1].copy()
        for units, times, codes, words in pieces:
            _place(units, times, codes, words, first, *self.span, needed, following, rows)
        table, walked, vanished = attempts_of(
            self.record, rows, starts, (0, len(sizes)), self.bounds, first_time=self.first_time
        )
        attempts = from_table(table, rows, len(self.plan.steps), len(self.plan.required), None, first)
        if names is not None:
            attempts = attempts.with_units(names[attempts.unit].astype(np.int64))
        return _Part(attempts, matter, walked + idle, vanished + gone)


class _Scratch:
    """Room for rows, used again and again by one thread at a time."""

    def __init__(self) -> None:
        self._room = np.empty(0, ROW)

    def rows(self, count: int) -> NDArray[np.void]:
        if count > len(self._room):
            self._room = np.empty(count + count // 4, ROW)
        return self._room[:count]


def _walk_all(walk: _Walk, threads: int, progress: Progress | None) -> Iterator[_Part]:
    """All units, in the order of their numbers."""
    spans = list(pairwise(walk.cuts())) or [(1, 1)]
    free: queue.SimpleQueue[_Scratch] = queue.SimpleQueue()
    for _ in range(threads):
        free.put(_Scratch())

    def one(span: tuple[int, int]) -> _Part:
        scratch = free.get()
        try:
            return walk.range(*span, scratch)
        finally:
            free.put(scratch)

    with ThreadPoolExecutor(threads) as pool:
        for number, part in enumerate(pool.map(one, spans)):
            if progress is not None:
                progress("walking", number / len(spans))
            yield part


def _numbered(units: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(the distinct ones, which of them each is) of ascending numbers."""
    changes = np.empty(len(units), np.bool_)
    changes[:1] = True
    np.not_equal(units[1:], units[:-1], out=changes[1:])
    return units[changes], np.cumsum(changes) - 1


@njit(cache=True, nogil=True)
def _enter(
    units: Any, times: Any, codes: Any, words: Any, base: Any, low: Any, high: Any, mask: Any, entered: Any
) -> None:
    """Makes ``entered[u]`` the time of the first row of unit ``base + u`` that may start an attempt."""
    coded = len(codes) > 0
    for i in range(len(units)):
        word = words[codes[i]] if coded else words[0]
        if word & mask and low <= times[i] <= high and times[i] < entered[units[i] - base]:
            entered[units[i] - base] = times[i]


@njit(cache=True, nogil=True)
def _count(
    units: Any, times: Any, codes: Any, words: Any, base: Any, low: Any, high: Any, needed: Any, sizes: Any, seen: Any
) -> int:
    """How many rows matter; adds to ``sizes[u]`` those of unit ``base + u`` from ``needed[u]`` on, to ``seen[u]`` what
    any of them meets.
    """
    coded, matter = len(codes) > 0, 0
    for i in range(len(units)):
        word = words[codes[i]] if coded else words[0]
        if word != 0 and low <= times[i] <= high:
            unit = units[i] - base
            matter += 1
            seen[unit] |= word
            sizes[unit] += times[i] >= needed[unit]
    return matter


@njit(cache=True, nogil=True)
def _idle(needed: Any, seen: Any, plan: Any) -> tuple[int, int]:
    """How many units have rows that matter and none that may start an attempt, which are most of a funnel's and need no
    place, and how many of them `exclude_units` makes vanish.
    """
    units = vanished = 0
    for unit in range(len(seen)):
        if seen[unit] != 0 and needed[unit] == FOREVER:
            units += 1
            vanished += plan.vanish_bit >= 0 and (seen[unit] >> plan.vanish_bit) & 1
    return units, vanished


@njit(cache=True, nogil=True)
def _place(
    units: Any,
    times: Any,
    codes: Any,
    words: Any,
    base: Any,
    low: Any,
    high: Any,
    needed: Any,
    following: Any,
    rows: Any,
) -> None:
    """Puts the rows that matter and are needed where their units' rows go on."""
    coded = len(codes) > 0
    for i in range(len(units)):
        unit = units[i] - base
        if times[i] < needed[unit]:
            continue
        word = words[codes[i]] if coded else words[0]
        if word != 0 and low <= times[i] <= high:
            row = rows[following[unit]]
            following[unit] += 1
            row.time, row.word, row.place, row.stream, row.used = times[i], word, 0, 0, 0
