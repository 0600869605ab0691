"""What a version defines: a funnel, as all did so far, or a journey."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("versions", sa.Column("kind", sa.String(7), nullable=False, server_default="funnel"))
