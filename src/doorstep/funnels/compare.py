"""Two definitions on the same rows: figures side by side, who flipped, and the clause that did it (semantics 8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from doorstep.definitions.between import Between, Clause
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.identity import definition_hash
from doorstep.engines.duckdb import Progress
from doorstep.engines.several import Asked, Batch, batches, bits_of, needs_of_all, same_units
from doorstep.funnels.bounds import Instant
from doorstep.funnels.counts import SESSION_BITS, Counts, Integers, counts_of, nothing, standing, unit_keys
from doorstep.funnels.notebook import Shown
from doorstep.funnels.opening import Given, Opened, Scope, Span, defined, opened
from doorstep.funnels.sensitivity import counts_told, same_sessions
from doorstep.funnels.table import units_named
from doorstep.matching.attempts import Flags
from doorstep.matching.plan import MOST_QUESTIONS

MOST_PAIRED: Final = 8
"""Of more differing clauses than this, pairs are not tried one by one."""

SAMPLES: Final = 3
ENTERED: Final = "entered"
COMPLETED: Final = "completed"
Direction = Literal["gained", "lost"]


@dataclass(frozen=True, slots=True)
class Flips:
    """At a step that both have (``id`` before, ``now`` after), or at ``entered`` and ``completed``: how many count in
    each, and the units that count only after (``gained``) or only before (``lost``).
    """

    id: str
    now: str
    name: str
    before: int
    after: int
    gained: int | None
    lost: int | None


@dataclass(frozen=True, slots=True)
class ClauseEffect:
    """The least set of clauses that makes units stand as they do after: how many units, how many of them complete only
    after (``gained``) or only before (``lost``), and the names of a few.
    """

    clauses: tuple[Clause, ...]
    units: int
    gained: int
    lost: int
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """The flips of one batch of units: who, at which step of a report, which way, and by which set of clauses."""

    names: pa.Array
    unit: Integers
    step: NDArray[np.int16]
    gained: Flags
    by: NDArray[np.int32]


@dataclass(frozen=True)
class Comparison(Shown):
    """What two definitions make of the same rows. ``apart`` says why units cannot be held against each other, and is
    None where they are.
    """

    before: Funnel
    after: Funnel
    counts_before: Counts
    counts_after: Counts
    clauses: tuple[Clause, ...]
    flips: tuple[Flips, ...]
    effects: tuple[ClauseEffect, ...]
    apart: str | None
    span: Span
    _sets: tuple[tuple[int, ...], ...] = ()
    _parts: tuple[_Part, ...] = field(default=(), repr=False)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Every flip, some units at a time: ``unit, step, direction, clauses``."""
        labels = [self.flips[number].id for number in range(len(self.flips))]
        by = pa.array([[self.clauses[one].says for one in chosen] for chosen in self._sets], pa.list_(pa.string()))
        for part in self._parts:
            columns = {
                "unit": part.names.take(pa.array(part.unit)),
                "step": pa.array(labels, pa.string()).take(pa.array(part.step)),
                "direction": pa.array(["lost", "gained"]).take(pa.array(part.gained.astype(np.int8))),
                "clauses": by.take(pa.array(part.by)),
            }
            yield pa.record_batch(columns)

    def table(self) -> pa.Table:
        """All that `batches` gives, as one table."""
        return pa.Table.from_batches(list(self.batches()), self.table_schema())

    def table_schema(self) -> pa.Schema:
        """The columns of a table of flips; units are of the type that they have in the rows."""
        unit = self._parts[0].names.type if self._parts else pa.string()
        texts = [("step", pa.string()), ("direction", pa.string()), ("clauses", pa.list_(pa.string()))]
        return pa.schema([("unit", unit), *texts])

    def to_dict(self) -> dict[str, Any]:
        """What ``doorstep compare --json`` prints."""
        return {
            "before": _told(self.before, self.counts_before),
            "after": _told(self.after, self.counts_after),
            "data": asdict(self.span),
            "clauses": [asdict(one) for one in self.clauses],
            "comparable": self.apart is None,
            "apart": self.apart,
            "flips": [asdict(one) for one in self.flips],
            "effects": [
                {
                    **asdict(one),
                    "clauses": [clause.name for clause in one.clauses],
                    "says": [clause.says for clause in one.clauses],
                    "samples": list(one.samples),
                }
                for one in self.effects
            ],
        }


