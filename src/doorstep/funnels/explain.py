"""One unit's story: each attempt, the row that filled each step, the rows that did not, and the rule against them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from doorstep.definitions.durations import format_duration
from doorstep.definitions.funnel import Funnel, Selector, SessionOf, Step, branch_label
from doorstep.definitions.reading import load
from doorstep.engines.duckdb import Engine, engine
from doorstep.engines.query import needs_of
from doorstep.engines.stitching import UNIT, stitched, unit_identities
from doorstep.errors import RunError
from doorstep.funnels.bounds import Instant, microseconds_of, zone_of
from doorstep.funnels.one_unit import Session, UnitEvent, excluded_by, selects, walk_events
from doorstep.funnels.result import instant, json_value
from doorstep.funnels.run import bounds_of, refuse_impossible, refuse_unknown_names
from doorstep.matching.conditions import look_up, refusal
from doorstep.matching.plan import FOREVER, Plan, StepPlan, compile_plan
from doorstep.matching.reference import Attempt, Bounds, Door, Row
from doorstep.rows import EventRows, open_rows, reading
from doorstep.stitching.units import ANONYMOUS

MOST_REFUSED: Final = 12
"""How many refused rows are told one by one per step; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that might have served a step, and why it did not."""

    at: str
    event: str
    why: str


@dataclass(frozen=True, slots=True)
class StepStory:
    """A step as one attempt met it. ``deadline`` says until when it could be reached, or that it has no limit."""

    id: int | str
    name: str
    optional: bool
    reached: bool
    at: str | None
    event: str | None
    after_previous: str | None
    branch: str | None
    deadline: str | None
    refused: tuple[Refused, ...]
    more_refused: int


@dataclass(frozen=True, slots=True)
class AttemptStory:
    """One attempt. ``next`` says what became of the entry rows after it."""

    number: int
    session: int
    entered_at: str
    status: str
    counted: bool
    reached: int
    summary: str
    steps: tuple[StepStory, ...]
    next: tuple[Refused, ...]
    held: Mapping[str, object]
    """The values of `hold_constant` that the attempt belongs to."""


@dataclass(frozen=True, slots=True)
class Story:
    """Everything about one unit. ``excluded``: rows that `exclude` took away."""

    unit: str
    rows: int
    as_of: str | None
    summary: str
    attempts: tuple[AttemptStory, ...]
    excluded: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: what ``doorstep explain --json`` prints."""
        return asdict(self)


def explain(
    funnel: Funnel | str | Path | Mapping[str, object],
    source: object,
    unit: str,
    *,
    since: Instant = None,
    until: Instant = None,
    as_of: Instant = None,
    timezone: str = "UTC",
    first_time: bool = False,
    columns: Mapping[str, str] | None = None,
    source_timezone: str = "UTC",
) -> Story:
    """Tells the story of one unit in a run with the same arguments (see `run`). ``unit`` is as in `attempts`, the name
    of a session or of its unit (of stitched ids the user's id, which has the rows of its anonymous ids and other names
    too). RunError ``no-such-unit`` when no row belongs to it.
    """
    definition = funnel if isinstance(funnel, Funnel) else load(funnel)
    zone = zone_of(timezone)
    plan = compile_plan(definition)
    needs = needs_of(definition, plan, None)
    refuse_unknown_names(columns, needs)
    with engine() as running:
        rows = open_rows(running.connection, source, columns=columns, source_timezone=source_timezone, needs=needs)
        low, high = microseconds_of(since, "since", zone), microseconds_of(until, "until", zone)
        bounds = bounds_of(rows, low, high, microseconds_of(as_of, "as_of", zone))
        refuse_impossible(running, definition, plan, rows)
        names = tuple(dict.fromkeys((*needs.hold, *sorted(needs.properties))))
        rows = stitched(running, rows, definition, bounds)
        name, number = _session_name(definition, unit)
        events = _events(running, rows, definition, name, names)
    return tell(definition, plan, unit, events, bounds, first_time=first_time, session=number)


