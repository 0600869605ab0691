"""Definitions, their versions, and freezes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "definitions",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_definitions"),
    )
    op.create_table(
        "versions",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("definition_hash", sa.String(64), nullable=False),
        sa.Column("text_hash", sa.String(64), nullable=False),
        sa.Column("semantics", sa.Integer(), nullable=False),
        sa.Column("moves_counts", sa.Boolean(), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("form", sa.String(4), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("reverts", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["name"], ["definitions.name"], name="fk_versions_name"),
        sa.PrimaryKeyConstraint("name", "number", name="pk_versions"),
    )
    op.create_index("ix_versions_definition_hash", "versions", ["definition_hash"])
    op.create_table(
        "freezes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("frozen_by", sa.Text(), nullable=False),
        sa.Column("frozen_why", sa.Text(), nullable=False),
        sa.Column("frozen_at", sa.BigInteger(), nullable=False),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.Column("released_why", sa.Text(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["name", "version"], ["versions.name", "versions.number"], name="fk_freezes_name_version"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_freezes"),
    )
    unreleased = sa.text("released_at IS NULL")
    op.create_index(
        "uq_freezes_unreleased",
        "freezes",
        ["name"],
        unique=True,
        sqlite_where=unreleased,
        postgresql_where=unreleased,
    )
