"""What the ledger of journeys says, as values. Times and lengths are microseconds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy.orm import Session

from doorstep.definitions.journey import Journey
from doorstep.ledger.footing import Footing

State = Literal["draft", "active", "paused", "archived"]
Change = Literal["added", "changed", "retracted"]
Cause = Literal["criteria", "definition change", "manual", "late data"]


@dataclass(frozen=True, slots=True)
class Transition:
    """One transition of an account; ``entry`` counts its entries into ``to_stage``, from 1."""

    to_stage: str
    entry: int
    from_stage: str
    skipped: tuple[str, ...]
    occurred_at: int
    manual: bool

    @property
    def identity(self) -> tuple[str, int]:
        """What stays the same of it, within a journey and an account."""
        return self.to_stage, self.entry


def transition_id(journey: str, account: str, to_stage: str, entry: int) -> str:
    """The stable id of a transition, the same wherever it is worked out."""
    return hashlib.sha256(json.dumps([journey, account, to_stage, entry]).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an account stands; all None for one that is not born."""

    stage: str | None = None
    high_water: str | None = None
    since: int | None = None
    born_at: int | None = None


@dataclass(frozen=True, slots=True)
class History:
    """An account up to the horizon."""

    standing: Standing = Standing()
    transitions: tuple[Transition, ...] = ()


@dataclass(frozen=True, slots=True)
class Further:
    """How an account went on after the last horizon; the entries of ``transitions`` count from there."""

    standing: Standing
    transitions: tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A move by hand."""

    id: int
    account: str
    at: int
    to_stage: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Head:
    """A journey's life, and how far its history was written."""

    name: str
    state: State
    version: int
    journey: Journey
    definition_hash: str
    lag: int
    announce_within: int
    active_since: int | None
    activated_at: int | None
    horizon: int | None
    snapshot: int | None
    synced_version: int | None
    synced_move: int
    cycle: int
    synced_at: int | None


@dataclass(frozen=True, slots=True)
class Cycle:
    """A cycle of a journey as it is written: which one, up to which horizon, when."""

    head: Head
    number: int
    horizon: int
    at: int


Hook = Callable[[Session, Sequence[Mapping[str, Any]], Cycle], object]
"""What is done in a cycle's transaction with the lines of transitions that it wrote; ``announce`` says which of them
are news.
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A transition as the ledger last told it."""

    transition: Transition
    retracted: bool
    announced: bool


@dataclass(frozen=True, slots=True)
class Line:
    """What a sync said about a transition, as it was written: times are microseconds; ``evidence``: which criteria it
    rests on, which of them tipped, and by which rows (see `journeys.evidence.Evidence`); None where none was kept.
    """

    change: str
    from_stage: str
    to_stage: str
    entry: int
    skipped: tuple[str, ...]
    occurred_at: int
    detected_at: int
    cause: str
    version: int
    by: str | None
    reason: str | None
    evidence: Sequence[Mapping[str, Any]] | None


@dataclass(frozen=True, slots=True)
class Walk:
    """What a sync found: whole ``histories``, what of others is ``further``, and where everyone stands now. ``whole``:
    histories are of all there are. ``looked``: how many accounts were walked.
    """

    histories: Mapping[str, History]
    further: Mapping[str, Further]
    footing: Footing
    whole: bool
    rows: int
    looked: int
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of one journey in a sync. ``whole`` says why everything was walked anew, where it was."""

    journey: str
    horizon: int | None
    accounts: int = 0
    rows: int = 0
    added: int = 0
    changed: int = 0
    retracted: int = 0
    whole: str | None = None
    notes: tuple[str, ...] = field(default=())
    failure: str | None = None


__all__ = [
    "Cause",
    "Change",
    "Cycle",
    "Further",
    "Head",
    "History",
    "Hook",
    "Line",
    "Move",
    "Standing",
    "State",
    "Stored",
    "Synced",
    "Transition",
    "Walk",
    "transition_id",
]
