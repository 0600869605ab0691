"""What makes two definitions the same: a canonical form, and the hash of it.

The canonical form holds everything that can move a count and nothing else. Steps are named by position, sets are
sorted, durations are microseconds, defaults are written out; so the spelling of a document does not show in it. The
words about a definition (title, owner, names, …) have a hash of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from typing import TypeAlias

from doorstep.definitions.conditions import All, AnyOf, Condition, Not, Scalar, Test
from doorstep.definitions.criteria import (
    Aged,
    Bounds,
    Count,
    Criterion,
    Distinct,
    Every,
    Nor,
    Rows,
    Some,
    Stayed,
    Sum,
    Trait,
    Used,
    criterion_of,
)
from doorstep.definitions.funnel import Alternative, ExcludeBetween, Funnel, Reentry, Selector, SessionOf, Step, SubStep
from doorstep.definitions.journey import Journey
from doorstep.definitions.windows import Window

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def definition_hash(funnel: Funnel | Journey) -> str:
    """SHA-256, in hex, of the canonical form: equal when no count can differ by how the definition is written."""
    return _sha256(canonical(funnel))


def text_hash(funnel: Funnel | Journey) -> str:
    """SHA-256, in hex, of the words about a definition: slug, title, owner, tags, ids, names, examples."""
    if isinstance(funnel, Journey):
        return _sha256(journey_words(funnel))
    return _sha256(
        {
            "funnel": funnel.funnel,
            "title": funnel.title,
            "description": funnel.description,
            "owner": funnel.owner,
            "tags": list(funnel.tags),
            "steps": [
                [str(step.id), step.name, [_alternative_words(one) for one in step.any_of]] for step in funnel.steps
            ],
            "examples": [example.model_dump(mode="json", exclude_defaults=True) for example in funnel.examples],
        }
    )


def canonical(funnel: Funnel | Journey) -> dict[str, Json]:
    """The definition as JSON data, one form for all its spellings; times are microseconds, steps are 0-based."""
    if isinstance(funnel, Journey):
        return _canonical_journey(funnel)
    return {
        "semantics": funnel.semantics,
        "count_by": _unit(funnel),
        "count": funnel.count,
        "exclude": _as_set(_selector(one) for one in funnel.exclude),
        "exclude_units": _as_set(_selector(one) for one in funnel.exclude_units),
        "hold_constant": list(funnel.hold_constant),
        "entry": _as_set(funnel.entry_positions),
        "reentry": funnel.reentry
        if isinstance(funnel.reentry, str)
        else _as_set(_reentry(funnel, one) for one in funnel.reentry),
        "window": funnel.window,
        "order": funnel.order,
        "match": funnel.match,
        "ties": funnel.ties,
        "represent": funnel.represent,
        "steps": [_step(funnel, one) for one in funnel.steps],
        "exclude_between": [_exclusion(funnel, one) for one in funnel.exclude_between],
    }


def _unit(funnel: Funnel) -> Json:
    actor = _actor(funnel)
    return {"session_of": actor, "gap": funnel.count_by.gap} if isinstance(funnel.count_by, SessionOf) else actor


def _actor(funnel: Funnel | Journey) -> Json:
    stitch = funnel.stitch
    actor: Json = (
        list(funnel.unit_columns)
        if stitch is None
        else {"stitch": {"known": stitch.known, "anonymous": stitch.anonymous}}
    )
    return actor if funnel.account is None else {"account_of": actor, "account": funnel.account}


def _selector(selector: Selector) -> dict[str, Json]:
    return {"event": list(selector.event), "filters": _condition(selector.condition)}


def _step(funnel: Funnel, step: Step) -> Json:
    return {
        **({"any_of": [_alternative(funnel, one) for one in step.any_of]} if step.any_of else _selector(step)),
        "window": _windows(funnel, step.window),
        "min_gap": step.min_gap,
        "dedupe": step.dedupe,
        "optional": step.optional,
        "out_of_order": step.out_of_order,
        "first_time": step.first_time,
    }


def _alternative(funnel: Funnel, alternative: Alternative) -> Json:
    """Alternatives keep their order: on a draw the first declared one wins."""
    if not alternative.steps:
        return {**_selector(alternative), "window": _windows(funnel, alternative.window)}
    siblings = [None if sub.id is None else str(sub.id) for sub in alternative.steps]
    return {"steps": [_sub_step(funnel, sub, siblings) for sub in alternative.steps]}


def _sub_step(funnel: Funnel, sub: SubStep, siblings: Sequence[str | None]) -> Json:
    return {
        **_selector(sub),
        "window": _windows(funnel, sub.window, siblings),
        "min_gap": sub.min_gap,
        "dedupe": sub.dedupe,
    }


def _windows(funnel: Funnel, windows: Iterable[Window], siblings: Sequence[str | None] = ()) -> dict[str, Json]:
    """Anchor → the least length after it; longer ones after the same anchor have no effect."""
    least: dict[str, int] = {}
    for window in windows:
        anchor = window.anchor
        if window.step is not None:
            sibling = window.step in siblings
            anchor = f"sub:{siblings.index(window.step)}" if sibling else f"step:{funnel.positions[window.step]}"
        least[anchor] = min(window.length, least.get(anchor, window.length))
    return dict(least)


def _reentry(funnel: Funnel, rule: Reentry) -> Json:
    return {
        "after": _as_set(rule.after),
        "no_within": rule.no_within,
        "inactive": rule.inactive,
        "event": None if rule.event is None else _selector(rule.event),
        "below_step": None if rule.below_step is None else funnel.positions[str(rule.below_step)],
        "interrupt": rule.interrupt,
    }


def _exclusion(funnel: Funnel, rule: ExcludeBetween) -> Json:
    """Exclusions keep their order: it decides between rows of equal time (semantics 1)."""
    return {
        **_selector(rule),
        "after": funnel.positions[str(rule.after)],
        "before": funnel.positions[str(rule.before)],
        "effect": rule.effect,
    }


def _condition(condition: Condition) -> Json:
    match condition:
        case Test():
            return [condition.property, condition.operator, _as_set(_scalar(one) for one in condition.operand)]
        case Not(Not(inner)):
            return _condition(inner)
        case Not():
            return {"not": _condition(condition.of)}
        case All() | AnyOf():
            parts = _as_set(part for one in condition.of for part in _flat(_condition(one), _group(condition)))
            return parts[0] if len(parts) == 1 else {_group(condition): parts}


def _group(condition: All | AnyOf) -> str:
    return "all" if isinstance(condition, All) else "any"


def _flat(part: Json, group: str) -> list[Json]:
    """A group inside a group of its kind is one group."""
    inner = part.get(group) if isinstance(part, dict) else None
    return inner if isinstance(inner, list) else [part]


def _scalar(value: Scalar) -> Json:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_set(parts: Iterable[Json]) -> list[Json]:
    """Sorted, each once; by their JSON, so that ``true``, ``1`` and ``"1"`` stay three."""
    distinct = {_json(part): part for part in parts}
    return [distinct[text] for text in sorted(distinct)]


def journey_words(journey: Journey) -> dict[str, Json]:
    """What is said about a journey: everything but what can move an account, stages' ids and names among it."""
    left_out = {"count_by", "exclude", "movement", "features", "semantics"}
    words: dict[str, Json] = journey.model_dump(mode="json", exclude=left_out, exclude_defaults=True)
    words["stages"] = [
        stage.model_dump(mode="json", exclude={"criteria", "rank"}, exclude_defaults=True) for stage in journey.stages
    ]
    return words