def _session_name(funnel: Funnel, unit: str) -> tuple[str, int | None]:
    name, mark, number = unit.rpartition("#")
    if isinstance(funnel.count_by, SessionOf) and mark and number.isdigit():
        return name, int(number)
    return unit, None


def _events(running: Engine, rows: EventRows, funnel: Funnel, unit: str, names: tuple[str, ...]) -> list[UnitEvent]:
    columns = [rows.identity_text(column) for column in unit_identities(funnel)]
    wanted: list[str] = [unit]
    where = f"{columns[0]} = $p0"
    if len(columns) > 1:
        try:
            wanted = [str(value) for value in json.loads(unit)]
        except (ValueError, TypeError):
            wanted = []
        where = " AND ".join(f"{column} = $p{n}" for n, column in enumerate(columns))
        if len(wanted) != len(columns):
            shown = json.dumps(list(funnel.unit_columns))
            raise RunError(
                "no-such-unit", f'{unit!r} is not a unit of {shown}. Write its values as a JSON list: \'["a", "b"]\'.'
            )
    places = [(name, value) for name in names for value in rows.values(name)]
    selects_ = [f"CAST({value.sql} AS VARCHAR)" if value.kind == "json" else value.sql for _, value in places]
    statement = f"SELECT {', '.join([rows.event, rows.time, *selects_])} FROM {rows.relation} WHERE {where}"
    with reading(rows.description):
        found = running.connection.execute(statement, {f"p{n}": value for n, value in enumerate(wanted)}).fetchall()
    if not found:
        raise _no_such_unit(running, rows, funnel, unit)
    return [UnitEvent(time, event, _properties(places, values)) for event, time, *values in found]


def _no_such_unit(running: Engine, rows: EventRows, funnel: Funnel, unit: str) -> RunError:
    """Says of an id that is stitched whose it is."""
    stitch = funnel.stitch
    ids = () if stitch is None else (stitch.anonymous, stitch.known)
    columns = unit_identities(funnel) if stitch is None else (funnel.account or stitch.known,)
    for column in ids:
        statement = (
            f"SELECT DISTINCT {rows.identity(UNIT)} AS unit FROM {rows.relation}"
            f" WHERE {rows.identity_text(column)} = $p0 AND unit IS NOT NULL ORDER BY unit LIMIT 5"
        )
        with reading(rows.description):
            found = running.connection.execute(statement, {"p0": unit.removeprefix(ANONYMOUS)}).fetchall()
        if found:
            names = " or ".join(repr(name) for (name,) in found)
            return RunError(
                "no-such-unit", f"{unit!r} is an id of {column}, whose rows are those of {names}. Ask for that."
            )
    return RunError(
        "no-such-unit",
        f"no row of {rows.description} has {', '.join(columns)} {unit!r}. Look at the `unit` column of --attempts for "
        "names.",
    )


def _properties(places: list[tuple[str, Any]], values: list[object]) -> dict[str, object]:
    properties: dict[str, object] = {}
    for (name, place), value in zip(places, values, strict=True):
        if value is not None and properties.get(name) is None:
            properties[name] = json.loads(value) if place.kind == "json" and isinstance(value, str) else value
    return properties


# -- the story -------------------------------------------------------------------------------------------------------


