"""Why an account is where it is, and what it still lacks for each later stage, in words (semantics 10)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from doorstep.definitions import journey_words, words
from doorstep.definitions.criteria import (
    Aged,
    Bounds,
    Count,
    Criterion,
    Distinct,
    Every,
    Nor,
    Some,
    Stayed,
    Sum,
    Trait,
    Used,
    criterion_of,
    leaves_of,
)
from doorstep.definitions.journey import Journey
from doorstep.definitions.reading import load_journey
from doorstep.engines.duckdb import engine
from doorstep.errors import RunError
from doorstep.funnels.bounds import Instant
from doorstep.funnels.result import instant
from doorstep.journeys.account import Account
from doorstep.journeys.given import Traits
from doorstep.journeys.histories import InexactError
from doorstep.journeys.lives import Unit, lives_of
from doorstep.journeys.reference import Dwells, History, Signals, State, Transition, walk
from doorstep.journeys.run import Opened, open_all, walk_opened
from doorstep.matching.conditions import refusal
from doorstep.rows import quoting

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Visit:
    """One transition: when, from where, to where, over which stages, by what."""

    occurred_at: str
    from_stage: str
    to_stage: str
    skipped: tuple[str, ...]
    cause: str
    because: tuple[str, ...]
    """How the criteria of the stage that was entered stood at that instant."""


@dataclass(frozen=True, slots=True)
class Lacks:
    """A later stage: whether its criteria hold, and how each of them stands."""

    stage: str
    holds: bool
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccountStory:
    """Everything about one account at an instant. ``stage`` None: it is not born."""

    unit: str
    at: str
    stage: str | None
    since: str | None
    born_at: str | None
    high_water: str | None
    rows: int
    summary: str
    visits: tuple[Visit, ...]
    stays: tuple[str, ...]
    """How the criteria of its present stage stand."""

    later: tuple[Lacks, ...]
    next_at: str | None
    """When, without any news, something may change next."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: what ``doorstep journey explain --json`` prints."""
        return asdict(self)


def explain_account(
    journey: Journey | str | Path | Mapping[str, object],
    source: object,
    unit: str,
    *,
    at: Instant = None,
    traits: object = None,
    columns: Mapping[str, str] | None = None,
    moves: object = None,
    timezone: str = "UTC",
    source_timezone: str = "UTC",
) -> AccountStory:
    """The story of one account at an instant (default: the time of the last row); arguments as for `replay`. RunError
    ``no-such-unit`` when neither rows nor traits are its.
    """
    life = life_of(journey, source, unit, at, traits, columns, moves, timezone, source_timezone)
    return tell(life.journey, unit, life.account, life.until, life.history)


LONG: Final = 2_000
"""From so many rows on, the kernel finds an account's history: the reference looks at all rows at every instant."""


@dataclass(frozen=True, slots=True)
class Life:
    """Everything known of one account up to a horizon; ``history`` where it was found already."""

    journey: Journey
    account: Account
    until: int
    history: History | None


def life_of(
    journey: Journey | str | Path | Mapping[str, object],
    source: object,
    unit: str,
    at: Instant,
    traits: object,
    columns: Mapping[str, str] | None,
    moves: object,
    timezone: str,
    source_timezone: str,
) -> Life:
    """The journey, everything known of one account, and the horizon. RunError ``no-such-unit``."""
    definition = journey if isinstance(journey, Journey) else load_journey(journey)
    values = values_of(definition, unit)
    with engine() as running:
        opened = open_all(
            running, definition, source, traits, at, columns, moves, timezone, source_timezone, spelt=True
        )
        lives = lives_of(running, opened.query, opened.traits, opened.moves, [values])
        if values not in lives:
            raise RunError(
                "no-such-unit",
                f"neither rows nor traits are those of {unit!r} up to {instant(opened.query.until)}. "
                "Look at the `unit` column of accounts for names.",
            )
        account = lives[values].until(opened.query.until)
        known = _by_kernel(opened, values, account) if len(account.rows) >= LONG else None
        return Life(definition, account, opened.query.until, known)


