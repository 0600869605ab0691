"""Histories taken apart into visits: who was in which stage, from when to when (semantics 10, *Figures*)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doorstep.definitions.journey import Journey
from doorstep.journeys.account import NEVER
from doorstep.journeys.histories import Walked

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

NOWHERE = -1
"""The place of a stage before the first visit and after the last."""


@dataclass(frozen=True, slots=True)
class Visits:
    """Each visit that lasted, by account and time: ``account`` (a number), ``stage`` (a position), ``entered`` and
    ``left`` (microseconds; `NEVER` while it goes on), and where the account ``came`` from and ``went`` to.
    """

    account: Integers
    stage: Integers
    entered: Integers
    left: Integers
    came: Integers
    went: Integers

    @property
    def ended(self) -> Flags:
        """Whether the account has left."""
        return np.asarray(self.left < NEVER)

    def lasted(self, until: int) -> Integers:
        """Microseconds; of those that go on, so far."""
        return np.minimum(self.left, until) - self.entered

    def where(self, chosen: Flags) -> Visits:
        """Some of them."""
        return Visits(
            self.account[chosen],
            self.stage[chosen],
            self.entered[chosen],
            self.left[chosen],
            self.came[chosen],
            self.went[chosen],
        )


def visits_of(walked: Walked) -> Visits:
    """The visits of all accounts; a stage that was left at the instant it was entered was not visited."""
    born = np.flatnonzero(walked.accounts[:, 1] >= 0)
    lines = walked.lines
    account = np.concatenate([born, lines[:, 0]])
    order = np.argsort(account, kind="stable")
    account = account[order]
    stage = np.concatenate([np.zeros(len(born), np.int64), lines[:, 2]])[order]
    entered = np.concatenate([walked.accounts[born, 0], lines[:, 4]])[order]
    last = np.r_[account[1:] != account[:-1], np.ones(min(1, len(account)), bool)]
    left = np.where(last, NEVER, np.r_[entered[1:], entered[:1]])
    stayed = left > entered
    account, stage, entered, left = account[stayed], stage[stayed], entered[stayed], left[stayed]
    return Visits(account, stage, entered, left, *_neighbours(account, stage))


def _neighbours(account: Integers, stage: Integers) -> tuple[Integers, Integers]:
    same = account[1:] == account[:-1]
    came = np.full(len(stage), NOWHERE, np.int64)
    went = came.copy()
    came[1:][same] = stage[:-1][same]
    went[:-1][same] = stage[1:][same]
    return came, went


def ranked(journey: Journey) -> list[int]:
    """Positions of the stages that say how far an account has come, in order."""
    return [place for place, stage in enumerate(journey.stages) if stage.rank is None]


def arrivals(journey: Journey, walked: Walked, place: int) -> Integers:
    """When each account first was in the stage at ``place`` or, where it is ranked, in a ranked one past it; `NEVER`
    where it has not been. Stages passed over count as reached, for the account is past them.
    """
    further = np.zeros(len(journey.stages), bool)
    further[place] = True
    if journey.stages[place].rank is None:
        further[[one for one in ranked(journey) if one >= place]] = True
    born = walked.accounts[:, 1] >= 0
    found: NDArray[Any] = np.where(born & further[0], walked.accounts[:, 0], NEVER)
    inside = walked.lines[further[walked.lines[:, 2]]]
    np.minimum.at(found, inside[:, 0], inside[:, 4])
    return found


__all__ = ["NOWHERE", "Visits", "arrivals", "ranked", "visits_of"]
