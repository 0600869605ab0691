"""What goes out, as tables: destinations, the outbox and every attempt, hosts that may be reached though they are not
public, and the audit log. Times and lengths are microseconds; see `tables`.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from doorstep.registry.tables import Microseconds, Slug, Tables, Words

_WAITING = text("state = 'waiting'")
_PARKED = text("state = 'parked'")


class DestinationRow(Tables):
    """Where messages go. ``shown`` is what may be told of it, ``sealed`` all of it, encrypted. ``failures`` counts
    attempts that failed since one succeeded; nothing is sent before ``rests_until``.
    """

    __tablename__ = "destinations"

    name: Mapped[Slug] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(7))
    shown: Mapped[Words]
    sealed: Mapped[Words]
    added_by: Mapped[Words]
    added_at: Mapped[Microseconds]
    failures: Mapped[int]
    failing_since: Mapped[Microseconds | None]
    rests_until: Mapped[Microseconds | None]


class AllowedHostRow(Tables):
    """A host that may be reached though its address is not public."""

    __tablename__ = "allowed_hosts"

    host: Mapped[str] = mapped_column(String(253), primary_key=True)
    allowed_by: Mapped[Words]
    allowed_at: Mapped[Microseconds]


class DeliveryRow(Tables):
    """A message of the outbox: ``waiting``, ``delivered`` or ``parked``. Those of one destination and account that wait
    are a line, ordered by ``due_at``, then ``seq``; nothing is tried before ``next_at``, nor by others while leased.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(
            "ix_deliveries_line",
            *("destination", "account", "due_at", "seq"),
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index(
            "ix_deliveries_due",
            *("destination", "due_at", "seq"),
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index(
            "ix_deliveries_parked",
            *("destination", "seq"),
            sqlite_where=_PARKED,
            postgresql_where=_PARKED,
        ),
        Index("ix_deliveries_cause", "cause"),
    )

    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[Words] = mapped_column(unique=True)
    destination: Mapped[Slug]
    account: Mapped[Words]
    body: Mapped[Words]
    cause: Mapped[Words]
    put_at: Mapped[Microseconds]
    due_at: Mapped[Microseconds]
    state: Mapped[str] = mapped_column(String(9))
    next_at: Mapped[Microseconds]
    attempts: Mapped[int]
    tried_since: Mapped[Microseconds | None]
    leased_by: Mapped[str | None] = mapped_column(String(32))
    leased_until: Mapped[Microseconds | None]
    ended_at: Mapped[Microseconds | None]
    why: Mapped[Words | None]


class DeliveryAttemptRow(Tables):
    """One attempt: when, how long it took, what was answered."""

    __tablename__ = "delivery_attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery: Mapped[int] = mapped_column(ForeignKey("deliveries.seq"), index=True)
    number: Mapped[int]
    at: Mapped[Microseconds]
    latency: Mapped[Microseconds]
    status: Mapped[int | None]
    answer: Mapped[Words]
    failure: Mapped[Words | None]


class AuditRow(Tables):
    """Who did what to which thing; ``before`` and ``after`` are JSON without secrets. Never changed."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_subject_name", "subject", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[Microseconds]
    by: Mapped[Words]
    act: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(40))
    name: Mapped[Words]
    before: Mapped[Words | None]
    after: Mapped[Words | None]


__all__ = ["AllowedHostRow", "AuditRow", "DeliveryAttemptRow", "DeliveryRow", "DestinationRow"]