def _by_kernel(opened: Opened, unit: Unit, account: Account) -> History | None:
    """The history of a long life, as the reference would find it; None where a grace or moves by hand leave traces that
    the kernel does not tell.
    """
    journey, query = opened.query.journey, opened.query
    if account.moves or (journey.movement.backward and journey.movement.grace):
        return None
    texts = ", ".join(map(quoting.text, unit))
    keys = ", ".join(f"CAST({column} AS VARCHAR)" for column in query.unit_columns)
    query = replace(query, units=[f"CAST({sql} AS VARCHAR)" for sql in query.units], only=f"SELECT {texts}")
    traits = opened.traits
    if traits is not None:
        traits = Traits(f"(SELECT * FROM {traits.relation} WHERE ({keys}) IN (SELECT {texts}))", traits.values)
    try:
        walked = walk_opened(replace(opened, query=query, traits=traits, moves=None), plainly=False)
    except InexactError:
        return None
    born, stage, since, high, due = walked.accounts[0].tolist()
    if stage < 0:
        return None
    transitions = tuple(
        Transition(old, new, tuple(range(old + 1, new)) if skips else (), time, "criteria")
        for _, old, new, skips, time, _ in walked.lines.tolist()
    )
    found = History(born, transitions, high if high >= 0 else None, State(stage, since), due)
    if not transitions:
        return replace(found, state=State(stage, since, free=set(range(len(journey.stages)))))
    before = transitions[-2].occurred_at if len(transitions) > 1 else born
    kept = Telling(journey, account, found).dwells(transitions[-1].from_stage, before, since)
    return replace(found, state=State(stage, since, kept, free=set(range(len(journey.stages)))))


def values_of(journey: Journey, unit: str) -> tuple[str, ...]:
    """The values of the account's columns in its name; RunError ``no-such-unit``."""
    if len(journey.unit_columns) == 1:
        return (unit,)
    try:
        values = tuple(str(value) for value in json.loads(unit))
    except (ValueError, TypeError):
        values = ()
    if len(values) != len(journey.unit_columns):
        shown = json.dumps(list(journey.unit_columns))
        raise RunError(
            "no-such-unit", f'{unit!r} is not an account of {shown}. Write its values as a JSON list: \'["a", "b"]\'.'
        )
    return values


def tell(journey: Journey, unit: str, account: Account, until: int, history: History | None = None) -> AccountStory:
    """The story of an account whose life is known (``history``: where it was walked already)."""
    history = history or walk(journey, account, until)
    seen = account.until(until)
    if history is None:
        summary = "It is not born: it has no row yet, and its created_at is not known or has not come."
        return AccountStory(unit, _instant(until), None, None, None, None, len(seen.rows), summary, (), (), (), None)
    told = Telling(journey, seen, history)
    stage, state = journey.stages[history.state.stage], history.state
    past = until - state.since
    summary = f"It is in {stage.label} since {moment(state.since)}, for {_long(past)}."
    return AccountStory(
        unit=unit,
        at=_instant(until),
        stage=stage.id,
        since=instant(state.since),
        born_at=instant(history.born_at),
        high_water=None if history.high_water is None else journey.stages[history.high_water].id,
        rows=len(seen.rows),
        summary=summary,
        visits=tuple(told.visits()),
        stays=tuple(told.stays(until)),
        later=tuple(told.later(until)),
        next_at=instant(history.due) if history.due < 253_402_300_800_000_000 else None,
    )


