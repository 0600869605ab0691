"""Run a funnel over a source of events: the one road from a definition to its figures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from doorstep.definitions.conditions import Condition
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.identity import definition_hash
from doorstep.definitions.reading import load
from doorstep.definitions.words import capital
from doorstep.engines.conditions import impossible, kinds_of
from doorstep.engines.duckdb import Engine, Matched, Progress, engine, match
from doorstep.engines.query import flat, needs_of
from doorstep.engines.runs import covered, match_runs
from doorstep.errors import RunError, SourceError, nearest
from doorstep.funnels.bounds import Instant, microseconds_of, zone_of
from doorstep.funnels.figures import Figures, figures_of
from doorstep.funnels.result import Data, FunnelResult
from doorstep.matching.plan import FOREVER, Plan, compile_plan
from doorstep.matching.reference import Bounds
from doorstep.rows import EventRows, open_rows
from doorstep.rows.names import COMMON
from doorstep.rows.needs import Needs
from doorstep.rows.runs import EventRuns, open_runs

MOST_GROUPS = 1_000
"""How many values a breakdown may have; more is a mistake of property, and nothing anyone could read."""


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
    breakdown: str | None = None,
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
    times are read in ``source_timezone``. ``breakdown`` is a property, taken at the entry row. ``memory`` (bytes)
    bounds what is held at once. Raises DefinitionError, SourceError or RunError.
    """
    definition = funnel if isinstance(funnel, Funnel) else load(funnel)
    zone = zone_of(timezone)
    low = microseconds_of(since, "since", zone)
    high = microseconds_of(until, "until", zone)
    horizon = microseconds_of(as_of, "as_of", zone)
    if low is not None and high is not None and low >= high:
        raise RunError("bounds", "since is not before until, so no entry can lie between them. Swap or widen them.")
    plan = compile_plan(definition)
    needs = needs_of(definition, plan, breakdown)
    refuse_unknown_names(columns, needs)
    if memory is None and not columns and breakdown is None and covered(definition, plan):
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
        refuse_impossible(running, definition, plan, rows)
        matched = match(running, rows, definition, plan, bounds, first_time=first_time, breakdown=breakdown)
        return _result(definition, matched, rows, bounds, breakdown, low, high)


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
    return None if matched is None else _result(funnel, matched, runs, bounds, None, *range_[:2])


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


def refuse_impossible(running: Engine, funnel: Funnel, plan: Plan, rows: EventRows) -> None:
    """RunError for a literal that a typed column can never equal: the count would be an unnoticed zero."""
    conditions = _conditions(funnel, plan)
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
    breakdown: str | None,
    low: int | None,
    high: int | None,
) -> FunnelResult:
    facts = rows.facts()
    dropped = {"no_unit": matched.no_unit, "no_held_value": matched.no_stream}
    counted = matched.attempts.where(matched.attempts.counted)
    groups = () if breakdown is None else _by_group(funnel, matched, breakdown)
    return FunnelResult(
        funnel=funnel,
        hash=definition_hash(funnel),
        figures=figures_of(funnel, counted),
        data=Data(
            description=rows.description,
            rows=facts.rows,
            matched=matched.rows,
            units=matched.unit_count,
            since=low,
            until=high,
            as_of=bounds.as_of,
            rejected={**facts.rejected, **{reason: number for reason, number in dropped.items() if number}},
            notes=(*facts.notes, *_breakdown_notes(breakdown, groups, rows)),
            snapshot=rows.snapshot,
        ),
        breakdown=groups,
        breakdown_by=breakdown,
        matched=matched,
    )


def _breakdown_notes(
    breakdown: str | None, groups: tuple[tuple[object, Figures], ...], rows: EventRows | EventRuns
) -> tuple[str, ...]:
    """What to say when no entry has a value of the property, which is most often a slip of the pen."""
    if breakdown is None or [value for value, _ in groups] != [None]:
        return ()
    near = None if breakdown in rows.columns else nearest(breakdown, rows.columns)
    return (f"no entry has a value of {breakdown}." + (f" Did you mean {near}?" if near else ""),)


def _by_group(funnel: Funnel, matched: Matched, breakdown: str) -> tuple[tuple[object, Figures], ...]:
    """Figures per value at the entry row, most entered first; None where the entry row has no value."""
    counted = matched.attempts.where(matched.attempts.counted)
    present = sorted({int(group) for group in counted.group})
    if len(present) > MOST_GROUPS:
        raise RunError(
            "too-many-values",
            f"{breakdown} has {len(present):,} values among the entries; a breakdown shows at most {MOST_GROUPS:,}. "
            "Break down by a property with fewer values.",
        )
    found = [
        (None if group < 0 else matched.groups[group], figures_of(funnel, counted.where(counted.group == group)))
        for group in present
    ]
    return tuple(sorted(found, key=lambda one: (-one[1].entered, one[0] is None, str(one[0]))))
