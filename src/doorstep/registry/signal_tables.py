"""What is remembered of segments, signals and workflows, as tables (see `tables`)."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from doorstep.registry.tables import Digest, Microseconds, Opaque, Slug, Tables, Words


class AutomationRow(Tables):
    """Whether a published segment, signal or workflow is at work, and since when; without a row it is since it was
    published.
    """

    __tablename__ = "automations"

    name: Mapped[Slug] = mapped_column(primary_key=True)
    paused: Mapped[bool]
    since: Mapped[Microseconds]
    changed_by: Mapped[Words]


class ClaimRow(Tables):
    """Criteria that are kept up to date for every account: up to which horizon and snapshot of the lake."""

    __tablename__ = "claims"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    horizon: Mapped[Microseconds]
    snapshot: Mapped[Opaque]


class ClaimAccountRow(Tables):
    """Whether a claim holds of an account that is born, and since when it has been so."""

    __tablename__ = "claim_accounts"

    digest: Mapped[Digest] = mapped_column(ForeignKey("claims.digest"), primary_key=True)
    account: Mapped[Words] = mapped_column(primary_key=True)
    holds: Mapped[bool]
    since: Mapped[Microseconds]


class SegmentLookRow(Tables):
    """When a segment was last looked at, and which definition counted then."""

    __tablename__ = "segment_looks"

    segment: Mapped[Slug] = mapped_column(primary_key=True)
    version: Mapped[int]
    definition_hash: Mapped[Digest]
    at: Mapped[Microseconds]


class SegmentMemberRow(Tables):
    """A member of a segment when it was last looked at; ``since`` is when it became one, or later by what is known."""

    __tablename__ = "segment_members"

    segment: Mapped[Slug] = mapped_column(primary_key=True)
    account: Mapped[Words] = mapped_column(primary_key=True)
    since: Mapped[Microseconds]


class SegmentSizeRow(Tables):
    """How many members a segment had at a look; kept where something changed."""

    __tablename__ = "segment_sizes"

    segment: Mapped[Slug] = mapped_column(primary_key=True)
    at: Mapped[Microseconds] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    members: Mapped[Opaque]
    entered: Mapped[Opaque]
    left: Mapped[Opaque]


class SegmentChangeRow(Tables):
    """An account ``entered`` or ``left`` a segment. ``anew``: the definition is another one, not the account."""

    __tablename__ = "segment_changes"
    __table_args__ = (Index("ix_segment_changes_segment_known_at", "segment", "known_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    segment: Mapped[Slug]
    version: Mapped[int]
    account: Mapped[Words]
    change: Mapped[str] = mapped_column(String(7))
    occurred_at: Mapped[Microseconds]
    known_at: Mapped[Microseconds]
    anew: Mapped[bool]


class FiringRow(Tables):
    """A signal fired: what, for which account (none: empty), why, and what became of it. ``told``: nothing is
    left to be announced about it.
    """

    __tablename__ = "signal_firings"
    __table_args__ = (
        Index("ix_signal_firings_signal_account", "signal", "account"),
        Index("ix_signal_firings_state_known_at", "state", "known_at"),
        Index("ix_signal_firings_told", "told"),
        Index("ix_signal_firings_cause", "cause"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    signal: Mapped[Slug]
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(13))
    priority: Mapped[str] = mapped_column(String(6))
    account: Mapped[Words]
    journey: Mapped[Slug | None]
    cause: Mapped[str] = mapped_column(String(32))
    why: Mapped[Words]
    evidence: Mapped[Words]
    occurred_at: Mapped[Microseconds]
    known_at: Mapped[Microseconds]
    told: Mapped[bool]
    state: Mapped[str] = mapped_column(String(12))
    state_by: Mapped[Words | None]
    state_at: Mapped[Microseconds | None]
    note: Mapped[Words | None]
    snoozed_until: Mapped[Microseconds | None]
    retracted_at: Mapped[Microseconds | None]


class SignalLookRow(Tables):
    """How a condition that holds or not stood when it was last looked at: it fires when it begins to hold."""

    __tablename__ = "signal_looks"

    signal: Mapped[Slug] = mapped_column(primary_key=True)
    subject: Mapped[Words] = mapped_column(primary_key=True)
    holds: Mapped[bool]
    at: Mapped[Microseconds]


class WorkflowRunRow(Tables):
    """A workflow under way for one account: what set it off, which action is next, and when."""

    __tablename__ = "workflow_runs"
    __table_args__ = (
        Index("ix_workflow_runs_state_wake_at", "state", "wake_at"),
        Index("ix_workflow_runs_workflow_started_at", "workflow", "started_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    workflow: Mapped[Slug]
    version: Mapped[int]
    account: Mapped[Words]
    cause: Mapped[str] = mapped_column(String(32))
    known: Mapped[Words]
    position: Mapped[int]
    state: Mapped[str] = mapped_column(String(7))
    wake_at: Mapped[Microseconds]
    started_at: Mapped[Microseconds]
    ended_at: Mapped[Microseconds | None]
    note: Mapped[Words | None]


class WorkflowStepRow(Tables):
    """An action of a run that was done, passed over, or ended it; ``told`` is what went out, as JSON."""

    __tablename__ = "workflow_steps"

    run: Mapped[str] = mapped_column(String(32), ForeignKey("workflow_runs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    action: Mapped[str] = mapped_column(String(10))
    outcome: Mapped[str] = mapped_column(String(7))
    at: Mapped[Microseconds]
    told: Mapped[Words]


class WorkflowScheduleRow(Tables):
    """The last time of its schedule at which a workflow was set off."""

    __tablename__ = "workflow_schedules"

    workflow: Mapped[Slug] = mapped_column(primary_key=True)
    last_at: Mapped[Microseconds]


class TagRow(Tables):
    """A tag of an account (``unit``: the columns that name it, as JSON)."""

    __tablename__ = "account_tags"

    unit: Mapped[Words] = mapped_column(primary_key=True)
    account: Mapped[Words] = mapped_column(primary_key=True)
    tag: Mapped[Words] = mapped_column(primary_key=True)
    since: Mapped[Microseconds]
    by: Mapped[Words]


class TaskRow(Tables):
    """Something for a person to do about an account; ``cause`` is the run that opened it."""

    __tablename__ = "tasks"
    __table_args__ = (Index("ix_tasks_state_opened_at", "state", "opened_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    title: Mapped[Words]
    text: Mapped[Words | None]
    owner: Mapped[Words | None]
    account: Mapped[Words]
    cause: Mapped[str] = mapped_column(String(32))
    due_at: Mapped[Microseconds | None]
    state: Mapped[str] = mapped_column(String(4))
    opened_at: Mapped[Microseconds]
    closed_at: Mapped[Microseconds | None]
    closed_by: Mapped[Words | None]
    note: Mapped[Words | None]


__all__ = [
    "AutomationRow",
    "ClaimAccountRow",
    "ClaimRow",
    "FiringRow",
    "SegmentChangeRow",
    "SegmentLookRow",
    "SegmentMemberRow",
    "SegmentSizeRow",
    "SignalLookRow",
    "TagRow",
    "TaskRow",
    "WorkflowRunRow",
    "WorkflowScheduleRow",
    "WorkflowStepRow",
]
