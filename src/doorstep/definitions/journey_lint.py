"""What looks wrong in a valid journey, without looking at data: each finding with a stable code.

What is said to be impossible is proven; what is not said may still be. Criteria are taken apart into conjunctions of
claims about single numbers, ages and traits; more than `MOST_WAYS` of them are not looked into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from typing import Final, Literal

from doorstep.definitions.conditions import All, Condition, Not
from doorstep.definitions.criteria import (
    NO_STAGE,
    Aged,
    Bounds,
    Count,
    Criterion,
    Distinct,
    Every,
    Leaf,
    Nor,
    Some,
    Stayed,
    Sum,
    Trait,
    Used,
    criterion_of,
    leaves_of,
)
from doorstep.definitions.document import spell
from doorstep.definitions.durations import format_duration
from doorstep.definitions.journey import Journey
from doorstep.definitions.journey_rules import all_criteria
from doorstep.definitions.possible import can_hold
from doorstep.errors import Issue, nearest

MOST_WAYS: Final = 128
Claim = tuple[Leaf, bool]
Way = tuple[Claim, ...]


def lint_journey(journey: Journey) -> tuple[Issue, ...]:
    """Every finding of every rule."""
    return tuple(dict.fromkeys(issue for rule in RULES for issue in rule(journey)))


def _issue(
    rule: str, level: Literal["error", "warning", "note"], path: str, message: str, mend: str | None = None
) -> Issue:
    return Issue(rule, level, message, None, path, mend)


def stages_are_there(journey: Journey) -> Iterator[Issue]:
    """`unknown-stage`: `time_in_stage` names a stage that there is not, so that it never holds."""

    for path, criteria in all_criteria(journey):
        named = None if criteria.time_in_stage is None else criteria.time_in_stage.stage
        if named is not None and named not in journey.positions:
            near = nearest(named, journey.positions)
            mend = f"Did you mean {near}?" if near else f"The stages are {', '.join(list(journey.positions)[:20])}."
            message = f"`time_in_stage` never holds: no stage has the id `{named}`."
            yield _issue("unknown-stage", "error", spell((*path, "time_in_stage", "stage")), message, mend)


def stages_can_be_reached(journey: Journey) -> Iterator[Issue]:
    """`unreachable-stage`: the criteria contradict themselves or ask to be in a stage that does not lead here, or the
    stage before, which may not be passed over, is unreachable itself.
    """
    stopped: str | None = None
    for place in range(1, len(journey.stages)):
        stage, criterion = journey.stages[place].id, criterion_of(journey, place)
        if not possible(criterion):
            why = "its criteria contradict themselves"
        elif not possible(_from_where_it_is_entered(journey, place, criterion)):
            why = "its criteria ask for time in a stage from which nobody comes here"
        elif stopped is not None and not journey.movement.skip:
            why = f"nobody comes past {stopped}, and stages may not be passed over"
        else:
            continue
        stopped = stopped or stage
        message = f"No account can ever reach the stage {stage}: {why}."
        yield _issue("unreachable-stage", "warning", f"stages[{place}].criteria", message, "Change them.")


def _from_where_it_is_entered(journey: Journey, place: int, criterion: Criterion) -> Criterion:
    """The criterion with `time_in_stage` of stages from which no criteria lead to ``place`` turned into never."""
    if journey.movement.backward:
        return criterion
    match criterion:
        case Every() | Some():
            parts = tuple(_from_where_it_is_entered(journey, place, part) for part in criterion.of)
            return replace(criterion, of=parts)
        case Nor():
            return Nor(_from_where_it_is_entered(journey, place, criterion.of))
        case Stayed() if criterion.stage is not None:
            leads = criterion.stage < place if journey.movement.skip else criterion.stage == place - 1
            return criterion if leads else replace(criterion, stage=NO_STAGE)
        case _:
            return criterion


def stages_are_not_shadowed(journey: Journey) -> Iterator[Issue]:
    """`shadowed-stage`: whoever meets its criteria meets those of a later stage, so that it is always passed over."""
    if not journey.movement.skip:
        return
    for place in range(1, len(journey.stages)):
        own = criterion_of(journey, place)
        for later in range(place + 1, len(journey.stages)):
            if possible(own) and implies(own, criterion_of(journey, later)):
                stage, other = journey.stages[place].id, journey.stages[later].id
                message = (
                    f"Whoever meets the criteria of {stage} meets those of {other}, so nobody ever stays in {stage}."
                )
                mend = f"Ask more for {other}, or less for {stage}."
                yield _issue("shadowed-stage", "warning", f"stages[{place}].criteria", message, mend)
                break


def stages_may_follow_each_other(journey: Journey) -> Iterator[Issue]:
    """`never-together`: a stage's criteria cannot hold while those of the one before do."""
    for place in range(2, len(journey.stages)):
        before, own = criterion_of(journey, place - 1), criterion_of(journey, place)
        if possible(own) and possible(before) and not possible(Every((before, own))):
            stage, other = journey.stages[place].id, journey.stages[place - 1].id
            message = (
                f"The criteria of {stage} never hold together with those of {other}, the stage before it: an account "
                f"that moves on no longer meets what {other} asks."
            )
            yield _issue("never-together", "note", f"stages[{place}].criteria", message)


