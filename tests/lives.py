"""Lives of accounts, walked by the reference and by the kernel, in one form that can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from doorstep.definitions.journey import Journey
from doorstep.journeys.account import NEVER, Account, Move, Row, Traits, TraitsSet, born_at, time_of
from doorstep.journeys.kernel import Begun, Events, Given, Moves, from_birth, histories_of, lay_out
from doorstep.journeys.kernel.layout import NONE, UNTIMED
from doorstep.journeys.plan import compile_plan
from doorstep.journeys.reference import History, walk
from doorstep.journeys.values import distinct_key, number_in
from doorstep.matching.conditions import look_up, meets, passes, word_of
from doorstep.matching.kernel import ROW
from doorstep.matching.plan import Question

SCALE = 1000


@dataclass(frozen=True)
class Outcome:
    """What became of one account."""

    born_at: int
    stage: int
    since: int
    high_water: int | None
    transitions: tuple[tuple[int, int, tuple[int, ...], int, str], ...]
    due: int = field(compare=False, default=0)


def lives_of(case: Mapping[str, Any]) -> dict[str, Account]:
    """The accounts of a conformance case; of repeated messages the earliest counts."""
    journey = Journey.model_validate(case["definition"])
    positions = journey.positions
    excluded = [Question(rule.event, rule.condition) for rule in journey.exclude]
    found: dict[str, tuple[list[Row], list[TraitsSet], list[Move]]] = {}
    seen: set[str] = set()
    for row in sorted(case["rows"], key=lambda one: one["time"]):
        message = row.get("message_id")
        if message is not None and message in seen:
            continue
        seen |= {message} if message is not None else set()
        if not any(meets(question, row["event"], row) for question in excluded):
            found.setdefault(row["unit"], ([], [], []))[0].append(Row(row["time"], row["event"], row))
    for one in case.get("traits", ()):
        values = {key: value for key, value in one.items() if key not in ("unit", "time")}
        found.setdefault(one["unit"], ([], [], []))[1].append(TraitsSet(one.get("time"), values))
    for one in case.get("moves", ()):
        found.setdefault(one["unit"], ([], [], []))[2].append(Move(one["at"], positions[one["to"]]))
    return {unit: Account(*parts) for unit, parts in found.items()}


def by_reference(journey: Journey, lives: Mapping[str, Account], until: int) -> dict[str, Outcome]:
    """What the reference makes of them; unborn accounts are left out."""
    walked = {unit: walk(journey, account, until) for unit, account in lives.items()}
    return {unit: outcome_of(history) for unit, history in walked.items() if history is not None}


def outcome_of(history: History) -> Outcome:
    """A history, as a caller may compare it."""
    return Outcome(
        history.born_at,
        history.state.stage,
        history.state.since,
        history.high_water,
        tuple((one.from_stage, one.to_stage, one.skipped, one.occurred_at, one.cause) for one in history.transitions),
    )


def by_kernel(journey: Journey, lives: Mapping[str, Account], until: int) -> dict[str, Outcome]:
    """What the kernel makes of them."""
    return _walked(journey, lives, until, from_birth(len(lives)))


def by_going_on(journey: Journey, lives: Mapping[str, Account], cut: int, until: int) -> dict[str, Outcome]:
    """What the kernel makes of them from where they stood at ``cut``, of the rows that reach beyond it alone."""
    plan = compile_plan(journey)
    stood = by_kernel(journey, lives, cut)
    reach = max((within for within in plan.windows if within < NEVER), default=0)
    ever = tuple(plan.questions[counter.question] for counter in plan.counters if counter.within == NEVER)
    left = {}
    for unit, account in lives.items():
        traits = Traits.of(account, born_at(account))
        rows = [
            row
            for row in account.rows
            if unit not in stood or row.time > cut - reach or word_of(ever, row.event, traits.beside(row).properties)
        ]
        left[unit] = replace(account, rows=rows)
    ends = [stood.get(unit) or Outcome(-1, -1, -1, None, ()) for unit in lives]
    high = [-1 if one.high_water is None else one.high_water for one in ends]
    columns = ([one.born_at for one in ends], [one.stage for one in ends], [one.since for one in ends], high)
    return _walked(journey, left, until, Begun(cut, *(np.array(column, np.int64) for column in columns)))


def lacking(journey: Journey, lives: Mapping[str, Account], until: int) -> dict[str, list[int]]:
    """How many rows each claim of an account lacks."""
    return {
        unit: [int(one) for one in row]
        for unit, row in zip(lives, _kernel(journey, lives, until, None)[2], strict=True)
    }


def _kernel(journey: Journey, lives: Mapping[str, Account], until: int, begun: Begun | None) -> Any:
    plan = compile_plan(journey)
    seen = [account.until(until) for account in lives.values()]
    events, given, moves = _events(plan, seen, until), _given(plan, seen), _moves(seen)
    laid = lay_out(plan, [SCALE] * len(plan.summed))
    return histories_of(laid, events, given, moves, begun or from_birth(len(seen)), until, (0, len(seen)))


def _walked(journey: Journey, lives: Mapping[str, Account], until: int, begun: Begun) -> dict[str, Outcome]:
    lines, accounts, _ = _kernel(journey, lives, until, begun)
    found: dict[str, Outcome] = {}
    for number, unit in enumerate(lives):
        born, stage, entered, high, due = accounts[number].tolist()
        if stage < 0:
            continue
        own = [line for line in lines.tolist() if line[0] == number]
        transitions = tuple(
            (old, new, tuple(range(old + 1, new)) if skips else (), time, "manual" if manual else "criteria")
            for _, old, new, skips, time, manual in own
        )
        found[unit] = Outcome(born, stage, entered, None if high < 0 else high, transitions, due)
    return found


def _starts(sizes: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([0, *np.cumsum(sizes)], np.int64)


def _events(plan: Any, seen: Sequence[Account], until: int) -> Events:
    known = []
    for account in seen:
        birth = born_at(account)
        traits = Traits.of(account, birth)
        known.append([traits.beside(row) for row in account.rows])
    rows = [row for part in known for row in part]
    table = np.zeros(len(rows), ROW)
    words = [word_of(plan.questions, row.event, row.properties) for row in rows]
    width = max(1, -(-len(plan.questions) // 64))
    table["time"] = [row.time for row in rows]
    table["word"] = [_signed(word % (1 << 64)) for word in words]
    table["place"] = np.arange(len(rows))
    further = np.array(
        [[_signed((word >> (64 * part)) % (1 << 64)) for part in range(1, width)] for word in words], np.int64
    ).reshape(len(rows), width - 1)
    numbers = np.zeros((len(rows), len(plan.summed)), np.int64)
    codes = np.full((len(rows), len(plan.told)), -1, np.int32)
    numbering: dict[object, int] = {}
    for index, row in enumerate(rows):
        for slot, name in enumerate(plan.summed):
            number = number_in(look_up(row.properties, name))
            numbers[index, slot] = 0 if number is None else round(number * SCALE)
        for slot, name in enumerate(plan.told):
            key = distinct_key(look_up(row.properties, name))
            codes[index, slot] = -1 if key is None else numbering.setdefault(key, len(numbering))
    return Events(table, _starts([len(part) for part in known]), further, numbers, codes)


def _given(plan: Any, seen: Sequence[Account]) -> Given:
    traits = [one for account in seen for one in account.traits]
    sets = np.zeros((len(traits), len(plan.tests)), np.uint8)
    holds = np.zeros((len(traits), len(plan.tests)), np.uint8)
    for index, one in enumerate(traits):
        for number, test in enumerate(plan.tests):
            value = one.values.get(test.property)
            sets[index, number] = value is not None
            holds[index, number] = value is not None and passes(test, value)
    created = [
        time_of(one.values.get("created_at")) if one.values.get("created_at") is not None else None for one in traits
    ]
    return Given(
        _starts([len(account.traits) for account in seen]),
        np.array([UNTIMED if one.time is None else one.time for one in traits], np.int64),
        sets,
        holds,
        np.array([NONE if one is None else one for one in created], np.int64),
    )


def _moves(seen: Sequence[Account]) -> Moves:
    return Moves(
        _starts([len(account.moves) for account in seen]),
        np.array([move.time for account in seen for move in account.moves], np.int64),
        np.array([move.to for account in seen for move in account.moves], np.int64),
    )


def _signed(mask: int) -> int:
    return mask - (1 << 64) if mask >> 63 else mask
