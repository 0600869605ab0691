"""One attempt, from its entry row to its status (semantics 3 and 5). What it finds is left in ``walk``."""

from __future__ import annotations

from doorstep.matching.kernel.layout import (
    ALTERNATIVE_WINDOWS,
    ALWAYS,
    ANY_ORDER,
    COMPLETED,
    CONSECUTIVE,
    EXCLUDED,
    EXPIRED,
    FIRST,
    LAST,
    OPEN,
    SUB_STEP_WINDOWS,
)
from doorstep.matching.kernel.rows import last_with, lower, meets, next_with, upper
from doorstep.matching.kernel.state import UNREACHED, Record, RowNumbers, Rows, compiled
from doorstep.matching.plan import FOREVER


@compiled
def attempt(plan: Record, walk: Record, rows: Rows, lists: RowNumbers) -> None:
    """Walks from ``walk.entry`` over the rows [walk.first, walk.end) and marks the rows it uses."""
    walk.step_row[: plan.steps] = -1
    walk.clock[: plan.required_steps] = UNREACHED
    walk.branch[: plan.required_steps] = -1
    walk.own_rows = walk.dropped = walk.broken = 0
    walk.entry_time = rows[walk.entry].time
    if plan.order == ANY_ORDER:
        _any_order(plan, walk, rows)
    else:
        _in_order(plan, walk, rows, lists)


@compiled
def single_branch(plan: Record, rows: Rows, step: int, row: int) -> int:
    """The first declared alternative that the row meets, whatever its window; -1 for none."""
    for one in range(plan.alternatives[step], plan.alternatives[step + 1]):
        if meets(rows, row, plan.alternative_bit[one]):
            return one - plan.alternatives[step]
    return -1


@compiled
def _take(walk: Record, rows: Rows, row: int) -> None:
    rows[row].used = walk.stamp
    walk.own[walk.own_rows] = row
    walk.own_rows += 1


@compiled
def release(walk: Record, rows: Rows) -> None:
    """Gives back every row that the attempt used."""
    for i in range(walk.own_rows):
        rows[walk.own[i]].used = 0


@compiled
def _in_order(plan: Record, walk: Record, rows: Rows, lists: RowNumbers) -> None:
    rank = 0
    while not ((plan.entry_mask >> plan.required[rank]) & 1 and meets(rows, walk.entry, plan.required[rank])):
        rank += 1
    walk.entry_rank = rank
    walk.step_row[plan.required[rank]] = walk.entry
    walk.clock[rank] = walk.entry_time
    walk.branch[rank] = single_branch(plan, rows, plan.required[rank], walk.entry)
    _take(walk, rows, walk.entry)
    rank += 1
    missed_hi = later = FOREVER
    while rank < plan.required_steps:
        step, clock = plan.required[rank], walk.clock[rank - 1]
        hi = _latest(plan, walk, step, clock)
        if plan.order == CONSECUTIVE:
            i = upper(rows, clock, walk.first, walk.end)
            later = rows[i].time if i < walk.end else FOREVER
            hi = min(hi, later)
        if not _pass(plan, walk, rows, lists, rank, _earliest(plan, walk, rank), hi):
            missed_hi = _missed_hi(plan, walk, step, hi, clock)
            break
        rank += 1
    _judge(plan, walk, rows, lists, rank, missed_hi, later)


@compiled
def _earliest(plan: Record, walk: Record, rank: int) -> int:
    """The lower bound ``lo`` of a step."""
    step, clock = plan.required[rank], walk.clock[rank - 1]
    if plan.out_of_order[step] < 0:
        return clock + plan.min_gap[step]
    lo = clock - plan.out_of_order[step]
    return max(lo, walk.clock[rank - 2]) if rank - 2 >= walk.entry_rank else lo


@compiled
def _latest(plan: Record, walk: Record, window: int, clock: int) -> int:
    """The least of anchor + length over the windows of one line of the window table; ``clock`` is that of prev."""
    hi = min(clock + plan.after_prev[window], walk.entry_time + plan.after_entry[window])
    if plan.has_named:
        for rank in range(plan.required_steps):
            if plan.named[window, rank] < FOREVER and walk.clock[rank] != UNREACHED:
                hi = min(hi, walk.clock[rank] + plan.named[window, rank])
    return hi


