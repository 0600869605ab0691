"""Conditions in plain Python, and why one does not hold, in words."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from doorstep.definitions.conditions import Condition
from doorstep.definitions.filters import Filters
from doorstep.matching.conditions import holds, refusal


def _condition(filters: dict[str, Any]) -> Condition:
    return Filters.model_validate(filters).condition


@pytest.mark.parametrize(
    ("filters", "value"),
    [
        ({"p": False}, False),
        ({"p": 1}, 1.0),
        ({"p": 0.5}, Decimal("0.50")),
        ({"p": 2**53 + 1}, 2**53 + 1),
        ({"p": {"ne": 1}}, "1"),
        ({"p": {"ne": 1}}, float("nan")),
        ({"p": {"ne": 1}}, {"an": "object"}),
        ({"p": {"gt": "Z"}}, "é"),
        ({"p": {"matches": "b.d"}}, "abcd"),
        ({"p": {"gte": "2026-03-09"}}, datetime(2026, 3, 9, tzinfo=UTC)),
        ({"p": "2026-03-09"}, date(2026, 3, 9)),
        ({"p": {"exists": True}}, []),
        ({"p": {"exists": False}}, None),
        ({"not": {"p": "pro"}}, None),
    ],
)
def test_a_condition_holds(filters: dict[str, Any], value: object) -> None:
    """Two-valued, without coercion, exact."""
    assert holds(_condition(filters), {"p": value})
    assert refusal(_condition(filters), {"p": value}) is None


@pytest.mark.parametrize(
    ("filters", "value", "why"),
    [
        ({"p": ["CA", "US"]}, "DE", "p is 'DE', not one of 'CA', 'US'"),
        ({"p": "CA"}, "DE", "p is 'DE', not 'CA'"),
        ({"p": "pro"}, None, "p is missing"),
        ({"p": {"ne": "pro"}}, None, "p is missing"),
        ({"p": False}, 0, "p is 0, not false"),
        ({"p": "false"}, False, "p is false, not 'false'"),
        ({"p": 2**53}, 2**53 + 1, "p is 9007199254740993, not 9007199254740992"),
        ({"p": {"ne": 1}}, 1, "p is 1, just 1"),
        ({"p": {"gt": 5}}, 5, "p is 5, not greater than 5"),
        ({"p": {"gt": 5}}, "6", "p is '6', not greater than 5"),
        ({"p": {"contains": "x"}}, "abc", "p is 'abc', which does not contain 'x'"),
        ({"p": {"exists": False}}, "abc", "p is 'abc', and should be missing"),
        ({"p": {"exists": True}}, None, "p is missing"),
        ({"p": {"between": [1, 2]}}, 3, "p is 3, not at most 2"),
        ({"any": [{"p": 1}, {"q": 2}]}, 3, "p is 3, not 1, and q is missing"),
    ],
)
def test_a_refusal_says_why(filters: dict[str, Any], value: object, why: str) -> None:
    """It names the property, what it is, and what it should have been."""
    assert not holds(_condition(filters), {"p": value})
    assert refusal(_condition(filters), {"p": value}) == why


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"a.b": 1, "a": {"b": 2}}, "a.b"),
        ({"a": {"b": 1}}, "a.b"),
        ({"a": {"b.c": 1, "b": {"c": 2}}}, "a.b.c"),
        ({"a": {"b": {"c": 1}}}, "a.b.c"),
        ({"properties": {"a": 1}}, "a"),
        ({"a": None, "properties": {"a": 1}}, "a"),
        ({"properties": {"a": {"b": 1}}}, "a.b"),
    ],
)
def test_a_property_is_found_by_key_then_inside_objects_then_in_properties(row: dict[str, Any], name: str) -> None:
    """The places are tried in one settled order, and a null gives way to the next."""
    assert holds(_condition({name: 1}), row)


def test_a_long_value_is_cut_in_a_refusal() -> None:
    """A value of a million characters does not drown the sentence."""
    assert len(refusal(_condition({"p": "x"}), {"p": "y" * 1_000_000}) or "") < 200
