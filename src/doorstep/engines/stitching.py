"""Rows with the unit they are stitched to: the rules of docs/identity.md over rows that hold both ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from doorstep.definitions.funnel import Funnel
from doorstep.engines.conditions import asks
from doorstep.matching.plan import Question
from doorstep.matching.reference import Bounds
from doorstep.rows import EventRows, reading
from doorstep.rows.shape import fresh_name
from doorstep.stitching.sql import intervals_in, with_units

if TYPE_CHECKING:
    from doorstep.engines.duckdb import Engine

UNIT: Final = "doorstep_unit"
"""The identity that stitched rows have: the name of their unit (`doorstep.stitching.units`)."""

TOLD: Final = ("user_id", "anonymous_id")
"""The ids that stores are told of."""


def stitched(engine: Engine, rows: EventRows, funnel: Funnel, bounds: Bounds) -> EventRows:
    """The rows with `UNIT`, where the funnel's ids are stitched. Links are the rows that hold both ids, are not
    excluded, and are not later than ``as_of``, and what a store was told of users and anonymous ids by then; rows that
    come with `UNIT` (a store's own map) are left as they are.
    """
    stitch = funnel.stitch
    if stitch is None or rows.names_identity(UNIT):
        return rows
    known, anonymous = rows.identity_text(stitch.known), rows.identity_text(stitch.anonymous)
    excluded = [asks(Question(one.event, one.condition), rows) for one in funnel.exclude]
    visible = " AND ".join([rows.time_at_most(bounds.as_of), *(f"NOT {one}" for one in excluded)])
    intervals = fresh_name("intervals")
    told = None
    if rows.links is not None and (stitch.known, stitch.anonymous) == TOLD:
        told = f"{rows.links} WHERE time <= {bounds.as_of}"
    found = intervals_in(rows.relation, known=known, anonymous=anonymous, time=rows.time, where=visible, said=told)
    with reading(rows.description):
        engine.execute(f"CREATE TEMP TABLE {intervals} AS {found}", "stitching ids")
    relation = with_units(
        rows.relation, known=known, anonymous=anonymous, time=rows.time, intervals=intervals, unit=UNIT
    )
    return rows.joined(f"({relation})", **{UNIT: UNIT})


def unit_identities(funnel: Funnel) -> tuple[str, ...]:
    """The names of identities whose values tell units apart."""
    return funnel.unit_columns if funnel.stitch is None else (UNIT,)