@compiled
def _missed_hi(plan: Record, walk: Record, step: int, hi: int, clock: int) -> int:
    """If every alternative has a window, the missed step's bound is at most the latest alternative's."""
    latest = UNREACHED
    for one in range(plan.alternatives[step], plan.alternatives[step + 1]):
        if not plan.alternative_limited[one]:
            return hi
        latest = max(latest, _latest(plan, walk, ALTERNATIVE_WINDOWS + one, clock))
    return hi if latest == UNREACHED else min(hi, latest)


# -- candidates ----------------------------------------------------------------------------------------------------


@compiled
def _branch(plan: Record, walk: Record, rows: Rows, step: int, row: int, clock: int) -> int:
    """Which single-event alternative the row meets in time: the first declared; -1 for none."""
    for one in range(plan.alternatives[step], plan.alternatives[step + 1]):
        if (
            plan.sub_steps[one] == plan.sub_steps[one + 1]
            and meets(rows, row, plan.alternative_bit[one])
            and rows[row].time <= _latest(plan, walk, ALTERNATIVE_WINDOWS + one, clock)
        ):
            return one - plan.alternatives[step]
    return -1


@compiled
def _may_take(plan: Record, walk: Record, rows: Rows, step: int, row: int, clock: int) -> bool:
    """Whether a row of the right bit and time is a candidate; ``step`` is -1 for a sub-step."""
    if rows[row].used == walk.stamp or (rows[row].used != 0 and plan.reentry != ALWAYS):
        return False
    if step < 0 or plan.alternatives[step] == plan.alternatives[step + 1]:
        return True
    return _branch(plan, walk, rows, step, row, clock) >= 0


@compiled
def _first_candidate(
    plan: Record, walk: Record, rows: Rows, lists: RowNumbers, step: int, bit: int, lo: int, hi: int, clock: int
) -> int:
    row = next_with(walk, rows, lists, bit, lower(rows, lo, walk.first, walk.end), walk.end)
    while row < walk.end and rows[row].time <= hi:
        if not (plan.forbid_ties and rows[row].time == clock) and _may_take(plan, walk, rows, step, row, clock):
            return row
        row = next_with(walk, rows, lists, bit, row + 1, walk.end)
    return -1


@compiled
def _last_candidate(
    plan: Record, walk: Record, rows: Rows, lists: RowNumbers, step: int, bit: int, lo: int, hi: int, clock: int
) -> int:
    """Of the latest instant with a candidate, the row that the tie rule takes."""
    best = -1
    row = last_with(walk, rows, lists, bit, upper(rows, hi, walk.first, walk.end) - 1, walk.first)
    while row >= 0 and rows[row].time >= lo and (best < 0 or rows[row].time == rows[best].time):
        if not (plan.forbid_ties and rows[row].time == clock) and _may_take(plan, walk, rows, step, row, clock):
            best = row
        row = last_with(walk, rows, lists, bit, row - 1, walk.first)
    return best


@compiled
def _pick(
    plan: Record,
    walk: Record,
    rows: Rows,
    lists: RowNumbers,
    step: int,
    bit: int,
    dedupe: int,
    lo: int,
    hi: int,
    clock: int,
    anchor: int,
) -> int:
    """The candidate that `dedupe` takes; ``anchor`` is the time of the previous step's row. -1 without candidates."""
    if dedupe == FIRST:
        return _first_candidate(plan, walk, rows, lists, step, bit, lo, hi, clock)
    if dedupe == LAST:
        return _last_candidate(plan, walk, rows, lists, step, bit, lo, hi, clock)
    after = _first_candidate(plan, walk, rows, lists, step, bit, max(lo, anchor), hi, clock)
    before = _last_candidate(plan, walk, rows, lists, step, bit, lo, min(hi, anchor - 1), clock)
    if after < 0 or before < 0:
        return max(after, before)
    return after if rows[after].time - anchor <= anchor - rows[before].time else before


