"""Values that are added up or told apart (semantics 10, `sum` and `distinct`)."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

from doorstep.matching.conditions import number_of
from doorstep.rows.times import microseconds

Key = tuple[str, object]


def number_in(value: object) -> int | float | None:
    """The number to add; None for what is none. Infinities and NaN cannot be added up and are none."""
    number = number_of(value)
    return None if number is None or (isinstance(number, float) and not math.isfinite(number)) else number


def distinct_key(value: object) -> Key | None:
    """What a value is equal in: booleans, numbers and texts are three worlds, 1 and 1.0 are one. None for what cannot
    be told apart: nothing, NaN, lists and objects.
    """
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, str):
        return "text", value
    if isinstance(value, date):
        return "time", microseconds(value)
    if isinstance(value, int | float | Decimal):
        number = number_of(value)
        return None if number is None or math.isnan(number) else ("number", number)
    return None


__all__ = ["Key", "distinct_key", "number_in"]
