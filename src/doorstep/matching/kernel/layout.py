"""A `Plan` as one record of numbers, the form in which the compiled kernel reads it.

A record travels through compiled calls as one pointer. Its sizes are fixed, so there is one type and the kernel is
compiled once: `MOST_QUESTIONS` bounds steps, alternatives and sub-steps alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from doorstep.matching.plan import FOREVER, MOST_QUESTIONS, Deadline, Plan

Integers = NDArray[np.int64]

NONE: Final = -1
FIRST, LAST, NEAREST = 0, 1, 2
SEQUENTIAL, CONSECUTIVE, ANY_ORDER = 0, 1, 2
NEVER, ALWAYS, RULES = 0, 1, 2
BEST, EARLIEST, LATEST = 0, 1, 2
COMPLETED, EXPIRED, OPEN, EXCLUDED, INTERRUPTED = 0, 1, 2, 3, 4
STATUSES: Final = ("completed", "expired", "open", "excluded", "interrupted")


_MANY: Final = MOST_QUESTIONS
ALTERNATIVE_WINDOWS: Final = _MANY
SUB_STEP_WINDOWS: Final = 2 * _MANY
"""The windows of steps, alternatives and sub-steps lie in one table; these are the rows where the latter two begin."""

LAYOUT: Final = np.dtype(
    [
        ("questions", "i8"),  # how many of each there are
        ("steps", "i8"),  # N
        ("required_steps", "i8"),  # R
        ("optional_steps", "i8"),
        ("exclusions", "i8"),
        ("rules", "i8"),
        ("firsts", "i8"),
        ("tie_groups", "i8"),
        ("entry_mask", "i8"),
        ("step_mask", "i8"),
        ("window", "i8"),
        ("order", "i8"),
        ("reentry", "i8"),
        ("represent", "i8"),
        ("furthest", "i8"),
        ("forbid_ties", "i8"),
        ("count_attempts", "i8"),
        ("vanish_bit", "i8"),
        ("session_gap", "i8"),
        ("has_named", "i8"),
        ("required", "i8", (_MANY,)),  # rank -> position
        ("optional", "i8", (_MANY,)),  # positions
        ("previous", "i8", (_MANY,)),  # position -> rank of the required step before
        ("min_gap", "i8", (_MANY,)),
        ("out_of_order", "i8", (_MANY,)),  # NONE where absent
        ("dedupe", "i8", (_MANY,)),
        ("alternatives", "i8", (_MANY + 1,)),  # where each step's alternatives begin
        ("alternative_bit", "i8", (_MANY,)),
        ("alternative_limited", "i8", (_MANY,)),  # 1 where it has a window
        ("sub_steps", "i8", (_MANY + 1,)),  # where each alternative's sub-steps begin
        ("sub_bit", "i8", (_MANY,)),
        ("sub_min_gap", "i8", (_MANY,)),
        ("sub_dedupe", "i8", (_MANY,)),
        ("after_prev", "i8", (3 * _MANY,)),
        ("after_entry", "i8", (3 * _MANY,)),
        ("named", "i8", (3 * _MANY, _MANY)),  # by rank
        ("siblings", "i8", (_MANY, _MANY)),  # sub-step -> earlier sub-step of its branch
        ("exclusion", "i8", (_MANY, 4)),  # bit, after, before, drop
        ("rule", "i8", (_MANY, 6)),  # endings as bits, no_within, inactive, event bit, below, interrupt
        ("first", "i8", (_MANY, 3)),  # step's bit, among bit, bits to clear
        ("ties", "i8", (4,)),  # one mask per group
    ]
)


def lay_out(plan: Plan) -> NDArray[np.void]:
    """The record of a plan, as an array of one."""
    alternatives = [one for step in plan.steps for one in step.alternatives]
    subs = [sub for one in alternatives for sub in one.steps]
    rules = () if isinstance(plan.reentry, str) else plan.reentry
    table = np.zeros(1, LAYOUT)
    record = table[0]
    for name, value in {
        "questions": len(plan.questions),
        "steps": len(plan.steps),
        "required_steps": len(plan.required),
        "optional_steps": len(plan.optional),
        "exclusions": len(plan.exclusions),
        "rules": len(rules),
        "firsts": len(plan.firsts),
        "tie_groups": len(plan.tie_groups),
        "entry_mask": _signed(plan.entry_mask),
        "step_mask": _signed(plan.step_mask),
        "window": plan.window,
        "order": {"sequential": SEQUENTIAL, "consecutive": CONSECUTIVE, "any": ANY_ORDER}[plan.order],
        "reentry": NEVER if plan.reentry == "never" else ALWAYS if plan.reentry == "always" else RULES,
        "represent": {"best": BEST, "first": EARLIEST, "last": LATEST}[plan.represent],
        "furthest": plan.furthest,
        "forbid_ties": plan.forbid_ties,
        "count_attempts": plan.count_attempts,
        "vanish_bit": _or_none(plan.vanish_bit),
        "session_gap": _or_none(plan.session_gap),
    }.items():
        record[name] = value
    _fill(record, "required", (step.position for step in plan.required))
    _fill(record, "optional", (step.position for step in plan.optional))
    _fill(record, "previous", (step.previous for step in plan.steps))
    _fill(record, "min_gap", (step.min_gap for step in plan.steps))
    _fill(record, "out_of_order", (_or_none(step.out_of_order) for step in plan.steps))
    _fill(record, "dedupe", (_DEDUPE[step.dedupe] for step in plan.steps))
    _fill(record, "alternatives", _starts(len(step.alternatives) for step in plan.steps))
    _fill(record, "alternative_bit", (one.bit for one in alternatives))
    _fill(record, "alternative_limited", (one.deadline.limited and not one.steps for one in alternatives))
    _fill(record, "sub_steps", _starts(len(one.steps) for one in alternatives))
    _fill(record, "sub_bit", (sub.bit for sub in subs))
    _fill(record, "sub_min_gap", (sub.min_gap for sub in subs))
    _fill(record, "sub_dedupe", (_DEDUPE[sub.dedupe] for sub in subs))
    _fill(record, "exclusion", ((one.bit, one.after, one.before, one.drop) for one in plan.exclusions))
    _fill(
        record,
        "rule",
        (
            (
                _endings(rule.after),
                _or_none(rule.no_within),
                _or_none(rule.inactive),
                _or_none(rule.event_bit),
                _or_none(rule.below),
                rule.interrupt,
            )
            for rule in rules
        ),
    )
    _fill(record, "first", ((one.position, one.among_bit, _signed(one.cleared)) for one in plan.firsts))
    _fill(record, "ties", (_signed(group) for group in plan.tie_groups))
    record["named"] = record["siblings"] = record["after_prev"] = record["after_entry"] = FOREVER
    deadlines = (
        *((step.position, step.deadline) for step in plan.steps),
        *((ALTERNATIVE_WINDOWS + index, one.deadline) for index, one in enumerate(alternatives)),
        *((SUB_STEP_WINDOWS + index, sub.deadline) for index, sub in enumerate(subs)),
    )
    for line, deadline in deadlines:
        _fill_windows(record, line, deadline)
    return table


def _fill_windows(record: np.void, line: int, deadline: Deadline) -> None:
    record["after_prev"][line] = deadline.after_prev
    record["after_entry"][line] = deadline.after_entry
    for rank, length in deadline.named:
        record["named"][line, rank] = length
        record["has_named"] = 1
    for sibling, length in deadline.siblings:
        record["siblings"][line - SUB_STEP_WINDOWS, sibling] = length


def _fill(record: np.void, name: str, values: Iterable[object]) -> None:
    for index, value in enumerate(values):
        record[name][index] = value


def _endings(endings: Iterable[str]) -> int:
    return sum(1 << STATUSES.index(ending) for ending in endings)


def _starts(lengths: Iterable[int]) -> Iterable[int]:
    return accumulate(lengths, initial=0)


_DEDUPE: Final = {"first": FIRST, "last": LAST, "nearest": NEAREST}


def _signed(mask: int) -> int:
    """A 64-bit mask as the signed integer with the same bits: words are int64 throughout the kernel."""
    return mask - (1 << 64) if mask >> 63 else mask


def _or_none(value: int | None) -> int:
    return NONE if value is None else value
