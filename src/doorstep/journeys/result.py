"""What a replay gives: where every account stands, and how it came there (semantics 10)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from doorstep.definitions.journey import Journey
from doorstep.funnels.bounds import Instant, microseconds_of, zone_of
from doorstep.funnels.result import instant
from doorstep.funnels.trend import By
from doorstep.journeys.account import NEVER
from doorstep.journeys.cohorts import Cohorts, cohorts_of
from doorstep.journeys.figures import StageReport, reports_of, stuck
from doorstep.journeys.histories import Walked
from doorstep.journeys.periods import Distribution, Flow, distribution_of, flow_of


@dataclass(frozen=True, slots=True)
class StageFigures:
    """A stage, how many accounts are in it now, how many transitions led into it, and the median time that visits of it
    last, in seconds (Kaplan and Meier; None: fewer than half have ended).
    """

    id: str
    name: str
    accounts: int
    entered: int
    median_seconds: float | None


@dataclass(frozen=True)
class JourneyResult:
    """Histories up to and including ``until`` (microseconds). ``rejected``: rows that did not count, by reason."""

    journey: Journey
    hash: str
    until: int
    rows: int
    rejected: Mapping[str, int]
    notes: tuple[str, ...]
    snapshot: int | None
    units: tuple[pa.Array, ...]
    walked: Walked

    @cached_property
    def _names(self) -> pa.Array:
        """An account as it is named: its value; of several columns their JSON list."""
        if len(self.units) == 1:
            return self.units[0]
        names = [json.dumps(values) for values in zip(*(column.to_pylist() for column in self.units), strict=True)]
        return pa.array(names, pa.string())

    @cached_property
    def _order(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Accounts that are born, by name."""
        order = np.asarray(pc.sort_indices(self._names).to_numpy(), np.int64)
        born: np.ndarray[Any, np.dtype[np.int64]] = order[self.walked.accounts[order, 1] >= 0]
        return born

    @cached_property
    def accounts(self) -> pa.Table:
        """Every account that is born, by name: ``unit, stage, high_water, since, born_at, due_at``. ``high_water`` is
        null where an account was only in stages without rank; ``due_at`` says when, without any news, something about
        it may change next.
        """
        born, stage, since, high, due = self.walked.accounts[self._order].T
        return pa.table(
            {
                "unit": self._names.take(pa.array(self._order)),
                "stage": self._stages(stage),
                "high_water": self._stages(high),
                "since": _timestamps(since),
                "born_at": _timestamps(born),
                "due_at": _timestamps(due),
            }
        )

    @cached_property
    def transitions(self) -> pa.Table:
        """Every transition, by account and time: ``unit, from_stage, to_stage, skipped, occurred_at, cause``."""
        lines = self.walked.lines
        rank = np.zeros(len(self.walked.accounts), np.int64)
        rank[self._order] = np.arange(len(self._order))
        lines = lines[np.argsort(rank[lines[:, 0]], kind="stable")]
        account, old, new, skips, time, manual = lines.T
        counts = np.where(skips != 0, new - old - 1, 0)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        passed = np.repeat(old + 1 - offsets[:-1], counts) + np.arange(offsets[-1])
        return pa.table(
            {
                "unit": self._names.take(pa.array(account)),
                "from_stage": self._stages(old),
                "to_stage": self._stages(new),
                "skipped": pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), self._stages(passed)),
                "occurred_at": _timestamps(time),
                "cause": pa.array(["criteria", "manual"]).take(pa.array(manual)),
            }
        )

    @cached_property
    def stages(self) -> tuple[StageFigures, ...]:
        """Figures of each stage, in order."""
        entered = np.bincount(self.walked.lines[:, 2], minlength=len(self.journey.stages))
        return tuple(
            StageFigures(one.id, one.name, one.accounts, int(entered[place]), one.stay.median_seconds)
            for place, one in enumerate(self.reports)
        )

    @cached_property
    def reports(self) -> tuple[StageReport, ...]:
        """What becomes of accounts in each stage: time inside, conversion, velocity (semantics 10, *Figures*)."""
        return reports_of(self.journey, self.walked, self.until)

    def distribution(self, by: By = "week", timezone: str = "UTC") -> Distribution:
        """Where accounts stood at the end of each ``day``, ``week`` (ISO) or ``month``; RunError ``bad-period``,
        ``too-many-periods``, ``unknown-timezone``.
        """
        return distribution_of(self.journey, self.walked, self.until, by, timezone)

    def flow(self, since: Instant = None, until: Instant = None, timezone: str = "UTC") -> Flow:
        """How many visits led from which stage to which in [since, until)."""
        zone = zone_of(timezone)
        bounds = microseconds_of(since, "since", zone), microseconds_of(until, "until", zone)
        return flow_of(self.journey, self.walked, *bounds)

    def cohorts(self, by: By = "month", timezone: str = "UTC", ages: int = 12) -> Cohorts:
        """How far accounts had come at each age, by when they were born. Ages are 0, 1, … ``ages`` days, weeks, or
        months of 30 days.
        """
        return cohorts_of(self.journey, self.walked, self.until, by, timezone, ages)

    def stuck(self, longer_than: int) -> pa.Table:
        """The lines of `accounts` of those who have been longer than so many microseconds in their stage."""
        chosen = np.zeros(len(self.walked.accounts), bool)
        chosen[stuck(self.walked, self.until, longer_than)] = True
        return self.accounts.filter(pa.array(chosen[self._order]))

    def names_of(self, numbers: np.ndarray[Any, np.dtype[np.int64]]) -> list[object]:
        """What accounts of these numbers are called."""
        named: list[object] = self._names.take(pa.array(numbers, pa.int64())).to_pylist()
        return named

    def _stages(self, places: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
        ids = pa.array([stage.id for stage in self.journey.stages], pa.string())
        return ids.take(pa.array(places, mask=places < 0))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: what ``doorstep journey replay --json`` prints."""
        return {
            "journey": {"name": self.journey.journey, "hash": self.hash, "semantics": self.journey.semantics},
            "data": {
                "rows": self.rows,
                "until": instant(self.until),
                "rejected": dict(self.rejected),
                "notes": list(self.notes),
                **({} if self.snapshot is None else {"snapshot": self.snapshot}),
            },
            "unit": ", ".join(self.journey.unit_columns),
            "accounts": len(self._order),
            "transitions": len(self.walked.lines),
            "stages": [
                {
                    "id": one.id,
                    "name": one.name,
                    "accounts": one.accounts,
                    "entered": one.entered,
                    "median_seconds": one.median_seconds,
                }
                for one in self.stages
            ],
        }


def _timestamps(microseconds: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:

    never = (microseconds >= NEVER) | (microseconds <= -NEVER)
    return pa.array(microseconds, pa.int64(), mask=never).cast(pa.timestamp("us", tz="UTC"))


__all__ = ["JourneyResult", "StageFigures"]
