"""Both walks give what independent readings of the semantics gave."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from walks import Case, Outcome, by_kernel, by_reference, case_of, counts_of

CORPUS = Path(__file__).parent.parent / "conformance"
CASES = [
    json.loads(line)
    for name in ("funnels", "worked")
    for line in (CORPUS / f"{name}.jsonl").read_text("utf-8").splitlines()
]


def _attempt(case: Case, outcome: Outcome) -> dict[str, Any]:
    steps = [case.funnel.steps[position] for position in case.funnel.required]
    times = {
        str(case.funnel.steps[position].id): outcome.times[position]
        for position in case.funnel.required
        if outcome.times[position] is not None
    }
    return {
        "entered_at": outcome.entry[0],
        "entry_step": steps[outcome.entry_rank].id,
        "status": outcome.status,
        "reached": outcome.reached,
        "dropped": outcome.dropped,
        "times": {} if case.plan.order == "any" else times,
    }


def _by_unit(attempts: list[tuple[str, dict[str, Any]]]) -> dict[str, list[str]]:
    units: dict[str, list[str]] = {}
    for unit, attempt in attempts:
        units.setdefault(unit, []).append(json.dumps(attempt, sort_keys=True))
    return {unit: sorted(found) for unit, found in units.items()}


@pytest.mark.parametrize("walk", [by_reference, by_kernel])
@pytest.mark.parametrize("given", CASES, ids=lambda given: str(given["id"]))
def test_a_walk_gives_the_counts_and_attempts_of_the_case(
    given: dict[str, Any], walk: Callable[[Case], list[Outcome]]
) -> None:
    """Every count, attempt, status and time of the corpus comes out of either walk."""
    case = case_of(given["definition"], given["rows"], given["options"])
    outcomes = walk(case)
    expected = given["expected"]
    assert counts_of(case, outcomes) == expected["counts"], given.get("why")
    if "depth" in expected:
        depths = {unit: depth for unit, depth in expected["depth"].items() if depth}
        assert {outcome.unit: outcome.reached for outcome in outcomes if outcome.counted} == depths
    if "attempts" in expected:
        wanted = [(unit, attempt) for unit, found in expected["attempts"].items() for attempt in found]
        assert _by_unit([(one.unit, _attempt(case, one)) for one in outcomes]) == _by_unit(wanted), given.get("why")
