"""A definition's own examples, run as tests: those of a journey here, of a funnel where funnels are (semantics 9)."""

from __future__ import annotations

from collections.abc import Iterator

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.journey import Journey, JourneyExample
from doorstep.funnels.examples import START, ExampleResult, moment
from doorstep.funnels.examples import run_examples as run_funnel_examples
from doorstep.funnels.result import instant
from doorstep.journeys.account import Account, Move, Row, TraitsSet
from doorstep.journeys.reference import History, walk
from doorstep.matching.conditions import meets
from doorstep.matching.plan import Question


def run_examples(definition: Funnel | Journey) -> tuple[ExampleResult, ...]:
    """Every example of the definition, by the reference. DefinitionError when a time in one cannot be read."""
    if isinstance(definition, Funnel):
        return run_funnel_examples(definition)
    return tuple(_run(definition, example, f"examples[{place}]") for place, example in enumerate(definition.examples))


def _run(journey: Journey, example: JourneyExample, path: str) -> ExampleResult:
    account = _account(journey, example, path)
    times = [row.time for row in account.rows] + [move.time for move in account.moves]
    times += [one.time for one in account.traits if one.time is not None]
    last = max(times, default=START)
    until = last if example.until is None else moment(example.until, START, f"{path}.until")
    first = min((row.time for row in account.rows), default=START)
    history = walk(journey, account, until)
    return ExampleResult(example.name, tuple(_failures(journey, example, history, first, path)))


def _account(journey: Journey, example: JourneyExample, path: str) -> Account:
    excluded = [Question(rule.event, rule.condition) for rule in journey.exclude]
    rows = [
        Row(moment(event.at, START, f"{path}.events[{place}].at"), event.event, event.properties)
        for place, event in enumerate(example.events)
    ]
    traits = [
        TraitsSet(
            None if one.at is None else moment(one.at, START, f"{path}.traits[{place}].at"),
            {name: _created(value, name) for name, value in one.values.items()},
        )
        for place, one in enumerate(example.traits)
    ]
    moves = [
        Move(moment(one.at, START, f"{path}.moves[{place}].at"), journey.positions[one.to], one.by, one.reason)
        for place, one in enumerate(example.moves)
    ]
    kept = [row for row in rows if not any(meets(one, row.event, row.properties) for one in excluded)]
    return Account(kept, traits, moves)


def _created(value: object, name: str) -> object:
    """`created_at` of an example may be an offset, as its other times are."""
    if name == "created_at" and isinstance(value, str):
        return moment(value, START, "created_at")
    return value


def _failures(
    journey: Journey, example: JourneyExample, history: History | None, first: int, path: str
) -> Iterator[str]:
    expect, ids = example.expect, [stage.id for stage in journey.stages]
    stage = "none" if history is None else ids[history.state.stage]
    high = "none" if history is None or history.high_water is None else ids[history.high_water]
    if expect.stage is not None and expect.stage != stage:
        yield f"expected stage {expect.stage}, got {stage}"
    if expect.high_water is not None and expect.high_water != high:
        yield f"expected high water {expect.high_water}, got {high}"
    if expect.transitions is None:
        return
    came = () if history is None else history.transitions
    if [one.to for one in expect.transitions] != [ids[one.to_stage] for one in came]:
        wanted = ", ".join(one.to for one in expect.transitions) or "none"
        yield f"expected transitions to {wanted}, got {', '.join(ids[one.to_stage] for one in came) or 'none'}"
        return
    for place, (wanted_one, one) in enumerate(zip(expect.transitions, came, strict=True)):
        if wanted_one.at is None:
            continue
        at = moment(wanted_one.at, first, f"{path}.expect.transitions[{place}].at")
        if at != one.occurred_at:
            yield f"expected {wanted_one.to} at {instant(at)}, got it at {instant(one.occurred_at)}"


__all__ = ["ExampleResult", "run_examples"]
