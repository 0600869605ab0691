"""Both walks on the same rows, in one form that can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from doorstep.definitions.funnel import Funnel
from doorstep.ingest.records import Member
from doorstep.matching.conditions import meets, word_of
from doorstep.matching.kernel import ROW, attempts_of
from doorstep.matching.kernel import state as columns
from doorstep.matching.kernel.layout import STATUSES, lay_out
from doorstep.matching.plan import Plan, Question, compile_plan
from doorstep.matching.reference import Attempt, Bounds, UnitRow, sessions, walk_unit
from doorstep.stitching import IdentityMap, Link, stitch

Event = Mapping[str, Any]
"""A row: ``user_id``, ``event``, ``time``, and properties."""


@dataclass(frozen=True)
class Outcome:
    """One attempt, as a caller may compare it; rows are indexes into the unit's rows as given."""

    unit: str
    stream: int
    entry: tuple[int, int]
    entry_rank: int
    status: str
    reached: int
    dropped: bool
    counted: bool
    times: tuple[int | None, ...]
    branches: tuple[int, ...]
    lasted: int | None


@dataclass(frozen=True)
class Case:
    """A definition with the rows of several units, reduced to what both walks read."""

    funnel: Funnel
    plan: Plan
    bounds: Bounds
    first_time: bool
    units: Mapping[str, Sequence[UnitRow]]


def case_of(document: Mapping[str, Any], rows: Sequence[Event], options: Mapping[str, Any]) -> Case:
    """A conformance case brought into shape; step ids default to positions."""
    steps = [{"id": index, **step} for index, step in enumerate(document["steps"], start=1)]
    funnel = Funnel.model_validate({"funnel": "case", **document, "steps": steps})
    plan = compile_plan(funnel)
    as_of = options.get("as_of", max((row["time"] for row in rows), default=0))
    bounds = Bounds(options.get("since", Bounds().since), options.get("until", Bounds().until), as_of)
    excluded = [Question(selector.event, selector.condition) for selector in funnel.exclude]
    kept = [
        row
        for row in rows
        if row["time"] <= as_of and not any(meets(question, row["event"], row) for question in excluded)
    ]
    held = [tuple(row.get(name) for name in funnel.hold_constant) for row in kept]
    numbers = {values: number for number, values in enumerate(sorted({v for v in held if None not in v}))}
    owners = None if funnel.stitch is None else _owners(kept, funnel.account)
    units: dict[str, list[UnitRow]] = {}
    for row, values in zip(kept, held, strict=True):
        word = word_of(plan.questions, row["event"], row)
        unit = row["user_id"]
        if owners is not None:
            unit = owners.unit_of(row["user_id"], row.get("anonymous_id"), row["time"])
        if owners is not None and funnel.account is not None:
            unit = row.get(funnel.account) or owners.account_of(unit, row["time"])
        if unit is not None:
            units.setdefault(unit, []).append(UnitRow(row["time"], word, numbers.get(values, -1)))
    return Case(funnel, plan, bounds, options.get("first_time", False), units)


def _owners(rows: Sequence[Event], account: str | None) -> IdentityMap:
    """Whose rows are, by the rows that hold both ids, or an id and an account."""
    return stitch(
        [
            Link(row["anonymous_id"], row["user_id"], row["time"])
            for row in rows
            if row["user_id"] and row.get("anonymous_id")
        ],
        members=[
            Member(row[account], row["time"], row["user_id"], row.get("anonymous_id"))
            for row in rows
            if account is not None and row.get(account)
        ],
    )


def by_reference(case: Case) -> list[Outcome]:
    """The attempts that the reference walk finds."""
    found = []
    for unit, rows in case.units.items():
        parts = {unit: rows}
        if case.plan.session_gap is not None:
            cut = sessions(rows, case.plan.session_gap)
            parts = {f"{unit}#{number}": part for number, part in enumerate(cut, start=1)}
        for name, part in parts.items():
            walked = walk_unit(part, case.plan, case.bounds, first_time=case.first_time)
            for attempt, counted in zip(walked.attempts, walked.counted, strict=True):
                found.append(_outcome(case.plan, name, attempt, counted))
    return found


def _outcome(plan: Plan, unit: str, attempt: Attempt, counted: bool) -> Outcome:
    times: list[int | None] = [None] * len(plan.steps)
    branches = [-1] * len(plan.required)
    for door in attempt.counted_doors:
        assert door.row is not None
        times[plan.required[door.rank].position] = door.row.time
        branches[door.rank] = -1 if door.branch is None else door.branch
    for position, row in attempt.optional.items():
        times[position] = row.time
    return Outcome(
        unit,
        attempt.stream,
        (attempt.entry.time, attempt.entry.word),
        attempt.entry_rank,
        attempt.status,
        attempt.reached,
        attempt.dropped,
        counted,
        tuple(times),
        tuple(branches),
        None if attempt.status == "open" else attempt.ended - attempt.entry.time,
    )


def by_kernel(case: Case) -> list[Outcome]:
    """The attempts that the compiled kernel finds."""
    names = list(case.units)
    everything = [
        (row.time, row.word - (1 << 64) if row.word >> 63 else row.word, 0, row.stream, 0)
        for rows in case.units.values()
        for row in rows
    ]
    rows = np.array(everything, ROW)
    rows["place"] = np.arange(len(rows))
    starts = np.cumsum([0, *(len(one) for one in case.units.values())], dtype=np.int64)
    table, _, _ = attempts_of(
        lay_out(case.plan), rows, starts, (0, len(names)), case.bounds, first_time=case.first_time
    )
    steps, ranks = len(case.plan.steps), len(case.plan.required)
    outcomes = []
    for line in table.tolist():
        unit = names[line[columns.UNIT]]
        taken = line[columns.STEP_ROWS : columns.STEP_ROWS + steps]
        entry = rows[line[columns.ENTRY]]
        outcomes.append(
            Outcome(
                f"{unit}#{line[columns.SESSION]}" if line[columns.SESSION] else unit,
                line[columns.STREAM],
                (int(entry["time"]), int(entry["word"]) % (1 << 64)),
                line[columns.ENTRY_RANK],
                STATUSES[line[columns.STATUS]],
                line[columns.REACHED],
                bool(line[columns.DROPPED]),
                bool(line[columns.COUNTED]),
                tuple(None if row < 0 else int(rows[row]["time"]) for row in taken),
                tuple(line[columns.STEP_ROWS + steps : columns.STEP_ROWS + steps + ranks]),
                None if line[columns.ENDED_HIGH] < 0 else (line[columns.ENDED_HIGH] << 31) + line[columns.ENDED_LOW],
            )
        )
    return outcomes


def counts_of(case: Case, outcomes: Sequence[Outcome]) -> list[int]:
    """How many count at each declared step, optional ones too."""
    if case.plan.order == "any":
        depths = [one.reached for one in outcomes if one.counted]
        return [sum(depth > step for depth in depths) for step in range(len(case.plan.steps))]
    return [
        sum(one.counted and one.times[step] is not None for one in outcomes) for step in range(len(case.plan.steps))
    ]
