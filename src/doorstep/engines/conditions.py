"""Conditions as SQL for DuckDB (semantics 2, *Filters*): two-valued, and without any coercion of types.

The meaning is that of `doorstep.matching.conditions`, in full:

- a missing or null property satisfies ``exists: false`` and nothing else;
- booleans, numbers and texts are three worlds; ``1`` and ``1.0`` are one number. Integers are compared exactly up to
  ±2^127, beyond that, and where there is a decimal point or an exponent, as the nearest double; NaN exists, equals
  nothing and is in no order;
- texts are compared by code point; `matches` is an RE2 search: case counts and ``.`` meets no line break;
- objects, lists and bytes exist and equal nothing;
- a column of timestamps or dates is compared with ISO 8601 texts as instants, naive ones on both sides read as UTC.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from doorstep.definitions import words
from doorstep.definitions.conditions import (
    All,
    AnyOf,
    Condition,
    Not,
    Operator,
    Scalar,
    Test,
    properties_of,
    tests_of,
)
from doorstep.definitions.funnel import ANY_EVENT
from doorstep.errors import nearest
from doorstep.matching.conditions import LARGEST, number_of
from doorstep.matching.plan import Question
from doorstep.rows import EventRows, Kind, Value, quoting, reading
from doorstep.rows.times import instant

_ORDER: Final[dict[Operator, str]] = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_TEXT_CALLS: Final[dict[Operator, str]] = {
    "contains": "contains",
    "starts_with": "starts_with",
    "ends_with": "suffix",
    "matches": "regexp_matches",
}


def sql(condition: Condition, values: Callable[[str], tuple[Value, ...]]) -> str:
    """SQL of a boolean, never NULL: whether the row meets ``condition``. ``values`` tells where a property is."""
    match condition:
        case Test():
            return _test(condition, values(condition.property))
        case All():
            return "(" + " AND ".join(sql(part, values) for part in condition.of) + ")" if condition.of else "true"
        case AnyOf():
            return "(" + " OR ".join(sql(part, values) for part in condition.of) + ")" if condition.of else "false"
        case Not():
            return f"(NOT {sql(condition.of, values)})"


def asks(question: Question, rows: EventRows) -> str:
    """SQL: the row meets the question."""
    if question.of:
        return "(" + " OR ".join(asks(one, rows) for one in question.of) + ")"
    return f"({names(question.events, rows)} AND {sql(question.condition, rows.values)})"


def names(events: tuple[str, ...], rows: EventRows) -> str:
    """SQL: the row has one of these event names."""
    if events == (ANY_EVENT,):
        return "true"
    return rows.is_named(events)


def _test(test: Test, places: Sequence[Value]) -> str:
    if test.operator == "exists":
        present = " OR ".join(f"{place.sql} IS NOT NULL" for place in places) or "false"
        return f"({present})" if test.operand[0] else f"(NOT ({present}))"
    if not places:
        return "false"
    if len(places) == 1:
        return f"({places[0].sql} IS NOT NULL AND {_passes(places[0], test)})"
    cases = " ".join(f"WHEN {place.sql} IS NOT NULL THEN {_passes(place, test)}" for place in places)
    return f"(CASE {cases} ELSE false END)"


def _passes(place: Value, test: Test) -> str:
    """SQL of the test for a value that is not null."""
    match place.kind:
        case "text":
            return _text(place.sql, test)
        case "boolean":
            return _boolean(place.sql, test)
        case "integer":
            return _integer(place.sql, test)
        case "number":
            return _double(place.sql, test)
        case "time":
            return _time(place.sql, test)
        case "json":
            return _json(place.sql, test)


def _text(v: str, test: Test) -> str:
    literals = [one for one in test.operand if isinstance(one, str) and _in_unicode(one)]
    if test.operator in ("in", "not_in"):
        return _one_of(v, [quoting.text(one) for one in literals], test.operator)
    if not literals:
        return "false"
    literal = quoting.text(literals[0])
    if test.operator in _ORDER:
        return f"{v} {_ORDER[test.operator]} {literal}"
    return f"{_TEXT_CALLS[test.operator]}({v}, {literal})"


def _boolean(v: str, test: Test) -> str:
    literals = [one for one in test.operand if isinstance(one, bool)]
    return _one_of(v, [str(one).lower() for one in literals], test.operator)


def _integer(v: str, test: Test) -> str:
    numbers = _numbers_of(test.operand)
    if test.operator in ("in", "not_in"):
        whole = [int(one) for one in numbers if -LARGEST <= one <= LARGEST and one % 1 == 0]
        return _one_of(v, [_whole(one) for one in whole], test.operator)
    if test.operator not in _ORDER or not numbers:
        return "false"
    if not -LARGEST <= numbers[0] <= LARGEST:
        return _truth((numbers[0] < 0) == (test.operator in ("gt", "gte")))
    bound = math.floor(numbers[0]) if test.operator in ("gt", "lte") else math.ceil(numbers[0])
    return f"{v} {_ORDER[test.operator]} {_whole(bound)}"


def _double(v: str, test: Test) -> str:
    numbers = _numbers_of(test.operand)
    if test.operator in ("in", "not_in"):
        return _one_of(v, [_float(float(one)) for one in numbers if float(one) == one], test.operator)
    if test.operator not in _ORDER or not numbers:
        return "false"
    near, sign = float(numbers[0]), _ORDER[test.operator]
    if near > numbers[0]:
        sign = ">=" if sign in (">", ">=") else "<"
    elif near < numbers[0]:
        sign = ">" if sign in (">", ">=") else "<="
    compared = f"{v} {sign} {_float(near)}"
    return f"({compared} AND NOT isnan({v}))" if ">" in sign else compared


def _time(v: str, test: Test) -> str:
    moments = [moment for one in test.operand if isinstance(one, str) and (moment := instant(one)) is not None]
    if test.operator in ("in", "not_in"):
        return _one_of(v, [str(one) for one in moments], test.operator)
    if test.operator not in _ORDER or not moments:
        return "false"
    return f"{v} {_ORDER[test.operator]} {moments[0]}"


def _json(v: str, test: Test) -> str:
    """By the type of each value; types none of whose values can pass share the last branch."""
    spelt = f"({v} ->> '$')"
    whole = f"CAST({spelt} AS HUGEINT)"
    fits = f"(regexp_full_match({spelt}, '-?[0-9]+') AND TRY_CAST({spelt} AS HUGEINT) IS NOT NULL)"
    floating = (
        f"CASE WHEN {fits} THEN {_integer(whole, test)} ELSE {_double(f'CAST({spelt} AS DOUBLE)', test)} END"
        if _numbers_of(test.operand)
        else _double(f"CAST({spelt} AS DOUBLE)", test)
    )
    branches = {
        "VARCHAR": _text(spelt, test),
        "BOOLEAN": _boolean(f"({spelt} = 'true')", test),
        "UBIGINT": _integer(whole, test),
        "BIGINT": _integer(whole, test),
        "DOUBLE": floating,
    }
    otherwise = _truth(test.operator == "not_in")
    cases = " ".join(f"WHEN '{kind}' THEN {branch}" for kind, branch in branches.items() if branch != otherwise)
    return f"(CASE json_type({v}) {cases} ELSE {otherwise} END)" if cases else otherwise


def _one_of(v: str, literals: Sequence[str], operator: Operator) -> str:
    if operator not in ("in", "not_in"):
        return "false"
    if not literals:
        return _truth(operator == "not_in")
    return f"{v} {'IN' if operator == 'in' else 'NOT IN'} ({', '.join(literals)})"


def _numbers_of(operand: Sequence[Scalar]) -> list[int | float]:
    """The numbers among literals; integers too large to be compared exactly as doubles."""
    return [number for one in operand if (number := number_of(one)) is not None]


def _whole(number: int) -> str:
    return str(number) if abs(number) < 2**63 else f"'{number}'::HUGEINT"


def _float(number: float) -> str:
    return f"'{number!r}'::DOUBLE"


def _in_unicode(text: str) -> bool:
    """Whether any data can hold the text: half a surrogate pair, which JSON can spell, is no character."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _truth(value: bool) -> str:
    return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Impossible:
    """A test whose literal no value of the property's column can equal, or be compared with."""

    test: Test
    literal: Scalar
    kind: Kind
    message: str
    mend: str | None

    def __str__(self) -> str:
        return self.message if self.mend is None else f"{self.message} {self.mend}"