@compiled
def _pass(plan: Record, walk: Record, rows: Rows, lists: RowNumbers, rank: int, lo: int, hi: int) -> bool:
    """Takes the rows of one required step, if there are any."""
    step, clock = plan.required[rank], walk.clock[rank - 1]
    anchor = rows[walk.step_row[plan.required[rank - 1]]].time
    row = _pick(plan, walk, rows, lists, step, step, plan.dedupe[step], lo, hi, clock, anchor)
    first, end = plan.alternatives[step], plan.alternatives[step + 1]
    if plan.sub_steps[first] < plan.sub_steps[end]:
        return _pass_branches(plan, walk, rows, lists, rank, hi, row)
    if row < 0:
        return False
    if first < end:
        walk.branch[rank] = _branch(plan, walk, rows, step, row, clock)
    _take(walk, rows, row)
    walk.step_row[step] = row
    walk.clock[rank] = max(rows[row].time, clock)
    return True


@compiled
def _pass_branches(plan: Record, walk: Record, rows: Rows, lists: RowNumbers, rank: int, hi: int, single: int) -> bool:
    """An `any_of` step with walks of several steps, beside the pick of its single events: the earliest clock wins, on
    a draw the first declared.
    """
    step, clock = plan.required[rank], walk.clock[rank - 1]
    best_clock, best = FOREVER, -1
    if single >= 0:
        best_clock = max(rows[single].time, clock)
        best = _branch(plan, walk, rows, step, single, clock)
    first = plan.alternatives[step]
    for one in range(first, plan.alternatives[step + 1]):
        count = _sub_walk(plan, walk, rows, lists, one, rank, hi)
        if count > 0:
            reached = rows[walk.sub_row[count - 1]].time
            if best < 0 or reached < best_clock or (reached == best_clock and one - first < best):
                best_clock, best = reached, one - first
    if best < 0:
        return False
    count = _sub_walk(plan, walk, rows, lists, first + best, rank, hi)
    if count == 0:
        walk.sub_row[0] = single
        count = 1
    for i in range(count):
        _take(walk, rows, walk.sub_row[i])
    walk.step_row[step] = walk.sub_row[count - 1]
    walk.clock[rank] = best_clock
    walk.branch[rank] = best
    return True


@compiled
def _sub_walk(plan: Record, walk: Record, rows: Rows, lists: RowNumbers, alternative: int, rank: int, hi: int) -> int:
    """Tries a branch of several steps; its rows are left in ``walk.sub_row``, unused. How many rows, 0 for none."""
    clock = walk.clock[rank - 1]
    anchor = rows[walk.step_row[plan.required[rank - 1]]].time
    count = 0
    start, end = plan.sub_steps[alternative], plan.sub_steps[alternative + 1]
    for sub in range(start, end):
        bound = min(hi, _latest(plan, walk, SUB_STEP_WINDOWS + sub, clock))
        for sibling in range(count):
            if plan.siblings[sub, sibling] < FOREVER:
                bound = min(bound, rows[walk.sub_row[sibling]].time + plan.siblings[sub, sibling])
        bit, dedupe, lo = plan.sub_bit[sub], plan.sub_dedupe[sub], clock + plan.sub_min_gap[sub]
        row = _pick(plan, walk, rows, lists, -1, bit, dedupe, lo, bound, clock, anchor)
        if row < 0:
            break
        walk.sub_row[count] = row

        rows[row].used = walk.stamp
        count += 1
        clock = anchor = rows[row].time
    for i in range(count):
        rows[walk.sub_row[i]].used = 0
    return count if count == end - start else 0


# -- status, exclusions, optional steps ------------------------------------------------------------------------------


