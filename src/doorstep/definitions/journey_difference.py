"""What two journeys say differently, stage by stage, in words (see `difference`).

Stages are the same that have the same id, or, of the others, the same criteria or the same place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from doorstep.definitions import journey_words, words
from doorstep.definitions.canonical_words import NONE, Spoken
from doorstep.definitions.criteria import Criterion, Every, Nor, Some, Stayed, criterion_of
from doorstep.definitions.difference import Change, equal, examples, leftovers, said
from doorstep.definitions.identity import canonical, canonical_criterion, definition_hash, text_hash
from doorstep.definitions.journey import Journey


def journey_difference(before: Journey, after: Journey) -> tuple[Change, ...]:
    """Every change, those that can move an account first; empty when both hashes are equal."""
    pairs = _paired(before, after)
    changes = list(_moving(before, after, pairs)) if definition_hash(before) != definition_hash(after) else []
    if text_hash(before) != text_hash(after):
        changes += _wording(before, after, pairs)
    return tuple(changes)


def _paired(before: Journey, after: Journey) -> dict[int, int]:
    """Stages of the one that are stages of the other, by position."""
    pairs = {place: after.positions[one.id] for place, one in enumerate(before.stages) if one.id in after.positions}
    for alike in (_same_criteria, lambda _before, old, _after, new: old == new):
        for old in range(len(before.stages)):
            left = [new for new in range(len(after.stages)) if new not in pairs.values()]
            if old not in pairs:
                found = next((new for new in left if alike(before, old, after, new)), None)
                pairs |= {} if found is None else {old: found}
    return pairs


def _same_criteria(before: Journey, old: int, after: Journey, new: int) -> bool:
    one, two = criterion_of(before, old), criterion_of(after, new)
    return bool(old) == bool(new) and equal(canonical_criterion(one), canonical_criterion(two))


def _moving(before: Journey, after: Journey, pairs: Mapping[int, int]) -> Iterator[Change]:
    old, new, spoken = canonical(before), canonical(after), Spoken(())
    if not equal(old["count_by"], new["count_by"]):
        was, now = (spoken.value("count_by", one["count_by"]) for one in (old, new))
        yield Change("count_by", f"count_by {was} -> {now}", True)
    yield from _excluded(old["exclude"], new["exclude"], spoken)
    yield from _movement(old["movement"], new["movement"])
    for place, stage in enumerate(before.stages):
        if place not in pairs:
            told = journey_words.criterion(before, criterion_of(before, place))
            yield Change(f"stages[{place}]", f"stage {stage.id} removed: {told}", True)
    yield from _moved(before, after, pairs)
    for place, there in sorted(pairs.items(), key=lambda pair: pair[1]):
        yield from _stage(before, after, place, there, pairs)
    for there, stage in enumerate(after.stages):
        if there not in pairs.values():
            told = journey_words.criterion(after, criterion_of(after, there))
            yield Change(f"stages[{there}]", f"stage {stage.id} added: {told}", True)


def _excluded(old: Any, new: Any, spoken: Spoken) -> Iterator[Change]:
    gone, come = leftovers(old, new)
    yield from (Change("exclude", f"exclude removed: {spoken.rows(old[one])}", True) for one in gone)
    yield from (Change("exclude", f"exclude added: {spoken.rows(new[one])}", True) for one in come)


def _movement(old: Any, new: Any) -> Iterator[Change]:
    for key, was in old.items():
        if not equal(was, new[key]):
            told = [_moving_word(key, one) for one in (was, new[key])]
            yield Change(f"movement.{key}", f"movement {key}: {told[0]} -> {told[1]}", True)


def _moving_word(key: str, value: Any) -> str:
    if key == "grace":
        return words.duration(value) if value else NONE
    return "true" if value else "false"


def _moved(before: Journey, after: Journey, pairs: Mapping[int, int]) -> Iterator[Change]:
    """Stages whose order among those that stayed is another."""
    stayed = sorted(pairs)
    ranks = {there: rank for rank, there in enumerate(sorted(pairs.values()))}
    for rank, place in enumerate(stayed):
        if ranks[pairs[place]] != rank:
            label = _label(before, after, place, pairs[place])
            message = f"{label}: moved from place {place + 1} to place {pairs[place] + 1}"
            yield Change(f"stages[{pairs[place]}]", message, True)


def _stage(before: Journey, after: Journey, place: int, there: int, pairs: Mapping[int, int]) -> Iterator[Change]:
    label = _label(before, after, place, there)
    was, now = before.stages[place].rank is None, after.stages[there].rank is None
    if was != now:
        told = "counts for high water now" if now else "no longer counts for high water"
        yield Change(f"stages[{there}].rank", f"{label}: {told}", True)
    old = _parts(_elsewhere(criterion_of(before, place), pairs))
    new = _parts(criterion_of(after, there))
    gone, come = leftovers([canonical_criterion(one) for one in old], [canonical_criterion(one) for one in new])
    originals = _parts(criterion_of(before, place))
    clause = f"stages[{there}].criteria"
    for one in gone:
        said_before = journey_words.criterion(before, originals[one])
        two = next((at for at in come if type(new[at]) is type(old[one])), None)
        if two is None:
            yield Change(clause, f"{label}: no longer asks for {said_before}", True)
            continue
        come.remove(two)
        said_now = journey_words.criterion(after, new[two])
        if said_before == said_now:
            yield Change(clause, f"{label}: {said_now}, where the rows of its features are others now", True)
        else:
            yield Change(clause, f"{label}: {said_before} -> {said_now}", True)
    for at in come:
        yield Change(clause, f"{label}: now asks for {journey_words.criterion(after, new[at])}", True)


def _parts(criterion: Criterion) -> tuple[Criterion, ...]:
    """What must all hold."""
    if not isinstance(criterion, Every):
        return (criterion,)
    return tuple(part for one in criterion.of for part in _parts(one))


def _elsewhere(criterion: Criterion, pairs: Mapping[int, int]) -> Criterion:
    """The criterion with stages where they stand in the other journey; -2 where it has none."""
    match criterion:
        case Every() | Some():
            return replace(criterion, of=tuple(_elsewhere(one, pairs) for one in criterion.of))
        case Nor():
            return Nor(_elsewhere(criterion.of, pairs))
        case Stayed() if criterion.stage is not None and criterion.stage >= 0:
            return replace(criterion, stage=pairs.get(criterion.stage, -2))
        case _:
            return criterion


def _label(before: Journey, after: Journey, place: int, there: int) -> str:
    was, now = before.stages[place].id, after.stages[there].id
    return f"stage {was}" if was == now else f"stage {was} (now {now})"


def _wording(before: Journey, after: Journey, pairs: Mapping[int, int]) -> Iterator[Change]:
    for key, name in (("journey", "name"), ("title", "title"), ("description", "description"), ("owner", "owner")):
        yield from said(key, name, getattr(before, key), getattr(after, key))
    yield from said("tags", "tags", list(before.tags), list(after.tags))
    for place, there in sorted(pairs.items(), key=lambda pair: pair[1]):
        old, new, clause = before.stages[place], after.stages[there], f"stages[{there}]"
        for key in ("id", "name", "color", "description"):
            label = f"{_label(before, after, place, there)}: {key}"
            yield from said(f"{clause}.{key}", label, getattr(old, key), getattr(new, key))
    yield from examples(before, after)


__all__ = ["journey_difference"]
