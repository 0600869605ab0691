"""Run a funnel over a source of events: the one road from a definition to its figures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from doorstep.definitions.conditions import Condition
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.identity import definition_hash
from doorstep.definitions.reading import load
from doorstep.definitions.words import capital
from doorstep.engines.conditions import impossible, kinds_of
from doorstep.engines.duckdb import Engine, Matched, Progress, engine, match
from doorstep.engines.lookups import Lookups
from doorstep.engines.query import flat, needs_of
from doorstep.engines.runs import covered, match_runs
from doorstep.errors import RunError, SourceError, nearest
from doorstep.funnels.bounds import Instant, microseconds_of, zone_of
from doorstep.funnels.breakdowns import Breakdown, breakdowns_of, groups_of, notes_of
from doorstep.funnels.figures import figures_of
from doorstep.funnels.result import Data, FunnelResult
from doorstep.funnels.segments import EMPTY, Given, Segment, segment_figures, segments_of
from doorstep.matching.plan import FOREVER, Plan, compile_plan
from doorstep.matching.reference import Bounds
from doorstep.rows import EventRows, open_rows
from doorstep.rows.names import COMMON
from doorstep.rows.needs import Needs
from doorstep.rows.runs import EventRuns, open_runs


def run(
    funnel: Funnel | str | Path | Mapping[str, object],
    source: object,
    *,
    since: Instant = None,
    until: Instant = None,
    as_of: Instant = None,
    timezone: str = "UTC",
    first_time: bool = False,
    columns: Mapping[str, str] | None = None,
    breakdown: str | Breakdown | Sequence[str | Breakdown] | None = None,
    top: int | None = None,
    segments: Mapping[str, Given] | None = None,
    source_timezone: str = "UTC",
    memory: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> FunnelResult:
    """Runs ``funnel`` (a `Funnel`, a path or a document) over ``source``: a path or glob or list of them (Parquet, CSV,
    JSON lines, gzip too), anything that speaks the Arrow PyCapsule interface, or a lake (`open_lake`), at the snapshot
    it is at or at an older one (`Lake.at`).

    ``since``/``until`` (half open) bound entries, ``as_of`` is the data horizon; dates are read in ``timezone``.
    ``first_time`` keeps units whose first ever entry lies in the range. ``columns`` maps our names to theirs; naive
    times are read in ``source_timezone``. ``breakdown`` is a property, taken at the entry row, or elsewhere
    (``platform@last``: `Breakdown`), or several of them; ``top`` shows the values with most entries and the rest as
    one. ``segments`` are filters on the entry row, or lists of units, by name. ``memory`` (bytes) bounds what is held
    at once. Raises DefinitionError, SourceError or RunError.
    """
    definition = funnel if isinstance(funnel, Funnel) else load(funnel)
    zone = zone_of(timezone)
    low = microseconds_of(since, "since", zone)
    high = microseconds_of(until, "until", zone)
    horizon = microseconds_of(as_of, "as_of", zone)
    if low is not None and high is not None and low >= high:
        raise RunError("bounds", "since is not before until, so no entry can lie between them. Swap or widen them.")
    plan = compile_plan(definition)
    by, named = breakdowns_of(breakdown, definition), segments_of(segments)
    asked = tuple(one.condition for one in named if one.condition is not None)
    lookups = Lookups(tuple(one.look(definition) for one in by), asked)
    needs = needs_of(definition, plan, lookups)
    refuse_unknown_names(columns, needs)
    if memory is None and not columns and not by and not named and covered(definition, plan):
        found = _by_runs(
            definition,
            plan,
            source,
            needs,
            (low, high, horizon),
            first_time=first_time,
            threads=threads,
            progress=progress,
        )
        if found is not None:
            return found
    with engine(memory=memory, threads=threads, progress=progress) as running:
        rows = open_rows(
            running.connection,
            source,
            columns=columns,
            source_timezone=source_timezone,
            needs=needs,
        )
        bounds = bounds_of(rows, low, high, horizon)
        refuse_impossible(running, definition, plan, rows, asked)
        matched = match(running, rows, definition, plan, bounds, first_time=first_time, lookups=lookups)
        return _result(definition, matched, rows, bounds, (low, high), by, top, named)


def _by_runs(
    funnel: Funnel,
    plan: Plan,
    source: object,
    needs: Needs,
    range_: tuple[int | None, int | None, int | None],
    *,
    first_time: bool,
    threads: int | None,
    progress: Progress | None,
) -> FunnelResult | None:
    """The same over the runs of a store; None where it has none, or these cannot tell."""
    runs = open_runs(source, needs)
    if runs is None or any(impossible(one, runs.kinds) for one in _conditions(funnel, plan)):
        return None
    bounds = bounds_of(runs, *range_)
    count = threads or os.cpu_count() or 1
    matched = match_runs(runs, funnel, plan, bounds, threads=count, first_time=first_time, progress=progress)
    return None if matched is None else _result(funnel, matched, runs, bounds, range_[:2], (), None, ())


def bounds_of(rows: EventRows | EventRuns, low: int | None, high: int | None, horizon: int | None) -> Bounds:
    """The bounds of a run; the horizon defaults to the last row's time. SourceError ``no-rows`` when there is none."""
    last = rows.facts().last_time
    if last is None:
        raise SourceError(
            "no-rows", f"{rows.description} holds no event with a time and a name, so there is nothing to count."
        )
    return Bounds(
        -FOREVER if low is None else low, FOREVER if high is None else high, last if horizon is None else horizon
    )


