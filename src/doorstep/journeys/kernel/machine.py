"""The stage machine over one account after another; see `reference` for the rules in plain words."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from doorstep.journeys.account import NEVER
from doorstep.journeys.kernel.layout import NONE
from doorstep.journeys.kernel.signals import (
    birth_of,
    compiled,
    count_row,
    criteria_hold,
    in_order,
    local_codes,
    set_lacking,
    set_leaves,
    since,
)
from doorstep.matching.kernel.rows import sort_by_time

ACCOUNT, FROM, TO, SKIPS, TIME, MANUAL = range(6)
TRANSITION_COLUMNS: Final = ("account", "from", "to", "skips", "time", "manual")
"""``skips``: 1 where the stages between were passed over."""

BORN, STAGE, ENTERED, HIGH_WATER, DUE = range(5)
ACCOUNT_COLUMNS: Final = ("born", "stage", "entered", "high_water", "due")
"""``stage`` -1: unborn; ``high_water`` -1: only in stages without rank; ``due``: when something may
change by itself.
"""

_BACKWARD, _SKIP, _GRACE, _ONLY_RISES = range(4)


@compiled
def walk_accounts(plan: Any, events: Any, given: Any, moves: Any, begun: Any, until: int, first: int, last: int) -> Any:
    """(transitions, accounts, rows that leaves lack), a line each; see the columns above."""
    lines = np.empty((max(64, last - first), 6), np.int64)
    accounts = np.empty((last - first, 5), np.int64)
    lacking = np.zeros((last - first, len(plan.leaves)), np.int32)
    truth = np.zeros(len(plan.leaves), np.bool_)
    kept = np.zeros(len(plan.leaves), np.bool_)
    stack = np.ones(max(1, len(plan.steps)), np.bool_)
    counts = np.zeros(len(plan.counters), np.int64)
    traits = np.zeros(len(plan.missing), np.uint8)
    out = np.zeros(len(plan.within), np.int64)
    free = np.ones(len(plan.ranked), np.bool_)
    used = 0
    for account in range(first, last):
        lines, used = _walk(
            plan, events, given, moves, begun, until, account, lines, used, accounts[account - first],
            truth, kept, stack, counts, traits, out, free,
        )  # fmt: skip
        if accounts[account - first, 1] >= 0:
            set_lacking(plan, counts, lacking[account - first])
    return lines[:used].copy(), accounts, lacking


@compiled
def _added(lines: Any, used: int, account: int, old: int, new: int, skips: int, time: int, manual: int) -> Any:
    if used == len(lines):
        longer = np.empty((2 * len(lines), 6), np.int64)
        longer[:used] = lines
        lines = longer
    line = lines[used]
    line[0], line[1], line[2], line[3], line[4], line[5] = account, old, new, skips, time, manual
    return lines


@compiled
def _target(plan: Any, stage: int, truth: Any, stack: Any, free: Any, by_hand: bool) -> int:
    """The stage to move forward to, -1 for none. Where moves by hand count, stages whose criteria fail become free."""
    top = len(plan.ranked) - 1
    if by_hand:
        found = -1
        for one in range(top + 1):
            if not criteria_hold(plan, one, truth, stack):
                free[one] = True
            elif one > stage and free[one] and (plan.rules[_SKIP] or one == stage + 1):
                found = one
        return found
    if not plan.rules[_SKIP]:
        return stage + 1 if stage < top and criteria_hold(plan, stage + 1, truth, stack) else -1
    for one in range(top, stage, -1):
        if criteria_hold(plan, one, truth, stack):
            return one
    return -1


@compiled
def _stays(plan: Any, stage: int, truth: Any, kept: Any, stack: Any) -> bool:
    """Whether the stage's criteria hold, each `time_in_stage` as it was when the stage was entered."""
    if len(plan.dwells) == 0:
        return criteria_hold(plan, stage, truth, stack)
    for leaf in plan.dwells:
        truth[leaf], kept[leaf] = kept[leaf], truth[leaf]
    found = criteria_hold(plan, stage, truth, stack)
    for leaf in plan.dwells:
        truth[leaf], kept[leaf] = kept[leaf], truth[leaf]
    return found


