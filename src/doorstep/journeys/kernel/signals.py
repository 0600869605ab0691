"""Counts, sums, different values, ages and traits of one account as time goes on."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from doorstep.journeys.account import NEVER
from doorstep.journeys.kernel.layout import NONE, UNTIMED
from doorstep.journeys.plan import AGE, ANY_STAGE, DISTINCT, DWELL, FEATURES, NUMBER, SUM

compiled = njit(nogil=True)

MOST_LACKING: Final = (1 << 31) - 1


@compiled
def meets(events: Any, row: int, question: int) -> bool:
    """Whether a row meets a question."""
    word = events.rows[row].word if question < 64 else events.words[events.rows[row].place, question // 64 - 1]
    return (word >> (question % 64)) & 1 == 1


@compiled
def count_row(
    plan: Any, events: Any, start: int, at: int, c: int, by: int, counts: Any, tallies: Any, local: Any
) -> None:
    """Adds (``by`` 1) or takes away (-1) the account's row number ``at`` in a counter."""
    row = start + at
    if not meets(events, row, plan.counters[c, 1]):
        return
    kind, slot = plan.counters[c, 0], plan.counters[c, 2]
    if kind == SUM:
        counts[c] += by * events.numbers[events.rows[row].place, slot]
    elif kind == DISTINCT:
        code = local[slot, at]
        if code >= 0:
            before = tallies[c, code]
            tallies[c, code] = before + by
            if before == 0 or before + by == 0:
                counts[c] += by
    else:
        counts[c] += by


@compiled
def local_codes(plan: Any, events: Any, start: int, end: int) -> Any:
    """(a code from 0 for each row of the account and property to tell apart, -1 for none; how many codes there are)."""
    slots = plan.rules[4]
    local = np.full((slots, end - start), -1, np.int64)
    most = 0
    for slot in range(slots):
        codes = np.empty(end - start, np.int64)
        for i in range(start, end):
            codes[i - start] = events.codes[events.rows[i].place, slot]
        order = np.argsort(codes, kind="mergesort")
        found = -1
        for k in range(len(order)):
            code = codes[order[k]]
            if code < 0:
                continue
            if k == 0 or codes[order[k - 1]] != code:
                found += 1
            local[slot, order[k]] = found
        most = max(most, found + 1)
    return local, most


@compiled
def in_order(given: Any, start: int, end: int, birth: int) -> Any:
    """The account's traits by time, those without a time at birth and before timed ones; later in the source, later."""
    order = np.arange(start, end)
    for i in range(1, len(order)):
        one, j = order[i], i
        while j > 0 and _later(given, order[j - 1], one, birth):
            order[j] = order[j - 1]
            j -= 1
        order[j] = one
    return order


@compiled
def _later(given: Any, one: int, other: int, birth: int) -> bool:
    left, right = since(given, one, birth), since(given, other, birth)
    if left != right:
        return left > right
    return given.time[one] != UNTIMED and given.time[other] == UNTIMED


@compiled
def since(given: Any, one: int, birth: int) -> int:
    """Since when a trait holds."""
    return birth if given.time[one] == UNTIMED else given.time[one]


@compiled
def birth_of(events: Any, given: Any, account: int) -> int:
    """The first instant with a row, or with a known `created_at` that has come; rows must be in order."""
    start, end = events.starts[account], events.starts[account + 1]
    first = events.rows[start].time if end > start else NEVER
    order = in_order(given, given.starts[account], given.starts[account + 1], -NEVER)
    for i in range(len(order)):
        created = given.created[order[i]]
        if created == NONE:
            continue
        until = NEVER
        for k in range(i + 1, len(order)):
            if given.created[order[k]] != NONE:
                until = since(given, order[k], -NEVER)
                break
        come = max(since(given, order[i], -NEVER), created)
        if come < until:
            return min(first, come)
    return first


@compiled
def set_leaves(
    plan: Any, counts: Any, traits: Any, now: int, age_from: int, stage: int, entered: int, truth: Any
) -> bool:
    """What each leaf is now; whether any is another than before."""
    changed = False
    for leaf in range(len(plan.leaves)):
        kind, first, last = plan.leaves[leaf, 0], plan.leaves[leaf, 1], plan.leaves[leaf, 2]
        if kind == NUMBER:
            holds = plan.leaves[leaf, 3] <= counts[first] <= plan.leaves[leaf, 4]
        elif kind == FEATURES:
            number = 0
            for k in range(first, last):
                number += counts[plan.used[k]] > 0
            holds = plan.leaves[leaf, 3] <= number <= plan.leaves[leaf, 4]
        elif kind == AGE:
            holds = now >= age_from + first
        elif kind == DWELL:
            holds = last in (ANY_STAGE, stage) and now >= entered + first
        else:
            holds = traits[first] != 0
        if truth[leaf] != holds:
            truth[leaf] = holds
            changed = True
    return changed


@compiled
def set_lacking(plan: Any, counts: Any, lacking: Any) -> None:
    """How many rows more, at least, each claim about a number needs to hold; 0 where that is not told."""
    for leaf in range(len(plan.leaves)):
        kind, first, last, number = plan.leaves[leaf, 0], plan.leaves[leaf, 1], plan.leaves[leaf, 2], 0
        if kind == NUMBER and plan.counters[first, 0] != SUM:
            number = plan.leaves[leaf, 3] - counts[first]
        elif kind == FEATURES:
            number = plan.leaves[leaf, 3]
            for k in range(first, last):
                number -= counts[plan.used[k]] > 0
        lacking[leaf] = max(0, min(number, MOST_LACKING))


@compiled
def criteria_hold(plan: Any, stage: int, truth: Any, stack: Any) -> bool:
    """Whether a stage's criteria hold, given what each leaf is."""
    top = 0
    for step in range(plan.programs[stage], plan.programs[stage + 1]):
        operation, n = plan.steps[step, 0], plan.steps[step, 1]
        if operation == 0:
            stack[top] = truth[n]
            top += 1
        elif operation == 3:
            stack[top - 1] = not stack[top - 1]
        else:
            joined = operation == 1
            for k in range(top - n, top):
                joined = (joined and stack[k]) if operation == 1 else (joined or stack[k])
            top -= n
            stack[top] = joined
            top += 1
    return stack[0]