def _canonical_journey(journey: Journey) -> dict[str, Json]:
    """Stages are named by position; criteria are trees without short forms, features written out where they count."""
    return {
        "semantics": journey.semantics,
        "count_by": _actor(journey),
        "exclude": _as_set(_selector(one) for one in journey.exclude),
        "movement": {
            "backward": journey.movement.backward,
            "skip": journey.movement.skip,
            "grace": journey.movement.grace if journey.movement.backward else 0,
        },
        "stages": [
            {"criteria": canonical_criterion(criterion_of(journey, place)), "ranked": stage.rank is None}
            for place, stage in enumerate(journey.stages)
        ],
    }


def canonical_criterion(of: Criterion) -> Json:
    """A criterion as JSON data, one form for its spellings; stages by position."""
    match of:
        case Count():
            return {"count": [_rows(of.rows), of.within, _bounds(of.bounds)]}
        case Sum() | Distinct():
            kind = "sum" if isinstance(of, Sum) else "distinct"
            return {kind: [_rows(of.rows), of.property, of.within, _bounds(of.bounds)]}
        case Used():
            return {"features": [_as_set(_rows(rows) for _, rows in of.catalogue), of.within, _bounds(of.bounds)]}
        case Aged():
            return {"account_age": of.least}
        case Stayed():
            return {"time_in_stage": [of.least, of.stage]}
        case Trait():
            return {"trait": _condition(of.condition)}
        case Nor(Nor(inner)):
            return canonical_criterion(inner)
        case Nor(Count() | Distinct() | Used() as leaf) if (turned := _turned(leaf.bounds)) is not None:
            return canonical_criterion(replace(leaf, bounds=turned))
        case Nor():
            return {"not": canonical_criterion(of.of)}
        case Every() | Some():
            group = "all" if isinstance(of, Every) else "any"
            parts = _as_set(part for one in of.of for part in _flat(canonical_criterion(one), group))
            return parts[0] if len(parts) == 1 else {group: parts}


def _turned(bounds: Bounds) -> Bounds | None:
    """What holds of a whole number where these do not: ``not: {did: x}`` is ``did_not: x``. None: no one interval."""
    if bounds.low is not None and bounds.high is None:
        return Bounds(None, Fraction(ceil(bounds.low) - 1))
    if bounds.high is not None and (bounds.low is None or bounds.low <= 0):
        return Bounds(Fraction(floor(bounds.high) + 1), None)
    return None


def _rows(rows: Rows) -> Json:
    return {"event": list(rows.events), "filters": _condition(rows.condition)}


def _bounds(bounds: Bounds) -> Json:
    return [None if one is None else str(one) for one in (bounds.low, bounds.high)]


def _alternative_words(alternative: Alternative) -> Json:
    subs: list[Json] = [[None if sub.id is None else str(sub.id), sub.name] for sub in alternative.steps]
    return [alternative.name, subs]


def _json(value: Json) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sha256(value: Json) -> str:
    return hashlib.sha256(_json(value).encode()).hexdigest()


__all__ = ["Json", "canonical", "canonical_criterion", "definition_hash", "text_hash"]