def kinds_of(
    connection: duckdb.DuckDBPyConnection, rows: EventRows, conditions: Sequence[Condition]
) -> Mapping[str, Kind]:
    """What each property holds, where all its values are of one type: its column's, if no value stands anywhere else.

    Looking elsewhere, in JSON, takes a reading of all rows, so that is done only for a property of whose column some
    condition asks the impossible.
    """
    found = dict(rows.kinds)
    for name in sorted(frozenset[str]().union(*(properties_of(one) for one in conditions))):
        places = rows.values(name)
        if len(places) > 1 and places[0].kind != "json":
            doubtful = any(impossible(one, {name: places[0].kind}) for one in conditions)
            if doubtful and not _elsewhere(connection, rows, places):
                found[name] = places[0].kind
    return found


def _elsewhere(connection: duckdb.DuckDBPyConnection, rows: EventRows, places: Sequence[Value]) -> bool:
    """Whether some row has the property, and not at the first place."""
    others = " OR ".join(f"{place.sql} IS NOT NULL" for place in places[1:])
    with reading(rows.description):
        found = connection.execute(
            f"SELECT 1 FROM {rows.relation} WHERE {places[0].sql} IS NULL AND ({others}) LIMIT 1"
        ).fetchone()
    return found is not None


_HOLDS: Final[dict[Kind, str]] = {
    "text": "texts",
    "boolean": "true and false",
    "integer": "whole numbers",
    "number": "numbers",
    "time": "times",
    "json": "anything",
}


