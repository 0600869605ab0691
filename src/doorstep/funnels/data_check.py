"""A definition held against the data it is meant for: names and literals that the data can never meet."""

from __future__ import annotations

from collections.abc import Mapping

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.lint import against_data
from doorstep.engines.duckdb import engine, needs_of
from doorstep.errors import Issue
from doorstep.funnels.run import refuse_unknown_names
from doorstep.matching.plan import compile_plan
from doorstep.rows import open_rows, reading


def check_against(
    funnel: Funnel, source: object, *, columns: Mapping[str, str] | None = None, source_timezone: str = "UTC"
) -> tuple[Issue, ...]:
    """Findings about event names, properties and literals (see `lint.against_data`)."""
    needs = needs_of(funnel, compile_plan(funnel), None)
    refuse_unknown_names(columns, needs)
    with engine() as running:
        rows = open_rows(running.connection, source, columns=columns, source_timezone=source_timezone, needs=needs)
        with reading(rows.description):
            found = running.execute(f"SELECT DISTINCT {rows.event} FROM {rows.relation}", "reading events").fetchall()
        known = [name for name in needs.names if rows.values(name)]
        return against_data(
            funnel, kinds=rows.kinds, events=[name for (name,) in found], columns=[*known, *rows.columns]
        )
