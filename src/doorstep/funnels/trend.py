"""Conversion by the entry's calendar day, week or month in a time zone (semantics 8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from doorstep.definitions.funnel import Funnel
from doorstep.errors import RunError
from doorstep.funnels.bounds import microseconds_of, zone_of
from doorstep.funnels.curve import Fates, fates_of
from doorstep.funnels.figures import Figures, figures_of
from doorstep.funnels.notebook import Shown
from doorstep.funnels.projection import Projection, project
from doorstep.funnels.spelling import figures_dict
from doorstep.matching.attempts import Attempts

if TYPE_CHECKING:
    from doorstep.funnels.result import Data

By = Literal["day", "week", "month"]

MOST_PERIODS: Final = 5_000
_DAYS: Final = "datetime64[D]"


@dataclass(frozen=True, slots=True)
class Period:
    """The attempts that entered in [``start``, ``end``), local dates.

    ``partial``: the range or the data covers only a part of it. ``immature``: some attempt is still open, so that the
    conversion may yet rise; ``projected`` is then the rate to be expected.
    """

    start: date
    end: date
    partial: bool
    immature: bool
    figures: Figures
    projected: Projection | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "partial": self.partial,
            "immature": self.immature,
            "projected": None if self.projected is None else self.projected.to_dict(),
            **figures_dict(self.figures),
        }


@dataclass(frozen=True, slots=True)
class Trend(Shown):
    """Period by period, without gaps: also those that nobody entered in."""

    by: By
    timezone: str
    periods: tuple[Period, ...]

    @property
    def mature_line(self) -> tuple[float | None, ...]:
        """The conversion of each period that is mature; None for the others. Rates of immature periods only fall short
        of what they will be.
        """
        return tuple(None if one.immature else one.figures.conversion for one in self.periods)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "by": self.by,
            "timezone": self.timezone,
            "mature_line": list(self.mature_line),
            "periods": [one.to_dict() for one in self.periods],
        }


def trend_of(funnel: Funnel, counted: Attempts, data: Data, by: By, timezone: str) -> Trend:
    """See `FunnelResult.trend`."""
    if by not in get_args(By):
        raise RunError("bad-period", f"{by!r} is no period. A trend is by {', '.join(get_args(By))}.")
    zone = zone_of(timezone)
    starts = starts_of(local_days(counted.entered_at, timezone), by)
    listed = _listed(starts, data, by, timezone)
    if not len(listed):
        return Trend(by, timezone, ())
    fates = fates_of(funnel, counted, data.as_of)
    order = np.argsort(starts, kind="stable")
    begins, ends = (np.searchsorted(starts[order], listed, side=side) for side in ("left", "right"))
    periods = []
    for start, begin, stop in zip(listed.tolist(), begins, ends, strict=True):
        inside = order[begin:stop]
        figures = figures_of(funnel, counted.where(inside))
        first, end = day_of(start), following(day_of(start), by)
        here = Fates(fates.lasted[inside], fates.completed[inside], fates.lost[inside])
        periods.append(
            Period(
                start=first,
                end=end,
                partial=_partial(first, end, zone, data),
                immature=figures.open > 0,
                figures=figures,
                projected=project(here, fates) if figures.open else None,
            )
        )
    return Trend(by, timezone, tuple(periods))


def local_days(microseconds: NDArray[np.int64], timezone: str) -> NDArray[np.int64]:
    """The local date of each instant, as days since 1970."""
    import polars as pl  # noqa: PLC0415 - slow to import, and not always used

    moments = pl.Series(microseconds).cast(pl.Datetime("us", "UTC"))
    try:
        days = moments.dt.convert_time_zone(timezone).dt.date()
    except pl.exceptions.PolarsError:
        raise RunError(
            "unknown-timezone", f"{timezone!r} has no rules here. Use a name such as Europe/Berlin."
        ) from None
    return days.cast(pl.Int32).cast(pl.Int64).to_numpy()


def starts_of(days: NDArray[np.int64], by: By) -> NDArray[np.int64]:
    """The first day of the period that each day lies in."""
    match by:
        case "day":
            return days
        case "week":
            return days - (days + 3) % 7
        case "month":
            return days.astype(_DAYS).astype("datetime64[M]").astype(_DAYS).astype(np.int64)


def _listed(starts: NDArray[np.int64], data: Data, by: By, timezone: str) -> NDArray[np.int64]:
    """The first days of all periods: from the range's start (or the first entry) to its end (or the last row)."""
    end = data.as_of if data.until is None else min(data.until - 1, data.as_of)
    bounds = [] if data.since is None else [data.since]
    if not len(starts) and not bounds:
        return starts
    limits = starts_of(local_days(np.array([*bounds, end], np.int64), timezone), by)
    first = int(limits[0]) if bounds else int(starts.min())
    last = max(int(limits[-1]), int(starts.max(initial=first)))
    if by == "month":
        months = np.arange(*(np.array([first, last]).astype(_DAYS).astype("datetime64[M]") + np.array([0, 1])))
        found = months.astype(_DAYS).astype(np.int64)
    else:
        found = np.arange(first, last + 1, 7 if by == "week" else 1)
    if len(found) > MOST_PERIODS:
        raise RunError(
            "too-many-periods",
            f"a trend by {by} over this range has {len(found):,} periods; at most {MOST_PERIODS:,} are shown. "
            "Narrow the range, or take longer periods.",
        )
    return found


def day_of(days: int) -> date:
    """The date so many days after 1970."""
    return date(1970, 1, 1) + timedelta(days)


def following(start: date, by: By) -> date:
    """The first day of the next period."""
    if by == "month":
        return (start.replace(day=28) + timedelta(4)).replace(day=1)
    return start + timedelta(7 if by == "week" else 1)


def _partial(start: date, end: date, zone: ZoneInfo, data: Data) -> bool:
    low, high = microseconds_of(start, "start", zone), microseconds_of(end, "end", zone)
    assert low is not None
    assert high is not None
    return (
        (data.since is not None and low < data.since)
        or (data.until is not None and high > data.until)
        or high > data.as_of + 1
    )


# -- the previous period -----------------------------------------------------------------------------------------------


def previous_range(since: int, until: int, zone: ZoneInfo) -> int:
    """Where the range of equal length before [since, until) begins: where both are midnights of the zone, so many days
    earlier (a day of 23 hours is a day), else so much time.
    """
    epoch = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
    low, high = ((epoch + timedelta(microseconds=one)).astimezone(zone) for one in (since, until))
    if all(one.timetz().replace(tzinfo=None).isoformat() == "00:00:00" for one in (low, high)):
        start = microseconds_of(low.date() - (high.date() - low.date()), "since", zone)
        assert start is not None
        return start
    return since - (until - since)


__all__ = [
    "MOST_PERIODS",
    "By",
    "Period",
    "Trend",
    "day_of",
    "following",
    "local_days",
    "previous_range",
    "starts_of",
    "trend_of",
]
