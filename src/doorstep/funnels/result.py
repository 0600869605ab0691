"""What a run gives back: figures, the attempts they are made of, and how the data stood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from doorstep.definitions.funnel import Funnel, SessionOf
from doorstep.engines.duckdb import Matched
from doorstep.funnels.breakdowns import Breakdown, Groups, Other
from doorstep.funnels.figures import Figures, StepFigures
from doorstep.funnels.notebook import Shown
from doorstep.funnels.people import ANY, Outcome, people_batches, people_table, with_value
from doorstep.funnels.segments import SegmentFigures
from doorstep.funnels.spelling import figures_dict, instant, json_value, percent
from doorstep.funnels.table import attempts_table
from doorstep.funnels.through import BranchThrough, OptionalStep, branches_of, optional_steps_of
from doorstep.funnels.times import TimeFigures, times_of_attempts
from doorstep.funnels.trend import By, Trend, trend_of
from doorstep.matching.attempts import Attempts


@dataclass(frozen=True, slots=True)
class Data:
    """What was read. ``rejected``: reason → rows that could not be used; bounds are microseconds UTC; ``snapshot``: of
    a lake, None for all else; ``map_version``: which identity map said whose rows are, None where no ids are stitched.
    """

    description: str
    rows: int
    matched: int
    units: int
    since: int | None
    until: int | None
    as_of: int
    rejected: Mapping[str, int]
    notes: tuple[str, ...]
    snapshot: int | None = None
    map_version: str | None = None


@dataclass(frozen=True)
class FunnelResult(Shown):
    """The answer of one run: ``steps`` and ``figures`` to read, ``attempts`` to look behind them."""

    funnel: Funnel
    hash: str
    figures: Figures
    data: Data
    breakdown: Groups
    breakdowns: tuple[Breakdown, ...]
    segments: tuple[SegmentFigures, ...]
    matched: Matched

    @property
    def steps(self) -> tuple[StepFigures, ...]:
        """The figures of each step, in order."""
        return self.figures.steps

    @property
    def unit(self) -> str:
        """What is counted, in a word."""
        funnel, stitch = self.funnel, self.funnel.stitch
        of = ", ".join(funnel.unit_columns) if stitch is None else f"stitched {stitch.known}"
        of = of if funnel.account is None else f"{funnel.account} of {of}"
        return f"session of {of}" if isinstance(funnel.count_by, SessionOf) else of

    @cached_property
    def attempts(self) -> pa.Table:
        """Every attempt, dropped ones too, by unit and entry: ``unit, attempt, entered_at, entry_step, status, reached,
        counted, dropped``, then ``at_<id>`` for each step, the branch taken at each `any_of` step, and the values that
        were held constant.
        """
        return attempts_table(self.funnel, self.matched)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of a run: what ``doorstep run --json`` prints."""
        data = self.data
        return {
            "funnel": {"name": self.funnel.funnel, "hash": self.hash, "semantics": self.funnel.semantics},
            "data": {
                "rows": data.rows,
                "matched": data.matched,
                "units": data.units,
                "since": instant(data.since),
                "until": instant(data.until),
                "as_of": instant(data.as_of),
                "rejected": dict(data.rejected),
                "notes": list(data.notes),
                **({} if data.snapshot is None else {"snapshot": data.snapshot}),
                **({} if data.map_version is None else {"map_version": data.map_version}),
            },
            "unit": self.unit,
            "count": self.funnel.count,
            **figures_dict(self.figures),
            "breakdown": [self._group(value, figures) for value, figures in self.breakdown],
            **({"segments": [one.to_dict() for one in self.segments]} if self.segments else {}),
        }

    def _group(self, value: object, figures: Figures) -> dict[str, Any]:
        names = [str(one) for one in self.breakdowns]
        rest = {"other": True, "values": value.values} if isinstance(value, Other) else {}
        told = None if rest else json_value(value)
        return {"property": names[0] if len(names) == 1 else names, "value": told, **rest, **figures_dict(figures)}

    @property
    def breakdown_by(self) -> str | None:
        """What it is broken down by, in a word."""
        return ", ".join(map(str, self.breakdowns)) or None

    @cached_property
    def counted(self) -> Attempts:
        """The attempts that make up the figures."""
        return self.matched.attempts.where(self.matched.attempts.counted)

    def trend(self, by: By = "week", timezone: str = "UTC", *, value: object = ANY) -> Trend:
        """The figures by the calendar ``day``, ``week`` (from Monday) or ``month`` of the entry in a time zone, of one
        value of the breakdown if it is given. RunError ``bad-period``, ``unknown-timezone``, ``too-many-periods``.
        """
        return trend_of(self.funnel, self._of(value), self.data, by, timezone)

    def times(self, *, value: object = ANY) -> TimeFigures:
        """How long each step and the whole took, and the share that has completed by the time since the entry."""
        return times_of_attempts(self.funnel, self._of(value), self.data.as_of)

    def branches(self) -> tuple[BranchThrough, ...]:
        """For each way through a step with alternatives, how many of those who took it reached each later step."""
        return branches_of(self.funnel, self.counted)

    def optional_steps(self) -> tuple[OptionalStep, ...]:
        """For each optional step, how those who took it fared and how those who did not."""
        return optional_steps_of(self.funnel, self.counted)

    def people(self, step: object = None, outcome: Outcome = "reached", *, breakdown_value: object = ANY) -> pa.Table:
        """Those with this outcome at a step (default: the last): ``unit, entered_at``, ``at_<id>`` of each step,
        ``status`` and the ``value`` of the breakdown, by entry. RunError ``no-such-step``, ``bad-outcome``,
        ``no-such-value``.
        """
        return people_table(self, step, outcome, breakdown_value)

    def people_batches(
        self, step: object = None, outcome: Outcome = "reached", *, breakdown_value: object = ANY
    ) -> Iterator[pa.RecordBatch]:
        """The same, some at a time."""
        return people_batches(self, step, outcome, breakdown_value)

    def _of(self, value: object) -> Attempts:
        return self.counted if value is ANY else self.counted.where(with_value(self, self.counted, value))


__all__ = ["Data", "FunnelResult", "instant", "json_value", "percent"]