def falling_back_leads_somewhere(journey: Journey) -> Iterator[Issue]:
    """`falls-past`: whoever stops meeting a stage need not meet the one before, and may fall to the first."""
    if not journey.movement.backward:
        return
    for place in range(2, len(journey.stages)):
        before, own = criterion_of(journey, place - 1), criterion_of(journey, place)
        if possible(own) and not implies(own, before) and not any(isinstance(leaf, Stayed) for leaf in leaves_of(own)):
            stage, other = journey.stages[place].id, journey.stages[place - 1].id
            message = (
                f"Whoever meets the criteria of {stage} need not meet those of {other}: an account that falls out of "
                f"{stage} may fall past {other}."
            )
            yield _issue("falls-past", "note", f"stages[{place}].criteria", message)


def stages_do_not_flap(journey: Journey) -> Iterator[Issue]:
    """`flapping-stage`: with `backward` and no `grace`, one row enters a stage, and leaves it with its window."""
    if not journey.movement.backward:
        return
    for place in range(1, len(journey.stages)):
        short = [
            leaf.within
            for leaf in leaves_of(criterion_of(journey, place))
            if isinstance(leaf, Count | Sum | Distinct | Used) and leaf.within is not None
        ]
        if short and journey.movement.grace < min(short) // 10:
            message = (
                f"Accounts near the edge of {journey.stages[place].id} will come and go: its shortest window is "
                f"{format_duration(min(short))}, and they fall back as soon as one row too many has left it."
            )
            mend = f"Give movement a grace, such as grace: {format_duration(max(1_000_000, min(short) // 7))}."
            yield _issue("flapping-stage", "note", f"stages[{place}].criteria", message, mend)


RULES: Final[tuple[Callable[[Journey], Iterator[Issue]], ...]] = (
    stages_are_there,
    stages_can_be_reached,
    stages_are_not_shadowed,
    stages_may_follow_each_other,
    falling_back_leads_somewhere,
    stages_do_not_flap,
)


# -- what can be proven ----------------------------------------


def possible(criterion: Criterion) -> bool:
    """False only where no account can meet the criterion at any instant."""
    ways = _ways(criterion, True)
    return ways is None or any(_consistent(way) for way in ways)


def implies(one: Criterion, other: Criterion) -> bool:
    """True only where every account that meets ``one`` meets ``other`` at that instant."""
    ways = _ways(Every((one, Nor(other))), True)
    return ways is not None and not any(_consistent(way) for way in ways)


