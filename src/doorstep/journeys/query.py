"""A replay as SQL: which rows there are, what is asked of each, what is added up and told apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from doorstep.definitions.conditions import properties_of
from doorstep.definitions.journey import Journey
from doorstep.engines.conditions import asks
from doorstep.journeys.plan import JourneyPlan, conditions_of
from doorstep.matching.plan import Question
from doorstep.rows import EventRows, Needs, Value
from doorstep.rows.needs import TRAIT

BITS = 64


def needs_of(journey: Journey, plan: JourneyPlan) -> Needs:
    """What a replay wants to know of each row."""
    names = frozenset[str]().union(*(properties_of(one) for one in conditions_of(journey, plan)))
    return Needs(properties=names | {*plan.summed, *plan.told}, units=journey.id_columns)


@dataclass(frozen=True, slots=True)
class RowsQuery:
    """The statement that fetches the rows: columns ``u0``… of the account, ``t`` (microseconds), ``w0``… (words of 64
    questions), ``n0``… (numbers to add, DOUBLE), ``k0``… (keys to tell apart).
    """

    rows: EventRows
    journey: Journey
    plan: JourneyPlan
    until: int
    units: Sequence[str]
    only: str | None = None
    """The query of the accounts that are looked at, where not all are: ``units`` in their own types."""
    some: str = "true"
    """SQL: which of their rows are looked at."""

    @property
    def unit_columns(self) -> tuple[str, ...]:
        """The columns of the account."""
        return tuple(f"u{number}" for number in range(len(self.units)))

    @property
    def words(self) -> int:
        """How many words a row has."""
        return max(1, -(-len(self.plan.questions) // BITS))

    @property
    def where(self) -> str:
        """SQL: the row exists, as far as the journey and what the rows hold go; see `excluded_by_traits`."""
        later = self.excluded_by_traits
        known = (Question(one.event, one.condition) for one in self.journey.exclude)
        excluded = (asks(question, self.rows) for question in known if question not in later)
        return " AND ".join([self.rows.time_at_most(self.until), self.mine, *(f"NOT {one}" for one in excluded)])

    @property
    def mine(self) -> str:
        """SQL: the row is of an account that is looked at, and one of those of its rows that are."""
        whose = "true" if self.only is None else f"({', '.join(self.units)}) IN ({self.only})"
        return f"{whose} AND {self.some}"

    @property
    def excluded_by_traits(self) -> tuple[Question, ...]:
        """What of `exclude` looks at traits that stand beside the rows, not in them."""
        return tuple(
            Question(one.event, one.condition)
            for one in self.journey.exclude
            if any(name.startswith(TRAIT) and not knows(self.rows, name) for name in properties_of(one.condition))
        )

    def text(self, part: int = 0, parts: int = 1) -> str:
        """The statement; ``parts``: only of the accounts in one of so many parts."""
        selects = [f"{sql} AS u{number}" for number, sql in enumerate(self.units)]
        selects.append(f"{self.rows.time} AS t")
        selects += [f"{self._word(number)} AS w{number}" for number in range(self.words)]
        selects += [f"{number_sql(self.rows.values(name))} AS n{slot}" for slot, name in enumerate(self.plan.summed)]
        selects += [f"{key_sql(self.rows.values(name))} AS k{slot}" for slot, name in enumerate(self.plan.told)]
        mine = f" AND {in_part(self.units, part, parts)}" if parts > 1 else ""
        return f"SELECT {', '.join(selects)} FROM {self.rows.relation} WHERE {self.where}{mine}"

    def _word(self, number: int) -> str:
        questions = self.plan.questions[number * BITS : (number + 1) * BITS]
        bits = [
            f"(CASE WHEN {asks(question, self.rows)} THEN {(1 << bit) - (1 << 64 if bit == BITS - 1 else 0)}"
            " ELSE 0 END)::BIGINT"
            for bit, question in enumerate(questions)
        ]
        return " | ".join(bits) or "0::BIGINT"


def knows(rows: EventRows, name: str) -> bool:
    """Whether the rows themselves hold a trait (``unit.plan``)."""
    try:
        return bool(rows.values(name))
    except KeyError:
        return False


def in_part(units: Iterable[str], part: int, parts: int) -> str:
    """SQL: the account is in one of so many parts; wherever its name comes from, and of whatever type."""
    return f"hash({', '.join(f'CAST({unit} AS VARCHAR)' for unit in units)}) % {parts} = {part}"


def number_sql(places: Sequence[Value]) -> str:
    """SQL (DOUBLE) of a value to add: 0 where it is no finite number. Whole numbers beyond 2^53 become infinite, which
    says that they cannot be added up in this way.
    """
    return f"coalesce({', '.join([*map(_number, places), '0::DOUBLE'])})"


def _number(place: Value) -> str:
    sql = place.sql
    match place.kind:
        case "number":
            return f"(CASE WHEN {sql} IS NOT NULL THEN CASE WHEN isfinite({sql}) THEN {sql} ELSE 0 END END)"
        case "integer":
            return _whole(sql)
        case "json":
            text = f"({sql} ->> '$')"
            double = f"TRY_CAST({text} AS DOUBLE)"
            return (
                f"(CASE WHEN {sql} IS NULL THEN NULL WHEN json_type({sql}) IN ('BIGINT', 'UBIGINT') THEN"
                f" {_whole(f'TRY_CAST({text} AS HUGEINT)')} WHEN json_type({sql}) = 'DOUBLE' AND isfinite({double})"
                f" THEN {double} ELSE 0 END)"
            )
        case "text" | "boolean" | "time":
            return f"(CASE WHEN {sql} IS NOT NULL THEN 0::DOUBLE END)"


def _whole(sql: str) -> str:
    return f"(CASE WHEN abs({sql}::HUGEINT) > 9007199254740992 THEN 'inf'::DOUBLE ELSE CAST({sql} AS DOUBLE) END)"


def key_sql(places: Sequence[Value]) -> str:
    """SQL (VARCHAR) of a value to tell apart: equal texts for equal values, NULL for what cannot be told apart."""
    if len(places) == 1 and places[0].kind == "text":
        return places[0].sql
    cases = " ".join(f"WHEN {place.sql} IS NOT NULL THEN {_key(place)}" for place in places)
    return f"(CASE {cases} END)" if cases else "NULL::VARCHAR"


def _key(place: Value) -> str:
    sql = place.sql
    match place.kind:
        case "text":
            return f"'s' || {sql}"
        case "boolean":
            return f"'b' || CAST({sql} AS VARCHAR)"
        case "integer":
            return f"'n' || CAST({sql} AS VARCHAR)"
        case "time":
            return f"'t' || CAST({sql} AS VARCHAR)"
        case "number":
            return _number_key(sql)
        case "json":
            text = f"({sql} ->> '$')"
            return (
                f"(CASE json_type({sql}) WHEN 'VARCHAR' THEN 's' || {text} WHEN 'BOOLEAN' THEN 'b' || {text}"
                f" WHEN 'BIGINT' THEN 'n' || {text} WHEN 'UBIGINT' THEN 'n' || {text}"
                f" WHEN 'DOUBLE' THEN {_number_key(f'CAST({text} AS DOUBLE)')} END)"
            )


def _number_key(sql: str) -> str:
    whole = f"{sql} = trunc({sql}) AND abs({sql}) < 1e18"
    return (
        f"(CASE WHEN isnan({sql}) THEN NULL WHEN {whole} THEN 'n' || CAST(CAST({sql} AS BIGINT) AS VARCHAR)"
        f" ELSE 'n' || CAST({sql} AS VARCHAR) END)"
    )


__all__ = ["RowsQuery", "in_part", "key_sql", "knows", "needs_of", "number_sql"]
