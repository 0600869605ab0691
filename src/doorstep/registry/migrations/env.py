"""Runs the steps on the connection it is given, inside that connection's transaction."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="doorstep_schema")
context.run_migrations()
