"""What the rows looked like in the recent period and in those before it: counts, and no judgement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from doorstep.definitions.durations import MICROSECONDS
from doorstep.engines.duckdb import Engine
from doorstep.rows import EventRows, Value, quoting, reading
from doorstep.rows.typed import as_text

WEEK: Final = MICROSECONDS["w"]

RECENT: Final = 0
"""The number of the period that ends at the horizon; 1 is the one before it, and so on."""

MOST_VALUES: Final = 200
"""A property with more distinct values than this has no vocabulary to speak of."""


@dataclass(frozen=True, slots=True)
class Periods:
    """``count`` + 1 spans of ``length`` microseconds, whole weeks apart, so that each has the same days of the week and
    hours of the day. RECENT is the last; it ends at ``horizon`` (that instant is in it).
    """

    horizon: int
    length: int
    count: int

    @property
    def apart(self) -> int:
        """From the end of one period to the end of the next: the fewest whole weeks that hold one."""
        return -(-self.length // WEEK) * WEEK

    def start(self, number: int) -> int:
        """The first instant of a period."""
        return self.horizon - number * self.apart - self.length + 1


@dataclass(frozen=True, slots=True)
class PropertyProfile:
    """A property over the rows of one event: by period how many rows had a value, and of which types; how often each
    value came in the recent period and before it (None: too many different ones).
    """

    present: Mapping[int, int]
    types: Mapping[int, Mapping[str, int]]
    values: tuple[Mapping[str, int], Mapping[str, int]] | None


@dataclass(frozen=True, slots=True)
class Profile:
    """``first_time`` is the source's earliest row; ``events``: name → period → rows; ``properties``: (event, name)."""

    periods: Periods
    first_time: int
    events: Mapping[str, Mapping[int, int]]
    properties: Mapping[tuple[str, str], PropertyProfile]

    @property
    def baseline(self) -> tuple[int, ...]:
        """The numbers of the periods before the recent one that the data covers whole."""
        every = range(1, self.periods.count + 1)
        return tuple(number for number in every if self.first_time <= self.periods.start(number))


def profile(engine: Engine, rows: EventRows, periods: Periods, asked: Collection[tuple[str, str]]) -> Profile:
    """Counts every event, and each (event, property) of ``asked``; names of ``rows``' `Needs` only."""
    with reading(rows.description):
        return Profile(
            periods,
            _first_time(engine, rows),
            _events(engine, rows, periods),
            {(event, name): _property(engine, rows, periods, event, name) for event, name in sorted(asked)},
        )


def _period(rows: EventRows, periods: Periods) -> str:
    return f"(({periods.horizon} - {rows.time}) // {periods.apart})"


def _within(rows: EventRows, periods: Periods) -> str:
    bounds = f"{rows.time_at_least(periods.start(periods.count))} AND {rows.time_at_most(periods.horizon)}"
    return f"{bounds} AND ({periods.horizon} - {rows.time}) % {periods.apart} < {periods.length}"


def _first_time(engine: Engine, rows: EventRows) -> int:
    found = engine.execute(f"SELECT min({rows.time}) FROM {rows.relation}", "reading events").fetchone()
    assert found is not None
    return int(found[0])


def _events(engine: Engine, rows: EventRows, periods: Periods) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    counted = engine.execute(
        f"SELECT {rows.event} AS event, {_period(rows, periods)} AS period, count(*) FROM {rows.relation}"
        f" WHERE {_within(rows, periods)} GROUP BY ALL",
        "counting events",
    ).fetchall()
    for event, period, count in counted:
        found.setdefault(event, {})[int(period)] = count
    return found


def _property(engine: Engine, rows: EventRows, periods: Periods, event: str, name: str) -> PropertyProfile:
    places = rows.values(name)
    if not places:
        return PropertyProfile({}, {}, None)
    kind = " ".join(f"WHEN {place.sql} IS NOT NULL THEN {_type(place)}" for place in places)
    value = " ".join(f"WHEN {place.sql} IS NOT NULL THEN {as_text((place,))}" for place in places)
    relation = (
        f"(SELECT {_period(rows, periods)} AS period, CASE {kind} END AS kind, CASE {value} END AS value"
        f" FROM {rows.relation} WHERE {_within(rows, periods)} AND {rows.event} = {quoting.text(event)})"
    )
    present: dict[int, int] = {}
    types: dict[int, dict[str, int]] = {}
    what = f"looking at {name}"
    for period, found, count in engine.execute(
        f"SELECT period, kind, count(*) FROM {relation} WHERE kind IS NOT NULL GROUP BY ALL", what
    ).fetchall():
        present[int(period)] = present.get(int(period), 0) + count
        types.setdefault(int(period), {})[found] = count
    return PropertyProfile(present, types, _values(engine, relation, what))


def _values(engine: Engine, relation: str, what: str) -> tuple[Mapping[str, int], Mapping[str, int]] | None:
    counted = engine.execute(
        f"SELECT value, count(*) FILTER (period = {RECENT}), count(*) FILTER (period > {RECENT}) FROM {relation}"
        f" WHERE value IS NOT NULL GROUP BY value LIMIT {MOST_VALUES + 1}",
        what,
    ).fetchall()
    if len(counted) > MOST_VALUES:
        return None
    return (
        {value: recent for value, recent, _ in counted if recent},
        {value: before for value, _, before in counted if before},
    )


def _type(place: Value) -> str:
    if place.kind != "json":
        return quoting.text("number" if place.kind == "integer" else place.kind)
    return (
        f"(CASE json_type({place.sql}) WHEN 'VARCHAR' THEN 'text' WHEN 'BOOLEAN' THEN 'boolean'"
        " WHEN 'OBJECT' THEN 'object' WHEN 'ARRAY' THEN 'list' ELSE 'number' END)"
    )
