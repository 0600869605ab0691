"""Numbers, names and sentences as a page says them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from doorstep.definitions.funnel import Funnel, SessionOf
from doorstep.funnels.breakdowns import Other
from doorstep.funnels.lengths import duration
from doorstep.funnels.spelling import json_value
from doorstep.funnels.spelling import percent as spelled

_STEERS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_LEFTWARD: Final = frozenset({"R", "AL", "AN"})
NONE: Final = "(none)"


def shown(text: object) -> str:
    """A text of the data or of a definition, which cannot steer what stands around it: signs in the place of control
    characters, and what runs from right to left kept apart.
    """
    plain = _STEERS.sub(lambda found: " " if found[0] in "\n\t\r" else "\ufffd", str(text))
    leftward = any(unicodedata.bidirectional(one) in _LEFTWARD for one in plain)
    return f"\u2068{plain}\u2069" if leftward else plain


def value_of(value: object) -> str:
    """A value of a breakdown."""
    if isinstance(value, tuple):
        return ", ".join(map(value_of, value))
    return NONE if value is None else f"({value})" if isinstance(value, Other) else shown(json_value(value))


def percent(share: float | None) -> str:
    """``31.4 %``, which no line break cuts in two."""
    return spelled(share).replace(" ", "\u00a0")


def points(difference: float | None) -> str:
    """``+3.1 points``."""
    return "–" if difference is None else f"{signed(difference)}\u00a0points"


def signed(difference: float | None) -> str:
    """``+3.1``, of a difference of shares."""
    return "–" if difference is None else f"{difference * 100:+.1f}"


def between(low: float | None, high: float | None) -> str:
    """``3.1 to 4.8 %``."""
    return "–" if low is None or high is None else f"{low * 100:.1f} to {high * 100:.1f}\u00a0%"


def decimal(value: float | None) -> str:
    """``1.32``."""
    return "–" if value is None else f"{value:,.2f}"


def chance(value: float | None) -> str:
    """A p-value."""
    return "–" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def number(value: int | None) -> str:
    """``12,408``; a dash for none."""
    return "–" if value is None else f"{value:,}"


def of(share: float | None, whole: int) -> str:
    """``31.4 % of 12,408``: no rate without its n."""
    return f"{percent(share)} of {whole:,}"


def counted(funnel: Funnel, count: int) -> str:
    """What is counted, as a noun: ``12,408 users``, ``1 session``."""
    if funnel.count == "attempts":
        noun = "attempt"
    elif isinstance(funnel.count_by, SessionOf):
        noun = "session"
    else:
        column = funnel.account or (funnel.unit_columns[0] if len(funnel.unit_columns) == 1 else "unit")
        noun = column.removesuffix("_id") if re.fullmatch("[a-z_]+_id", column) else "unit"
        noun = "visitor" if noun == "anonymous" else noun.replace("_", " ")
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def which(funnel: Funnel) -> str:
    """``who`` for people, ``that`` for anything else."""
    noun = counted(funnel, 1).removeprefix("1 ")
    return "who" if noun in {"user", "visitor", "account", "customer", "person", "member"} else "that"


def day(instant: str | None) -> str:
    """``2026-02-01``, or with the minute where it is not midnight."""
    told = "–" if instant is None else instant[:16].replace("T", " ")
    return told.removesuffix(" 00:00")


def plural(count: int, one: str, many: str = "") -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def verb(count: int, one: str, many: str) -> str:
    """The form of a verb that goes with so many."""
    return one if count == 1 else many


__all__ = [
    "NONE",
    "between",
    "chance",
    "counted",
    "day",
    "decimal",
    "duration",
    "number",
    "of",
    "percent",
    "plural",
    "points",
    "shown",
    "signed",
    "value_of",
    "verb",
    "which",
]