def refuse_unknown_names(columns: object, needs: Needs) -> None:
    """RunError when ``columns`` is no mapping of texts, or one of our names in it looks misspelt: nobody looks at it,
    and one that is looked at, and not mapped, is spelt nearly so.
    """
    if columns is None:
        return
    if not isinstance(columns, Mapping) or not all(isinstance(one, str) for pair in columns.items() for one in pair):
        raise RunError("bad-map", f"columns is {columns!r}. Give a mapping of texts, such as {{'user_id': 'uid'}}.")
    ours = {*COMMON, *needs.names, *needs.identities}
    for name in columns:
        near = nearest(name, ours - set(columns)) if name not in ours else None
        if near:
            raise RunError(
                "bad-map", f"{name!r} is mapped, but no name that this funnel looks at. Did you mean {near!r}?"
            )


def refuse_impossible(
    running: Engine, funnel: Funnel, plan: Plan, rows: EventRows, also: Sequence[Condition] = ()
) -> None:
    """RunError for a literal that a typed column can never equal: the count would be an unnoticed zero."""
    conditions = [*also, *_conditions(funnel, plan)]
    kinds = kinds_of(running.connection, rows, conditions)
    found = [one for condition in conditions for one in impossible(condition, kinds)]
    if found:
        raise RunError("impossible-literal", " ".join(dict.fromkeys(capital(str(one)) for one in found)))


def _conditions(funnel: Funnel, plan: Plan) -> list[Condition]:
    return [*(one.condition for one in funnel.exclude), *(one.condition for one in flat(plan.questions))]


def _result(
    funnel: Funnel,
    matched: Matched,
    rows: EventRows | EventRuns,
    bounds: Bounds,
    limits: tuple[int | None, int | None],
    by: Sequence[Breakdown],
    top: int | None,
    segments: Sequence[Segment],
) -> FunnelResult:
    facts = rows.facts()
    dropped = {"no_unit": matched.no_unit, "no_held_value": matched.no_stream}
    counted = matched.attempts.where(matched.attempts.counted)
    groups = groups_of(funnel, matched, counted, by, top) if by else ()
    named = segment_figures(funnel, matched, counted, segments)
    empty = tuple(EMPTY.format(name=one.name) for one in named if not one.figures.entered)
    return FunnelResult(
        funnel=funnel,
        hash=definition_hash(funnel),
        figures=figures_of(funnel, counted),
        data=Data(
            description=rows.description,
            rows=facts.rows,
            matched=matched.rows,
            units=matched.unit_count,
            since=limits[0],
            until=limits[1],
            as_of=bounds.as_of,
            rejected={**facts.rejected, **{reason: number for reason, number in dropped.items() if number}},
            notes=(*facts.notes, *notes_of(by, groups, rows.columns), *empty),
            snapshot=rows.snapshot,
            map_version=matched.map_version,
        ),
        breakdown=groups,
        breakdowns=tuple(by),
        segments=named,
        matched=matched,
    )
