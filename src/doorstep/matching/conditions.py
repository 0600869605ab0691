"""Conditions on one row in plain Python (semantics 2, *Filters*): for explanations, examples, and the judge of the SQL.

A row's properties are a mapping of JSON-like values; ``a.b`` is the property of that very name, else ``b`` inside the
object ``a``. Truth is two-valued and types are never coerced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Final, assert_never

import re2

from doorstep.definitions.conditions import All, AnyOf, Condition, Not, Operator, Scalar, Test
from doorstep.matching.plan import Question

Properties = Mapping[str, object]


def look_up(properties: Properties, name: str) -> object:
    """The property's value; None where it is missing."""
    if name in properties:
        return properties[name]
    head, dot, rest = name.partition(".")
    inner = properties.get(head)
    return look_up(inner, rest) if dot and isinstance(inner, Mapping) else None


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
    return _kind(value) == _kind(literal) and value == literal


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "other"


_ORDERS: Final[dict[str, Callable[[float, float], bool]]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}


def _compares(operator: Operator, value: object, literal: Scalar) -> bool:
    if isinstance(value, str) and isinstance(literal, str):
        return _compares_texts(operator, value, literal)
    if operator in _ORDERS and _kind(value) == _kind(literal) == "number":
        assert isinstance(value, int | float)
        assert isinstance(literal, int | float)
        return _ORDERS[operator](value, literal)
    return False


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
            tests = ", ".join(sorted(_names(condition.of)))
            return f"it meets what the filter rules out ({tests})"


def _names(condition: Condition) -> set[str]:
    match condition:
        case Test():
            return {condition.property}
        case Not():
            return _names(condition.of)
        case All() | AnyOf():
            return set().union(*(_names(part) for part in condition.of))


def _refused(test: Test, value: object) -> str:
    if value is None:
        return f"{test.property} is missing"
    if test.operator == "exists":
        return f"{test.property} is {value!r}, and should be missing"
    shown = repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "..."
    if test.operator in ("in", "not_in"):
        listed = ", ".join(repr(one) for one in test.operand)
        word = "not" if test.operator == "in" else "one of" if len(test.operand) > 1 else "just"
        one_of = "one of " if test.operator == "in" and len(test.operand) > 1 else ""
        return f"{test.property} is {shown}, {word} {one_of}{listed}"
    return f"{test.property} is {shown}, {_SAYS[test.operator]} {test.operand[0]!r}"
