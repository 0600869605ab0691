"""The walk, as semantics 3-7 say it, in plain Python: slow, obvious, and the judge of the compiled kernel.

Input is one unit's rows as *(time, word)* (see `plan`); output is its attempts. A property test holds `kernel` equal
to this module, and `explain` tells a unit's story with it, which is why an attempt here keeps its doors: what each
step allowed (`lo`, `hi`), what it took, and what stopped it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from doorstep.definitions.funnel import Status
from doorstep.matching.furthest import furthest_attempt
from doorstep.matching.plan import (
    FOREVER,
    AlternativePlan,
    Deadline,
    Dedupe,
    Plan,
    ReentryPlan,
    StepPlan,
    tie_key,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a stream: its time, its word, and ``index``, its place in what the caller handed in."""

    time: int
    word: int
    index: int

    def meets(self, bit: int) -> bool:
        """Whether the row meets the question of this bit."""
        return bool(self.word >> bit & 1)


@dataclass(frozen=True, slots=True)
class Door:
    """A required step as one attempt met it: the bounds it had, and the row it took if it was reached."""

    rank: int
    lo: int
    hi: int
    row: Row | None
    clock: int
    branch: int | None = None
    used: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of one stream. Ranks are of required steps; ``optional`` maps a step's position to its row.

    ``doors`` holds the whole walk from the entry on, the missed door last; ``reached`` and ``optional`` what counts of
    it (``effect: stop`` cuts both). ``excluded_by`` is the row that ended it and the rule's index.
    """

    stream: int
    entry: Row
    doors: tuple[Door, ...]
    status: Status
    ended: int
    reached: int
    dropped: bool
    optional: dict[int, Row] = field(default_factory=dict)
    excluded_by: tuple[Row, int] | None = None
    broken: bool = False
    """Whether a row that came between ended a consecutive attempt (`hi` is that row's time)."""
    cut_at: Row | None = None
    """The entry row that interrupted it."""
    could_start: Row | None = None
    """The next entry row that re-entry allowed, if any."""

    @property
    def entry_rank(self) -> int:
        """The rank of the step at which it started."""
        return self.doors[0].rank

    @property
    def passed(self) -> tuple[Door, ...]:
        """The doors that were reached, in the whole walk."""
        return tuple(door for door in self.doors if door.row is not None)

    @property
    def counted_doors(self) -> tuple[Door, ...]:
        """The doors that count: all that were reached, but for what an exclusion with ``effect: stop`` cut off."""
        return self.passed[: self.reached]

    @property
    def used(self) -> tuple[Row, ...]:
        """Every row that serves a step of this attempt."""
        return tuple(row for door in self.passed for row in door.used)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where entries may lie, half open, and the data horizon, inclusive; microseconds."""

    since: int = -FOREVER
    until: int = FOREVER
    as_of: int = FOREVER


def ordered(rows: Sequence[Row], plan: Plan) -> list[Row]:
    """By time; rows of equal time in the order in which the tie rule takes them."""
    return sorted(rows, key=lambda row: (row.time, *tie_key(plan, row.word)))


def walk_stream(rows: Sequence[Row], plan: Plan, bounds: Bounds, stream: int = 0) -> list[Attempt]:
    """Every attempt of one stream, in the order they started. ``rows``: all rows of the stream up to ``as_of``."""
    visible = ordered([row for row in rows if bounds.since <= row.time <= bounds.as_of], plan)
    if plan.furthest:
        found = furthest_attempt([row.time for row in visible], [row.word for row in visible], plan, bounds.until)
        return [] if found is None else [_from_furthest(found, visible, plan, bounds, stream)]
    return list(_Stream(visible, plan, bounds, stream).attempts())


class _Stream:
    """One stream while its attempts are found: the rows, and which of them are used up."""

    def __init__(self, rows: list[Row], plan: Plan, bounds: Bounds, stream: int) -> None:
        self.rows = rows
        self.plan = plan
        self.bounds = bounds
        self.stream = stream
        self.used: set[Row] = set()

    # -- semantics 4 and 6: where attempts start ------------------------------------------------------------------

    def attempts(self) -> Iterator[Attempt]:
        entries = [row for row in self.rows if row.word & self.plan.entry_mask and row.time < self.bounds.until]
        if self.plan.reentry == "always":
            yield from (self.attempt(entry, self.rows) for entry in entries)
            return
        entry = entries[0] if entries else None
        while entry is not None:
            attempt = self.attempt(entry, self.rows)
            following = self.next_entry(attempt, entries)
            if following is not None and not _has_ended(attempt, following):
                attempt = self.interrupted(attempt, following)
            self.used.update(attempt.used)
            yield replace(attempt, could_start=following)
            entry = following

    def next_entry(self, previous: Attempt, entries: list[Row]) -> Row | None:
        taken = self.used.union(previous.used)
        if self.plan.reentry == "never" or isinstance(self.plan.reentry, str):
            return None
        for row in entries:
            if row not in taken and any(self.allows(rule, previous, row) for rule in self.plan.reentry):
                return row
        return None

    def allows(self, rule: ReentryPlan, previous: Attempt, row: Row) -> bool:
        """Whether one object of semantics 6 lets ``row`` start the attempt after ``previous``."""
        if _has_ended(previous, row):
            if previous.status not in rule.after:
                return False
        elif not (rule.interrupt and row.time > previous.entry.time):
            return False
        if rule.no_within is not None and row.time < previous.entry.time + rule.no_within:
            return False
        if rule.inactive is not None and any(
            row.time - rule.inactive <= other.time < row.time and other.word & self.plan.step_mask
            for other in self.rows
        ):
            return False
        if rule.event_bit is not None and not any(
            previous.entry.time < other.time <= row.time and other.meets(rule.event_bit) for other in self.rows
        ):
            return False
        return rule.below is None or all(door.rank < rule.below for door in previous.passed)

    def interrupted(self, attempt: Attempt, by: Row) -> Attempt:
        """The attempt walked again over the rows before ``by`` alone."""
        cut = self.attempt(attempt.entry, [row for row in self.rows if row.time < by.time])
        if cut.status in ("excluded", "completed"):
            return replace(cut, cut_at=by)
        return replace(cut, status="interrupted", ended=by.time, cut_at=by)

    # -- semantics 3: one attempt -----------------------------------------------------------------------------------

    def attempt(self, entry: Row, rows: list[Row]) -> Attempt:
        taken = frozenset() if self.plan.reentry == "always" else frozenset(self.used)
        walk = _AnyOrderWalk if self.plan.order == "any" else _Walk
        return walk(self.plan, rows, taken, entry, self.bounds.as_of, self.stream).attempt()


def _has_ended(attempt: Attempt, row: Row) -> bool:
    """Whether the attempt is over when ``row`` comes."""
    if attempt.status == "open":
        return False
    if attempt.status == "expired" and not attempt.broken:
        return row.time > attempt.ended
    return row.time >= attempt.ended


class _Walk:
    """One attempt over the rows it may see; ``taken`` are the rows that earlier attempts used."""

    def __init__(self, plan: Plan, rows: list[Row], taken: frozenset[Row], entry: Row, as_of: int, stream: int) -> None:
        self.plan = plan
        self.rows = rows
        self.entry = entry
        self.as_of = as_of
        self.stream = stream
        self.used = set(taken)
        self.own: set[Row] = set()
        self.doors: dict[int, Door] = {}

    def attempt(self) -> Attempt:
        first = next(
            step for step in self.plan.required if self.plan.entry_mask >> step.bit & 1 and self.entry.meets(step.bit)
        )
        assert first.rank is not None
        self.take(
            Door(
                first.rank,
                self.entry.time,
                self.entry.time,
                self.entry,
                self.entry.time,
                self.branch_of_entry(first),
                (self.entry,),
            )
        )
        missed: Door | None = None
        for step in self.plan.required[first.rank + 1 :]:
            door = self.door(step)
            if door.row is None:
                missed = door
                break
            self.take(door)
        return self.judge(missed)

    def take(self, door: Door) -> None:
        self.doors[door.rank] = door
        self.used.update(door.used)
        self.own.update(door.used)

    def branch_of_entry(self, step: StepPlan) -> int | None:
        return next((index for index, one in enumerate(step.alternatives) if self.entry.meets(one.bit)), None)

    def door(self, step: StepPlan) -> Door:
        """The next required step: its bounds, and the row it takes."""
        assert step.rank is not None
        previous = self.doors[step.previous]
        hi, broken_at = self.latest(step.deadline, previous.clock), self.first_later(previous.clock)
        if self.plan.order == "consecutive":
            hi = min(hi, broken_at)
        lo = previous.clock + step.min_gap
        if step.out_of_order is not None:
            before = self.doors.get(previous.rank - 1)
            lo = previous.clock - step.out_of_order
            if before is not None:
                lo = max(lo, before.clock)
        pick = self.pick(
            self.candidates(lo, hi, previous.clock, lambda row: self.branch(step, row, previous.clock) is not None),
            step.dedupe,
            previous,
        )
        options: list[tuple[int, int, tuple[Row, ...]]] = []
        if pick is not None:
            branch = self.branch(step, pick, previous.clock)
            options.append((max(pick.time, previous.clock), -1 if branch is None else branch, (pick,)))
        for index, alternative in enumerate(step.alternatives):
            walked = self.sub_walk(alternative, previous, hi) if alternative.steps else None
            if walked:
                options.append((walked[-1].time, index, walked))
        if not options:
            bounds = [self.latest(one.deadline, previous.clock) for one in step.alternatives]
            if bounds and all(one.deadline.limited for one in step.alternatives):
                hi = min(hi, max(bounds))
            return Door(step.rank, lo, hi, None, previous.clock)
        clock, branch_index, rows = min(options, key=lambda option: option[:2])
        return Door(step.rank, lo, hi, rows[-1], clock, None if branch_index < 0 else branch_index, rows)

    def latest(self, deadline: Deadline, previous_clock: int, siblings: Sequence[Row] = ()) -> int:
        """The least of anchor + length over all windows; a window on a step that was not reached is ignored."""
        bounds = [previous_clock + deadline.after_prev, self.entry.time + deadline.after_entry]
        bounds += [self.doors[rank].clock + length for rank, length in deadline.named if rank in self.doors]
        bounds += [siblings[index].time + length for index, length in deadline.siblings]
        return min(bounds)

    def first_later(self, clock: int) -> int:
        return next((row.time for row in self.rows if row.time > clock), FOREVER)

    def branch(self, step: StepPlan, row: Row, previous_clock: int) -> int | None:
        """Which single-event alternative the row matches in time: the first declared; -1 for a step without any."""
        if not row.meets(step.bit):
            return None
        if not step.alternatives:
            return -1
        for index, one in enumerate(step.alternatives):
            if not one.steps and row.meets(one.bit) and row.time <= self.latest(one.deadline, previous_clock):
                return index
        return None

    def candidates(
        self,
        lo: int,
        hi: int,
        previous_clock: int,
        matches: Callable[[Row], bool],
        besides: Sequence[Row] = (),
    ) -> list[Row]:
        return [
            row
            for row in self.rows
            if lo <= row.time <= hi
            and row not in self.used
            and row not in besides
            and not (self.plan.forbid_ties and row.time == previous_clock)
            and matches(row)
        ]

    def pick(self, candidates: list[Row], dedupe: Dedupe, previous: Door | Row) -> Row | None:
        """What `dedupe` takes; among rows of equal time the one that the tie rule puts first."""
        if not candidates:
            return None
        if dedupe == "first":
            return candidates[0]
        if dedupe == "last":
            time = candidates[-1].time
        else:
            anchor = (
                previous.time if isinstance(previous, Row) else previous.row.time if previous.row else previous.clock
            )
            time = min(candidates, key=lambda row: (abs(row.time - anchor), -row.time)).time
        return next(row for row in candidates if row.time == time)

    def sub_walk(self, alternative: AlternativePlan, previous: Door, hi: int) -> tuple[Row, ...] | None:
        """A branch of several steps, walked from the previous step's clock; the rows it takes, or None."""
        rows: list[Row] = []
        clock, anchor = previous.clock, previous.row
        assert anchor is not None
        for sub in alternative.steps:
            bound = min(hi, self.latest(sub.deadline, clock, rows))
            candidates = self.candidates(clock + sub.min_gap, bound, clock, _meets(sub.bit), rows)
            picked = self.pick(candidates, sub.dedupe, anchor)
            if picked is None:
                return None
            rows.append(picked)
            clock, anchor = picked.time, picked
        return tuple(rows)

    # -- status, exclusions (5), optional steps -----------------------------------------------------------------------

    def judge(self, missed: Door | None) -> Attempt:
        doors = tuple(self.doors.values())
        last = doors[-1].clock
        status: Status
        if missed is None:
            status, ended = "completed", last
        elif self.as_of > missed.hi:
            status, ended = "expired", max(missed.hi, last)
        else:
            status, ended = "open", FOREVER
        reached, dropped, hit = len(doors), False, self.exclusion(missed)
        if hit is not None:
            row, _, dropped = hit
            status, ended = "excluded", row.time
            if not dropped:
                reached = sum(1 for door in doors if door.clock <= row.time)
        optional = {
            step.position: shown
            for step in self.plan.optional
            if (shown := self.optional_row(step, missed)) is not None
        }
        if hit is not None and not dropped:
            optional = {position: row for position, row in optional.items() if row.time <= hit[0].time}
        return Attempt(
            stream=self.stream,
            entry=self.entry,
            doors=(*doors, missed) if missed else doors,
            status=status,
            ended=ended,
            reached=reached,
            dropped=dropped,
            optional=optional,
            excluded_by=None if hit is None else hit[:2],
            broken=missed is not None and self.plan.order == "consecutive" and missed.hi == self.first_later(last),
        )

    def exclusion(self, missed: Door | None) -> tuple[Row, int, bool] | None:
        """The earliest row that an exclusion hits, its rule, and whether any hit drops the attempt."""
        hits: list[tuple[int, int, Row, bool]] = []
        for index, rule in enumerate(self.plan.exclusions):
            after, before = self.doors.get(rule.after), self.doors.get(rule.before)
            if after is None:
                continue
            if before is not None:
                end = before.clock - 1
            else:
                assert missed is not None
                end = min(missed.hi, self.as_of)
            rows = [
                row
                for row in self.rows
                if after.clock < row.time <= end and row.meets(rule.bit) and row not in self.own
            ]
            hits += [(row.time, index, row, rule.drop) for row in rows[:1]]
        if not hits:
            return None
        _, index, row, _ = min(hits, key=lambda hit: hit[:2])
        return row, index, any(drop for *_, drop in hits)

    def optional_row(self, step: StepPlan, missed: Door | None) -> Row | None:
        previous, following = self.doors.get(step.previous), self.doors.get(step.previous + 1)
        if previous is None:
            return None
        if following is not None:
            end = following.clock
        else:
            is_last = step.previous + 1 == len(self.plan.required)
            end = self.as_of if is_last or missed is None else min(missed.hi, self.as_of)
        end = min(end, self.latest(step.deadline, previous.clock))
        return next(
            (
                row
                for row in self.rows
                if previous.clock <= row.time <= end
                and row not in self.used
                and self.branch(step, row, previous.clock) is not None
            ),
            None,
        )


def _meets(bit: int) -> Callable[[Row], bool]:
    return lambda row: row.meets(bit)


class _AnyOrderWalk(_Walk):
    """`order: any`: rows in time order, each given to the lowest-numbered unfilled step it matches."""

    def attempt(self) -> Attempt:
        hi = self.entry.time + self.plan.window
        filled: list[Door] = []
        for row in [
            self.entry,
            *(row for row in self.rows if self.entry.time <= row.time <= hi and row != self.entry),
        ]:
            if row in self.used:
                continue
            for step in self.plan.required:
                assert step.rank is not None
                if step.rank not in self.doors and row.meets(step.bit):
                    door = Door(step.rank, self.entry.time, hi, row, row.time, self.any_branch(step, row), (row,))
                    self.doors[step.rank] = door
                    filled.append(door)
                    break
        last = filled[-1].clock
        if len(filled) == len(self.plan.required):
            status, ended = "completed", last
        elif self.as_of > hi:
            status, ended = "expired", hi
        else:
            status, ended = "open", FOREVER
        missed = (
            ()
            if status == "completed"
            else tuple(
                Door(step.rank, self.entry.time, hi, None, last)
                for step in self.plan.required
                if step.rank not in self.doors and step.rank is not None
            )[:1]
        )
        return Attempt(self.stream, self.entry, (*filled, *missed), status, ended, len(filled), dropped=False)  # type: ignore[arg-type]

    def any_branch(self, step: StepPlan, row: Row) -> int | None:
        return next((index for index, one in enumerate(step.alternatives) if row.meets(one.bit)), None)


def _from_furthest(found: tuple[list[int], int], rows: list[Row], plan: Plan, bounds: Bounds, stream: int) -> Attempt:
    path, latest = found
    taken = [rows[index] for index in path]
    clocks = [row.time for row in taken]
    doors = [
        Door(
            rank,
            clocks[max(rank - 1, 0)],
            FOREVER,
            row,
            row.time,
            _alternative_of(plan.required[rank], row),
            (row,),
        )
        for rank, row in enumerate(taken)
    ]
    status: Status = "open" if latest >= bounds.as_of else "expired"
    ended = FOREVER if status == "open" else latest
    if len(taken) == len(plan.required):
        status, ended = "completed", clocks[-1]
    return Attempt(stream, taken[0], tuple(doors), status, ended, len(taken), dropped=False)


def _alternative_of(step: StepPlan, row: Row) -> int | None:
    return next((index for index, one in enumerate(step.alternatives) if row.meets(one.bit)), None)


# -- a unit: its streams, and which attempt stands for it (semantics 1 and 8) --------------------------------------


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit's row before the unit is split: ``stream`` numbers the `hold_constant` values in order; -1: null."""

    time: int
    word: int
    stream: int = 0


@dataclass(frozen=True, slots=True)
class Walked:
    """A unit's attempts, numbered as they started, and which of them count."""

    attempts: tuple[Attempt, ...]
    counted: tuple[bool, ...]
    vanished: bool = False


def walk_unit(rows: Sequence[UnitRow], plan: Plan, bounds: Bounds, *, first_time: bool = False) -> Walked:
    """Everything that happens to one unit (a session counts as one). ``rows``: all its rows left by `exclude`."""
    known = [Row(row.time, row.word, index) for index, row in enumerate(rows) if row.time <= bounds.as_of]
    if plan.vanish_bit is not None and any(row.meets(plan.vanish_bit) for row in known):
        return Walked((), (), vanished=True)
    known = only_firsts(known, [row.stream for row in rows], plan)
    streams: dict[int, list[Row]] = {}
    for row in known:
        if rows[row.index].stream >= 0:
            streams.setdefault(rows[row.index].stream, []).append(row)
    if first_time:
        entries = [row.time for stream in streams.values() for row in stream if row.word & plan.entry_mask]
        if not entries or not bounds.since <= min(entries) < bounds.until:
            return Walked((), ())
    attempts = [attempt for key in sorted(streams) for attempt in walk_stream(streams[key], plan, bounds, key)]
    if plan.count_attempts:
        counted = [not attempt.dropped for attempt in attempts]
    else:
        chosen = representative(attempts, plan)
        counted = [index == chosen for index in range(len(attempts))]
    return Walked(tuple(attempts), tuple(counted))


def only_firsts(rows: list[Row], streams: Sequence[int], plan: Plan) -> list[Row]:
    """Takes the bits of a `first_time` step from every row but the unit's first (semantics 2). ``streams``: by
    `Row.index`. Of rows of equal time and word the one of the least stream is first, one of no stream last.
    """
    words = {row: row.word for row in rows}
    rows = sorted(rows, key=lambda row: (streams[row.index] < 0, streams[row.index]))
    for first in plan.firsts:
        among = ordered([row for row in rows if row.meets(first.among_bit)], plan)
        earliest = [row for row in among if row.time == among[0].time and row.meets(first.position)]
        for row in rows:
            if not earliest or row != earliest[0]:
                words[row] &= ~first.cleared
    return [replace(row, word=words[row]) for row in rows]


def representative(attempts: Sequence[Attempt], plan: Plan) -> int | None:
    """Which attempt stands for the unit; a draw goes to the least stream, then to the attempt started first."""
    standing = [(index, attempt) for index, attempt in enumerate(attempts) if not attempt.dropped]
    if not standing:
        return None
    match plan.represent:
        case "best":
            return min(standing, key=lambda one: (-one[1].reached, one[1].entry.time, one[0]))[0]
        case "first":
            return min(standing, key=lambda one: (one[1].entry.time, one[0]))[0]
        case "last":
            return min(standing, key=lambda one: (-one[1].entry.time, one[1].stream, one[0]))[0]


def sessions(rows: Sequence[UnitRow], gap: int) -> list[list[UnitRow]]:
    """A unit's rows cut where the silence is greater than ``gap`` microseconds."""
    by_time = sorted(rows, key=lambda row: row.time)
    starts = [
        0,
        *(index for index, (one, two) in enumerate(pairwise(by_time), start=1) if two.time - one.time > gap),
    ]
    return [by_time[start:end] for start, end in pairwise([*starts, len(by_time)])] if by_time else []