class Telling:
    """How criteria stand over one account, in words."""

    def __init__(self, journey: Journey, account: Account, history: History) -> None:
        self.journey, self.history = journey, history
        self.signals = Signals(account, history.born_at)
        self.ids = [stage.id for stage in journey.stages]
        self.criteria = [criterion_of(journey, place) for place in range(len(self.ids))]
        self.stays_asked = [
            leaf for criterion in self.criteria for leaf in leaves_of(criterion) if isinstance(leaf, Stayed)
        ]

    def visits(self) -> Iterator[Visit]:
        """Every transition."""
        since = self.history.born_at
        for one in self.history.transitions:
            target = self.criteria[one.to_stage]
            stood = self.dwells(one.from_stage, since, one.occurred_at)
            because = () if one.cause == "manual" else tuple(self.points(target, one.occurred_at, stood))
            yield Visit(
                _instant(one.occurred_at),
                self.ids[one.from_stage],
                self.ids[one.to_stage],
                tuple(self.ids[place] for place in one.skipped),
                one.cause,
                because,
            )
            since = one.occurred_at

    def stays(self, time: int) -> Iterator[str]:
        """How the criteria of the present stage stand."""
        state, movement = self.history.state, self.journey.movement
        if state.stage == 0:
            return
        if not movement.backward:
            yield "once reached, it stays: the journey never leads back"
            return
        yield from self.points(self.criteria[state.stage], time, state.kept)
        if state.failing is not None:
            end = moment(state.failing + movement.grace)
            yield f"the criteria have been false since {moment(state.failing)}; it falls back on {end} unless they hold"

    def later(self, time: int) -> Iterator[Lacks]:
        """How those of each later stage stand."""
        state = self.history.state
        now = self.dwells(state.stage, state.since, time)
        for place in range(state.stage + 1, len(self.ids)):
            criterion = self.criteria[place]
            holds = self.signals.holds(criterion, time, now)
            points = tuple(self.points(criterion, time, now))
            if holds and place not in state.free:
                points += ("it holds since before the last move by hand, and must first fail",)
            elif holds:
                points += ("it holds, but stages between may not be passed over",)
            yield Lacks(self.ids[place], holds, points)

    def dwells(self, stage: int, since: int, time: int) -> Dwells:
        """What each `time_in_stage` is for an account in ``stage`` since then."""
        return {leaf: leaf.stage in (None, stage) and time >= since + leaf.least for leaf in self.stays_asked}

    def points(self, criterion: Criterion, time: int, dwells: Dwells) -> Iterator[str]:
        """A line for each part that must hold, with a sign of whether it does."""
        parts = criterion.of if isinstance(criterion, Every) else (criterion,)
        for part in parts:
            if isinstance(part, Every):
                yield from self.points(part, time, dwells)
                continue
            mark = "✓" if self.signals.holds(part, time, dwells) else "✗"
            yield f"{mark} {self.stands(part, time, dwells)}"

    def stands(self, criterion: Criterion, time: int, dwells: Dwells) -> str:
        """How a criterion stands."""
        match criterion:
            case Some():
                return "any of: " + "; or ".join(self.stands(part, time, dwells) for part in criterion.of)
            case Every():
                return "all of: " + "; and ".join(self.stands(part, time, dwells) for part in criterion.of)
            case Nor():
                return f"not: {self.stands(criterion.of, time, dwells)}"
            case Count() | Sum() | Distinct() | Used():
                return self.counted(criterion, time)
            case Aged():
                age = time - self.signals.age_from(time)
                full = self.signals.age_from(time) + criterion.least
                more = "" if age >= criterion.least else f"; it will be on {moment(full)}"
                return f"{_long(age)} old of {words.duration(criterion.least)}{more}"
            case Stayed():
                return f"{journey_words.criterion(self.journey, criterion)}: {'yes' if dwells[criterion] else 'no'}"
            case Trait():
                traits = self.signals.traits.at(time)
                why = refusal(criterion.condition, traits)
                return f"traits: {why or words.condition(criterion.condition)}"

    def counted(self, of: Count | Sum | Distinct | Used, time: int) -> str:
        """``7 of 10 activities in the last 7 days; the oldest leaves the window on …``."""
        value = self.signals.value(of, time)
        what = self.what(of)
        within = "" if of.within is None else f" in the last {words.duration(of.within)}"
        return f"{how_many(value, of.bounds)} {what}{within}{self.leaving(of, time)}"

    def what(self, of: Count | Sum | Distinct | Used) -> str:
        """What is counted."""
        match of:
            case Count():
                return "activities" if of.rows.events == ("*",) else f"rows of {journey_words.rows(of.rows)}"
            case Sum():
                return f"in the sum of {words.property_name(of.property)} over {journey_words.rows(of.rows)}"
            case Distinct():
                return f"different values of {words.property_name(of.property)}"
            case Used():
                return "features used"

    def leaving(self, of: Count | Sum | Distinct | Used, time: int) -> str:
        """When the oldest row leaves the window."""
        if of.within is None:
            return ""
        selectors = [rows for _, rows in of.catalogue] if isinstance(of, Used) else [of.rows]
        times = [row.time for rows in selectors for row in self.signals.rows(rows, of.within, time)]
        return f"; the oldest leaves the window on {moment(min(times) + of.within)}" if times else ""


def how_many(value: int | Fraction, bounds: Bounds) -> str:
    """``7 of 10``; ``7, at most 3 allowed``."""
    shown = journey_words.number(value)
    if bounds.low is not None and bounds.high is None:
        return f"{shown} of {journey_words.number(bounds.low)}"
    return f"{shown} ({journey_words.bounds(bounds)} wanted)"


def _instant(microseconds: int) -> str:
    return instant(microseconds) or ""


def moment(microseconds: int) -> str:
    """``Thursday 2026-03-05 14:02 UTC``, with seconds where there are any."""
    if not -62_135_596_800_000_000 <= microseconds < 253_402_300_800_000_000:
        return "a day that no calendar has"
    at = _EPOCH + timedelta(microseconds=microseconds)
    clock = at.strftime("%H:%M" if at.second == 0 and at.microsecond == 0 else "%H:%M:%S")
    return f"{at.strftime('%A %Y-%m-%d')} {clock} UTC"


def _long(microseconds: int) -> str:
    return words.duration(max(0, microseconds)) if microseconds >= 1_000_000 else "less than a second"


__all__ = [
    "AccountStory",
    "Lacks",
    "Telling",
    "Visit",
    "explain_account",
    "how_many",
    "life_of",
    "moment",
    "tell",
    "values_of",
]