def tell(
    funnel: Funnel,
    plan: Plan,
    unit: str,
    events: list[UnitEvent],
    bounds: Bounds,
    *,
    first_time: bool = False,
    session: int | None = None,
) -> Story:
    """The story of these rows, which are all of one unit."""
    sessions = walk_events(funnel, plan, events, bounds, first_time=first_time)
    chosen = [one for one in sessions if session is None or one.number == session]
    if session is not None and not chosen:
        raise RunError(
            "no-such-unit",
            f"{unit!r} is no session: {unit.rpartition('#')[0]} has {len(sessions)} of them, numbered from 1. "
            "Look at the `unit` column of --attempts for names.",
        )
    teller = _Teller(funnel, plan, events, bounds)
    attempts = [story for one in chosen for story in teller.attempts(one)]
    events = events if session is None else _during(events, chosen[0])
    excluded = sum(excluded_by(funnel, event) is not None for event in events)
    return Story(
        unit=unit,
        rows=len(events),
        as_of=instant(bounds.as_of),
        summary=_summary(funnel, plan, chosen, attempts, events, excluded, first_time),
        attempts=tuple(attempts),
        excluded=excluded,
    )


def _during(events: list[UnitEvent], session: Session) -> list[UnitEvent]:
    """The rows of a session, and those that `exclude` took away while it went on."""
    first, last = session.events[0].time, session.events[-1].time
    return [event for event in events if first <= event.time <= last]


def _summary(
    funnel: Funnel,
    plan: Plan,
    sessions: list[Session],
    attempts: list[AttemptStory],
    events: list[UnitEvent],
    excluded: int,
    first_time: bool,
) -> str:
    if any(one.walked.vanished for one in sessions):
        return "The unit has a row that `exclude_units` names, so it counts nowhere."
    if attempts:
        counted = [one for one in attempts if one.counted]
        steps = len(plan.required)
        if not counted:
            return "No attempt counts: each was dropped by an exclusion."
        best = max(counted, key=lambda one: one.reached)
        which = "one attempt, which is" if len(attempts) == 1 else f"{len(attempts)} attempts, the counted one"
        return f"Counts with {best.reached} of {steps} steps; {which} {best.status}."
    if excluded == len(events):
        return "Every row is taken away by `exclude`, so the unit counts nowhere."
    entries = [funnel.steps[position].label for position in funnel.entry_positions]
    why = " (or its first ever entry lies outside it: the run asks for first-time entries)" if first_time else ""
    return f"No attempt: no row that counts enters by {' or '.join(entries)} within the range{why}."


