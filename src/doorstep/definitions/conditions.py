"""What must be true of a row, as a small tree (semantics 2, *Filters*).

`Filters` (in `filters`) is how people write conditions; this is what they mean. Everything that evaluates, renders,
hashes or compiles a filter reads this tree. Truth is two-valued and types are never coerced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scalar = bool | int | float | str
"""A literal: ``True``, ``1`` and ``"1"`` are three different values; ``1`` and ``1.0`` are one."""

Operator = Literal[
    "in", "not_in", "gt", "gte", "lt", "lte", "contains", "starts_with", "ends_with", "matches", "exists"
]
"""``eq``/``ne`` are ``in``/``not_in`` with one value; ``between`` is ``gte`` and ``lte``."""


@dataclass(frozen=True, slots=True)
class Test:
    """One property against one operator.

    ``operand`` is: for ``in``/``not_in`` the values, sorted and distinct; for ``exists`` ``(True,)`` or ``(False,)``;
    otherwise one value. A missing or null property satisfies ``exists: false`` and nothing else.
    """

    __test__ = False

    property: str
    operator: Operator
    operand: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class All:
    """Every one of ``of`` holds; of nothing, true."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of ``of`` holds; of nothing, false."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``of`` does not hold; also true of a row that lacks the property."""

    of: Condition


Condition = Test | All | AnyOf | Not

ALWAYS = All(())


def properties_of(condition: Condition) -> frozenset[str]:
    """Every property the condition looks at."""
    match condition:
        case Test():
            return frozenset({condition.property})
        case Not():
            return properties_of(condition.of)
        case All() | AnyOf():
            return frozenset().union(*(properties_of(part) for part in condition.of))


def tests_of(condition: Condition) -> tuple[Test, ...]:
    """Every test in the condition, in reading order."""
    match condition:
        case Test():
            return (condition,)
        case Not():
            return tests_of(condition.of)
        case All() | AnyOf():
            return tuple(test for part in condition.of for test in tests_of(part))


def scalar_key(value: Scalar) -> tuple[int, float, str]:
    """A total order over literals of every type: booleans, then numbers, then strings; 1 and 1.0 are equal."""
    if isinstance(value, bool):
        return (0, float(value), "")
    if isinstance(value, int | float):
        return (1, value, "")
    return (2, 0.0, value)
