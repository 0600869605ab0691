"""Replay a journey over a source of events: the one road from a definition to histories (semantics 10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from doorstep.definitions.conditions import Condition, properties_of
from doorstep.definitions.identity import definition_hash
from doorstep.definitions.journey import Journey
from doorstep.definitions.reading import load_journey
from doorstep.definitions.words import capital
from doorstep.engines.conditions import impossible, kinds_of
from doorstep.engines.duckdb import Engine, Progress, engine
from doorstep.engines.stitching import UNIT, MapTables, Stitching, by_map, map_of
from doorstep.errors import RunError, SourceError
from doorstep.funnels.bounds import Instant, microseconds_of, zone_of
from doorstep.funnels.run import refuse_unknown_names
from doorstep.journeys.account import CREATED_AT
from doorstep.journeys.given import Traits, TraitStore, open_moves, open_traits
from doorstep.journeys.histories import InexactError, Stood, Walked, walk_all
from doorstep.journeys.lives import lives_of, walk_plainly
from doorstep.journeys.plan import JourneyPlan, compile_plan, conditions_of
from doorstep.journeys.query import RowsQuery, knows, needs_of
from doorstep.journeys.result import JourneyResult
from doorstep.rows import EventRows, open_rows
from doorstep.rows.needs import TRAIT
from doorstep.rows.source import Store
from doorstep.rows.values import Value
from doorstep.stitching.units import known_unit_sql


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything a replay reads, over one engine."""

    engine: Engine
    rows: EventRows
    query: RowsQuery
    plan: JourneyPlan
    traits: Traits | None
    moves: str | None
    notes: tuple[str, ...]
    coded: bool
    """Whether the accounts are named by a store's own numbers."""
    stitching: tuple[Stitching, MapTables] | None = None
    """Who is who, where the journey stitches ids; its units are then `engines.stitching.UNIT`."""
    bare: EventRows | None = None
    """The rows before they were stitched."""
    stood: Stood | None = None
    """Where accounts stood, of those that are looked at, where not all are."""