def impossible(condition: Condition, kinds: Mapping[str, Kind]) -> tuple[Impossible, ...]:
    """Tests that can never hold (or with ``not_in`` never fail) because of the column's type, in reading order."""
    return tuple(
        _impossible(test, literal, kinds[test.property])
        for test in tests_of(condition)
        if test.property in kinds and test.operator != "exists"
        for literal in test.operand
        if not _comparable(test.operator, literal, kinds[test.property])
    )


def _comparable(operator: Operator, literal: Scalar, kind: Kind) -> bool:
    equality = operator in ("in", "not_in")
    match kind:
        case "json":
            return True
        case "text":
            return isinstance(literal, str)
        case "boolean":
            return equality and isinstance(literal, bool)
        case "time":
            return (equality or operator in _ORDER) and isinstance(literal, str) and instant(literal) is not None
        case "integer" | "number":
            number = isinstance(literal, int | float) and not isinstance(literal, bool)
            return number and (operator in _ORDER or (equality and not (kind == "integer" and literal % 1)))


def _impossible(test: Test, literal: Scalar, kind: Kind) -> Impossible:
    if test.operator in _TEXT_CALLS:
        message = f"{test.operator} looks into texts, but the column {test.property} holds {_HOLDS[kind]}."
        return Impossible(test, literal, kind, message, None)
    shown = repr(literal) if isinstance(literal, str) else words.literal(literal)
    verb = "equal" if test.operator in ("in", "not_in") else "be compared with"
    message = f"the column {test.property} holds {_HOLDS[kind]}, none of which can {verb} {shown}."
    return Impossible(test, literal, kind, message, _mend(literal, kind))


def _mend(literal: Scalar, kind: Kind) -> str | None:
    """How the literal would be written with the right type."""
    match kind:
        case "text":
            return None if isinstance(literal, str) else f'Write "{words.literal(literal)}", in quotes.'
        case "time":
            return "Write an ISO 8601 date or time, such as 2026-03-09 or 2026-03-09T10:00:00Z."
        case "boolean":
            spelt = literal.lower() if isinstance(literal, str) and literal.lower() in ("true", "false") else None
            return f"Write {spelt or 'true or false'}, without quotes."
        case "integer" | "number":
            spelt = literal if isinstance(literal, str) and re.fullmatch(r"-?\d+(\.\d+)?", literal) else None
            return f"Write {spelt or ('a whole number' if kind == 'integer' else 'a number')}, without quotes."
        case "json":
            return None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A property that no row of the source has, and the known name that is most like it."""

    property: str
    nearest: str | None


def unknown_properties(
    connection: duckdb.DuckDBPyConnection, rows: EventRows, condition: Condition
) -> tuple[Unknown, ...]:
    """Properties the condition looks at that are missing or null in every row, by name. Reads until one is found."""
    return tuple(
        Unknown(name, nearest(name, rows.columns))
        for name in sorted(properties_of(condition))
        if not _present(connection, rows, name)
    )


def _present(connection: duckdb.DuckDBPyConnection, rows: EventRows, name: str) -> bool:
    places = rows.values(name)
    if not places:
        return False
    present = " OR ".join(f"{place.sql} IS NOT NULL" for place in places)
    with reading(rows.description):
        return connection.execute(f"SELECT 1 FROM {rows.relation} WHERE {present} LIMIT 1").fetchone() is not None
