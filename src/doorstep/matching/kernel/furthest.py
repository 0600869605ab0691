"""`match: furthest`: the deepest chain of rows in a stream (semantics 7).

A chain is a choice of rows for steps 1..k. ``best[i, level]`` is the latest entry of a chain of ``level`` + 1 steps
that ends at row ``walk.first + i``. Windows only bound from above, so of two chains the one with the later end and the
later entry can do all the other can; chains that end later have entries no earlier, so one pass finds every depth. Only
rows of one instant compete: there distinct rows are found for a run of steps by augmenting paths.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from doorstep.matching.kernel.attempt import single_branch
from doorstep.matching.kernel.layout import ALTERNATIVE_WINDOWS, COMPLETED, EXPIRED, OPEN
from doorstep.matching.kernel.rows import end_of_instant, lower, meets, start_of_instant, upper
from doorstep.matching.kernel.state import UNREACHED, Record, Rows, compiled
from doorstep.matching.plan import FOREVER

Room = namedtuple("Room", ["best", "owner", "wanted_by", "barred"])
"""Space for one stream: ``best`` (rows x steps), and per row of an instant the step it serves, the step for whose sake
this round looked at it, and whether it may not be used."""


@compiled
def room_for(plan: Record, rows: int) -> Room:
    """Space for streams of so many rows."""
    return Room(
        np.empty((rows, plan.required_steps), np.int64),
        np.empty(rows, np.int32),
        np.empty(rows, np.int32),
        np.empty(rows, np.uint8),
    )


@compiled
def furthest(plan: Record, walk: Record, rows: Rows, room: Room) -> bool:
    """The deepest chain and its reported rows, left in ``walk``; False without an entry row."""
    ranks = plan.required_steps
    walk.last_time[:ranks] = UNREACHED
    walk.last_entry[:ranks] = UNREACHED
    depth, end_row, latest = 0, -1, UNREACHED
    start = walk.first
    while start < walk.end and not rows[start].word & plan.entry_mask:
        start += 1
    if start < walk.end:  # nothing before the first entry's instant is in any chain
        start = walk.first = start_of_instant(rows, start, walk.first)
    while start < walk.end and depth < ranks:
        end = end_of_instant(rows, start, walk.end)
        if end - start == 1:
            reached, row = _extend_alone(plan, walk, rows, start, room), start
        else:
            room.best[start - walk.first : end - walk.first, :] = UNREACHED
            if plan.forbid_ties:
                for one in range(start, end):
                    _extend(plan, walk, rows, one, room)
            else:
                _extend_together(plan, walk, rows, start, end, room)
            reached, row = _settle(plan, walk, rows, start, end, room)
        if reached > depth:
            depth, end_row = reached, row
        for level in range(min(depth, ranks - 1)):
            if walk.last_time[level] == rows[start].time:
                latest = max(latest, _deadline(plan, walk, level))
        start = end
    if depth == 0:
        return False
    _report(plan, walk, rows, depth, end_row, room)
    walk.entry_rank = walk.dropped = 0
    walk.reached = depth
    walk.entry_time = rows[walk.entry].time
    if depth == ranks:
        walk.status, walk.ended = COMPLETED, rows[end_row].time
    else:
        walk.status, walk.ended = OPEN if latest >= walk.as_of else EXPIRED, latest
    return True


@compiled
def _bound(plan: Record, window: int, previous: int, entry: int) -> int:
    return min(previous + plan.after_prev[window], entry + plan.after_entry[window])


@compiled
def _may_follow(plan: Record, rows: Rows, rank: int, row: int, previous: int, entry: int) -> bool:
    """Whether the row may serve step ``rank`` after a row at ``previous``, in a chain with this entry."""
    step, at = plan.required[rank], rows[row].time
    if not meets(rows, row, step) or at > _bound(plan, step, previous, entry):
        return False
    if plan.alternatives[step] == plan.alternatives[step + 1]:
        return True
    for one in range(plan.alternatives[step], plan.alternatives[step + 1]):
        if meets(rows, row, plan.alternative_bit[one]) and at <= _bound(
            plan, ALTERNATIVE_WINDOWS + one, previous, entry
        ):
            return True
    return False


@compiled
def _deadline(plan: Record, walk: Record, level: int) -> int:
    """Until when the last chain of ``level`` + 1 steps may go on."""
    previous, entry, step = walk.last_time[level], walk.last_entry[level], plan.required[level + 1]
    hi = _bound(plan, step, previous, entry)
    latest = UNREACHED
    for one in range(plan.alternatives[step], plan.alternatives[step + 1]):
        latest = max(latest, _bound(plan, ALTERNATIVE_WINDOWS + one, previous, entry))
    return hi if latest == UNREACHED else min(hi, latest)


# -- one instant -----------------------------------------------------------------------------------------------------


@compiled
def _extend(plan: Record, walk: Record, rows: Rows, row: int, room: Room) -> None:
    """Chains of earlier instants go on to a row that need not share its instant."""
    if not rows[row].word & plan.step_mask:
        return
    line = row - walk.first
    if meets(rows, row, plan.required[0]) and rows[row].time < walk.until:
        room.best[line, 0] = rows[row].time
    for level in range(1, plan.required_steps):
        previous, entry = walk.last_time[level - 1], walk.last_entry[level - 1]
        if entry > UNREACHED and _may_follow(plan, rows, level, row, previous, entry):
            room.best[line, level] = entry


@compiled
def _extend_alone(plan: Record, walk: Record, rows: Rows, row: int, room: Room) -> int:
    """The same for a row that has its instant to itself, settled at once: the length of the longest chain it ends.
    From the last step down, so that chains of earlier instants are what is gone on from.
    """
    line, at, longest = row - walk.first, rows[row].time, 0
    for level in range(plan.required_steps - 1, -1, -1):
        entry = UNREACHED
        if meets(rows, row, plan.required[level]):
            if level == 0:
                entry = at if at < walk.until else UNREACHED
            elif walk.last_entry[level - 1] > UNREACHED and _may_follow(
                plan, rows, level, row, walk.last_time[level - 1], walk.last_entry[level - 1]
            ):
                entry = walk.last_entry[level - 1]
        room.best[line, level] = entry
        if entry > UNREACHED:
            walk.last_time[level], walk.last_entry[level] = at, entry
            longest = max(longest, level + 1)
    return longest


@compiled
def _settle(plan: Record, walk: Record, rows: Rows, start: int, end: int, room: Room) -> tuple[int, int]:
    """Makes the chains that end in this instant the last ones of their length: (greatest length, its first row)."""
    at, depth, first_row = rows[start].time, 0, -1
    for row in range(start, end):
        for level in range(plan.required_steps):
            entry = room.best[row - walk.first, level]
            if entry > UNREACHED:
                if walk.last_time[level] < at or entry > walk.last_entry[level]:
                    walk.last_entry[level] = entry
                walk.last_time[level] = at
                if level + 1 > depth:
                    depth, first_row = level + 1, row
    return depth, first_row


@compiled
def _extend_together(plan: Record, walk: Record, rows: Rows, start: int, end: int, room: Room) -> None:
    """Chains through several rows of one instant: steps first..level need distinct rows of it."""
    at = rows[start].time
    _bar_copies(plan, rows, start, end, room)
    for first in range(plan.required_steps):
        previous, entry = at, at
        if first > 0:
            previous, entry = walk.last_time[first - 1], walk.last_entry[first - 1]
        if entry == UNREACHED or (first == 0 and at >= walk.until):
            continue
        for level in range(first, plan.required_steps):
            some = False
            for row in range(start, end):
                if room.best[row - walk.first, level] >= entry:
                    some = True
                elif _fills(plan, rows, first, level, row, start, end, previous, entry, room):
                    room.best[row - walk.first, level] = entry
                    some = True
            if not some:
                break


@compiled
def _bar_copies(plan: Record, rows: Rows, start: int, end: int, room: Room) -> None:
    """Of rows alike in word and time no chain needs more than it has steps; a robot's thousands are left out."""
    copies = 0
    for row in range(start, end):
        copies = copies + 1 if row > start and rows[row].word == rows[row - 1].word else 0
        room.barred[row - start] = copies >= plan.required_steps


