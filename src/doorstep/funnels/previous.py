"""A range beside the one of equal length before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doorstep.definitions.funnel import Funnel
from doorstep.errors import RunError
from doorstep.funnels.bounds import Instant, microseconds_of, zone_of
from doorstep.funnels.notebook import Shown
from doorstep.funnels.result import FunnelResult
from doorstep.funnels.run import run
from doorstep.funnels.spelling import instant
from doorstep.funnels.trend import previous_range


@dataclass(frozen=True, slots=True)
class PreviousPeriod(Shown):
    """Two runs of one definition: the range asked for, and the one of equal length that ends where it begins, looked at
    from a horizon that is as much earlier: both had the same time to convert.
    """

    current: FunnelResult
    previous: FunnelResult

    @property
    def difference(self) -> float | None:
        """By how much the conversion rose (of 1); None where either is of nobody."""
        now, then = self.current.figures.conversion, self.previous.figures.conversion
        return None if now is None or then is None else now - then

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "current": self.current.to_dict(),
            "previous": self.previous.to_dict(),
            "difference": self.difference,
        }


def compare_previous(
    funnel: Funnel | str | Path | Mapping[str, object],
    source: object,
    *,
    since: Instant,
    until: Instant = None,
    as_of: Instant = None,
    timezone: str = "UTC",
    **options: Any,
) -> PreviousPeriod:
    """Runs ``funnel`` over the range and over the one before it. ``until`` defaults to just past the last row;
    ``options`` are those of `run`. RunError ``no-range`` without ``since``; errors as of `run`.
    """
    zone = zone_of(timezone)
    low = microseconds_of(since, "since", zone)
    if low is None:
        raise RunError("no-range", "there is no period before a range without a start. Give since (--since).")
    current = run(funnel, source, since=since, until=until, as_of=as_of, timezone=timezone, **options)
    horizon = current.data.as_of
    high = horizon + 1 if current.data.until is None else current.data.until
    if high <= low:
        raise RunError(
            "no-range", "the data ends before the range begins, so that it has no length. Give an earlier since."
        )
    before = previous_range(low, high, zone)
    previous = run(
        current.funnel,
        source,
        since=instant(before),
        until=instant(low),
        as_of=instant(horizon - (low - before)),
        timezone=timezone,
        **options,
    )
    return PreviousPeriod(current, previous)


__all__ = ["PreviousPeriod", "compare_previous"]
