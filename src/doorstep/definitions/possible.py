"""Whether any row could meet a condition, and whether one condition implies another, without looking at data.

A *no* is proven, a *yes* may be a "don't know": so a finding that rests on a *no* is never wrong. Properties are taken
to be independent of each other; a condition of more than `MOST_WAYS` cases is not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final

import re2

from doorstep.definitions.conditions import All, AnyOf, Condition, Not, Test
from doorstep.definitions.funnel import Selector

MOST_WAYS: Final = 256
LARGEST: Final = 2**53
"""Beyond it numbers may be compared as the nearest double, so nothing is proven about them."""

_DATE: Final = re.compile(r"\s*\d{4}-?\d\d")
"""A text that a time may equal, as other texts may too: nothing is proven about it."""

_PATTERNS: Final = frozenset({"contains", "starts_with", "ends_with", "matches"})
_OTHER: Final = object()
"""A value that is neither boolean, number nor text, such as a list."""

_Claim = tuple[Test, bool]
"""A test, and whether it must hold."""


def can_hold(condition: Condition) -> bool:
    """False only where no row can meet the condition."""
    ways = _ways(condition, True)
    return ways is None or any(_is_consistent(way) for way in ways)


def implies(one: Condition, other: Condition) -> bool:
    """True only where every row that meets ``one`` meets ``other``."""
    return not can_hold(All((one, Not(other))))


def share_event(one: Selector, other: Selector) -> bool:
    """Whether a row's name can be one of both."""
    return one.any_event or other.any_event or bool(set(one.event) & set(other.event))


def may_share_row(one: Selector, other: Selector) -> bool:
    """False only where no row is one of both."""
    return share_event(one, other) and can_hold(All((one.condition, other.condition)))


def is_swallowed(selector: Selector, by: Sequence[Selector]) -> bool:
    """True only where every row of ``selector`` is one of ``by``."""

    def of_name(name: str) -> bool:
        covering = [rule.condition for rule in by if rule.any_event or name in rule.event]
        return not can_hold(All((selector.condition, *(Not(one) for one in covering))))

    return bool(by) and all(of_name(name) for name in selector.event)


def _ways(condition: Condition, wanted: bool) -> list[tuple[_Claim, ...]] | None:
    """The condition as alternatives, each a list of claims that must all be true; None when there are too many."""
    match condition:
        case Test():
            return [((condition, wanted),)]
        case Not():
            return _ways(condition.of, not wanted)
        case All() | AnyOf():
            parts = [_ways(part, wanted) for part in condition.of]
            return _together(parts) if isinstance(condition, All) == wanted else _either(parts)


def _together(parts: Sequence[list[tuple[_Claim, ...]] | None]) -> list[tuple[_Claim, ...]] | None:
    ways: list[tuple[_Claim, ...]] = [()]
    for part in parts:
        if part is None or len(ways) * len(part) > MOST_WAYS:
            return None
        ways = [(*way, *more) for way in ways for more in part]
    return ways


def _either(parts: Sequence[list[tuple[_Claim, ...]] | None]) -> list[tuple[_Claim, ...]] | None:
    ways: list[tuple[_Claim, ...]] = []
    for part in parts:
        if part is None or len(ways) + len(part) > MOST_WAYS:
            return None
        ways += part
    return ways


def _is_consistent(way: tuple[_Claim, ...]) -> bool:
    names = {test.property for test, _ in way}
    return all(_some_value([claim for claim in way if claim[0].property == name]) for name in names)


def _some_value(claims: Sequence[_Claim]) -> bool:
    """Whether one value of one property may meet all claims."""
    found = any(all(_passes(test, value) is wanted for test, wanted in claims) for value in _candidates(claims))
    return found or not _are_candidates_enough(claims)


def _candidates(claims: Sequence[_Claim]) -> Iterator[object]:
    """Enough values that, but for patterns and dates, one of them meets the claims if any value does.

    Between two numbers one is tried, and behind each text the next one in the order of texts.
    """
    operands = [value for test, _ in claims if test.operator != "exists" for value in test.operand]
    yield from (None, _OTHER, True, False)
    numbers = sorted({Fraction(value) for value in operands if not isinstance(value, str | bool)})
    yield from numbers
    yield from ((low + high) / 2 for low, high in pairwise(numbers))
    yield from (numbers[0] - 1, numbers[-1] + 1) if numbers else (0,)
    texts = sorted({value for value in operands if isinstance(value, str)})
    yield ""
    for text in texts:
        yield from (text, f"{text}\0")
    starts = [str(test.operand[0]) for test, wanted in claims if wanted and test.operator == "starts_with"]
    inside = [str(test.operand[0]) for test, wanted in claims if wanted and test.operator == "contains"]
    ends = [str(test.operand[0]) for test, wanted in claims if wanted and test.operator == "ends_with"]
    yield "".join([*sorted(starts, key=len)[-1:], *inside, *sorted(ends, key=len)[-1:]])


def _are_candidates_enough(claims: Sequence[_Claim]) -> bool:
    operands = [value for test, _ in claims for value in test.operand]
    if any(_DATE.match(value) if isinstance(value, str) else abs(value) > LARGEST for value in operands):
        return False
    if any((test.operator, wanted) in {("in", True), ("not_in", False)} for test, wanted in claims):
        return True
    if not any(test.operator in _PATTERNS for test, _ in claims):
        return True
    no_text = any(
        wanted and test.operator in {"gt", "gte", "lt", "lte"} and not isinstance(test.operand[0], str)
        for test, wanted in claims
    )
    missing = any(test.operator == "exists" and test.operand[0] is not wanted for test, wanted in claims)
    return no_text or missing or _no_common_start(claims)


def _no_common_start(claims: Sequence[_Claim]) -> bool:
    starts = [str(test.operand[0]) for test, wanted in claims if wanted and test.operator == "starts_with"]
    ends = [str(test.operand[0])[::-1] for test, wanted in claims if wanted and test.operator == "ends_with"]
    return any(
        not long.startswith(short) for texts in (starts, ends) for short, long in pairwise(sorted(texts, key=len))
    )


def _passes(test: Test, value: object) -> bool:
    """Whether a value passes a test, by the rules of semantics 2 (texts are never times here)."""
    first = test.operand[0] if test.operand else None
    if test.operator == "exists":
        return (value is not None) is first
    if value is None:
        return False
    if test.operator in {"in", "not_in"}:
        return any(_equal(value, one) for one in test.operand) is (test.operator == "in")
    if isinstance(value, str) and isinstance(first, str):
        return _compares_texts(test, value, first)
    if isinstance(value, bool | str) or isinstance(first, bool | str) or not isinstance(value, int | Fraction):
        return False
    bound = Fraction(first or 0)
    return {"gt": value > bound, "gte": value >= bound, "lt": value < bound, "lte": value <= bound}.get(
        test.operator, False
    )


def _equal(value: object, literal: object) -> bool:
    same_kind = (isinstance(value, bool), isinstance(value, str)) == (
        isinstance(literal, bool),
        isinstance(literal, str),
    )
    return same_kind and value == literal


def _compares_texts(test: Test, value: str, literal: str) -> bool:
    match test.operator:
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
            return re2.search(literal, value) is not None
        case "in" | "not_in" | "exists":
            pass
    raise AssertionError(test.operator)


__all__ = ["can_hold", "implies", "is_swallowed", "may_share_row", "share_event"]
