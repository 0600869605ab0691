"""What tipped the transitions that a sync found: worked out when they are written, and kept beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

import pyarrow as pa

from doorstep.definitions.journey import Journey
from doorstep.engines.duckdb import engine
from doorstep.journeys.account import NEVER
from doorstep.journeys.evidence import evidence_of
from doorstep.journeys.given import Traits
from doorstep.journeys.lives import lives_of
from doorstep.journeys.plan import AGE
from doorstep.journeys.reference import History as Walked
from doorstep.journeys.reference import State
from doorstep.journeys.reference import Transition as Step
from doorstep.journeys.resuming import rows_that_reach
from doorstep.journeys.run import Opened
from doorstep.lake import LakeAt
from doorstep.lake.changes import numbered
from doorstep.ledger.records import Transition
from doorstep.ledger.touching import texts_of
from doorstep.ledger.walking import opened_at

MOST: Final = 1_000
"""Accounts whose evidence is kept in one cycle, those that are announced first: a first sync of a large lake finds
years of transitions, and `doorstep journey history` works out those that somebody asks for.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """An account's birth and transitions; ``since``: the time of the first one whose evidence is wanted."""

    born_at: int
    transitions: tuple[Transition, ...]
    since: int


def witness(
    journey: Journey, lake: LakeAt, until: int, found: Mapping[str, Found]
) -> dict[tuple[str, tuple[str, int]], str]:
    """The evidence of each transition of some accounts as JSON, by account and identity."""
    if not found:
        return {}
    with engine() as running:
        opened = opened_at(running, journey, lake, until)
        names, narrowed = _narrowed(opened, found)
        lives = lives_of(running, narrowed.query, narrowed.traits, None)
        told = {}
        for unit, account in lives.items():
            name = names[unit]
            steps = found[name].transitions
            evidence = evidence_of(journey, account.until(until), _walked(journey, found[name]), found[name].since)
            for one, tipped in zip(steps, evidence, strict=True):
                told[name, one.identity] = json.dumps([asdict(each) for each in tipped])
        return told


def _walked(journey: Journey, found: Found) -> Walked:
    places = journey.positions
    steps = tuple(
        Step(
            places[one.from_stage],
            places[one.to_stage],
            tuple(places[skipped] for skipped in one.skipped),
            one.occurred_at,
            "manual" if one.manual else "criteria",
        )
        for one in found.transitions
    )
    last = steps[-1]
    return Walked(found.born_at, steps, None, State(last.to_stage, last.occurred_at), NEVER)


def _narrowed(opened: Opened, found: Mapping[str, Found]) -> tuple[dict[tuple[str, ...], str], Opened]:
    """What the accounts are called, and their rows and traits alone, as far back as is needed."""
    connection, query, plan = opened.engine.connection, opened.query, opened.plan
    columns, keys = query.journey.unit_columns, query.unit_columns
    texts = texts_of(columns, list(found)).append_column("account", pa.array(list(found), pa.string()))
    connection.register("doorstep_found", texts)
    named = "FROM doorstep_found" if opened.stitching is not None else numbered(columns, "doorstep_found")
    connection.execute(f"CREATE TEMP TABLE doorstep_told AS {named}")
    cast = ", ".join(f"CAST({column} AS VARCHAR)" for column in keys)
    names = connection.execute(f"SELECT {cast}, account FROM doorstep_told").fetchall()
    some = "true"
    if all(leaf.kind != AGE for leaf in plan.leaves):
        first = min(one.since for one in found.values()) - query.journey.movement.grace
        some = rows_that_reach(plan, opened.rows, first - 1)
    query = replace(query, only=f"SELECT {', '.join(keys)} FROM doorstep_told", some=some)
    traits = opened.traits and Traits(
        f"(SELECT * FROM {opened.traits.relation} WHERE ({cast}) IN (SELECT {cast} FROM doorstep_told))",
        opened.traits.values,
    )
    return {tuple(key): name for *key, name in names}, replace(opened, query=query, traits=traits, moves=None)


__all__ = ["MOST", "Found", "witness"]
