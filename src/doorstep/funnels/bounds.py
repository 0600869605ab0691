"""Bounds of a run as people give them: an instant, or a date, which means that day's start in the run's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from doorstep.errors import RunError

Instant = str | date | datetime | None
"""An ISO 8601 text, a `date` or a `datetime`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone_of(name: str) -> ZoneInfo:
    """The IANA time zone of this name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise RunError(
            "unknown-timezone", f"{name!r} is not a time zone. Use an IANA name such as UTC or Europe/Berlin."
        ) from None


def microseconds_of(given: Instant, what: str, zone: ZoneInfo) -> int | None:
    """Microseconds since 1970 UTC; naive times, and the start of a date, are read in ``zone``."""
    if given is None:
        return None
    moment = given
    if isinstance(moment, str):
        try:
            moment = date.fromisoformat(moment) if len(moment) <= 10 else datetime.fromisoformat(moment)
        except ValueError:
            raise RunError(
                "bad-bound",
                f"{what} is {given!r}, which is neither a date nor a time. Write 2026-03-01 or 2026-03-01T09:30:00Z.",
            ) from None
    if not isinstance(moment, date):
        raise RunError(
            "bad-bound",
            f"{what} is a {type(given).__name__} ({given!r}). Give a text such as 2026-03-01, a date or a datetime.",
        )
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=zone)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // timedelta(microseconds=1)
