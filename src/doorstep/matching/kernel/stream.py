"""The attempts of one stream: where each starts, and what cuts it short (semantics 4 and 6)."""

from __future__ import annotations

from doorstep.matching.kernel.attempt import attempt, release
from doorstep.matching.kernel.layout import ALWAYS, COMPLETED, EXCLUDED, EXPIRED, INTERRUPTED, OPEN, RULES
from doorstep.matching.kernel.rows import lower
from doorstep.matching.kernel.state import (
    COUNTED,
    DROPPED,
    ENDED_HIGH,
    ENDED_LOW,
    ENTRY,
    ENTRY_RANK,
    REACHED,
    SESSION,
    STATUS,
    STEP_ROWS,
    STREAM,
    UNIT,
    UNREACHED,
    Record,
    RowNumbers,
    Rows,
    compiled,
)


@compiled
def stream_attempts(
    plan: Record,
    walk: Record,
    rows: Rows,
    lists: RowNumbers,
    found: RowNumbers,
    count: int,
    unit: int,
    session: int,
) -> int:
    """Every attempt of the stream [walk.first, walk.end), written into ``found`` from ``count`` on; the new count."""
    first, end = walk.first, walk.end
    stream = rows[first].stream
    for i in range(first, end):
        rows[i].used = 0
    entry = first
    walk.stamp = 0
    while entry < end and rows[entry].time < walk.until:
        if not rows[entry].word & plan.entry_mask:
            entry += 1
            continue
        walk.entry = entry
        walk.stamp += 1
        attempt(plan, walk, rows, lists)
        following = end
        if plan.reentry == ALWAYS:
            following = entry + 1
        elif plan.reentry == RULES:
            following = _next_entry(plan, walk, rows)
            if following < end and not _has_ended(walk, rows[following].time):
                release(walk, rows)
                walk.end = lower(rows, rows[following].time, first, end)
                attempt(plan, walk, rows, lists)
                walk.end = end
                if walk.status not in (COMPLETED, EXCLUDED):
                    walk.status, walk.ended = INTERRUPTED, rows[following].time
        record(plan, walk, found[count], unit, session, stream)
        count += 1
        entry = following
    return count


@compiled
def _has_ended(walk: Record, at: int) -> bool:
    """Whether the attempt is over when a row comes at this time."""
    if walk.status == OPEN:
        return False
    return at > walk.ended if walk.status == EXPIRED and not walk.broken else at >= walk.ended


@compiled
def _next_entry(plan: Record, walk: Record, rows: Rows) -> int:
    """The first row that some object of `reentry` allows to start the next attempt; ``walk.end`` for none.

    Rows are asked in order, so the last instant before a row in which any row matched a step, and the re-entry events
    seen since the previous entry, are carried along instead of looked for again.
    """
    walk.event_seen[: plan.rules] = 0
    row = lower(rows, walk.entry_time, walk.first, walk.end)
    ahead, active = row, UNREACHED
    for i in range(row - 1, walk.first - 1, -1):
        if rows[i].word & plan.step_mask:
            active = rows[i].time
            break
    instant = instant_active = UNREACHED
    while row < walk.end and rows[row].time < walk.until:
        at = rows[row].time
        if at > instant:
            active = max(active, instant_active)
            instant = at
        while ahead < walk.end and rows[ahead].time <= at:
            if rows[ahead].time > walk.entry_time:
                _see_events(plan, walk, rows, ahead)
            if rows[ahead].word & plan.step_mask:
                instant_active = rows[ahead].time
            ahead += 1
        if rows[row].word & plan.entry_mask and rows[row].used == 0:
            ended = _has_ended(walk, at)
            for rule in range(plan.rules):
                if _allows(plan, walk, rule, ended, at, active):
                    return row
        row += 1
    return walk.end


@compiled
def _see_events(plan: Record, walk: Record, rows: Rows, row: int) -> None:
    for rule in range(plan.rules):
        bit = plan.rule[rule, 3]
        if bit >= 0 and (rows[row].word >> bit) & 1:
            walk.event_seen[rule] = 1


@compiled
def _allows(plan: Record, walk: Record, rule: int, ended: bool, at: int, active: int) -> bool:
    """Whether one object of semantics 6 lets an entry row at ``at`` start the next attempt."""
    endings, no_within, inactive = plan.rule[rule, 0], plan.rule[rule, 1], plan.rule[rule, 2]
    event, below, interrupt = plan.rule[rule, 3], plan.rule[rule, 4], plan.rule[rule, 5]
    if ended:
        if not (endings >> walk.status) & 1:
            return False
    elif not interrupt or at <= walk.entry_time:
        return False
    if no_within >= 0 and at < walk.entry_time + no_within:
        return False
    if inactive >= 0 and active >= at - inactive:
        return False
    if event >= 0 and not walk.event_seen[rule]:
        return False
    return below < 0 or walk.highest < below


@compiled
def record(plan: Record, walk: Record, line: RowNumbers, unit: int, session: int, stream: int) -> None:
    """Writes the attempt in ``walk`` into a line of the table of attempts."""
    line[UNIT], line[SESSION], line[STREAM] = unit, session, stream
    line[ENTRY], line[ENTRY_RANK] = walk.entry, walk.entry_rank
    line[STATUS], line[REACHED], line[DROPPED], line[COUNTED] = walk.status, walk.reached, walk.dropped, 0
    lasted = -1 if walk.status == OPEN else walk.ended - walk.entry_time
    line[ENDED_HIGH], line[ENDED_LOW] = lasted >> 31, -1 if lasted < 0 else lasted & 0x7FFFFFFF
    for step in range(plan.steps):
        line[STEP_ROWS + step] = walk.step_row[step]
    for rank in range(plan.required_steps):
        line[STEP_ROWS + plan.steps + rank] = walk.branch[rank]
