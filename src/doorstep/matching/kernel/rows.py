"""Rows in order, and rows found fast. Indexes are into the array of rows; "none" is -1 unless it is an end."""

from __future__ import annotations

from typing import Final

import numpy as np

from doorstep.matching.kernel.state import Record, RowNumbers, Rows, compiled

TOP_BIT: Final = -(1 << 63)
"""Flipping it makes signed comparison of words unsigned."""

MANY: Final = 64
"""From so many rows on, sorting and looking up by lists costs less than by hand."""


@compiled
def lower(rows: Rows, wanted: int, start: int, end: int) -> int:
    """The first index in [start, end) whose time is >= wanted; ``end`` when there is none."""
    while start < end:
        middle = (start + end) >> 1
        if rows[middle].time < wanted:
            start = middle + 1
        else:
            end = middle
    return start


@compiled
def upper(rows: Rows, wanted: int, start: int, end: int) -> int:
    """The first index in [start, end) whose time is > wanted; ``end`` when there is none."""
    while start < end:
        middle = (start + end) >> 1
        if rows[middle].time <= wanted:
            start = middle + 1
        else:
            end = middle
    return start


@compiled
def meets(rows: Rows, row: int, bit: int) -> bool:
    """Whether the row meets the question of this bit."""
    return (rows[row].word >> bit) & 1 == 1


@compiled
def tie_before(plan: Record, one: int, other: int) -> bool:
    """Whether the tie rule puts word ``one`` strictly before ``other`` (semantics 1)."""
    for group in range(plan.tie_groups):
        left, right = one & plan.ties[group], other & plan.ties[group]
        if left == right:
            continue
        if left == 0:
            return False
        if right == 0:
            return True
        low_left, low_right = (left & -left) ^ TOP_BIT, (right & -right) ^ TOP_BIT
        if low_left != low_right:
            return low_left < low_right
        return (left ^ TOP_BIT) < (right ^ TOP_BIT)
    return False


@compiled
def _insert(rows: Rows, row: int, target: int) -> None:
    """Moves one row down to ``target``; those between move up by one."""
    time, word, place, stream = rows[row].time, rows[row].word, rows[row].place, rows[row].stream
    for i in range(row, target, -1):
        rows[i].time, rows[i].word = rows[i - 1].time, rows[i - 1].word
        rows[i].place, rows[i].stream = rows[i - 1].place, rows[i - 1].stream
    rows[target].time, rows[target].word, rows[target].place, rows[target].stream = time, word, place, stream


@compiled
def _rearrange(rows: Rows, start: int, order: RowNumbers) -> None:
    """Puts row ``start + order[i]`` at ``start + i``."""
    copy = rows[start : start + len(order)].copy()
    for i in range(len(order)):
        rows[start + i] = copy[order[i]]


@compiled
def sort_by_time(rows: Rows, start: int, end: int) -> None:
    """By time; rows of equal time keep their order."""
    i = start + 1
    while i < end and rows[i].time >= rows[i - 1].time:
        i += 1
    if i >= end:
        return
    if end - start > MANY:
        times = np.empty(end - start, np.int64)
        for i in range(end - start):
            times[i] = rows[start + i].time
        _rearrange(rows, start, np.argsort(times, kind="mergesort"))
        return
    for i in range(start + 1, end):
        j = i
        while j > start and rows[j - 1].time > rows[i].time:
            j -= 1
        if j < i:
            _insert(rows, i, j)


@compiled
def sort_by_stream(rows: Rows, start: int, end: int) -> None:
    """By stream; rows of one stream keep their order."""
    i = start + 1
    while i < end and rows[i].stream >= rows[i - 1].stream:
        i += 1
    if i >= end:
        return
    streams = np.empty(end - start, np.int32)
    for i in range(end - start):
        streams[i] = rows[start + i].stream
    _rearrange(rows, start, np.argsort(streams, kind="mergesort"))


@compiled
def sort_ties(plan: Record, rows: Rows, start: int, end: int) -> None:
    """Rows of equal time into the order in which the tie rule takes them; [start, end) is one stream, by time."""
    while start < end:
        after = end_of_instant(rows, start, end)
        if after - start > MANY:
            _sort_big_tie(plan, rows, start, after)
        else:
            for i in range(start + 1, after):
                j = i
                while j > start and tie_before(plan, rows[i].word, rows[j - 1].word):
                    j -= 1
                if j < i:
                    _insert(rows, i, j)
        start = after