@compiled
def _fills(
    plan: Record,
    rows: Rows,
    first: int,
    level: int,
    last: int,
    start: int,
    end: int,
    previous: int,
    entry: int,
    room: Room,
) -> bool:
    """Whether distinct rows of the instant can serve steps ``first``..``level``, the last of them row ``last``.

    Step ``first`` follows a row at ``previous``, the others a row of this instant.
    """
    if room.barred[last - start]:
        return False
    at = rows[start].time
    if level == 0:
        return meets(rows, last, plan.required[0])
    if not _may_follow(plan, rows, level, last, previous if level == first else at, entry):
        return False
    room.owner[: end - start] = -1
    room.barred[last - start] = 1
    filled = True
    for rank in range(first, level):
        room.wanted_by[: end - start] = -1
        if not _assign(plan, rows, rank, first, start, end, previous, entry, room):
            filled = False
            break
    room.barred[last - start] = 0
    return filled


@compiled
def _assign(
    plan: Record, rows: Rows, rank: int, first: int, start: int, end: int, previous: int, entry: int, room: Room
) -> bool:
    """Finds a row of the instant for step ``rank``, moving rows given to other steps over where that helps.

    Breadth first: ``wanting`` holds steps in want of a row, ``wanted_by`` the step for whose sake a row was looked at.
    """
    wanting = np.empty(plan.required_steps + 1, np.int64)
    wanting[0] = rank
    head, tail = 0, 1
    while head < tail:
        step = wanting[head]
        head += 1
        for row in range(start, end):
            line = row - start
            if room.wanted_by[line] >= 0 or room.barred[line]:
                continue
            if step == 0:
                if not meets(rows, row, plan.required[0]):
                    continue
            elif not _may_follow(plan, rows, step, row, previous if step == first else rows[start].time, entry):
                continue
            room.wanted_by[line] = step
            if room.owner[line] >= 0:
                wanting[tail] = room.owner[line]
                tail += 1
                continue
            # A free row: hand it to the step that wanted it, that step's old row to the one before, back to `rank`.
            taker = step
            while True:
                given = -1
                for other in range(end - start):
                    if room.owner[other] == taker:
                        given = other
                room.owner[line] = taker
                if taker == rank:
                    return True
                line = given
                taker = room.wanted_by[line]
    return False


