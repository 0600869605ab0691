"""What a stage's criteria mean, as a small tree: short forms unfolded, features looked up (semantics 10, *Criteria*).

Everything that evaluates, renders, hashes or compiles criteria reads this tree. Times are microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from doorstep.definitions.conditions import ALWAYS, Condition, Test
from doorstep.definitions.funnel import ANY_EVENT, Selector
from doorstep.definitions.journey import Counted, Criteria, FeatureProperty, FeaturesUsed, Journey, Summed

NO_STAGE: Final = -1
"""The position of a stage that there is not: no account is ever in it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows with one of these names that meet the condition."""

    events: tuple[str, ...] = (ANY_EVENT,)
    condition: Condition = ALWAYS


@dataclass(frozen=True, slots=True)
class Bounds:
    """``low <= x <= high``; None where there is no bound. Numbers as written: 0.1 is one tenth."""

    low: Fraction | None = None
    high: Fraction | None = None

    def hold(self, value: int | Fraction) -> bool:
        """Whether a number lies within."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows; ``within`` None: ever."""

    rows: Rows
    within: int | None
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Sum:
    """The exact sum of a property."""

    rows: Rows
    property: str
    within: int | None
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Distinct:
    """How many different values of a property."""

    rows: Rows
    property: str
    within: int | None
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Used:
    """How many features of a catalogue, each its rows, have been used."""

    catalogue: tuple[tuple[str, Rows], ...]
    within: int | None
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Aged:
    """The account is at least so old."""

    least: int


@dataclass(frozen=True, slots=True)
class Stayed:
    """The account has been for at least so long in the stage it is in; ``stage`` (position): only in that one."""

    least: int
    stage: int | None


@dataclass(frozen=True, slots=True)
class Trait:
    """The traits as they are meet the condition."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Every:
    """All of them hold."""

    of: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of them holds."""

    of: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Nor:
    """It does not hold."""

    of: Criterion


Criterion = Count | Sum | Distinct | Used | Aged | Stayed | Trait | Every | Some | Nor
Leaf = Count | Sum | Distinct | Used | Aged | Stayed | Trait


def number_as_written(value: int | float) -> Fraction:
    """The number that its shortest decimal names: 0.1 is one tenth, so that sums of money come out even."""
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def criterion_of(journey: Journey, position: int) -> Criterion:
    """What places an account in the stage at ``position``; of the first stage, what always holds."""
    criteria = journey.stages[position].criteria
    return Every(()) if criteria is None else _criterion(journey, criteria)


def leaves_of(criterion: Criterion) -> Iterator[Leaf]:
    """Every criterion that is not made of others, in reading order."""
    match criterion:
        case Every() | Some():
            for part in criterion.of:
                yield from leaves_of(part)
        case Nor():
            yield from leaves_of(criterion.of)
        case _:
            yield criterion


def _criterion(journey: Journey, criteria: Criteria) -> Criterion:
    parts = tuple(_parts(journey, criteria))
    return parts[0] if len(parts) == 1 else Every(parts)


def _parts(journey: Journey, of: Criteria) -> Iterator[Criterion]:
    once, never = Bounds(Fraction(1)), Bounds(None, Fraction(0))
    if of.did is not None:
        yield Count(_rows(of.did), of.did.in_last, once)
    if of.did_not is not None:
        yield Count(_rows(of.did_not), of.did_not.in_last, never)
    if of.count is not None:
        yield Count(_rows(of.count), of.count.in_last, _bounds(of.count))
    if of.sum is not None:
        yield Sum(_rows(of.sum), of.sum.property, of.sum.in_last, _bounds(of.sum))
    if of.distinct is not None:
        yield Distinct(_rows(of.distinct), of.distinct.property, of.distinct.in_last, _bounds(of.distinct))
    if of.feature is not None:
        yield Count(feature_rows(journey, of.feature.name), of.feature.in_last, once)
    if of.features is not None:
        yield _used(journey, of.features)
    if of.account_age is not None:
        yield Aged(of.account_age.at_least)
    if of.time_in_stage is not None:
        stage = of.time_in_stage.stage
        yield Stayed(of.time_in_stage.at_least, None if stage is None else journey.positions.get(stage, NO_STAGE))
    if of.trait is not None:
        yield Trait(of.trait.condition)
    yield from (_criterion(journey, one) for one in of.all_ or ())
    if of.any_:
        parts = tuple(_criterion(journey, one) for one in of.any_)
        yield parts[0] if len(parts) == 1 else Some(parts)
    if of.not_ is not None:
        yield Nor(_criterion(journey, of.not_))


def feature_rows(journey: Journey, name: str) -> Rows:
    """The rows in which a feature is used; of a catalogue by property, those with this text."""
    if isinstance(journey.features, FeatureProperty):
        return Rows(condition=Test(journey.features.property, "in", (name,)))
    return _rows(journey.features[name])


def _used(journey: Journey, of: FeaturesUsed) -> Used | Distinct:
    if isinstance(journey.features, FeatureProperty):
        return Distinct(Rows(), journey.features.property, of.in_last, _bounds(of))
    catalogue = tuple((name, _rows(rows)) for name, rows in sorted(journey.features.items()))
    return Used(catalogue, of.in_last, _bounds(of))


def _rows(selector: Selector) -> Rows:
    return Rows(selector.event, selector.condition)


def _bounds(of: Counted | Summed | FeaturesUsed) -> Bounds:
    lows = [number_as_written(one) for one in (of.at_least, of.exactly) if one is not None]
    highs = [number_as_written(one) for one in (of.at_most, of.exactly) if one is not None]
    if not lows and not highs:
        return Bounds(Fraction(1))
    return Bounds(max(lows, default=None), min(highs, default=None))


__all__ = [
    "NO_STAGE",
    "Aged",
    "Bounds",
    "Count",
    "Criterion",
    "Distinct",
    "Every",
    "Leaf",
    "Nor",
    "Rows",
    "Some",
    "Stayed",
    "Sum",
    "Trait",
    "Used",
    "criterion_of",
    "feature_rows",
    "leaves_of",
    "number_as_written",
]