@compiled
def _judge(plan: Record, walk: Record, rows: Rows, lists: RowNumbers, missed: int, missed_hi: int, later: int) -> None:
    """``missed`` is the rank of the step that was not reached, with its bound; R when all were."""
    last = walk.clock[missed - 1]
    if missed == plan.required_steps:
        walk.status, walk.ended = COMPLETED, last
    elif walk.as_of > missed_hi:
        walk.status, walk.ended = EXPIRED, max(missed_hi, last)
    else:
        walk.status, walk.ended = OPEN, FOREVER
    walk.reached = missed - walk.entry_rank
    walk.highest = missed - 1
    walk.broken = missed < plan.required_steps and plan.order == CONSECUTIVE and missed_hi == later
    hit_at, drops = FOREVER, False
    for rule in range(plan.exclusions):
        hit = _hit(plan, walk, rows, lists, rule, missed_hi)
        if hit >= 0:
            hit_at = min(hit_at, rows[hit].time)
            drops = drops or plan.exclusion[rule, 3] == 1
    if hit_at < FOREVER:
        walk.status, walk.ended, walk.dropped = EXCLUDED, hit_at, drops
    for i in range(plan.optional_steps):
        row = _optional(plan, walk, rows, lists, plan.optional[i], missed, missed_hi)
        if row >= 0 and (drops or rows[row].time <= hit_at):
            walk.step_row[plan.optional[i]] = row
    if hit_at < FOREVER and not drops:
        for rank in range(walk.entry_rank, missed):
            if walk.clock[rank] > hit_at:
                walk.step_row[plan.required[rank]] = -1
                walk.branch[rank] = -1
                walk.reached -= 1


@compiled
def _hit(plan: Record, walk: Record, rows: Rows, lists: RowNumbers, rule: int, missed_hi: int) -> int:
    """The first row that this exclusion hits; -1 for none."""
    bit, after, before = plan.exclusion[rule, 0], plan.exclusion[rule, 1], plan.exclusion[rule, 2]
    if walk.clock[after] == UNREACHED:
        return -1
    end = walk.clock[before] - 1 if walk.clock[before] != UNREACHED else min(missed_hi, walk.as_of)
    row = next_with(walk, rows, lists, bit, upper(rows, walk.clock[after], walk.first, walk.end), walk.end)
    while row < walk.end and rows[row].time <= end:
        if rows[row].used != walk.stamp:
            return row
        row = next_with(walk, rows, lists, bit, row + 1, walk.end)
    return -1


@compiled
def _optional(plan: Record, walk: Record, rows: Rows, lists: RowNumbers, step: int, missed: int, missed_hi: int) -> int:
    """The row that shows an optional step, -1 for none: between the clocks around it, in its windows, unused."""
    previous = plan.previous[step]
    clock = walk.clock[previous]
    if clock == UNREACHED:
        return -1
    if previous + 1 == plan.required_steps:
        end = walk.as_of
    elif previous + 1 == missed:
        end = min(missed_hi, walk.as_of)
    else:
        end = walk.clock[previous + 1]
    end = min(end, _latest(plan, walk, step, clock))
    row = next_with(walk, rows, lists, step, lower(rows, clock, walk.first, walk.end), walk.end)
    while row < walk.end and rows[row].time <= end:
        if _may_take(plan, walk, rows, step, row, clock):
            return row
        row = next_with(walk, rows, lists, step, row + 1, walk.end)
    return -1


# -- order: any --------------------------------------------------------------------------------------------------------


@compiled
def _any_order(plan: Record, walk: Record, rows: Rows) -> None:
    """The entry row first, then rows in time order, each given to the lowest-numbered unfilled step it matches."""
    hi = walk.entry_time + plan.window
    filled = 0
    last = walk.entry_time
    following = lower(rows, walk.entry_time, walk.first, walk.end)
    row = walk.entry
    while True:
        if rows[row].word & plan.step_mask and _may_take(plan, walk, rows, -1, row, 0):
            for rank in range(plan.required_steps):
                step = plan.required[rank]
                if walk.step_row[step] < 0 and meets(rows, row, step):
                    if filled == 0:
                        walk.entry_rank = rank
                    walk.step_row[step] = row
                    walk.branch[rank] = single_branch(plan, rows, step, row)
                    walk.clock[rank] = last = rows[row].time
                    _take(walk, rows, row)
                    filled += 1
                    break
        if filled == plan.required_steps or following >= walk.end or rows[following].time > hi:
            break
        row = following
        following += 1
    walk.reached = filled
    walk.highest = filled - 1
    if filled == plan.required_steps:
        walk.status, walk.ended = COMPLETED, last
    elif walk.as_of > hi:
        walk.status, walk.ended = EXPIRED, hi
    else:
        walk.status, walk.ended = OPEN, FOREVER
