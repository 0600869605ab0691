"""What conditions on an account mean, as a small tree: criteria of rows and traits taken together, standings apart.

Criteria that a stage could have become one `Claim`: a journey of two stages, in and out, so that the machine of
journeys says since when they hold. Everything that evaluates, hashes or tells conditions reads this tree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from doorstep.definitions.criteria import criterion_of
from doorstep.definitions.funnel import Selector
from doorstep.definitions.identity import Json, canonical_criterion, definition_hash
from doorstep.definitions.journey import Criteria, FeatureProperty, Journey, Leaves, Movement, Stage
from doorstep.definitions.membership import Membership

OUT: Final = "out"
IN: Final = "in"


@dataclass(frozen=True)
class Claim:
    """Criteria of an account's rows, age and traits alone, as a journey whose second stage has them."""

    journey: Journey

    @cached_property
    def digest(self) -> str:
        """Names the claim: the same wherever it is asked."""
        return definition_hash(self.journey)


@dataclass(frozen=True, slots=True)
class Stands:
    """The account is in one of these stages."""

    journey: str
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """Its high water is this stage or a higher one."""

    journey: str
    stage: str


@dataclass(frozen=True, slots=True)
class Remains:
    """It has been in its stage (``stage``: only in that one) for at least ``least`` microseconds."""

    journey: str
    least: int
    stage: str | None


@dataclass(frozen=True, slots=True)
class Belongs:
    """It is in a segment."""

    segment: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """It has a tag."""

    tag: str


@dataclass(frozen=True, slots=True)
class Each:
    """All of them hold."""

    of: tuple[Belonging, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of them holds."""

    of: tuple[Belonging, ...]


@dataclass(frozen=True, slots=True)
class Neither:
    """It does not hold."""

    of: Belonging


Belonging = Claim | Stands | Reached | Remains | Belongs | Tagged | Each | Either | Neither


@dataclass(frozen=True, slots=True)
class Ground:
    """What conditions stand on: the unit's columns, rows that do not exist, and the features."""

    unit: tuple[str, ...] = ("account_id",)
    exclude: tuple[Selector, ...] = ()
    features: FeatureProperty | dict[str, Selector] | None = None


def belonging_of(membership: Membership | None, ground: Ground) -> Belonging:
    """What conditions mean; of none, what always holds."""
    if membership is None:
        return Each(())
    parts = tuple(_parts(membership, ground))
    return parts[0] if len(parts) == 1 else Each(parts)


def claim(criteria: Criteria, ground: Ground) -> Claim:
    """Criteria as a claim."""
    stages = (Stage.model_construct(id=OUT), Stage.model_construct(id=IN, criteria=criteria))
    return Claim(
        Journey.model_construct(
            journey="claim",
            count_by=ground.unit,
            exclude=ground.exclude,
            movement=Movement(backward=True),
            features={} if ground.features is None else ground.features,
            stages=stages,
        )
    )


def leaves_of(belonging: Belonging) -> Iterator[Belonging]:
    """Every part that is not made of others, in reading order."""
    match belonging:
        case Each() | Either():
            for part in belonging.of:
                yield from leaves_of(part)
        case Neither():
            yield from leaves_of(belonging.of)
        case _:
            yield belonging


def canonical_belonging(of: Belonging) -> Json:
    """One form for all spellings."""
    match of:
        case Claim():
            return {"claim": canonical_criterion(criterion_of(of.journey, 1))}
        case Stands():
            return {"stage": [of.journey, *sorted(set(of.stages))]}
        case Reached():
            return {"high_water": [of.journey, of.stage]}
        case Remains():
            return {"time_in_stage": [of.journey, of.least, of.stage]}
        case Belongs():
            return {"segment": of.segment}
        case Tagged():
            return {"tag": of.tag}
        case Neither(Neither(inner)):
            return canonical_belonging(inner)
        case Neither():
            return {"not": canonical_belonging(of.of)}
        case Each() | Either():
            group = "all" if isinstance(of, Each) else "any"
            parts = _as_set([canonical_belonging(part) for part in of.of])
            return parts[0] if len(parts) == 1 else {group: parts}


def _as_set(parts: Sequence[Json]) -> list[Json]:
    distinct = {json.dumps(part, sort_keys=True): part for part in parts}
    return [distinct[text] for text in sorted(distinct)]


def hash_of(value: Json) -> str:
    """SHA-256, in hex, of JSON data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


# -- from what people write -------------------------------------------


def _parts(of: Membership, ground: Ground) -> Iterator[Belonging]:
    """What must all hold; criteria that a stage could have are put together in one claim."""
    plain: list[Criteria] = [_plain_leaves(of)] if _asks(of) else []
    if of.stage is not None:
        yield Stands(of.stage.journey, of.stage.is_)
    if of.high_water is not None:
        yield Reached(of.high_water.journey, of.high_water.at_least)
    if of.time_in_stage is not None:
        yield Remains(of.time_in_stage.journey, of.time_in_stage.at_least, of.time_in_stage.stage)
    if of.segment is not None:
        yield Belongs(of.segment)
    if of.tag is not None:
        yield Tagged(of.tag)
    for one in of.all_ or ():
        found = plainly(one)
        if found is None:
            yield belonging_of(one, ground)
        else:
            plain.append(found)
    if of.any_:
        some = [plainly(one) for one in of.any_]
        known = tuple(one for one in some if one is not None)
        if len(known) == len(some):
            plain.append(_made(any_=known))
        else:
            yield Either(tuple(belonging_of(one, ground) for one in of.any_))
    if of.not_ is not None:
        found = plainly(of.not_)
        if found is None:
            yield Neither(belonging_of(of.not_, ground))
        else:
            plain.append(_made(not_=found))
    if plain:
        yield claim(plain[0] if len(plain) == 1 else _made(all_=tuple(plain)), ground)


def plainly(of: Membership) -> Criteria | None:
    """The same as criteria of a stage; None where they ask for a standing, a segment or a tag."""
    if any(one is not None for one in (of.stage, of.high_water, of.time_in_stage, of.segment, of.tag)):
        return None
    groups: dict[str, Any] = {}
    for key, several in (("all_", of.all_), ("any_", of.any_)):
        if several:
            parts = [plainly(one) for one in several]
            if None in parts:
                return None
            groups[key] = tuple(parts)
    if of.not_ is not None:
        groups["not_"] = plainly(of.not_)
        if groups["not_"] is None:
            return None
    return _plain_leaves(of).model_copy(update=groups)


def _asks(of: Membership) -> bool:
    return any(getattr(of, name) is not None for name in Leaves.model_fields)


def _plain_leaves(of: Membership) -> Criteria:
    return _made(**{name: getattr(of, name) for name in Leaves.model_fields})


def _made(**given: Any) -> Criteria:
    return Criteria.model_construct(**given)


__all__ = [
    "IN",
    "OUT",
    "Belonging",
    "Belongs",
    "Claim",
    "Each",
    "Either",
    "Ground",
    "Neither",
    "Reached",
    "Remains",
    "Stands",
    "Tagged",
    "belonging_of",
    "canonical_belonging",
    "claim",
    "hash_of",
    "leaves_of",
    "plainly",
]
