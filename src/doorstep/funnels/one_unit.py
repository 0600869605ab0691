"""One unit's events through the reference walk: what explanations and examples are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from doorstep.definitions.funnel import Funnel, Selector
from doorstep.matching.conditions import look_up, meets, word_of
from doorstep.matching.plan import Plan, Question
from doorstep.matching.reference import Attempt, Bounds, UnitRow, Walked, sessions, walk_unit
from doorstep.rows.identities import spelled
from doorstep.stitching import Link, stitch


@dataclass(frozen=True, slots=True)
class UnitEvent:
    """One row of the unit, with the properties that the definition looks at; microseconds UTC."""

    time: int
    event: str
    properties: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Session:
    """One walked unit: a whole unit, or one of its sessions (``number`` from 1; 0: units are not sessions).

    ``events`` are those that the walk was given, in the order that `Row.index` refers to.
    """

    number: int
    events: tuple[UnitEvent, ...]
    walked: Walked


def excluded_by(funnel: Funnel, event: UnitEvent) -> Selector | None:
    """The rule of `exclude` that takes the row away, if any."""
    return next((rule for rule in funnel.exclude if selects(rule, event)), None)


def selects(rule: Selector, event: UnitEvent) -> bool:
    """Whether the row has the selector's event and passes its filters."""
    return meets(Question(rule.event, rule.condition), event.event, event.properties)


def _held(funnel: Funnel, event: UnitEvent) -> tuple[tuple[int, str], ...] | None:
    """The values to hold constant, comparable in their order (whole numbers by size); None when one is missing."""
    values = [look_up(event.properties, name) for name in funnel.hold_constant]
    if None in values:
        return None
    texts = [spelled(value) for value in values]
    return tuple((int(text), "") if text.removeprefix("-").isdecimal() else (0, text) for text in texts)


def units_of(funnel: Funnel, events: Sequence[UnitEvent], as_of: int) -> list[str | None]:
    """For each row the name of the unit that it is stitched to, or of the account that is of (docs/identity.md); the
    funnel stitches its ids.
    """
    ids = [_Ids.of(funnel, one) for one in events]
    visible = [
        (one, event.time)
        for one, event in zip(ids, events, strict=True)
        if event.time <= as_of and excluded_by(funnel, event) is None
    ]
    found = stitch(
        [Link(one.anonymous, one.known, time) for one, time in visible if one.known and one.anonymous],
        members=[_Joined(one.account, one.known, one.anonymous, time) for one, time in visible if one.account],
    )
    units = [found.unit_of(one.known, one.anonymous, event.time) for one, event in zip(ids, events, strict=True)]
    if funnel.account is None:
        return units
    return [
        one.account or found.account_of(unit, event.time) for one, unit, event in zip(ids, units, events, strict=True)
    ]


class _Joined(NamedTuple):
    account_id: str
    user_id: str | None
    anonymous_id: str | None
    time: int


class _Ids(NamedTuple):
    """The ids of a row; an empty text is none."""

    known: str | None
    anonymous: str | None
    account: str | None

    @classmethod
    def of(cls, funnel: Funnel, event: UnitEvent) -> _Ids:
        stitching = funnel.stitch
        assert stitching is not None
        names = (stitching.known, stitching.anonymous, funnel.account)
        return cls(*(None if name is None else _id(look_up(event.properties, name)) for name in names))


def _id(value: object) -> str | None:
    return None if value is None else spelled(value) or None


def of_first_unit(funnel: Funnel, events: Sequence[UnitEvent], as_of: int) -> list[UnitEvent]:
    """Of rows that may hold the ids that the funnel stitches, those of the unit that the first one named belongs to;
    all of them, where none holds any.
    """
    units = [None for _ in events] if funnel.stitch is None else units_of(funnel, events, as_of)
    first = next((unit for unit in units if unit is not None), None)
    return [one for one, unit in zip(events, units, strict=True) if unit == first]


def walk_events(
    funnel: Funnel, plan: Plan, events: Sequence[UnitEvent], bounds: Bounds, *, first_time: bool = False
) -> tuple[Session, ...]:
    """The unit's sessions, or the unit as one, each with its attempts."""
    kept = [one for one in events if one.time <= bounds.as_of and excluded_by(funnel, one) is None]
    kept.sort(key=lambda one: one.time)
    held = [_held(funnel, one) for one in kept]
    numbers = {values: number for number, values in enumerate(sorted({one for one in held if one is not None}))}
    rows = [
        UnitRow(one.time, word_of(plan.questions, one.event, one.properties), -1 if values is None else numbers[values])
        for one, values in zip(kept, held, strict=True)
    ]
    if plan.session_gap is None:
        return (Session(0, tuple(kept), walk_unit(rows, plan, bounds, first_time=first_time)),)
    found, start = [], 0
    for number, part in enumerate(sessions(rows, plan.session_gap), start=1):
        walked = walk_unit(part, plan, bounds, first_time=first_time)
        found.append(Session(number, tuple(kept[start : start + len(part)]), walked))
        start += len(part)
    return tuple(found)


def representative(walked: Walked) -> Attempt | None:
    """The attempt that stands for the unit: the one that counts, else the first of all."""
    for attempt, counted in zip(walked.attempts, walked.counted, strict=True):
        if counted:
            return attempt
    return walked.attempts[0] if walked.attempts else None
