"""A definition's own examples, run as tests (semantics 9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from doorstep.definitions.durations import parse_duration
from doorstep.definitions.funnel import Example, ExpectedAttempt, Funnel
from doorstep.errors import DefinitionError, Issue
from doorstep.funnels.bounds import microseconds_of, zone_of
from doorstep.funnels.one_unit import Session, UnitEvent, of_first_unit, representative, walk_events
from doorstep.funnels.result import instant
from doorstep.matching.plan import Plan, compile_plan
from doorstep.matching.reference import Attempt, Bounds

START: Final = (datetime(2026, 1, 5, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
"""When offsets start from in an example without ISO times: a Monday."""


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """How one example went; ``failures`` say what was expected and what came."""

    name: str
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything expected came about."""
        return not self.failures

    @property
    def message(self) -> str:
        """The failures, as one text."""
        return "; ".join(self.failures)


def run_examples(funnel: Funnel) -> tuple[ExampleResult, ...]:
    """Every example of the definition, by the reference walk. DefinitionError when a time in one cannot be read."""
    plan = compile_plan(funnel)
    return tuple(_run(funnel, plan, example, f"examples[{number}]") for number, example in enumerate(funnel.examples))


def _run(funnel: Funnel, plan: Plan, example: Example, path: str) -> ExampleResult:
    events = [
        UnitEvent(moment(event.at, START, f"{path}.events[{number}].at"), event.event, event.properties)
        for number, event in enumerate(example.events)
    ]
    first = min(event.time for event in events)
    last = max(event.time for event in events)
    as_of = last if example.as_of is None else moment(example.as_of, START, f"{path}.as_of")
    found = walk_events(funnel, plan, of_first_unit(funnel, events, as_of), Bounds(as_of=as_of))
    return ExampleResult(example.name, tuple(_failures(funnel, example, found, first, path)))


def moment(text: str, start: int, path: str) -> int:
    """An offset from ``start``, or an ISO time (naive ones in UTC)."""
    try:
        return start + parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        issue = Issue(
            "bad-time",
            "error",
            f"{text!r} is neither an offset nor a time.",
            path=path,
            suggestion="Write 1d2h, or 2026-03-01T09:00:00Z.",
        )
        raise DefinitionError([issue]) from None
    found = microseconds_of(moment, path, zone_of("UTC"))
    assert found is not None
    return found


def _failures(funnel: Funnel, example: Example, found: tuple[Session, ...], first: int, path: str) -> Iterator[str]:
    attempts = [attempt for session in found for attempt in session.walked.attempts]
    counted = sum(sum(session.walked.counted) for session in found)
    standing = next((one for session in found if (one := representative(session.walked)) is not None), None)
    expect = example.expect
    yield from _compare(funnel, expect, standing, first, f"{path}.expect", "")
    if expect.counted is not None and counted != expect.counted:
        yield f"expected {expect.counted} counted, got {counted}"
    if expect.attempts is not None:
        if len(attempts) != len(expect.attempts):
            yield f"expected {len(expect.attempts)} attempts, got {len(attempts)}"
        for number, (wanted, attempt) in enumerate(zip(expect.attempts, attempts, strict=False), start=1):
            yield from _compare(
                funnel, wanted, attempt, first, f"{path}.expect.attempts[{number - 1}]", f"attempt {number}: "
            )


def _compare(
    funnel: Funnel, wanted: ExpectedAttempt, attempt: Attempt | None, first: int, path: str, which: str
) -> Iterator[str]:
    status = "none" if attempt is None else attempt.status
    reached = 0 if attempt is None else attempt.reached
    if wanted.status is not None and status != wanted.status:
        yield f"{which}expected status {wanted.status}, got {status}"
    if wanted.reached is not None and reached != wanted.reached:
        yield f"{which}expected {wanted.reached} steps reached, got {reached}"
    times = {} if attempt is None else step_times(funnel, attempt)
    for step, text in (wanted.at or {}).items():
        if step not in funnel.positions:
            yield f"{which}expected step {step}, which the funnel does not have"
        elif times.get(step) != (at := moment(text, first, f"{path}.at.{step}")):
            got = "not reached" if step not in times else instant(times[step])
            yield f"{which}expected step {step} at {instant(at)}, got {got}"


def step_times(funnel: Funnel, attempt: Attempt) -> dict[str, int]:
    """Step id → the time of its row, of the steps that count."""
    times = {
        str(funnel.steps[funnel.required[door.rank]].id): door.row.time
        for door in attempt.counted_doors
        if door.row is not None
    }
    return times | {str(funnel.steps[position].id): row.time for position, row in attempt.optional.items()}
