"""A journey held against the data it is meant for: names and literals that the data can never meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from doorstep.definitions import words
from doorstep.definitions.against_data import did_you_mean, unknown_names, unknown_property
from doorstep.definitions.conditions import properties_of
from doorstep.definitions.document import spell
from doorstep.definitions.journey import FeatureProperty, Journey
from doorstep.definitions.journey_rules import all_criteria
from doorstep.definitions.journey_selectors import journey_selectors
from doorstep.engines.conditions import kinds_of
from doorstep.engines.duckdb import Engine, engine
from doorstep.errors import Issue
from doorstep.funnels.data_check import literal_issues
from doorstep.funnels.run import refuse_unknown_names
from doorstep.journeys.account import CREATED_AT
from doorstep.journeys.given import Traits, TraitStore, open_traits, trait_columns
from doorstep.journeys.plan import compile_plan
from doorstep.journeys.query import needs_of
from doorstep.rows import Value, open_rows, reading
from doorstep.rows.needs import TRAIT
from doorstep.rows.source import Store


def check_against(
    journey: Journey,
    source: object,
    *,
    traits: object = None,
    columns: Mapping[str, str] | None = None,
    source_timezone: str = "UTC",
) -> tuple[Issue, ...]:
    """Findings about event names, properties, literals and traits (of a file beside the events, or of the lake)."""
    needs = needs_of(journey, compile_plan(journey))
    refuse_unknown_names(columns, needs)
    if not isinstance(source, Store):
        needs = replace(needs, properties=frozenset(one for one in needs.properties if not one.startswith(TRAIT)))
    places = [(path, selector) for path, selector in journey_selectors(journey)]
    with engine() as running:
        rows = open_rows(running.connection, source, columns=columns, source_timezone=source_timezone, needs=needs)
        with reading(rows.description):
            found = running.execute(f"SELECT DISTINCT {rows.event} FROM {rows.relation}", "reading events").fetchall()
        known = {*(name for name in needs.names if rows.values(name)), *rows.columns}
        plain = [(path, one) for path, one in places if not _looks_at_traits(one.condition)]
        kinds = kinds_of(running.connection, rows, [selector.condition for _, selector in plain])
        issues = [
            *unknown_names(places, events=[name for (name,) in found], columns=known),
            *(_properties(journey, known) if known else ()),
            *literal_issues(plain, kinds),
            *_traits(running, journey, source, traits, dict(columns or {})),
        ]
    return tuple(dict.fromkeys(issues))


def _looks_at_traits(condition: object) -> bool:
    return any(name.startswith(TRAIT) for name in properties_of(condition))  # type: ignore[arg-type]


def _properties(journey: Journey, known: set[str]) -> Iterator[Issue]:
    """Properties that are added up or told apart, and the one whose values are features."""
    for path, criteria in all_criteria(journey):
        for key, of in (("sum", criteria.sum), ("distinct", criteria.distinct)):
            if of is not None and of.property not in known and not of.property.startswith(TRAIT):
                yield unknown_property(spell((*path, key, "property")), of.property, known)
    if isinstance(journey.features, FeatureProperty) and journey.features.property not in known:
        yield unknown_property("features.property", journey.features.property, known)


def _traits(
    running: Engine, journey: Journey, source: object, traits: object, columns: dict[str, str]
) -> Iterator[Issue]:
    asked = [
        (spell((*path, "trait")), name)
        for path, criteria in all_criteria(journey)
        if criteria.trait is not None
        for name in sorted(properties_of(criteria.trait.condition))
    ]
    if not asked:
        return
    names = list(dict.fromkeys(name for _, name in asked))
    if traits is not None:
        given = open_traits(running.connection, traits, journey.unit_columns, names, columns)
        known = [*trait_columns(running.connection, traits), CREATED_AT]
        missing = {name for name in names if not given.values[name]}
    else:
        known = []
        missing = _never_set(running, journey, source, names)
    for path, name in asked:
        if name in missing:
            message = f"No account has a trait {words.code(name)}, so it is missing for every account."
            yield Issue("unknown-trait", "warning", message, None, path, did_you_mean(name, known))


def _never_set(running: Engine, journey: Journey, source: object, names: Sequence[str]) -> set[str]:
    """Those traits that no account of the lake ever had; of sources without traits nothing is known."""
    if not isinstance(source, TraitStore):
        return set()
    relation = source.open_traits(running.connection, journey.unit_columns, names)
    if relation is None:
        return set(names)
    given = Traits(relation, {name: (Value(f"c{number}", "json"),) for number, name in enumerate(names)})
    counts = ", ".join(f"count(c{number})" for number in range(len(names)))
    with reading("the traits"):
        line = running.execute(f"SELECT {counts} FROM {given.relation}", "reading traits").fetchall()[0]
    return {name for name, count in zip(names, line, strict=True) if not count}


__all__ = ["check_against"]