# -- the rows to report ----------------------------------------------------------------------------------------------


@compiled
def _report(plan: Record, walk: Record, rows: Rows, depth: int, end_row: int, room: Room) -> None:
    """From the earliest row that reaches the depth, backwards the latest feasible row of each step."""
    walk.step_row[: plan.steps] = -1
    walk.branch[: plan.required_steps] = -1
    following = end_row
    walk.step_row[plan.required[depth - 1]] = end_row
    for level in range(depth - 2, -1, -1):
        following = _row_before(plan, walk, rows, level, depth, following, room)
        walk.step_row[plan.required[level]] = following
    for level in range(depth):
        step = plan.required[level]
        walk.branch[level] = single_branch(plan, rows, step, walk.step_row[step])
    walk.entry = walk.step_row[plan.required[0]]


@compiled
def _row_before(plan: Record, walk: Record, rows: Rows, level: int, depth: int, following: int, room: Room) -> int:
    at = rows[following].time
    end = lower(rows, at, walk.first, walk.end) if plan.forbid_ties else upper(rows, at, walk.first, walk.end)
    while end > walk.first:
        start = start_of_instant(rows, end - 1, walk.first)
        _bar_copies(plan, rows, start, end, room)
        for later in range(level + 1, depth):
            row = walk.step_row[plan.required[later]]
            if start <= row < end:
                room.barred[row - start] = 1
        for row in range(start, end):
            if (
                room.best[row - walk.first, level] > UNREACHED
                and _may_follow(plan, rows, level + 1, following, rows[row].time, at)
                and _chain_ends_at(plan, walk, rows, level, depth, row, start, end, room)
            ):
                return row
        end = start
    return -1


@compiled
def _chain_ends_at(
    plan: Record, walk: Record, rows: Rows, level: int, depth: int, last: int, start: int, end: int, room: Room
) -> bool:
    """Whether a chain of ``level`` + 1 steps can end at row ``last`` of the instant [start, end), without barred rows
    and with an entry late enough for the rows reported so far. Tries each step as the chain's first in this instant.
    """
    at = rows[start].time
    need = _entry_needed(plan, walk, rows, level, depth, last)
    for first in range(level, -1, -1):
        previous, entry = at, at
        if first > 0:
            before = _best_before(plan, walk, rows, first - 1, start, room)
            previous, entry = UNREACHED, UNREACHED
            if before >= 0:
                previous, entry = rows[before].time, room.best[before - walk.first, first - 1]
        elif at >= walk.until:
            entry = UNREACHED
        if (
            entry > UNREACHED
            and entry >= need
            and _fills(plan, rows, first, level, last, start, end, previous, entry, room)
        ):
            return True
        if plan.forbid_ties:
            return False
    return False


@compiled
def _best_before(plan: Record, walk: Record, rows: Rows, level: int, start: int, room: Room) -> int:
    """Of the last instant before ``start`` that ends chains of ``level`` + 1 steps, the row with the latest entry."""
    for row in range(start - 1, walk.first - 1, -1):
        if room.best[row - walk.first, level] > UNREACHED:
            latest = row
            for other in range(row - 1, start_of_instant(rows, row, walk.first) - 1, -1):
                if room.best[other - walk.first, level] > room.best[latest - walk.first, level]:
                    latest = other
            return latest
    return -1


@compiled
def _entry_needed(plan: Record, walk: Record, rows: Rows, level: int, depth: int, row: int) -> int:
    """The earliest entry with which every row reported so far stays within its windows after the entry.

    Of a step's alternatives the one asking least counts, among those in time by their windows after the previous step.
    """
    needed, previous = UNREACHED, rows[row].time
    for rank in range(level + 1, depth):
        step = plan.required[rank]
        following = walk.step_row[step]
        at = rows[following].time
        needed = max(needed, at - plan.after_entry[step])
        least = FOREVER
        for one in range(plan.alternatives[step], plan.alternatives[step + 1]):
            window = ALTERNATIVE_WINDOWS + one
            if meets(rows, following, plan.alternative_bit[one]) and at <= previous + plan.after_prev[window]:
                least = min(least, at - plan.after_entry[window])
        if plan.alternatives[step] < plan.alternatives[step + 1]:
            needed = max(needed, least)
        previous = at
    return needed
