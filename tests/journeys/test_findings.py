"""What `check` calls impossible does not happen: random journeys are held against random lives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings

import journey_strategies as strategies
from doorstep.definitions.journey import Journey
from doorstep.definitions.journey_lint import lint_journey
from lives import by_kernel, lives_of

LAX = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def _places(journey: Journey, code: str) -> Iterator[int]:
    for issue in lint_journey(journey):
        found = re.match(r"stages\[(\d+)\]", issue.path)
        if issue.code == code and found:
            yield int(found[1])


@settings(max_examples=500, deadline=None, suppress_health_check=LAX)
@given(strategies.cases())
def test_no_account_moves_forward_to_a_stage_that_is_called_unreachable_or_shadowed(case: dict[str, Any]) -> None:
    """Moves by hand apart, which may lead anywhere; so that no sound journey is found fault with."""
    journey = Journey.model_validate(case["definition"])
    lives = {unit: replace(one, moves=()) for unit, one in lives_of(case).items()}
    never = {*_places(journey, "unreachable-stage"), *_places(journey, "shadowed-stage")}
    for one in by_kernel(journey, lives, case["until"]).values():
        entered = {line[1] for line in one.transitions if line[1] > line[0]}
        assert not entered & never
