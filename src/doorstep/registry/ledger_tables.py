"""What is remembered of journeys, as tables: their lives, moves by hand, where every account stands, and
how it came there. Times and lengths are microseconds; see `tables`.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from doorstep.registry.tables import Microseconds, Opaque, Slug, Tables, Words


class JourneyRow(Tables):
    """A published journey that is kept, the version of it that counts, since when and by whose act, and how far its
    history was written; its row is what writers of that journey lock.
    """

    __tablename__ = "journeys"

    name: Mapped[Slug] = mapped_column(ForeignKey("definitions.name"), primary_key=True)
    state: Mapped[str] = mapped_column(String(8))
    version: Mapped[int]
    lag: Mapped[Microseconds]
    announce_within: Mapped[Microseconds]
    active_since: Mapped[Microseconds | None]
    activated_by: Mapped[Words | None]
    activated_at: Mapped[Microseconds | None]
    changed_by: Mapped[Words]
    changed_at: Mapped[Microseconds]
    horizon: Mapped[Microseconds | None]
    snapshot: Mapped[Opaque | None]
    synced_version: Mapped[int | None]
    synced_move: Mapped[int]
    cycle: Mapped[int]
    synced_at: Mapped[Microseconds | None]


class JourneyMoveRow(Tables):
    """A move by hand: an input of history, never changed."""

    __tablename__ = "journey_moves"

    id: Mapped[int] = mapped_column(primary_key=True)
    journey: Mapped[Slug] = mapped_column(ForeignKey("journeys.name"), index=True)
    account: Mapped[Words]
    at: Mapped[Microseconds]
    to_stage: Mapped[Words]
    by: Mapped[Words]
    reason: Mapped[Words]
    made_at: Mapped[Microseconds]


class JourneyAccountRow(Tables):
    """Where an account stands at its journey's horizon; ``stage`` is null for one that is not born. ``cycle`` is the
    sync that last changed it.
    """

    __tablename__ = "journey_accounts"
    __table_args__ = (Index("ix_journey_accounts_journey_cycle", "journey", "cycle"),)

    journey: Mapped[Slug] = mapped_column(ForeignKey("journeys.name"), primary_key=True)
    account: Mapped[Words] = mapped_column(primary_key=True)
    stage: Mapped[Words | None]
    high_water: Mapped[Words | None]
    since: Mapped[Microseconds | None]
    born_at: Mapped[Microseconds | None]
    cycle: Mapped[int]
    updated_at: Mapped[Microseconds]


class JourneyTransitionRow(Tables):
    """What a sync found out about one transition: that it is (``added``), that it was otherwise (``changed``), or that
    it never was (``retracted``). Lines are only added; the last one of a ``transition_id`` is what holds.
    """

    __tablename__ = "journey_transitions"
    __table_args__ = (
        Index("ix_journey_transitions_journey_account", "journey", "account"),
        Index("ix_journey_transitions_journey_seq", "journey", "seq"),
    )

    seq: Mapped[int] = mapped_column(primary_key=True)
    transition_id: Mapped[str] = mapped_column(String(32))
    journey: Mapped[Slug] = mapped_column(ForeignKey("journeys.name"))
    account: Mapped[Words]
    to_stage: Mapped[Words]
    entry: Mapped[int]
    change: Mapped[str] = mapped_column(String(9))
    from_stage: Mapped[Words]
    skipped: Mapped[Words]
    occurred_at: Mapped[Microseconds]
    manual: Mapped[bool]
    detected_at: Mapped[Microseconds]
    cause: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    announce: Mapped[bool]
    announce_why: Mapped[Words]
    evidence: Mapped[Words | None]


__all__ = ["JourneyAccountRow", "JourneyMoveRow", "JourneyRow", "JourneyTransitionRow"]
