"""What came of an attempt, and when the next one is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND

FIRST: Final = 5 * SECOND
"""After the first failure."""
FACTOR: Final = 3
LONGEST: Final = 12 * 3600 * SECOND
"""Between two attempts of one message."""
GIVE_UP: Final = 3 * DAY
"""After so long a message is parked."""
LONGEST_ASKED: Final = DAY
"""As long as a Retry-After is honoured."""

BROKEN: Final = 5
"""Failures in a row from which on a destination is left alone for a while."""
LONGEST_REST: Final = 1800 * SECOND
"""Between two attempts at a destination that fails."""

EXCERPT: Final = 500
"""Characters of an answer that are kept."""

Chance = Callable[[], float]
"""A random number from 0 to below 1."""

_OF_DESTINATION: Final = frozenset({401, 403, 404, 405, 408, 410, 425, 429})
"""Refusals that the next message would meet too."""


_OF_MAIL_SERVER: Final = frozenset({421, 454, 530, 534, 535})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. ``at``: microseconds UTC, when it began; ``latency``: microseconds. ``failure`` is a sentence where
    it failed; ``everywhere`` says that other messages to this destination would have failed too. ``asked``:
    microseconds that the receiver asks to be left alone.
    """

    at: int
    latency: int
    status: int | None
    answer: str
    failure: str | None = None
    everywhere: bool = False
    asked: int | None = None


def judged(at: int, latency: int, status: int, answer: str, retry_after: str | None) -> Attempt:
    """What an HTTP status means: 2xx is delivered, everything else is not."""
    if 200 <= status < 300:
        return Attempt(at, latency, status, answer)
    what = f"answered {status}"
    if 300 <= status < 400:
        what += "; redirects are not followed"
    everywhere = status < 400 or status >= 500 or status in _OF_DESTINATION
    return Attempt(at, latency, status, answer, what, everywhere, asked(retry_after, at + latency))


def judged_mail(at: int, latency: int, status: int, answer: str) -> Attempt:
    """What an SMTP status means."""
    if 200 <= status < 300:
        return Attempt(at, latency, status, answer)
    return Attempt(at, latency, status, answer, f"answered {status}", status in _OF_MAIL_SERVER)


def asked(retry_after: str | None, now: int) -> int | None:
    """Microseconds that a Retry-After header asks to wait from ``now``: seconds, or a date. Nonsense is none."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:12]) * SECOND, LONGEST_ASKED)
    try:
        until = parsedate_to_datetime(text)
        moment = round((until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() * SECOND)
    except (ValueError, OverflowError):
        return None
    return min(max(0, moment - now), LONGEST_ASKED)


def delay(failures: int, chance: Chance, longest: int = LONGEST) -> int:
    """Microseconds to wait after so many failures: each time three times as long, less up to a half by chance, so that
    what failed together does not come again together.
    """
    whole: int = min(longest, FIRST * FACTOR ** min(failures - 1, 30))
    return whole - int(whole * chance() / 2)


def readable(raw: bytes) -> str:
    """The beginning of an answer as text that can be kept, some times as long as an excerpt of it."""
    return raw[: 8 * EXCERPT].decode("utf-8", "replace").replace("\0", "\ufffd").strip()


def excerpt(text: str) -> str:
    """The beginning of a text."""
    return text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"


__all__ = [
    "BROKEN",
    "GIVE_UP",
    "LONGEST_REST",
    "Attempt",
    "Chance",
    "asked",
    "delay",
    "excerpt",
    "judged",
    "judged_mail",
    "readable",
]
