"""What a journey must satisfy beyond the types of its keys: one small function a rule (semantics 10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from doorstep.definitions.document import Path
from doorstep.definitions.journey import Criteria, FeatureProperty, Journey, Leaves
from doorstep.definitions.quoting import cut
from doorstep.definitions.rules.violation import Violation, Violations
from doorstep.errors import nearest


def broken_journey_rules(journey: Journey) -> tuple[Violation, ...]:
    """Every violation of every rule, rule by rule."""
    return tuple(violation for rule in RULES for violation in rule(journey))


def ids_are_unique(journey: Journey) -> Violations:
    """A stage is named by its id."""
    first: dict[str, int] = {}
    for position, stage in enumerate(journey.stages):
        before = first.setdefault(stage.id, position)
        if before != position:
            message = f"Stage number {position + 1} has the id `{stage.id}`, as stage number {before + 1} has."
            yield Violation("duplicate-stage", message, ("stages", position, "id"), "Give each stage an id of its own.")


def criteria_stand_where_they_belong(journey: Journey) -> Violations:
    """The first stage is where accounts are born; every other must say who is in it."""
    for position, stage in enumerate(journey.stages):
        if position == 0 and stage.criteria is not None:
            message = f"The first stage, `{stage.id}`, has criteria, but every account is born into it."
            mend = "Leave them out, or put a stage before it."
            yield Violation("first-stage", message, ("stages", 0, "criteria"), mend, on_key=True)
        if position > 0 and stage.criteria is None:
            message = f"The stage `{stage.id}` has no criteria, so nothing says which accounts are in it."
            mend = "Add some, such as criteria: {did: project_created}."
            yield Violation("no-criteria", message, ("stages", position, "criteria"), mend)


def sums_have_a_bound(journey: Journey) -> Violations:
    """A sum without a bound says nothing."""
    for path, criteria in all_criteria(journey):
        yield from unbounded(path, criteria)


def unbounded(path: Path, criteria: Leaves) -> Violations:
    """A sum among these that has no bound."""
    bounds = criteria.sum
    if bounds is not None and bounds.at_least is None and bounds.at_most is None and bounds.exactly is None:
        message = "A `sum` needs `at_least`, `at_most` or `exactly`."
        yield Violation("no-bound", message, (*path, "sum"), "Add one, such as at_least: 100.")


def features_are_in_the_catalogue(journey: Journey) -> Violations:
    """A feature is named in `features`, unless a property's values are the features."""
    for path, criteria in all_criteria(journey):
        yield from unknown_features(path, criteria, journey.features)


def unknown_features(path: Path, criteria: Leaves, features: FeatureProperty | Mapping[str, object]) -> Violations:
    """Features among these that the catalogue does not have."""
    if isinstance(features, FeatureProperty):
        return
    known = list(features)
    if criteria.features is not None and not known:
        message = "`features` counts features, but there is no catalogue of them."
        mend = "Add one at the top of the document: features: {reports: {event: report_viewed}}."
        yield Violation("unknown-feature", message, (*path, "features"), mend)
    if criteria.feature is not None and criteria.feature.name not in known:
        name = criteria.feature.name
        near = nearest(name, known)
        mend = f"Did you mean `{near}`?" if near else f"The features are {', '.join(known) or 'none'}."
        message = f"The catalogue has no feature `{cut(name)}`."
        yield Violation("unknown-feature", message, (*path, "feature"), mend)


def examples_name_stages(journey: Journey) -> Violations:
    """What an example moves to or expects is a stage that there is."""
    for number, example in enumerate(journey.examples):
        path: Path = ("examples", number)
        expect = example.expect
        if not expect.model_dump(exclude_none=True):
            message = "The example expects nothing, so it would pass whatever the journey does."
            yield Violation("expects-nothing", message, (*path, "expect"), "Say stage, high_water or transitions.")
        if not example.events and not example.traits:
            message = "The example has neither events nor traits, so there is no account."
            yield Violation("empty-list", message, (*path, "events"), "Add at least one event.")
        named = [(move.to, (*path, "moves", index, "to")) for index, move in enumerate(example.moves)]
        named += [(one, (*path, "expect", key)) for key in ("stage", "high_water") if (one := getattr(expect, key))]
        named += [
            (one.to, (*path, "expect", "transitions", at, "to")) for at, one in enumerate(expect.transitions or ())
        ]
        for name, place in named:
            if name not in journey.positions and not (name == "none" and place[-1] in ("stage", "high_water")):
                yield _unknown(journey, name, place)


def _unknown(journey: Journey, name: str, path: Path) -> Violation:
    near = nearest(name, journey.positions)
    mend = f"Did you mean {near}?" if near else f"The stages are {', '.join(list(journey.positions)[:20])}."
    return Violation("unknown-stage", f"No stage has the id `{cut(name)}`.", path, mend)


def all_criteria(journey: Journey) -> Iterator[tuple[Path, Criteria]]:
    """Every mapping of criteria, however deep, with its path."""
    for position, stage in enumerate(journey.stages):
        if stage.criteria is not None:
            yield from _within(("stages", position, "criteria"), stage.criteria)


def _within(path: Path, criteria: Criteria) -> Iterator[tuple[Path, Criteria]]:
    yield path, criteria
    for key, group in (("all", criteria.all_), ("any", criteria.any_)):
        for index, one in enumerate(group or ()):
            yield from _within((*path, key, index), one)
    if criteria.not_ is not None:
        yield from _within((*path, "not"), criteria.not_)


RULES: Final[tuple[Callable[[Journey], Violations], ...]] = (
    ids_are_unique,
    criteria_stand_where_they_belong,
    sums_have_a_bound,
    features_are_in_the_catalogue,
    examples_name_stages,
)

__all__ = ["RULES", "all_criteria", "broken_journey_rules", "unbounded", "unknown_features"]
