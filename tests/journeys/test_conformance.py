"""Both machines give what an independent reading of the semantics gave."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from doorstep.definitions.journey import Journey
from doorstep.journeys.account import Account
from lives import Outcome, by_kernel, by_reference, lives_of

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "conformance" / "journeys.jsonl").read_text("utf-8").splitlines()
]
Walk = Callable[[Journey, Mapping[str, Account], int], dict[str, Outcome]]


def _expected(case: Mapping[str, Any], journey: Journey, until: int) -> dict[str, list[tuple[Any, ...]]]:
    places = journey.positions
    return {
        unit: [
            (
                places[str(one["from"])],
                places[str(one["to"])],
                tuple(places[str(name)] for name in one["skipped"]),
                one["occurred_at"],
                "criteria",
            )
            for one in transitions
            if one["occurred_at"] <= until
        ]
        for unit, transitions in case["expected"]["transitions"].items()
    }


@pytest.mark.parametrize("walk", [by_reference, by_kernel])
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_every_journey_comes_out_to_the_microsecond(case: dict[str, Any], walk: Walk) -> None:
    """Transitions, stages and high water are the expected ones; cut at a horizon, they are the prefix."""
    journey = Journey.model_validate(case["definition"])
    lives, places = lives_of(case), journey.positions
    found = walk(journey, lives, case["until"])
    assert {unit: one.stage for unit, one in found.items()} == {
        unit: places[str(stage)] for unit, stage in case["expected"]["stage"].items()
    }
    assert {unit: one.high_water for unit, one in found.items()} == {
        unit: places[str(stage)] for unit, stage in case["expected"]["high_water"].items()
    }
    horizons = [case["until"], *(case["cuts"] if walk is by_kernel else case["cuts"][1:3])]
    for until in horizons:
        cut = found if until == case["until"] else walk(journey, lives, until)
        expected = _expected(case, journey, until)
        assert {unit: list(one.transitions) for unit, one in cut.items() if one.transitions} == {
            unit: transitions for unit, transitions in expected.items() if transitions
        }
