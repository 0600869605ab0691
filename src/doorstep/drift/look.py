"""From definitions and a source to findings: the one road that the command line and others call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from doorstep.definitions.durations import format_duration
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.reading import load
from doorstep.drift.expected import uses
from doorstep.drift.findings import Finding, findings
from doorstep.drift.profile import WEEK, Periods, profile
from doorstep.engines.duckdb import Progress, engine
from doorstep.errors import RunError
from doorstep.funnels.bounds import Instant, microseconds_of, zone_of
from doorstep.funnels.result import instant
from doorstep.rows import Needs, open_rows

MOST_PERIODS: Final = 104


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What was looked at and what was found. ``clean``: funnels that nothing found touches."""

    description: str
    horizon: int
    recent: int
    periods: int
    findings: tuple[Finding, ...]
    funnels: tuple[str, ...]

    @property
    def clean(self) -> tuple[str, ...]:
        """Funnels whose tracking is as it was: if their conversion moved, it was not for want of events."""
        touched = {funnel for one in self.findings for funnel in one.touches}
        unknown = any(one.code == "little-history" for one in self.findings)
        return () if unknown else tuple(name for name in self.funnels if name not in touched)

    @property
    def as_of(self) -> str | None:
        """Where the recent span ends, as ISO 8601 in UTC."""
        return instant(self.horizon)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "data": {"description": self.description, "as_of": self.as_of},
            "recent": format_duration(self.recent),
            "periods": self.periods,
            "findings": [asdict(one) for one in self.findings],
            "clean": list(self.clean),
        }


def drift(
    definitions: Sequence[Funnel | str | Path | Mapping[str, object]],
    source: object,
    *,
    recent: int = WEEK,
    periods: int = 8,
    as_of: Instant = None,
    columns: Mapping[str, str] | None = None,
    source_timezone: str = "UTC",
    memory: int | None = None,
    progress: Progress | None = None,
) -> DriftReport:
    """Compares the last ``recent`` microseconds up to ``as_of`` (default: the last row) with the same days of the week
    in each of ``periods`` earlier weeks (or spans of several weeks), for all that the definitions rely on.
    """
    if not 0 < recent <= 53 * WEEK or not 1 <= periods <= MOST_PERIODS:
        raise RunError(
            "bad-periods", f"drift compares up to {MOST_PERIODS} periods of at most a year each. Choose a shorter span."
        )
    funnels = [one if isinstance(one, Funnel) else load(one) for one in definitions]
    relied_on = uses(funnels)
    asked = {(use.event, use.property) for use in relied_on if use.property is not None}
    with engine(memory=memory, progress=progress) as running:
        needs = Needs(properties=frozenset(name for _, name in asked))
        rows = open_rows(running.connection, source, columns=columns, source_timezone=source_timezone, needs=needs)
        horizon = microseconds_of(as_of, "as_of", zone_of("UTC"))
        last = rows.facts().last_time
        if last is None:
            raise RunError("no-rows", f"{rows.description} holds no event, so there is nothing to compare.")
        spans = Periods(last if horizon is None else horizon, recent, periods)
        found = findings(profile(running, rows, spans, asked), relied_on)
        return DriftReport(
            rows.description, spans.horizon, recent, periods, found, tuple(one.funnel for one in funnels)
        )
