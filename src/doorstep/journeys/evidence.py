"""What brought each transition about: the criteria that tipped, and the rows, ages or traits that tipped them.

Evidence follows from the account's life alone, so it is worked out when somebody asks for it, and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from doorstep.definitions import journey_words, words
from doorstep.definitions.conditions import properties_of
from doorstep.definitions.criteria import (
    Aged,
    Count,
    Criterion,
    Distinct,
    Every,
    Leaf,
    Nor,
    Some,
    Stayed,
    Sum,
    Trait,
    Used,
)
from doorstep.definitions.journey import Journey
from doorstep.funnels.bounds import Instant
from doorstep.funnels.result import instant
from doorstep.journeys.account import NEVER, Account, Row
from doorstep.journeys.explain import Telling, how_many, life_of, moment
from doorstep.journeys.reference import Dwells, History, Transition, walk

Number = Count | Sum | Distinct | Used

MOST_ROWS: Final = 20
"""So many rows of a piece of evidence are named."""

_ONE: Final = {"rows": "row", "activities": "activity", "features": "feature"}
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A row that ``came`` or ``left`` its window at that instant."""

    event: str
    time: str
    did: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A criterion that the transition rests on: what it asks, how it stood, and whether it ``tipped`` at that instant
    (the others stood so before).
    """

    criterion: str
    words: str
    tipped: bool
    rows: tuple[EvidenceRow, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One transition with its evidence. ``by`` and ``reason`` are those of a move by hand."""

    from_stage: str
    to_stage: str
    skipped: tuple[str, ...]
    occurred_at: str
    cause: str
    by: str | None
    reason: str | None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """Every transition of one account up to ``at``. ``stage`` None: it is not born."""

    unit: str
    at: str
    born_at: str | None
    stage: str | None
    since: str | None
    steps: tuple[Step, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: what ``doorstep journey history --json`` prints."""
        return asdict(self)


def account_history(
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
) -> AccountHistory:
    """The transitions of one account with their evidence; arguments and errors as for `explain_account`."""
    life = life_of(journey, source, unit, at, traits, columns, moves, timezone, source_timezone)
    return history_told(life.journey, unit, life.account, life.until, life.history)


def evidence_of(journey: Journey, account: Account, history: History, since: int) -> tuple[tuple[Evidence, ...], ...]:
    """That of each transition of ``history``, none of those before ``since``; of the account's rows, in the order of
    time, those that are still in some window then are enough, unless the journey asks for ages.
    """
    return tuple(step.evidence for step in _Witness(journey, account, history).steps(since))


def history_told(
    journey: Journey, unit: str, account: Account, until: int, history: History | None = None
) -> AccountHistory:
    """The history of an account whose life is known (``history``: where it was walked already)."""
    history = history or walk(journey, account, until)
    if history is None:
        return AccountHistory(unit, instant(until) or "", None, None, None, ())
    steps = tuple(_Witness(journey, account.until(until), history).steps())
    stage = journey.stages[history.state.stage].id
    return AccountHistory(
        unit, instant(until) or "", instant(history.born_at), stage, instant(history.state.since), steps
    )


class _Witness:
    def __init__(self, journey: Journey, account: Account, history: History) -> None:
        self.journey, self.account, self.history = journey, account, history
        self.told = Telling(journey, account, history)
        self.signals = self.told.signals

    def steps(self, asked: int = -NEVER) -> Iterator[Step]:
        since, kept = self.history.born_at, dict[Stayed, bool]()
        ids = [stage.id for stage in self.journey.stages]
        for one in self.history.transitions:
            move = self.move(one) if one.cause == "manual" else None
            yield Step(
                ids[one.from_stage],
                ids[one.to_stage],
                tuple(ids[place] for place in one.skipped),
                instant(one.occurred_at) or "",
                one.cause,
                None if move is None else move[0],
                None if move is None else move[1],
                () if one.cause == "manual" or one.occurred_at < asked else tuple(self.evidence(one, since, kept)),
            )
            kept = dict(self.told.dwells(one.from_stage, since, one.occurred_at))
            since = one.occurred_at

    def move(self, of: Transition) -> tuple[str | None, str | None]:
        found = [one for one in self.account.moves if (one.time, one.to) == (of.occurred_at, of.to_stage)]
        return (found[0].by, found[0].reason) if found else (None, None)

    def evidence(self, of: Transition, since: int, kept: Dwells) -> Iterator[Evidence]:
        forward = of.to_stage > of.from_stage
        if forward:
            time, criterion = of.occurred_at, self.told.criteria[of.to_stage]
            now = self.told.dwells(of.from_stage, since, time)
            before = self.told.dwells(of.from_stage, since, time - 1) if since < time else dict.fromkeys(now, False)
        else:
            time = of.occurred_at - self.journey.movement.grace
            criterion, now, before = self.told.criteria[of.from_stage], kept, kept
        found = []
        for leaf, wanted in dict.fromkeys(self.resting_on(criterion, time, now, forward)):
            tipped = self.signals.holds(leaf, time - 1, before) != self.signals.holds(leaf, time, now)
            rows = tuple(self.rows(leaf, time)) if tipped and isinstance(leaf, Number) else ()
            told = self.words(leaf, time, now, tipped, rows)
            asked = journey_words.criterion(self.journey, leaf if wanted else Nor(leaf))
            named = tuple(EvidenceRow(row.event, instant(row.time) or "", did) for row, did in rows[:MOST_ROWS])
            found.append(Evidence(asked, told, tipped, named))
        yield from sorted(found, key=lambda one: not one.tipped)

    def resting_on(self, criterion: Criterion, time: int, dwells: Dwells, wanted: bool) -> Iterator[tuple[Leaf, bool]]:
        """The leaves by which a criterion holds (or, unless ``wanted``, fails), and whether each holds."""
        match criterion:
            case Every() | Some():
                every = isinstance(criterion, Every) == wanted
                for part in criterion.of:
                    if every or self.signals.holds(part, time, dwells) == wanted:
                        yield from self.resting_on(part, time, dwells, wanted)
            case Nor():
                yield from self.resting_on(criterion.of, time, dwells, not wanted)
            case _:
                yield criterion, wanted

    def rows(self, leaf: Number, time: int) -> Iterator[tuple[Row, str]]:
        """The rows that came or left at this instant, whichever way the number went."""
        selectors = [rows for _, rows in leaf.catalogue] if isinstance(leaf, Used) else [leaf.rows]
        value, was = self.signals.value(leaf, time), self.signals.value(leaf, time - 1)
        came, gone = [], []
        for rows in selectors:
            if isinstance(leaf, Used) and bool(self.signals.rows(rows, leaf.within, time)) == bool(
                self.signals.rows(rows, leaf.within, time - 1)
            ):
                continue
            seen = self.signals.rows(rows, None, time)
            came += [(row, "came") for row in seen if row.time == time]
            gone += [(row, "left") for row in seen if leaf.within is not None and row.time == time - leaf.within]
        yield from (came or gone) if value >= was else (gone or came)

    def words(self, leaf: Leaf, time: int, dwells: Dwells, tipped: bool, rows: tuple[tuple[Row, str], ...]) -> str:
        match leaf:
            case Count() | Sum() | Distinct() | Used():
                value = self.signals.value(leaf, time)
                within = "" if leaf.within is None else f" in the last {words.duration(leaf.within)}"
                met = leaf.bounds.high is None and leaf.bounds.hold(value)
                number = journey_words.number(value) if met else how_many(value, leaf.bounds)
                first, space, rest = self.told.what(leaf).partition(" ")
                what = f"{_ONE.get(first, first) if number == '1' else first}{space}{rest}"
                return f"{number} {what}{within}{_tipping(leaf, int(value), rows)}"
            case Trait():
                return f"{self.told.stands(leaf, time, dwells)}{self.set_at(leaf, time) if tipped else ''}"
            case Aged() | Stayed():
                return self.told.stands(leaf, time, dwells)

    def set_at(self, leaf: Trait, time: int) -> str:
        histories = self.signals.traits.histories
        names = [
            name
            for name in sorted(properties_of(leaf.condition))
            if any(since == time for since, _ in histories.get(name, ()))
        ]
        return f"; {words.listed(names, 'and')} set on {moment(time)}" if names else ""


def _tipping(leaf: Number, value: int, rows: tuple[tuple[Row, str], ...]) -> str:
    """``: the tenth, report_viewed on Thursday 2026-03-05 14:02 UTC``."""
    if not rows:
        return ""
    row, did = rows[-1]
    many = f" and {len(rows) - 1:,} more at once" if len(rows) > 1 else ""
    if did == "left":
        return f": {row.event} of {moment(row.time)}{many} left the window"
    nth = f"the {ordinal(value)}, " if isinstance(leaf, Count) and value > 1 else ""
    return f": {nth}{row.event} on {moment(row.time)}{many}"


def ordinal(number: int) -> str:
    """``tenth``, ``51st``, ``112th``."""
    if 1 <= number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


__all__ = [
    "AccountHistory",
    "Evidence",
    "EvidenceRow",
    "Step",
    "account_history",
    "evidence_of",
    "history_told",
    "ordinal",
]
