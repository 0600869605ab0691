"""Journeys: their lives and moves, where accounts stand, and how they came there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "journeys",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("lag", sa.BigInteger(), nullable=False),
        sa.Column("announce_within", sa.BigInteger(), nullable=False),
        sa.Column("active_since", sa.BigInteger(), nullable=True),
        sa.Column("activated_by", sa.Text(), nullable=True),
        sa.Column("activated_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=True),
        sa.Column("snapshot", sa.BigInteger(), nullable=True),
        sa.Column("synced_version", sa.Integer(), nullable=True),
        sa.Column("synced_move", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("synced_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["name"], ["definitions.name"], name="fk_journeys_name"),
        sa.PrimaryKeyConstraint("name", name="pk_journeys"),
    )
    op.create_table(
        "journey_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("journey", sa.String(100), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("to_stage", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["journey"], ["journeys.name"], name="fk_journey_moves_journey"),
        sa.PrimaryKeyConstraint("id", name="pk_journey_moves"),
    )
    op.create_index("ix_journey_moves_journey", "journey_moves", ["journey"])
    _states()


def _states() -> None:
    op.create_table(
        "journey_accounts",
        sa.Column("journey", sa.String(100), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("high_water", sa.Text(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("born_at", sa.BigInteger(), nullable=True),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["journey"], ["journeys.name"], name="fk_journey_accounts_journey"),
        sa.PrimaryKeyConstraint("journey", "account", name="pk_journey_accounts"),
    )
    op.create_index("ix_journey_accounts_journey_cycle", "journey_accounts", ["journey", "cycle"])
    op.create_table(
        "journey_transitions",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("transition_id", sa.String(32), nullable=False),
        sa.Column("journey", sa.String(100), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("to_stage", sa.Text(), nullable=False),
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.Column("change", sa.String(9), nullable=False),
        sa.Column("from_stage", sa.Text(), nullable=False),
        sa.Column("skipped", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("manual", sa.Boolean(), nullable=False),
        sa.Column("detected_at", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("announce", sa.Boolean(), nullable=False),
        sa.Column("announce_why", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["journey"], ["journeys.name"], name="fk_journey_transitions_journey"),
        sa.PrimaryKeyConstraint("seq", name="pk_journey_transitions"),
    )
    op.create_index("ix_journey_transitions_journey_account", "journey_transitions", ["journey", "account"])
    op.create_index("ix_journey_transitions_journey_seq", "journey_transitions", ["journey", "seq"])