@compiled
def sort_by_value(rows: Rows, start: int, end: int, codes: RowNumbers) -> None:
    """By time, and rows of equal time by the numbers that ``codes`` has at their place, column by column."""
    sort_by_time(rows, start, end)
    while start < end:
        after = end_of_instant(rows, start, end)
        if after - start > MANY:
            ranks = np.empty(after - start, np.int32)
            for column in range(codes.shape[1] - 1, -1, -1):
                for i in range(after - start):
                    ranks[i] = codes[rows[start + i].place, column]
                _rearrange(rows, start, np.argsort(ranks, kind="mergesort"))
        else:
            for i in range(start + 1, after):
                j = i
                while j > start and _less(codes, rows[i].place, rows[j - 1].place):
                    j -= 1
                if j < i:
                    _insert(rows, i, j)
        start = after


@compiled
def _less(codes: RowNumbers, one: int, other: int) -> bool:
    for column in range(codes.shape[1]):
        if codes[one, column] != codes[other, column]:
            return codes[one, column] < codes[other, column]
    return False


@compiled
def _sort_big_tie(plan: Record, rows: Rows, start: int, end: int) -> None:
    """As `tie_before` has it, by stable sorts from the least part of the key to the greatest."""
    matched = np.empty(end - start, np.int64)
    for group in range(plan.tie_groups - 1, -1, -1):
        for i in range(end - start):
            matched[i] = (rows[start + i].word & plan.ties[group]) ^ TOP_BIT
        _rearrange(rows, start, np.argsort(matched, kind="mergesort"))
        for i in range(end - start):
            word = rows[start + i].word & plan.ties[group]
            matched[i] = (word & -word) ^ TOP_BIT if word != 0 else ~TOP_BIT
        _rearrange(rows, start, np.argsort(matched, kind="mergesort"))


@compiled
def end_of_instant(rows: Rows, start: int, end: int) -> int:
    """The first index after ``start``, at most ``end``, whose time is another."""
    after = start + 1
    while after < end and rows[after].time == rows[start].time:
        after += 1
    return after


@compiled
def start_of_instant(rows: Rows, row: int, start: int) -> int:
    """The first index, at least ``start``, whose time is that of ``row``."""
    while row > start and rows[row - 1].time == rows[row].time:
        row -= 1
    return row


@compiled
def list_by_bit(plan: Record, walk: Record, rows: Rows, none: RowNumbers) -> RowNumbers:
    """For a long stream, the rows that meet each question, one list after another; ``none`` for a short one.

    Without it a robot's million rows would be scanned once for each of its attempts.
    """
    start, end = walk.first, walk.end
    walk.listed = end - start > MANY
    if not walk.listed:
        return none
    total = 0
    for bit in range(plan.questions):
        walk.list_start[bit] = total
        for i in range(start, end):
            total += (rows[i].word >> bit) & 1
    walk.list_start[plan.questions] = total
    lists = np.empty(total, np.int32)
    filled = 0
    for bit in range(plan.questions):
        for i in range(start, end):
            if (rows[i].word >> bit) & 1:
                lists[filled] = i
                filled += 1
    return lists


@compiled
def _position(lists: RowNumbers, row: int, start: int, end: int) -> int:
    """The first index in [start, end) whose row number is >= row."""
    while start < end:
        middle = (start + end) >> 1
        if lists[middle] < row:
            start = middle + 1
        else:
            end = middle
    return start


@compiled
def next_with(walk: Record, rows: Rows, lists: RowNumbers, bit: int, row: int, end: int) -> int:
    """The first row in [row, end) that meets the question of ``bit``; ``end`` when there is none."""
    if walk.listed:
        stop = walk.list_start[bit + 1]
        found = _position(lists, row, walk.list_start[bit], stop)
        return min(lists[found], end) if found < stop else end
    while row < end and not (rows[row].word >> bit) & 1:
        row += 1
    return row


@compiled
def last_with(walk: Record, rows: Rows, lists: RowNumbers, bit: int, row: int, start: int) -> int:
    """The last row in [start, row] that meets the question of ``bit``; -1 when there is none."""
    if walk.listed:
        begin = walk.list_start[bit]
        found = _position(lists, row + 1, begin, walk.list_start[bit + 1]) - 1
        return lists[found] if found >= begin and lists[found] >= start else -1
    while row >= start and not (rows[row].word >> bit) & 1:
        row -= 1
    return row if row >= start else -1
