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
from doorstep.funnels.result import instant
from doorstep.journeys.account import NEVER
from doorstep.journeys.histories import Walked


@dataclass(frozen=True, slots=True)
class StageFigures:
    """A stage, how many accounts are in it now, how many transitions led into it, and for how long visits of it that
    ended had lasted, in seconds (None: no visit ended).
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
        accounts, lines = self.walked.accounts, self.walked.lines
        born = accounts[accounts[:, 1] >= 0]
        now = np.bincount(born[:, 1], minlength=len(self.journey.stages))
        entered = np.bincount(lines[:, 2], minlength=len(self.journey.stages))
        lasted = self._visits()
        return tuple(
            StageFigures(stage.id, stage.label, int(now[place]), int(entered[place]), _median(lasted, place))
            for place, stage in enumerate(self.journey.stages)
        )

    def _visits(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """(stage, microseconds) of each visit that ended; one that was left at once was not visited."""
        lines = self.walked.lines
        if not len(lines):
            return lines[:, 1], lines[:, 4]
        first = np.r_[True, lines[1:, 0] != lines[:-1, 0]]
        entered = np.where(first, self.walked.accounts[lines[:, 0], 0], np.r_[0, lines[:-1, 4]])
        lasted = lines[:, 4] - entered
        return lines[lasted > 0, 1], lasted[lasted > 0]

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


def _median(lasted: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]], place: int) -> float | None:
    own = lasted[1][lasted[0] == place]
    return float(np.median(own)) / 1e6 if len(own) else None


def _timestamps(microseconds: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:

    never = (microseconds >= NEVER) | (microseconds <= -NEVER)
    return pa.array(microseconds, pa.int64(), mask=never).cast(pa.timestamp("us", tz="UTC"))


__all__ = ["JourneyResult", "StageFigures"]
