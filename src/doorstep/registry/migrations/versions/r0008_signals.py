"""Segments with criteria, signals, workflows, tags and tasks; and room for the names of these kinds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Makes the tables."""
    _kinds()
    _claims()
    _segments()
    _signals()
    _workflows()
    _accounts()


def _kinds() -> None:
    """A longer column in the place of the old one: SQLite cannot change a column's type."""
    op.add_column("versions", sa.Column("kinds", sa.String(8), nullable=False, server_default="funnel"))
    op.execute("UPDATE versions SET kinds = kind")
    op.drop_column("versions", "kind")
    op.alter_column("versions", "kinds", new_column_name="kind")


def _claims() -> None:
    op.create_table(
        "automations",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_automations"),
    )
    op.create_table(
        "claims",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False),
        sa.Column("snapshot", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_claims"),
    )
    op.create_table(
        "claim_accounts",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["claims.digest"], name="fk_claim_accounts_digest"),
        sa.PrimaryKeyConstraint("digest", "account", name="pk_claim_accounts"),
    )


def _segments() -> None:
    op.create_table(
        "segment_looks",
        sa.Column("segment", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition_hash", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("segment", name="pk_segment_looks"),
    )
    op.create_table(
        "segment_members",
        sa.Column("segment", sa.String(100), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("segment", "account", name="pk_segment_members"),
    )
    op.create_table(
        "segment_sizes",
        sa.Column("segment", sa.String(100), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("members", sa.BigInteger(), nullable=False),
        sa.Column("entered", sa.BigInteger(), nullable=False),
        sa.Column("left", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("segment", "at", name="pk_segment_sizes"),
    )
    op.create_table(
        "segment_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("segment", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("change", sa.String(7), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.Column("anew", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_segment_changes"),
    )
    op.create_index("ix_segment_changes_segment_known_at", "segment_changes", ["segment", "known_at"])


def _signals() -> None:
    op.create_table(
        "signal_firings",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("signal", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(13), nullable=False),
        sa.Column("priority", sa.String(6), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("journey", sa.String(100), nullable=True),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("state_by", sa.Text(), nullable=True),
        sa.Column("state_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("snoozed_until", sa.BigInteger(), nullable=True),
        sa.Column("retracted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_signal_firings"),
    )
    op.create_index("ix_signal_firings_cause", "signal_firings", ["cause"])
    op.create_index("ix_signal_firings_signal_account", "signal_firings", ["signal", "account"])
    op.create_index("ix_signal_firings_state_known_at", "signal_firings", ["state", "known_at"])
    op.create_index("ix_signal_firings_told", "signal_firings", ["told"])
    op.create_table(
        "signal_looks",
        sa.Column("signal", sa.String(100), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("signal", "subject", name="pk_signal_looks"),
    )


def _workflows() -> None:
    op.create_table(
        "workflow_runs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("workflow", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("known", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(7), nullable=False),
        sa.Column("wake_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_runs"),
    )
    op.create_index("ix_workflow_runs_state_wake_at", "workflow_runs", ["state", "wake_at"])
    op.create_index("ix_workflow_runs_workflow_started_at", "workflow_runs", ["workflow", "started_at"])
    op.create_table(
        "workflow_steps",
        sa.Column("run", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("outcome", sa.String(7), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["workflow_runs.id"], name="fk_workflow_steps_run"),
        sa.PrimaryKeyConstraint("run", "position", name="pk_workflow_steps"),
    )
    op.create_table(
        "workflow_schedules",
        sa.Column("workflow", sa.String(100), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workflow", name="pk_workflow_schedules"),
    )


def _accounts() -> None:
    op.create_table(
        "account_tags",
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "account", "tag", name="pk_account_tags"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(4), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
    )
    op.create_index("ix_tasks_state_opened_at", "tasks", ["state", "opened_at"])
