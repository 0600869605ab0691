"""Criteria and journeys in plain words, for people to agree on (semantics 10)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from doorstep.definitions import words
from doorstep.definitions.conditions import ALWAYS
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
from doorstep.definitions.journey import Journey


def describe_journey(journey: Journey) -> str:
    """The whole journey as prose: a title, who is placed, the stages, how accounts move."""
    inside = [journey.journey] if journey.title else []
    head = f"{journey.title or journey.journey} ({', '.join([*inside, f'semantics {journey.semantics}'])})"
    sections = {
        "Who is placed": list(_who(journey)),
        "The stages": list(_stages(journey)),
        "How accounts move": list(_movement(journey)),
    }
    blocks = [head, *("\n".join([title, *(f"  {line}" for line in lines)]) for title, lines in sections.items())]
    return "\n\n".join(blocks) + "\n"


def _who(journey: Journey) -> Iterator[str]:
    unit, stitch = words.columns(journey.unit_columns), journey.stitch
    if stitch is not None:
        unit = unit if journey.account is not None else f"stitched {unit}"
        yield f"{words.belonging(stitch, journey.account)}."
    yield (
        f"Each {unit} is in one stage at every instant since its birth: its first row, or its trait created_at once "
        "that has come, whichever is earlier."
    )
    if not journey.exclude:
        yield "Every row counts."
    for rule in journey.exclude:
        yield f"Rows that are {words.rows(rule)} do not exist, not even for birth."


def _stages(journey: Journey) -> Iterator[str]:
    for place, stage in enumerate(journey.stages):
        named = f"{stage.id} ({stage.name})" if stage.name else stage.id
        rank = " It stays out of the furthest stage ever reached." if stage.rank is not None else ""
        what = "every account begins here." if place == 0 else f"{criterion(journey, criterion_of(journey, place))}."
        yield f"{place + 1}. {named}: {what}{rank}"


def _movement(journey: Journey) -> Iterator[str]:
    movement = journey.movement
    if movement.skip:
        yield "An account moves forward to the highest stage whose criteria hold, passing over those between."
    else:
        yield "An account moves forward one stage at a time, as soon as the next one's criteria hold."
    if not movement.backward:
        yield "It never falls back: a stage means that it was once reached, and its criteria are not looked at again."
        return
    grace = f" for {words.duration(movement.grace)} without a break" if movement.grace else ""
    yield (
        f"When the criteria of its stage have been false{grace}, it falls back to the highest lower stage whose "
        "criteria hold, at worst the first."
    )


def criterion(journey: Journey, of: Criterion) -> str:
    """A criterion in words."""
    match of:
        case Count(bounds=Bounds(low=Fraction(numerator=1, denominator=1), high=None)):
            return f"at least one row that is {rows(of.rows)}{_within(of.within)}"
        case Count():
            return f"{bounds(of.bounds)} rows that are {rows(of.rows)}{_within(of.within)}"
        case Sum():
            name = words.property_name(of.property)
            return f"the sum of {name} over rows that are {rows(of.rows)}{_within(of.within)} is {bounds(of.bounds)}"
        case Distinct():
            name = words.property_name(of.property)
            return (
                f"{bounds(of.bounds)} different values of {name} in rows that are {rows(of.rows)}{_within(of.within)}"
            )
        case Used():
            listed = words.listed([name for name, _ in of.catalogue], "or")
            return f"{bounds(of.bounds)} of the features {listed} used{_within(of.within)}"
        case Aged():
            return f"the account is at least {words.duration(of.least)} old"
        case Stayed():
            there = "its stage"
            if of.stage is not None:
                there = f"stage {journey.stages[of.stage].id}" if of.stage >= 0 else "a stage that there is not"
            return f"the account has been in {there} for at least {words.duration(of.least)}"
        case Trait():
            return f"the account's traits are such that {words.condition(of.condition)}"
        case Nor():
            return f"not ({criterion(journey, of.of)})"
        case Every():
            return " and ".join(_grouped(journey, part) for part in of.of) if of.of else "always"
        case Some():
            return " or ".join(_grouped(journey, part) for part in of.of)


def _grouped(journey: Journey, part: Criterion) -> str:
    told = criterion(journey, part)
    return f"({told})" if isinstance(part, Every | Some | Trait) else told


def rows(of: Rows) -> str:
    """The rows of a selector."""
    return words.events(of.events) + ("" if of.condition == ALWAYS else words.where(of.condition))


def bounds(of: Bounds) -> str:
    """``at least 3``, ``exactly 2``, ``from 1 to 5``."""
    if of.low == of.high and of.low is not None:
        return f"exactly {number(of.low)}"
    if of.low is not None and of.high is not None:
        return f"from {number(of.low)} to {number(of.high)}"
    return f"at least {number(of.low)}" if of.low is not None else f"at most {number(of.high or Fraction(0))}"


def number(of: Fraction | int) -> str:
    """A number as a decimal."""
    return f"{int(of):,}" if of == int(of) else str(float(of))


def _within(within: int | None) -> str:
    return "" if within is None else f" in the last {words.duration(within)}"


__all__ = ["bounds", "criterion", "describe_journey", "number", "rows"]