def _ways(criterion: Criterion, wanted: bool) -> list[Way] | None:
    match criterion:
        case Nor():
            return _ways(criterion.of, not wanted)
        case Every() | Some():
            parts = [_ways(part, wanted) for part in criterion.of]
            return _product(parts) if isinstance(criterion, Every) == wanted else _union(parts)
        case _:
            return [((criterion, wanted),)]


def _product(parts: Sequence[list[Way] | None]) -> list[Way] | None:
    ways: list[Way] = [()]
    for part in parts:
        if part is None or len(ways) * len(part) > MOST_WAYS:
            return None
        ways = [(*way, *more) for way in ways for more in part]
    return ways


def _union(parts: Sequence[list[Way] | None]) -> list[Way] | None:
    ways: list[Way] = []
    for part in parts:
        if part is None or len(ways) + len(part) > MOST_WAYS:
            return None
        ways += part
    return ways


def _consistent(way: Way) -> bool:
    """Whether one account may make all claims true, as far as can be told."""
    traits: list[Condition] = []
    for leaf, wanted in way:
        if isinstance(leaf, Trait):
            traits.append(leaf.condition if wanted else Not(leaf.condition))
        if isinstance(leaf, Stayed) and leaf.stage == NO_STAGE and wanted:
            return False
    if not can_hold(All(tuple(traits))) or not _ages(way) or not _dwells(way):
        return False
    numbers = [(leaf, wanted) for leaf, wanted in way if isinstance(leaf, Count | Sum | Distinct | Used)]
    return all(map(_some_number, numbers)) and all(_fit(one, two) for one, two in combinations(numbers, 2))


def _ages(way: Way) -> bool:
    least = max((leaf.least for leaf, wanted in way if isinstance(leaf, Aged) and wanted), default=0)
    return all(leaf.least > least for leaf, wanted in way if isinstance(leaf, Aged) and not wanted)


def _dwells(way: Way) -> bool:
    stages = {leaf.stage for leaf, wanted in way if isinstance(leaf, Stayed) and wanted and leaf.stage is not None}
    return len(stages) < 2


_Number = tuple[Count | Sum | Distinct | Used, bool]


def _some_number(claim: _Number) -> bool:
    """Whether any number meets the claim; what is counted is whole and not negative."""
    leaf, wanted = claim
    low, high = leaf.bounds.low, leaf.bounds.high
    if isinstance(leaf, Sum):
        return not (wanted and low is not None and high is not None and low > high)
    least = Fraction(0) if low is None or low < 0 else low
    most = Fraction(len(leaf.catalogue)) if isinstance(leaf, Used) else None
    top = most if high is None else high if most is None else min(high, most)
    if wanted:
        return top is None or -(-least // 1) <= top // 1
    return least > 0 or (high is not None and (most is None or high < most))


def _fit(one: _Number, other: _Number) -> bool:
    """False only where two claims about the same rows contradict each other; a shorter window never holds more."""
    (left, holds), (right, also) = one, other
    if isinstance(left, Sum | Used) or type(left) is not type(right) or isinstance(right, Sum | Used):
        return left != right or holds == also
    if left.rows != right.rows or getattr(left, "property", None) != getattr(right, "property", None):
        return True
    (low, high), (low2, high2) = _interval(left.bounds, holds), _interval(right.bounds, also)
    if left.within == right.within:
        return max(low, low2) <= min(high, high2)
    longer = left.within is None or (right.within is not None and left.within > right.within)
    return low2 <= high if longer else low <= high2


_ENDLESS: Final = Fraction(10**30)


def _interval(bounds: Bounds, wanted: bool) -> tuple[Fraction, Fraction]:
    """Where the number must lie; everywhere, where that is not one interval."""
    low, high = bounds.low or Fraction(0), _ENDLESS if bounds.high is None else bounds.high
    if wanted:
        return low, high
    if bounds.high is None:
        return Fraction(0), low - 1
    return (high + 1, _ENDLESS) if low <= 0 else (Fraction(0), _ENDLESS)


__all__ = ["RULES", "implies", "lint_journey", "possible"]