def _told(funnel: Funnel, counts: Counts) -> dict[str, Any]:
    return {"name": funnel.funnel, "hash": definition_hash(funnel), **counts_told(funnel, counts)}


def compare(
    before: Given,
    after: Given,
    source: object,
    *,
    since: Instant = None,
    until: Instant = None,
    as_of: Instant = None,
    timezone: str = "UTC",
    first_time: bool = False,
    columns: Mapping[str, str] | None = None,
    source_timezone: str = "UTC",
    memory: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Counts two definitions over the same rows, read once, and finds for every unit that stands otherwise at a step
    the clause that makes it so.

    A clause is responsible when it alone, changed in the definition before, lets the unit stand at the step as it does
    after; of several such the first. Where no single clause does, it is the first such pair, then the shortest run of
    clauses from the first on. Steps are held against each other as `difference` aligns them. Other arguments are those
    of `run`. Raises DefinitionError, SourceError or RunError.
    """
    scope = Scope(since, until, as_of, timezone, first_time, columns, source_timezone, memory, threads, progress)
    old, new = defined(before), defined(after)
    between = Between(old, new)
    one, two = Asked.of(old), Asked.of(new)
    apart = _apart(old, new, one, two)
    sets = [] if apart else _sets(between, [one, two])
    asked = [one, two, *(Asked.of(funnel) for _, funnel in sets)]
    with opened(source, needs_of_all(asked), scope) as open_:
        open_.refuse_impossible(asked[:2])
        work = _Work(asked, between, [chosen for chosen, _ in sets])
        work.walk(open_, apart is None)
    return Comparison(
        before=old,
        after=new,
        counts_before=work.counts[0],
        counts_after=work.counts[1],
        clauses=between.clauses,
        flips=work.flips(apart is None),
        effects=work.effects(),
        apart=apart,
        span=open_.span,
        _sets=work.sets,
        _parts=tuple(work.parts),
    )


def _apart(old: Funnel, new: Funnel, one: Asked, two: Asked) -> str | None:
    if not same_units(old, new) or not same_sessions(old, new):
        return (
            "the two definitions count different units, so that nobody can be held against themself: only figures are "
            "compared."
        )
    if bits_of([one, two]) > MOST_QUESTIONS:
        return (
            f"the two definitions ask more than {MOST_QUESTIONS} questions of a row, which is more than can be looked "
            "at together: only figures are compared."
        )
    return None


def _sets(between: Between, both: Sequence[Asked]) -> list[tuple[tuple[int, ...], Funnel]]:
    """The sets of clauses to try, least first, with the definitions that they make; the whole way is always last."""
    count = len(between.clauses)
    everything = tuple(range(count))
    tried: list[tuple[int, ...]] = [(one,) for one in everything]
    if count <= MOST_PAIRED:
        tried += list(combinations(everything, 2))
    tried += [everything[:length] for length in range(3, count)]
    kept: list[tuple[tuple[int, ...], Funnel]] = []
    whole = [*both]
    for chosen in tried:
        funnel = between.having(chosen) if len(chosen) < count else None
        if funnel is None or not same_units(both[0].funnel, funnel):
            continue
        asked = Asked.of(funnel)
        if bits_of([*whole, asked]) <= MOST_QUESTIONS:
            whole.append(asked)
            kept.append((chosen, funnel))
    return kept


class _Work:
    """What is added up, batch by batch."""

    def __init__(self, asked: Sequence[Asked], between: Between, sets: Sequence[tuple[int, ...]]) -> None:
        self.asked, self.between = asked, between
        self.old, self.new = asked[0].funnel, asked[1].funnel
        self.counts = [nothing(self.old), nothing(self.new)]
        self.sets = (*sets, tuple(range(len(between.clauses))))
        pairs = sorted(between.pairs.items())
        self.columns = [
            [len(self.old.steps), *(here for here, _ in pairs), len(self.old.steps) + 1],
            [len(self.new.steps), *(there for _, there in pairs), len(self.new.steps) + 1],
        ]
        self.totals = np.zeros((4, len(self.columns[0])), np.int64)  # before, after, gained, lost
        self.parts: list[_Part] = []
        self.told: dict[int, tuple[int, int, int, list[str]]] = {}

    def walk(self, open_: Opened, comparable: bool) -> None:
        """All batches."""
        found = batches(
            open_.engine,
            open_.rows,
            self.asked,
            open_.bounds,
            first_time=open_.scope.first_time,
            together=comparable,
            anchors=2 if comparable else 1,
        )
        for batch in found:
            if comparable:
                self._compared(batch)
                continue
            for member in batch.members:
                if member or batch.reading == 0:
                    attempts = batch.walk(member)
                    self.counts[member] += counts_of(self.asked[member].funnel, attempts.where(attempts.counted))

    def _compared(self, batch: Batch) -> None:
        both = [attempts.where(attempts.counted) for attempts in (batch.walk(0), batch.walk(1))]
        for side, counted in enumerate(both):
            self.counts[side] += counts_of(self.asked[side].funnel, counted)
        keys = np.union1d(unit_keys(both[0]), unit_keys(both[1]))
        was, now = (
            standing(self.asked[side].funnel, counted, keys)[:, self.columns[side]] for side, counted in enumerate(both)
        )
        for line, flags in enumerate((was, now, now & ~was, was & ~now)):
            self.totals[line] += flags.sum(axis=0)
        changed = np.flatnonzero((was != now).any(axis=1))
        if len(changed):
            self._blame(batch, keys[changed], was[changed], now[changed])

    def _blame(self, batch: Batch, keys: Integers, was: Flags, now: Flags) -> None:
        """Which set of clauses makes each flip, the first that does."""
        by = np.full(was.shape, -1, np.int32)
        fewer = batch.of_units(np.unique(keys >> SESSION_BITS))
        for number in range(len(self.sets) - 1):
            if not ((by < 0) & (was != now)).any():
                break
            attempts = fewer.walk(number + 2)
            funnel = self.asked[number + 2].funnel
            stands = standing(funnel, attempts.where(attempts.counted), keys)
            columns = self._columns_of(funnel)
            for column, place in enumerate(columns):
                if place is not None:
                    by[(by[:, column] < 0) & (stands[:, place] == now[:, column]), column] = number
        by[by < 0] = len(self.sets) - 1
        unit, step = np.nonzero(was != now)
        names = units_named(self.old, batch.names(keys >> SESSION_BITS), keys & ((1 << SESSION_BITS) - 1))
        part = _Part(names, unit, step.astype(np.int16), now[unit, step], by[unit, step])
        self.parts.append(part)
        self._tell(part)

    def _columns_of(self, funnel: Funnel) -> list[int | None]:
        """Where the steps of a report stand in a definition between the two."""
        ids = [str(self.old.steps[here].id) for here, _ in sorted(self.between.pairs.items())]
        return [len(funnel.steps), *(funnel.positions.get(one) for one in ids), len(funnel.steps) + 1]

    def _tell(self, part: _Part) -> None:
        last = self.totals.shape[1] - 1
        for number in np.unique(part.by):
            mine = part.by == number
            units = np.unique(part.unit[mine])
            completes = mine & (part.step == last)
            before = self.told.get(int(number), (0, 0, 0, []))
            ends = np.unique(part.unit[completes])
            shown = [*before[3], *part.names.take(pa.array((ends if len(ends) else units)[:SAMPLES])).to_pylist()]
            self.told[int(number)] = (
                before[0] + len(units),
                before[1] + int((completes & part.gained).sum()),
                before[2] + int((completes & ~part.gained).sum()),
                [str(one) for one in shown[:SAMPLES]],
            )

    def flips(self, comparable: bool) -> tuple[Flips, ...]:
        """For `ENTERED`, each step that both have, and `COMPLETED`."""
        if not comparable:
            return ()
        pairs = sorted(self.between.pairs.items())
        steps = [
            (str(self.old.steps[here].id), str(self.new.steps[there].id), self.old.steps[here].label)
            for here, there in pairs
        ]
        labels = [(ENTERED, ENTERED, ENTERED), *steps, (COMPLETED, COMPLETED, COMPLETED)]
        return tuple(Flips(*label, *map(int, self.totals[:, column])) for column, label in enumerate(labels))

    def effects(self) -> tuple[ClauseEffect, ...]:
        """By how many units they flip, most first."""
        found = [
            ClauseEffect(
                tuple(self.between.clauses[one] for one in self.sets[number]), units, gained, lost, tuple(samples)
            )
            for number, (units, gained, lost, samples) in self.told.items()
        ]
        return tuple(sorted(found, key=lambda one: (-one.units, len(one.clauses), [c.name for c in one.clauses])))


__all__ = ["ClauseEffect", "Comparison", "Direction", "Flips", "compare"]
