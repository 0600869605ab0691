"""Lengths of time as written in a document: ``90s``, ``15m``, ``24h``, ``7d``, ``2w``, ``1d12h`` (semantics 2).

A day is exactly 24 hours and there are no months. Inside Doorstep a duration is a whole number of microseconds.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from doorstep.definitions.quoting import quoted

MICROSECONDS: Final = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
}
LONGEST: Final = 36_525 * MICROSECONDS["d"]
"""A century: longer than any event history, short enough that no sum of times and durations can overflow."""

PATTERN: Final = r"(?:[0-9]+[wdhms])+"
_WHOLE: Final = re.compile(PATTERN)
_PART: Final = re.compile(r"([0-9]+)([wdhms])")
_REMEDY: Final = "Write a whole number and a unit: 90s, 15m, 24h, 7d, 2w, or a compound such as 1d12h."


def parse_duration(text: object) -> int:
    """Microseconds in ``text``; raises a pydantic error with code ``duration`` when it is not a duration."""
    if not isinstance(text, str) or not _WHOLE.fullmatch(text):
        raise PydanticCustomError(
            "duration", "{text} is not a duration. {remedy}", {"text": quoted(text), "remedy": _REMEDY}
        )
    parts = _PART.findall(text)
    if max(len(count) for count, _ in parts) > 12:
        total = LONGEST + 1
    else:
        total = sum(int(count) * MICROSECONDS[unit] for count, unit in parts)
    if total > LONGEST:
        raise PydanticCustomError("duration", "{text} is longer than a century (36525d).", {"text": quoted(text)})
    return total


def parse_positive_duration(text: object) -> int:
    """As `parse_duration`, but zero is refused: a window of no length could never be passed on purpose."""
    total = parse_duration(text)
    if total == 0:
        raise PydanticCustomError(
            "duration",
            "{text} is no time at all. Give at least 1s, or leave the key out.",
            {"text": quoted(text)},
        )
    return total


def format_duration(microseconds: int) -> str:
    """The shortest spelling, at most two units where that is exact: ``7d``, ``1d12h``, ``90m``."""
    if microseconds == 0:
        return "0s"
    text, rest = "", microseconds
    for unit, size in (
        ("d", MICROSECONDS["d"]),
        ("h", MICROSECONDS["h"]),
        ("m", MICROSECONDS["m"]),
        ("s", MICROSECONDS["s"]),
    ):
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    return text if rest == 0 else f"{text}{rest}us"


_SCHEMA: Final = WithJsonSchema(
    {"type": "string", "pattern": f"^{PATTERN}$", "examples": ["90s", "24h", "7d", "1d12h"]}
)

Duration = Annotated[int, BeforeValidator(parse_positive_duration), _SCHEMA]
"""A positive duration in microseconds."""

DurationOrZero = Annotated[int, BeforeValidator(parse_duration), _SCHEMA]
"""A duration in microseconds that may be zero: an offset, a grace period."""
