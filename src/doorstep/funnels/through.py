"""Branches and optional steps: how those went on who took one way, and those who took another."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from doorstep.definitions.funnel import Funnel, branch_label
from doorstep.funnels.figures import ratio, reached_of
from doorstep.matching.attempts import STATUSES, Attempts, Flags


@dataclass(frozen=True, slots=True)
class Reach:
    """How many of some attempts reached a step, and their share."""

    id: int | str
    count: int
    share: float | None


@dataclass(frozen=True, slots=True)
class BranchThrough:
    """Those who passed ``step`` by one of its alternatives, and how many of them reached each later required step."""

    step: int | str
    branch: str
    count: int
    open: int
    steps: tuple[Reach, ...]

    @property
    def conversion(self) -> float | None:
        """The share that completed."""
        return self.steps[-1].share if self.steps else ratio(self.count, self.count)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "steps": [asdict(one) for one in self.steps], "conversion": self.conversion}


@dataclass(frozen=True, slots=True)
class Fared:
    """Of ``count`` attempts: how many completed, how many reached the next required step, how many are still open."""

    count: int
    completed: int
    conversion: float | None
    next_count: int | None
    next_share: float | None
    open: int


@dataclass(frozen=True, slots=True)
class OptionalStep:
    """Of those who reached the required step before an optional one: who took it, and who did not. They chose for
    themselves, and had the more time for it the later the next step came: this is no proof of an effect.
    """

    step: int | str
    came: int
    took: Fared
    did_not: Fared

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def branches_of(funnel: Funnel, counted: Attempts) -> tuple[BranchThrough, ...]:
    """See `FunnelResult.branches`."""
    reached = reached_of(funnel, counted)
    is_open = counted.status == STATUSES.index("open")
    found = []
    for rank, position in enumerate(funnel.required):
        for number, alternative in enumerate(funnel.steps[position].any_of):
            took = counted.branch[:, rank] == number
            count = int(took.sum())
            later = [
                Reach(funnel.steps[one].id, passed := int((took & reached[:, one]).sum()), ratio(passed, count))
                for one in (() if funnel.order == "any" else funnel.required[rank + 1 :])
            ]
            label = branch_label(alternative)
            found.append(
                BranchThrough(funnel.steps[position].id, label, count, int((took & is_open).sum()), tuple(later))
            )
    return tuple(found)


def optional_steps_of(funnel: Funnel, counted: Attempts) -> tuple[OptionalStep, ...]:
    """See `FunnelResult.optional_steps`."""
    reached = reached_of(funnel, counted)
    found = []
    for position, step in enumerate(funnel.steps):
        if step.optional:
            before = max(one for one in funnel.required if one < position)
            after = min((one for one in funnel.required if one > position), default=None)
            came = reached[:, before]
            took, last = reached[:, position], reached[:, funnel.required[-1]]
            following = None if after is None else reached[:, after]
            fared = [_fared(came & one, last, following, counted) for one in (took, ~took)]
            found.append(OptionalStep(step.id, int(came.sum()), fared[0], fared[1]))
    return tuple(found)


def _fared(chosen: Flags, last: Flags, following: Flags | None, counted: Attempts) -> Fared:
    count, completed = int(chosen.sum()), int((chosen & last).sum())
    passed = None if following is None else int((chosen & following).sum())
    is_open = counted.status == STATUSES.index("open")
    return Fared(
        count=count,
        completed=completed,
        conversion=ratio(completed, count),
        next_count=passed,
        next_share=None if passed is None else ratio(passed, count),
        open=int(np.sum(chosen & is_open)),
    )


__all__ = ["BranchThrough", "Fared", "OptionalStep", "Reach", "branches_of", "optional_steps_of"]