@compiled
def _walk(
    plan: Any, events: Any, given: Any, moves: Any, begun: Any, until: int, account: int, lines: Any, used: int,
    told: Any, truth: Any, kept: Any, stack: Any, counts: Any, traits: Any, out: Any, free: Any,
) -> Any:  # fmt: skip
    start, end = events.starts[account], events.starts[account + 1]
    sort_by_time(events.rows, start, end)
    goes_on = begun.stage[account] >= 0
    now = birth = begun.born[account] if goes_on else birth_of(events, given, account)
    told[:] = -1
    told[0], told[4] = birth, birth
    if birth > until:
        return lines, used
    order = in_order(given, given.starts[account], given.starts[account + 1], birth)
    move, moves_end = moves.starts[account], moves.starts[account + 1]
    by_hand = moves_end > move
    while move < moves_end and moves.time[move] < birth:
        move += 1
    local, codes = local_codes(plan, events, start, end)
    tallies = np.zeros((len(plan.counters) if codes else 0, codes), np.int32)
    counts[:], out[:] = 0, 0
    traits[:] = plan.missing
    truth[:], kept[:] = False, False
    free[:] = True
    windows, size = len(plan.within), end - start
    backward, grace, falls = plan.rules[_BACKWARD] != 0, plan.rules[_GRACE], plan.rules[_ONLY_RISES] == 0 or by_hand
    top = len(plan.ranked) - 1
    stage, entered, failing, held, high = 0, birth, NEVER, True, 0 if plan.ranked[0] else -1
    if goes_on:
        now, stage, entered, high = begun.at, begun.stage[account], begun.entered[account], begun.high[account]
    read, trait, created = 0, 0, NONE
    fresh = True
    while True:
        while read < size and events.rows[start + read].time <= now:
            for w in range(windows):
                if plan.watched[w] == -1 or events.rows[start + read].word & plan.watched[w]:
                    _count(plan, events, start, read, w, 1, counts, tallies, local)
            read += 1
        for w in range(windows):
            while out[w] < read and events.rows[start + out[w]].time <= now - plan.within[w]:
                if plan.watched[w] == -1 or events.rows[start + out[w]].word & plan.watched[w]:
                    _count(plan, events, start, out[w], w, -1, counts, tallies, local)
                out[w] += 1
        while trait < len(order) and since(given, order[trait], birth) <= now:
            one = order[trait]
            for test in range(len(traits)):
                if given.sets[one, test]:
                    traits[test] = given.holds[one, test]
            if given.created[one] != NONE:
                created = given.created[one]
            trait += 1
        age_from = created if created != NONE else (events.rows[start].time if size and not goes_on else birth)
        if set_leaves(plan, counts, traits, now, age_from, stage, entered, truth):
            fresh = True
        while fresh:
            target = _target(plan, stage, truth, stack, free, by_hand)
            if target < 0 and backward and stage > 0:
                if _stays(plan, stage, truth, kept, stack):
                    held, failing = True, NEVER
                else:
                    if failing == NEVER and held:
                        failing = now
                    if failing != NEVER and now >= failing + grace:
                        target = stage - 1
                        while not criteria_hold(plan, target, truth, stack):
                            target -= 1
            if target < 0:
                fresh = False
                break
            lines = _added(lines, used, account, stage, target, target > stage + 1, now, 0)
            used += 1
            for leaf in plan.dwells:
                kept[leaf] = truth[leaf]
            stage, entered, failing = target, now, NEVER
            if plan.ranked[stage]:
                high = max(high, stage)
            set_leaves(plan, counts, traits, now, age_from, stage, entered, truth)
        while move < moves_end and moves.time[move] == now:
            target = moves.to[move]
            move += 1
            if target == stage:
                continue
            lines = _added(lines, used, account, stage, target, 0, now, 1)
            used += 1
            for leaf in plan.dwells:
                kept[leaf] = truth[leaf]
            stage, entered, failing = target, now, NEVER
            if plan.ranked[stage]:
                high = max(high, stage)
            held = stage == 0 or _stays(plan, stage, truth, kept, stack)
            set_leaves(plan, counts, traits, now, age_from, stage, entered, truth)
            for one in range(top + 1):
                free[one] = not criteria_hold(plan, one, truth, stack)
            fresh = True
        following = NEVER
        if stage < top or backward or move < moves_end:
            if read < size:
                following = events.rows[start + read].time
            if falls:
                for w in range(windows):
                    if plan.watched[w] != -1:
                        while out[w] < read and not events.rows[start + out[w]].word & plan.watched[w]:
                            out[w] += 1
                    if out[w] < read and plan.within[w] < NEVER:
                        following = min(following, events.rows[start + out[w]].time + plan.within[w])
            if trait < len(order):
                following = min(following, since(given, order[trait], birth))
            if move < moves_end:
                following = min(following, moves.time[move])
            for leaf in plan.ages:
                if age_from + plan.leaves[leaf, 1] > now:
                    following = min(following, age_from + plan.leaves[leaf, 1])
            for leaf in plan.dwells:
                if entered + plan.leaves[leaf, 1] > now:
                    following = min(following, entered + plan.leaves[leaf, 1])
            if failing != NEVER and failing + grace > now:
                following = min(following, failing + grace)
                fresh = True
        if following > until:
            break
        now = following
    told[0], told[1], told[2], told[3], told[4] = birth, stage, entered, high, following
    return lines, used


@compiled
def _count(
    plan: Any, events: Any, start: int, at: int, window: int, by: int, counts: Any, tallies: Any, local: Any
) -> None:
    """Adds or takes away the account's row number ``at``."""
    for c in range(plan.begins[window], plan.begins[window + 1]):
        count_row(plan, events, start, at, c, by, counts, tallies, local)


__all__ = ["ACCOUNT_COLUMNS", "TRANSITION_COLUMNS", "walk_accounts"]