class _Teller:
    """Finds words for what the reference walk did."""

    def __init__(self, funnel: Funnel, plan: Plan, events: list[UnitEvent], bounds: Bounds) -> None:
        self.funnel = funnel
        self.plan = plan
        self.events = sorted(events, key=lambda one: one.time)
        self.bounds = bounds

    def attempts(self, session: Session) -> Iterator[AttemptStory]:
        walked = session.walked
        serves: dict[int, str] = {}
        for number, (attempt, counted) in enumerate(zip(walked.attempts, walked.counted, strict=True), start=1):
            before = dict(serves) if self.plan.reentry != "always" else {}
            for door in attempt.passed:
                for row in door.used:
                    serves[row.index] = f"step {self.step(door.rank).id} of attempt {number}"
            own = {index: text for index, text in serves.items() if index in {row.index for row in attempt.used}}
            yield AttemptStory(
                number=number,
                session=session.number,
                entered_at=_shown(attempt.entry.time),
                status=attempt.status,
                counted=counted,
                reached=attempt.reached,
                summary=self.summary(attempt, session, counted),
                steps=tuple(self.steps(attempt, session, before | own)),
                next=tuple(self.after(attempt, session, walked.attempts[number:], serves)),
                held={
                    name: json_value(look_up(self.event(session, attempt.entry).properties, name))
                    for name in self.funnel.hold_constant
                },
            )

    def step(self, rank: int) -> Step:
        return self.funnel.steps[self.funnel.required[rank]]

    def event(self, session: Session, row: Row) -> UnitEvent:
        return session.events[row.index]

    def summary(self, attempt: Attempt, session: Session, counted: bool) -> str:
        tail = "" if counted else " It does not count for the unit: another attempt stands for it."
        if attempt.dropped:
            tail = " It counts nowhere."
        if attempt.excluded_by is not None:
            row, rule = attempt.excluded_by
            named = self.funnel.exclude_between[rule]
            event = self.event(session, row).event
            return (
                f"Excluded by {event} at {_shown(row.time)}, which lies between steps {named.after} and {named.before}"
                f" (effect: {named.effect}).{tail}"
            )
        if attempt.cut_at is not None:
            event = self.event(session, attempt.cut_at).event
            return f"Cut short by {event} at {_shown(attempt.cut_at.time)}, which started again.{tail}"
        match attempt.status:
            case "completed":
                return f"Completed at {_shown(attempt.ended)}.{tail}"
            case "open":
                return f"Still open: the next step may yet come.{tail}"
            case _:
                return f"Stopped: the next step did not come in time.{tail}"

    def steps(self, attempt: Attempt, session: Session, serves: dict[int, str]) -> Iterator[StepStory]:
        doors = {door.rank: door for door in attempt.doors}
        rank = -1
        for position, step in enumerate(self.funnel.steps):
            if step.optional:
                shown = attempt.optional.get(position)
                yield self.story(step, shown, None, None, session)
                continue
            rank += 1
            if rank < attempt.entry_rank and self.plan.order != "any":
                continue
            door = doors.get(rank)
            if door is None:
                if self.plan.order == "any":
                    yield self.story(step, None, None, None, session)
                    continue
                break
            refused = tuple(self.refused(attempt, door, session, serves)) if not self.plan.furthest else ()
            if door.row is not None and door not in attempt.counted_doors and attempt.excluded_by is not None:
                cut = Refused(
                    _shown(door.row.time), self.event(session, door.row).event, self.stopped(attempt, session)
                )
                yield self.story(step, None, None, None, session, (*refused, cut))
                continue
            yield self.story(step, door.row, door, attempt, session, refused)
            if door.row is None and self.plan.order != "any":
                break

    def stopped(self, attempt: Attempt, session: Session) -> str:
        assert attempt.excluded_by is not None
        row, rule = attempt.excluded_by
        effect = self.funnel.exclude_between[rule].effect
        came = f"{self.event(session, row).event} at {_shown(row.time)}"
        return f"{came} had stopped the attempt (exclude_between, effect: {effect})"

    def story(
        self,
        step: Step,
        row: Row | None,
        door: Door | None,
        attempt: Attempt | None,
        session: Session,
        refused: tuple[Refused, ...] = (),
    ) -> StepStory:
        after = None
        if row is not None and door is not None and attempt is not None and row is not attempt.entry:
            after = self.after_previous(door, attempt)
        branch = None
        if door is not None and door.branch is not None and door.row is not None:
            branch = branch_label(step.any_of[door.branch])
        return StepStory(
            id=step.id,
            name=step.label,
            optional=step.optional,
            reached=row is not None,
            at=None if row is None else _shown(row.time),
            event=None if row is None else self.event(session, row).event,
            after_previous=after,
            branch=branch,
            deadline=None if door is None or row is not None else self.deadline(door),
            refused=refused[:MOST_REFUSED],
            more_refused=max(0, len(refused) - MOST_REFUSED),
        )

    def after_previous(self, door: Door, attempt: Attempt) -> str:
        assert door.row is not None
        previous = [one for one in attempt.passed if one.rank < door.rank] or list(attempt.passed[:1])
        gap = door.row.time - (previous[-1].clock if previous else attempt.entry.time)
        return f"{_length(gap)} later" if gap >= 0 else f"{_length(-gap)} earlier"

    def deadline(self, door: Door) -> str:
        if door.hi >= FOREVER // 2:
            return "no window: it may still come"
        if self.bounds.as_of > door.hi:
            return f"the deadline {_shown(door.hi)} has passed"
        return f"open until {_shown(door.hi)}"

    # -- rows that a step refused ------------------------------------------------------------------------------------

    def refused(self, attempt: Attempt, door: Door, session: Session, serves: dict[int, str]) -> Iterator[Refused]:
        """Rows of the step's events that it did not take, from the entry's instant (or its lower bound) on."""
        if door.row is attempt.entry:
            return
        step = self.step(door.rank)
        plan = self.plan.required[door.rank]
        index_of = {id(event): index for index, event in enumerate(session.events)}
        taken = {row.index for row in door.used}
        for event in self.events:
            index = index_of.get(id(event))
            if index in taken or event.time < min(attempt.entry.time, door.lo) or not _names(step, event):
                continue
            if door.row is not None and event.time > door.row.time:
                continue
            why = self.elsewhere(attempt, session, event, index) or self.why_not(
                attempt, door, step, plan, event, None if index is None else serves.get(index)
            )
            yield Refused(_shown(event.time), event.event, why)

    def elsewhere(self, attempt: Attempt, session: Session, event: UnitEvent, index: int | None) -> str | None:
        """Why the attempt could not even see the row; None when it could."""
        if excluded_by(self.funnel, event) is not None:
            return "`exclude` takes it away: it never counts"
        if event.time > self.bounds.as_of:
            return "it lies after the data horizon (as_of)"
        if event.time < self.bounds.since:
            return "it lies before the range (since)"
        if index is None:
            return "it lies in another session"
        entry = session.events[attempt.entry.index]
        for name in self.funnel.hold_constant:
            value, held = look_up(event.properties, name), look_up(entry.properties, name)
            if value != held:
                return f"{name} is {value!r}, and is held constant at {held!r}"
        if attempt.cut_at is not None and event.time >= attempt.cut_at.time:
            return "the attempt had been cut short by then"
        return None

    def why_not(
        self, attempt: Attempt, door: Door, step: Step, plan: StepPlan, event: UnitEvent, serving: str | None
    ) -> str:
        parts = _selectors(step)
        if not any(selects(part, event) for part in parts):
            told = [refusal(part.condition, event.properties) for part in parts if part.names(event.event)]
            return next((text for text in told if text), "it does not pass the filters")
        if serving is not None:
            return f"it already serves {serving}"
        previous = self.previous(attempt, door)
        if event.time < door.lo:
            if step.min_gap:
                gap, asked = _unlike(event.time - previous.clock, step.min_gap), format_duration(step.min_gap)
                return f"it came {gap} after {self.label(previous)}; at least {asked} is asked"
            return f"it came before {self.label(previous)}"
        if event.time > door.hi:
            return self.too_late(attempt, door, plan, event, previous)
        if self.plan.forbid_ties and event.time == previous.clock:
            return f"it has the same time as {self.label(previous)}, and ties are forbidden"
        if step.first_time:
            return "it is not the unit's first such row (first_time)"
        if door.row is None:
            return "it came too late for the alternative that it is"
        return f"another row was taken (dedupe: {step.dedupe})"

    def previous(self, attempt: Attempt, door: Door) -> Door:
        before = [one for one in attempt.passed if one.rank < door.rank]
        return before[-1] if before else attempt.doors[0]

    def label(self, door: Door) -> str:
        return self.step(door.rank).label

    def too_late(self, attempt: Attempt, door: Door, plan: StepPlan, event: UnitEvent, previous: Door) -> str:
        windows = [(previous.clock, plan.deadline.after_prev, self.label(previous))]
        windows.append((attempt.entry.time, plan.deadline.after_entry, "the entry"))
        clocks = {one.rank: one.clock for one in attempt.passed}
        windows += [
            (clocks[rank], length, self.step(rank).label) for rank, length in plan.deadline.named if rank in clocks
        ]
        anchor, length, name = min(windows, key=lambda one: one[0] + one[1])
        if anchor + length > door.hi:
            return f"a row at {_shown(door.hi)} came between, and the order is {self.plan.order}"
        return f"it came {_unlike(event.time - anchor, length)} after {name}; the window is {format_duration(length)}"

    # -- what became of later entry rows -----------------------------------------------------------------------------

    def after(
        self, attempt: Attempt, session: Session, following: tuple[Attempt, ...], serves: dict[int, str]
    ) -> Iterator[Refused]:
        later = [one for one in following if one.stream == attempt.stream]
        end = later[0].entry.time if later else FOREVER
        used = {row.index for row in attempt.used}
        for index, event in enumerate(session.events):
            entering = [p for p in self.funnel.entry_positions if _enters(self.funnel.steps[p], event)]
            if not entering or index in used or not attempt.entry.time <= event.time <= end:
                continue
            if later and index == later[0].entry.index:
                yield Refused(_shown(event.time), event.event, f"it started the next attempt: {self.allowed(attempt)}")
                return
            if index in serves and event.time < end:
                continue
            yield Refused(_shown(event.time), event.event, f"no new attempt: {self.blocked(attempt, event)}")

    def allowed(self, attempt: Attempt) -> str:
        if self.plan.reentry == "always":
            return "re-entry is always allowed"
        if attempt.cut_at is not None:
            return "re-entry may interrupt an active attempt"
        return f"the previous one was {attempt.status}, and re-entry allows it"

    def blocked(self, attempt: Attempt, event: UnitEvent) -> str:
        if event.time >= self.bounds.until:
            return "it lies at or after the end of the range"
        if isinstance(self.plan.reentry, str):
            return "re-entry is never allowed"
        if self.plan.furthest:
            return "match: furthest reports one attempt"
        return "; or ".join(self.blocked_by(attempt, event, number) for number in range(len(self.plan.reentry)))

    def blocked_by(self, attempt: Attempt, event: UnitEvent, number: int) -> str:
        rule = self.plan.reentry[number]
        assert not isinstance(rule, str)
        over = attempt.status != "open" and event.time >= attempt.ended
        if not over and not rule.interrupt:
            return "the attempt was still active"
        if over and attempt.status not in rule.after:
            return f"re-entry asks that the attempt was {' or '.join(sorted(rule.after))}; it was {attempt.status}"
        gap = event.time - attempt.entry.time
        if rule.no_within is not None and gap < rule.no_within:
            came, asked = _unlike(gap, rule.no_within), format_duration(rule.no_within)
            return f"it came {came} after the previous entry; re-entry asks for {asked}"
        if rule.below is not None and any(door.rank >= rule.below for door in attempt.passed):
            return f"the attempt had reached step {self.step(rule.below).id}, and re-entry asks that it had not"
        if rule.inactive is not None:
            return f"some step was active in the {format_duration(rule.inactive)} before it"
        if rule.event_bit is not None:
            return "the event that re-entry asks for had not come since the previous entry"
        return "the row came with the entry or was not free"


def _selectors(step: Step) -> tuple[Selector, ...]:
    """Everything a row may match to match the step."""
    return tuple(part for one in step.any_of for part in (one.steps or (one,))) or (step,)


def _names(step: Step, event: UnitEvent) -> bool:
    return any(part.names(event.event) for part in _selectors(step))


def _enters(step: Step, event: UnitEvent) -> bool:
    return any(selects(part, event) for part in (step.any_of or (step,)))


def _shown(microseconds: int) -> str:
    found = instant(microseconds)
    assert found is not None
    return found


def _length(microseconds: int) -> str:
    """``8d 2h``: the two greatest units."""
    if abs(microseconds) < 1_000_000:
        return f"{microseconds / 1000:g}ms" if microseconds else "0s"
    parts, rest = [], microseconds // 1_000_000
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def _unlike(microseconds: int, asked: int) -> str:
    """As `_length`, but to the microsecond where rounding would make it look like ``asked``."""
    rounded = _length(microseconds)
    if microseconds == asked or rounded != _length(asked):
        return rounded
    whole, rest = divmod(microseconds, 1_000_000)
    parts = [format_duration(whole * 1_000_000)] if whole else []
    return " and ".join([*parts, f"{rest:,} µs"] if rest else parts)
