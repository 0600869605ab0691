"""Conditions on one row in plain Python (semantics 2, *Filters*): for explanations, examples, and the judge of the SQL.

A row's properties are a mapping of JSON-like values; ``a.b`` is the property of that very name, else ``b`` inside the
object ``a``. Truth is two-valued and types are never coerced: `doorstep.engines.conditions` says the same in SQL, and
lists what that means for large integers, NaN, objects and times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Final, assert_never

import re2

from doorstep.definitions.conditions import All, AnyOf, Condition, Not, Operator, Scalar, Test, properties_of
from doorstep.matching.plan import Question
from doorstep.rows.paths import find
from doorstep.rows.times import instant, microseconds

Properties = Mapping[str, object]


def look_up(properties: Properties, name: str) -> object:
    """The property's value; None where it is missing or null (the places are those of `doorstep.rows.paths`)."""
    return find(properties, name)


def word_of(questions: tuple[Question, ...], event: str, properties: Properties) -> int:
    """The word of a row: bit ``n`` says that it meets ``questions[n]``."""
    return sum(1 << bit for bit, question in enumerate(questions) if meets(question, event, properties))


def meets(question: Question, event: str, properties: Properties) -> bool:
    """Whether a row meets one question of a plan."""
    if question.of:
        return any(meets(one, event, properties) for one in question.of)
    return question.names(event) and holds(question.condition, properties)


def holds(condition: Condition, properties: Properties) -> bool:
    """Whether the condition holds for a row with these properties."""
    match condition:
        case Test():
            return passes(condition, look_up(properties, condition.property))
        case All():
            return all(holds(part, properties) for part in condition.of)
        case AnyOf():
            return any(holds(part, properties) for part in condition.of)
        case Not():
            return not holds(condition.of, properties)


def passes(test: Test, value: object) -> bool:
    """Whether one value passes the test; a missing or null value passes ``exists: false`` and nothing else."""
    if test.operator == "exists":
        return (value is not None) == test.operand[0]
    if value is None:
        return False
    if test.operator == "in":
        return any(equal(value, one) for one in test.operand)
    if test.operator == "not_in":
        return not any(equal(value, one) for one in test.operand)
    return _compares(test.operator, value, test.operand[0])


def equal(value: object, literal: Scalar) -> bool:
    """Equality without coercion: booleans, numbers and texts are three worlds; 1 and 1.0 are one number."""
    if isinstance(value, date):
        return isinstance(literal, str) and instant(literal) == microseconds(value)
    if isinstance(value, bool) or isinstance(literal, bool):
        return isinstance(value, bool) and isinstance(literal, bool) and value == literal
    if isinstance(value, str) or isinstance(literal, str):
        return isinstance(value, str) and isinstance(literal, str) and value == literal
    number = number_of(value)
    return number is not None and number == number_of(literal)


LARGEST: Final = 2**127 - 1
"""Integers up to this size are compared exactly, larger ones as the nearest double."""


def number_of(value: object) -> int | float | None:
    """The number to compare with, if the value is one; a decimal fraction counts as the nearest double."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if isinstance(value, Decimal):
        value = int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, float) or -LARGEST <= value <= LARGEST:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


_ORDERS: Final[dict[str, Callable[[float, float], bool]]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}


def _compares(operator: Operator, value: object, literal: Scalar) -> bool:
    if isinstance(value, str) and isinstance(literal, str):
        return _compares_texts(operator, value, literal)
    if operator not in _ORDERS:
        return False
    if isinstance(value, date):
        moment = instant(literal) if isinstance(literal, str) else None
        return moment is not None and _ORDERS[operator](microseconds(value), moment)
    number, bound = number_of(value), number_of(literal)
    return number is not None and bound is not None and _ORDERS[operator](number, bound)


def _compares_texts(operator: Operator, value: str, literal: str) -> bool:
    match operator:
        case "gt":
            return value > literal
        case "gte":
            return value >= literal
        case "lt":
            return value < literal
        case "lte":
            return value <= literal
        case "contains":
            return literal in value
        case "starts_with":
            return value.startswith(literal)
        case "ends_with":
            return value.endswith(literal)
        case "matches":
            return _expression(literal).search(value) is not None
        case "in" | "not_in" | "exists":
            raise AssertionError(operator)
    assert_never(operator)


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re2._Regexp[str]:
    return re2.compile(pattern)


_SAYS: Final[dict[Operator, str]] = {
    "gt": "not greater than",
    "gte": "not at least",
    "lt": "not less than",
    "lte": "not at most",
    "contains": "which does not contain",
    "starts_with": "which does not start with",
    "ends_with": "which does not end with",
    "matches": "in which nothing matches",
}


def refusal(condition: Condition, properties: Properties) -> str | None:
    """Why the condition does not hold, in words; None when it does."""
    if holds(condition, properties):
        return None
    match condition:
        case Test():
            return _refused(condition, look_up(properties, condition.property))
        case All():
            return next(found for part in condition.of if (found := refusal(part, properties)))
        case AnyOf():
            return ", and ".join(found for part in condition.of if (found := refusal(part, properties))) or "no way"
        case Not():
            return f"it meets what the filter rules out ({', '.join(sorted(properties_of(condition.of)))})"


def _refused(test: Test, value: object) -> str:
    if value is None:
        return f"{test.property} is missing"
    if test.operator == "exists":
        return f"{test.property} is {_shown(value)}, and should be missing"
    wanted = ", ".join(_shown(one) for one in test.operand)
    several = "one of " if len(test.operand) > 1 else ""
    match test.operator:
        case "in":
            says = f"not {several}{wanted}"
        case "not_in":
            says = f"{several or 'just '}{wanted}"
        case _:
            says = f"{_SAYS[test.operator]} {wanted}"
    return f"{test.property} is {_shown(value)}, {says}"


def _shown(value: object) -> str:
    """A value as a document writes it, cut when it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    text = repr(value[:80] if isinstance(value, str) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."
