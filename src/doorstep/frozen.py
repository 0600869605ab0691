"""Frozen runs over a lake: counted once, kept with all that it takes to count them again, and counted again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from doorstep.errors import RunError
from doorstep.funnels.result import FunnelResult, instant
from doorstep.funnels.run import run
from doorstep.lake import Lake
from doorstep.registry import FrozenRun, Registry, RunBounds

NO_MAP = 0
"""The number of the identity map that a run used which used none."""


def freeze(
    registry: Registry, lake: Lake, name: str, version: int, result: FunnelResult, bounds: RunBounds, *, by: str
) -> FrozenRun:
    """Keeps a run of ``name@version`` over the lake, and its snapshot from expiring.

    RunError ``not-a-lake`` for a result that names no snapshot; RegistryError as `FrozenRuns.keep`.
    """
    snapshot = result.data.snapshot
    if snapshot is None:
        raise RunError("not-a-lake", "files may change, so only a run over a lake can be frozen. Say --lake DIR.")
    number = NO_MAP if result.data.map_version is None else int(result.data.map_version.partition("-")[0])
    frozen = registry.runs.keep(
        name, version, snapshot=snapshot, map_version=number, bounds=bounds, figures=result.to_dict(), by=by
    )
    lake.keep(snapshot, f"frozen run {frozen.id}")
    return frozen


@dataclass(frozen=True, slots=True)
class Rerun:
    """A frozen run counted again. ``same``: the figures are those of then, to the last digit."""

    frozen: FrozenRun
    result: FunnelResult

    @property
    def same(self) -> bool:
        """Whether everything that was counted is what it was."""
        return _counted(self.frozen.figures) == _counted(self.result.to_dict())

    @property
    def other_map(self) -> str | None:
        """A sentence where the identity map is not the one of then; None where it is, or neither run used one."""
        then, now = map_of(self.frozen), self.result.data.map_version
        if _digest(then) == _digest(now):
            return None
        return f"the identity map was {then or 'none'} then, and is {now or 'none'} now"


def rerun(registry: Registry, lake: Lake, run_id: str) -> Rerun:
    """Counts a frozen run again, over the lake as it was. RegistryError ``no-such-run``; RunError ``snapshot-gone``."""
    frozen = registry.runs.get(run_id)
    bounds = frozen.bounds
    result = run(
        registry.version(frozen.name, frozen.version).funnel(),
        lake.at(frozen.snapshot),
        since=instant(bounds.since),
        until=instant(bounds.until),
        as_of=instant(bounds.as_of),
        timezone=bounds.timezone,
        first_time=bounds.first_time,
        breakdown=bounds.breakdown,
        top=bounds.top,
    )
    return Rerun(frozen, result)


def map_of(frozen: FrozenRun) -> str | None:
    """The identity map that a frozen run used, as it is named (``3-0f1e2d3c4b5a``)."""
    name = frozen.figures["data"].get("map_version")
    return None if name is None else str(name)


def _digest(map_version: str | None) -> str | None:
    """What a map says, apart from its number, which a lake that was copied may give anew."""
    return None if map_version is None else map_version.partition("-")[2]


def _counted(figures: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures without what tells how the data was read: notes may be worded anew, maps numbered anew."""
    data = {name: value for name, value in figures["data"].items() if name != "notes"}
    return {**figures, "data": {**data, "map_version": _digest(data.get("map_version"))}}
