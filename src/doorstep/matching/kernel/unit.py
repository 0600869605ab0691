"""Units: their rows in order, their streams, and which attempt stands for each (semantics 1, 2 and 8)."""

from __future__ import annotations

import numpy as np

from doorstep.matching.kernel.furthest import furthest, room_for
from doorstep.matching.kernel.layout import BEST, EARLIEST
from doorstep.matching.kernel.rows import list_by_bit, lower, sort_by_stream, sort_by_time, sort_ties, tie_before
from doorstep.matching.kernel.state import (
    COUNTED,
    DROPPED,
    ENTRY,
    REACHED,
    STEP_ROWS,
    Record,
    RowNumbers,
    Rows,
    compiled,
)
from doorstep.matching.kernel.stream import record, stream_attempts
from doorstep.matching.plan import FOREVER


@compiled
def walk_units(
    plan: Record, walk: Record, rows: Rows, starts: RowNumbers, first: int, last: int, first_time: bool
) -> tuple[RowNumbers, int, int]:
    """Walks the units [first, last); unit ``u`` has the rows [starts[u], starts[u + 1]), which are put in order in
    place. (table of attempts, units or sessions walked, how many of them `exclude_units` made vanish).
    """
    width = STEP_ROWS + plan.steps + plan.required_steps
    found = np.empty((1024, width), np.int32)
    room = room_for(plan, 64 if plan.furthest else 0)
    none = np.empty(0, np.int32)
    count = units = vanished = 0
    for unit in range(first, last):
        start, unit_end = starts[unit], starts[unit + 1]
        if start == unit_end:
            continue
        if plan.session_gap < 0 and not _may_enter(plan, rows, start, unit_end):
            units += 1
            vanished += _vanishes(plan, rows, start, unit_end)
            continue
        if count + unit_end - start > len(found):
            more = np.empty((2 * (count + unit_end - start), width), np.int32)
            more[:count] = found[:count]
            found = more
        if plan.furthest and unit_end - start > len(room.owner):
            room = room_for(plan, unit_end - start)
        sort_by_time(rows, start, unit_end)
        session = 0
        while start < unit_end:
            end = unit_end
            if plan.session_gap >= 0:
                session += 1
                end = start + 1
                while end < unit_end and rows[end].time - rows[end - 1].time <= plan.session_gap:
                    end += 1
            units += 1
            if _vanishes(plan, rows, start, end):
                vanished += 1
            else:
                begin = _streams(plan, walk, rows, start, end, first_time)
                before = count
                while begin < end:
                    stop = begin + 1
                    while stop < end and rows[stop].stream == rows[begin].stream:
                        stop += 1
                    walk.first, walk.end = lower(rows, walk.since, begin, stop), stop
                    begin = stop
                    if walk.first == stop:
                        continue
                    sort_ties(plan, rows, walk.first, stop)
                    if plan.furthest:
                        if furthest(plan, walk, rows, room):
                            record(plan, walk, found[count], unit, session, rows[walk.first].stream)
                            count += 1
                    else:
                        lists = list_by_bit(plan, walk, rows, none)
                        count = stream_attempts(plan, walk, rows, lists, found, count, unit, session)
                _choose(plan, rows, found, before, count)
            start = end
    return found[:count], units, vanished


@compiled
def _may_enter(plan: Record, rows: Rows, start: int, end: int) -> bool:
    """Whether any row may start an attempt; most units of a long funnel's last steps have none, and need no order."""
    word = 0
    for i in range(start, end):
        word |= rows[i].word
    return word & plan.entry_mask != 0


@compiled
def _vanishes(plan: Record, rows: Rows, start: int, end: int) -> bool:
    """Whether a row meets `exclude_units`."""
    if plan.vanish_bit >= 0:
        for i in range(start, end):
            if (rows[i].word >> plan.vanish_bit) & 1:
                return True
    return False


@compiled
def _streams(plan: Record, walk: Record, rows: Rows, start: int, end: int, first_time: bool) -> int:
    """Puts a unit's rows, given by time, in the order of its streams; where the first stream begins.

    ``end`` when there is none, or when the run asks for units whose first ever entry lies in its range and this unit's
    does not.
    """
    if plan.firsts:
        _keep_firsts(plan, walk, rows, start, end)
    sort_by_stream(rows, start, end)
    while start < end and rows[start].stream < 0:
        start += 1
    if first_time:
        earliest = FOREVER
        for i in range(start, end):
            if rows[i].word & plan.entry_mask:
                earliest = min(earliest, rows[i].time)
        if not walk.since <= earliest < walk.until:
            return end
    return start


@compiled
def _keep_firsts(plan: Record, walk: Record, rows: Rows, start: int, end: int) -> None:
    """Takes the bits of a `first_time` step from every row but the unit's first."""
    for one in range(plan.firsts):
        bit, among = plan.first[one, 0], plan.first[one, 1]
        walk.first_row[one] = -1
        i = start
        while i < end and not (rows[i].word >> among) & 1:
            i += 1
        at = rows[i].time if i < end else FOREVER
        while i < end and rows[i].time == at:
            if (rows[i].word >> among) & 1 and (rows[i].word >> bit) & 1:
                best = walk.first_row[one]
                if best < 0 or _comes_first(plan, rows[i], rows[best]):
                    walk.first_row[one] = i
            i += 1
    for one in range(plan.firsts):
        for i in range(start, end):
            if i != walk.first_row[one]:
                rows[i].word &= ~plan.first[one, 2]


@compiled
def _comes_first(plan: Record, row: Record, best: Record) -> bool:
    """Which of two rows of equal time is the first: by the tie rule, then that of the lesser stream; -1 is none."""
    if tie_before(plan, row.word, best.word):
        return True
    if tie_before(plan, best.word, row.word):
        return False
    return row.stream >= 0 and (best.stream < 0 or row.stream < best.stream)


@compiled
def _choose(plan: Record, rows: Rows, found: RowNumbers, start: int, end: int) -> None:
    """Marks what counts among a unit's attempts [start, end): all that stand, or the one that stands for it."""
    chosen = -1
    for i in range(start, end):
        if found[i, DROPPED]:
            continue
        if plan.count_attempts:
            found[i, COUNTED] = 1
        elif chosen < 0 or _stands_before(plan, rows, found[i], found[chosen]):
            chosen = i
    if chosen >= 0:
        found[chosen, COUNTED] = 1


@compiled
def _stands_before(plan: Record, rows: Rows, one: RowNumbers, chosen: RowNumbers) -> bool:
    """Whether an attempt, later in stream and start order, still stands before the one chosen so far."""
    entered, other = rows[one[ENTRY]].time, rows[chosen[ENTRY]].time
    if plan.represent == BEST:
        return one[REACHED] > chosen[REACHED] or (one[REACHED] == chosen[REACHED] and entered < other)
    return entered < other if plan.represent == EARLIEST else entered > other
