"""A run as one SQL statement: which rows matter, and what is asked of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from doorstep.definitions.conditions import Condition, properties_of
from doorstep.definitions.funnel import ANY_EVENT, Funnel
from doorstep.engines.conditions import asks, names
from doorstep.engines.conditions import sql as sql_of
from doorstep.engines.lookups import Lookups
from doorstep.engines.stitching import unit_identities
from doorstep.matching.plan import FOREVER, Plan, Question
from doorstep.matching.reference import Bounds
from doorstep.rows import EventRows, Needs


def needs_of(funnel: Funnel, plan: Plan, lookups: Lookups | None) -> Needs:
    """What a run of the funnel wants to know of each row."""
    excluded = [selector.condition for selector in funnel.exclude]
    asked = [question.condition for question in flat(plan.questions)]
    names = frozenset[str]().union(*(properties_of(one) for one in (*excluded, *asked)))
    beside = lookups or Lookups()
    hold = (*funnel.hold_constant, *(look.of for look in beside.looks))
    return Needs(properties=names | beside.properties, units=funnel.unit_columns, hold=tuple(dict.fromkeys(hold)))


def flat(questions: tuple[Question, ...]) -> Iterator[Question]:
    """Questions and those that they are made of."""
    for question in questions:
        yield question
        yield from flat(question.of)


def earliest_of(plan: Plan, bounds: Bounds, *, first_time: bool) -> int:
    """No row before this matters."""
    return -FOREVER if plan.needs_early_rows or first_time else bounds.since


def events_of(plan: Plan) -> tuple[str, ...] | None:
    """Only rows of these names matter; None where any may."""
    events = {name for question in flat(plan.questions) if not question.of for name in question.events}
    return None if ANY_EVENT in events or plan.needs_every_row else tuple(sorted(events))


@dataclass(frozen=True, slots=True)
class Query:
    """The statement that fetches the rows that matter: columns ``u0``… of the unit, ``h0``… of what is held constant,
    ``b0``… of what is looked up, ``t`` (microseconds), ``w`` (the word) and ``s`` (bit n: the row is in segment n).
    """

    rows: EventRows
    funnel: Funnel
    plan: Plan
    bounds: Bounds
    first_time: bool
    lookups: Lookups | None = None

    @property
    def unit_columns(self) -> tuple[str, ...]:
        """The columns of the unit."""
        return tuple(f"u{number}" for number in range(len(unit_identities(self.funnel))))

    @property
    def stream_columns(self) -> tuple[str, ...]:
        """The columns of what is held constant."""
        return tuple(f"h{number}" for number in range(len(self.funnel.hold_constant)))

    @property
    def look_columns(self) -> tuple[str, ...]:
        """The columns of what is looked up."""
        return () if self.lookups is None else tuple(f"b{number}" for number in range(len(self.lookups.columns)))

    @property
    def segments(self) -> tuple[Condition, ...]:
        """The conditions of segments."""
        return () if self.lookups is None else self.lookups.segments

    @property
    def carried(self) -> Mapping[str, str]:
        """The columns that are handed on beside time and word, and what is in them."""
        found = dict(zip(self.unit_columns, unit_identities(self.funnel), strict=True))
        found |= dict(zip(self.stream_columns, self.funnel.hold_constant, strict=True))
        return found | dict(zip(self.look_columns, () if self.lookups is None else self.lookups.columns, strict=True))

    @property
    def selects(self) -> Mapping[str, str]:
        """Each column and its SQL."""
        found = {alias: self.rows.identity(name) for alias, name in self.carried.items()}
        found |= {"t": self.rows.time, "w": self.word}
        return {**found, "s": self.segment} if self.segments else found

    @property
    def segment(self) -> str:
        """SQL of the segments: bit n says that the row meets the condition of segment n."""
        return " | ".join(
            f"(CASE WHEN {sql_of(condition, self.rows.values)} THEN {1 << bit} ELSE 0 END)::BIGINT"
            for bit, condition in enumerate(self.segments)
        )

    @property
    def word(self) -> str:
        """SQL of the word: bit n says that the row meets question n."""
        bits = [
            f"(CASE WHEN {asks(question, self.rows)} THEN {_signed(1 << bit)} ELSE 0 END)::BIGINT"
            for bit, question in enumerate(self.plan.questions)
        ]
        return " | ".join(bits)

    @property
    def earliest(self) -> int:
        """No row before this matters."""
        return earliest_of(self.plan, self.bounds, first_time=self.first_time)

    @property
    def events(self) -> tuple[str, ...] | None:
        """Only rows of these names matter; None where any may."""
        return events_of(self.plan)

    @property
    def conditions(self) -> list[str]:
        """What a row must meet to be looked at at all; whatever can be is pushed into the scan."""
        found = [self.rows.time_at_most(self.bounds.as_of)]
        if self.earliest > -FOREVER:
            found.append(self.rows.time_at_least(self.earliest))
        if self.events is not None:
            found.append(names(self.events, self.rows))
        for selector in self.funnel.exclude:
            found.append(f"NOT {asks(Question(selector.event, selector.condition), self.rows)}")
        return found

    @property
    def text(self) -> str:
        """The statement."""
        return self.limited()

    def limited(self, *more: str) -> str:
        """The statement, for rows that meet these conditions too."""
        selects = ", ".join(f"{value} AS {name}" for name, value in self.selects.items())
        inner = f"SELECT {selects} FROM {self.rows.relation} WHERE {' AND '.join([*more, *self.conditions])}"
        return inner if self.plan.needs_every_row else f"SELECT * FROM ({inner}) WHERE w <> 0"


def _signed(mask: int) -> int:
    return mask - (1 << 64) if mask >> 63 else mask