def replay(
    journey: Journey | str | Path | Mapping[str, object],
    source: object,
    *,
    traits: object = None,
    until: Instant = None,
    columns: Mapping[str, str] | None = None,
    moves: object = None,
    timezone: str = "UTC",
    source_timezone: str = "UTC",
    memory: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> JourneyResult:
    """The history of every account from nothing up to and including ``until`` (default: the time of the last row).

    ``source`` as for `run`. ``traits``: a path, a list of mappings or a data frame with the account's columns, ``time``
    (absent or null: since birth) and a column for each trait, each row setting those that are not null; ``created_at``
    among them gives birth. A lake has its own. ``moves``: the account's columns, ``at``, ``to``, ``by``, ``reason``.
    ``columns`` maps our names to theirs. Raises DefinitionError, SourceError or RunError.
    """
    definition = journey if isinstance(journey, Journey) else load_journey(journey)
    with engine(memory=memory, threads=threads, progress=progress) as running:
        opened = open_all(running, definition, source, traits, until, columns, moves, timezone, source_timezone)
        query, walked = opened.query, walk_opened(opened)
        facts = opened.rows.facts()
        units = walked.units
        if opened.coded:
            units = tuple(
                opened.rows.speller(name)(values) for name, values in zip(definition.unit_columns, units, strict=True)
            )
        rejected = {**facts.rejected, **({"no_unit": walked.no_unit} if walked.no_unit else {})}
        return JourneyResult(
            definition,
            definition_hash(definition),
            query.until,
            facts.rows,
            rejected,
            (*facts.notes, *opened.notes),
            opened.rows.snapshot,
            units,
            walked,
        )


def walk_opened(opened: Opened, *, plainly: bool = True) -> Walked:
    """The histories, by the kernel, or, all from nothing, by the reference where numbers cannot be added up as whole
    ones (not ``plainly``: `InexactError`).
    """
    running, query, plan = opened.engine, opened.query, opened.plan
    try:
        if any(name.startswith(TRAIT) for name in _properties(query.journey, plan) - set(_held(opened))):
            raise InexactError  # traits beside rows of files: the reference knows them
        return walk_all(running, query, plan, opened.traits, opened.moves, opened.stood)
    except InexactError:
        if not plainly:
            raise
        return walk_plainly(query.journey, lives_of(running, query, opened.traits, opened.moves), query.until)


def open_all(
    running: Engine,
    journey: Journey,
    source: object,
    traits: object,
    until: Instant,
    columns: Mapping[str, str] | None,
    moves: object,
    timezone: str,
    source_timezone: str,
    *,
    spelt: bool = False,
) -> Opened:
    """Opens rows, traits and moves. ``spelt``: accounts are named by their values, never by a store's numbers."""
    plan = compile_plan(journey)
    needs = needs_of(journey, plan)
    refuse_unknown_names(columns, needs)
    if not isinstance(source, Store) and traits is not None:
        needs = replace(needs, properties=frozenset(one for one in needs.properties if not one.startswith(TRAIT)))
    rows = open_rows(running.connection, source, columns=columns, source_timezone=source_timezone, needs=needs)
    horizon = microseconds_of(until, "until", zone_of(timezone))
    last = rows.facts().last_time
    if horizon is None:
        horizon = last
    if horizon is None or (last is None and traits is None):
        raise SourceError("no-rows", f"{rows.description} holds no event with a time and a name: nobody to place.")
    _refuse_impossible(running, journey, plan, rows)
    bare, stitching = rows, None
    if journey.stitch is not None:
        stitching = map_of(running, rows, journey, journey.stitch, horizon)
        rows = by_map(rows, *stitching)
    coded = isinstance(source, TraitStore) and traits is None and moves is None and not spelt and stitching is None
    units = [rows.identity(name) if coded else rows.identity_text(name) for name in journey.unit_columns]
    if not isinstance(source, Store):
        units = [rows.identity(name) for name in journey.unit_columns]
    if stitching is not None:
        units = [rows.identity(UNIT)]
    query = RowsQuery(rows, journey, plan, horizon, units)
    names = [*dict.fromkeys(test.property for test in plan.tests), CREATED_AT]
    given = None
    mapped = dict(columns or {})
    if traits is not None:
        asked = sorted(
            {*names, *(name.removeprefix(TRAIT) for name in _properties(journey, plan) if name.startswith(TRAIT))}
        )
        given = open_traits(running.connection, traits, journey.unit_columns, asked, mapped)
    elif isinstance(source, TraitStore):
        relation = source.open_traits(running.connection, journey.unit_columns, names, spelt=not coded)
        if relation is not None:
            relation = relation if stitching is None else named_by(relation, *stitching)
            given = Traits(relation, {name: (Value(f"c{n}", "json"),) for n, name in enumerate(names)})
    if given is None and plan.tests:
        raise SourceError(
            "no-traits",
            f"the journey looks at the trait {plan.tests[0].property}, but no traits are given. "
            "Name a file of them with --traits, or traits= in Python.",
        )
    moved = None
    if moves is not None:
        moved = open_moves(running.connection, moves, journey.unit_columns, journey.positions, mapped)
    return Opened(running, rows, query, plan, given, moved, _unset(plan, given), coded, stitching, bare)


def _unset(plan: JourneyPlan, given: Traits | None) -> tuple[str, ...]:
    """What to say of traits that no column of the traits is: they are missing for every account."""
    if given is None:
        return ()
    names = dict.fromkeys(test.property for test in plan.tests if not given.values[test.property])
    return tuple(f"the traits have no column {name!r}, so that it is missing for every account." for name in names)


def named_by(relation: str, wanted: Stitching, found: MapTables) -> str:
    """Traits, or whatever has ``u0``, an id of the journey's `unit_columns`, under the name of whom it belongs to."""
    if wanted.account is not None:
        return relation
    if found.names is None:
        return f"(SELECT g.* REPLACE ({known_unit_sql('g.u0')} AS u0) FROM {relation} AS g)"
    user = known_unit_sql("coalesce(n.kept, g.u0)")
    return f"(SELECT g.* REPLACE ({user} AS u0) FROM {relation} AS g LEFT JOIN {found.names} AS n ON n.user_id = g.u0)"


def _properties(journey: Journey, plan: JourneyPlan) -> frozenset[str]:
    return needs_of(journey, plan).properties


def _held(opened: Opened) -> list[str]:
    """Names of traits that the rows themselves hold."""
    names = _properties(opened.query.journey, opened.plan)
    return [name for name in names if name.startswith(TRAIT) and knows(opened.rows, name)]


def _refuse_impossible(running: Engine, journey: Journey, plan: JourneyPlan, rows: EventRows) -> None:
    """RunError for a literal that a typed column can never equal: a stage would be empty for no reason."""
    conditions = [one for one in conditions_of(journey, plan) if all(_knows_all(rows, one))]
    kinds = kinds_of(running.connection, rows, conditions)
    found = [one for condition in conditions for one in impossible(condition, kinds)]
    if found:
        raise RunError("impossible-literal", " ".join(dict.fromkeys(capital(str(one)) for one in found)))


def _knows_all(rows: EventRows, condition: Condition) -> Iterator[bool]:
    yield from (not name.startswith(TRAIT) or knows(rows, name) for name in properties_of(condition))


__all__ = ["Opened", "named_by", "open_all", "replay", "walk_opened"]
