"""The kernel and the reference are the same machine, and history is a function of what is known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import journey_strategies as strategies
from doorstep.definitions.journey import Journey
from lives import by_kernel, by_reference, lives_of

LAX = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def _agree(case: dict[str, Any]) -> None:
    journey, lives = Journey.model_validate(case["definition"]), lives_of(case)
    assert by_kernel(journey, lives, case["until"]) == by_reference(journey, lives, case["until"])


@settings(max_examples=600, deadline=None, suppress_health_check=LAX)
@given(strategies.cases())
def test_the_kernel_finds_the_history_that_the_reference_finds(case: dict[str, Any]) -> None:
    """On random journeys and dense lives, moves by hand among them, both find the same stages and transitions."""
    _agree(case)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=LAX)
@given(strategies.cases())
def test_the_machines_agree_ten_thousand_times(case: dict[str, Any]) -> None:
    """The same promise, kept at ten thousand cases."""
    _agree(case)


@settings(max_examples=400, deadline=None, suppress_health_check=LAX)
@given(strategies.cases(), st.integers(0, 18))
def test_a_later_horizon_only_adds_to_history(case: dict[str, Any], cut: int) -> None:
    """What is seen up to T1 is what a replay up to a later T2 gives for the time up to T1."""
    journey, lives = Journey.model_validate(case["definition"]), lives_of(case)
    early = min(cut * strategies.SECOND, case["until"])
    whole, part = by_kernel(journey, lives, case["until"]), by_kernel(journey, lives, early)
    assert {unit: one.transitions for unit, one in part.items()} == {
        unit: tuple(line for line in one.transitions if line[3] <= early)
        for unit, one in whole.items()
        if one.born_at <= early
    }


@settings(max_examples=200, deadline=None, suppress_health_check=LAX)
@given(strategies.cases())
def test_nothing_happens_without_news_before_it_is_due(case: dict[str, Any]) -> None:
    """An account need not be looked at between a horizon and `due`, unless something new is known of it."""
    journey, lives = Journey.model_validate(case["definition"]), lives_of(case)
    until = case["until"]
    seen = {unit: account.until(until) for unit, account in lives.items()}
    for unit, one in by_kernel(journey, seen, until).items():
        later = by_kernel(journey, {unit: seen[unit]}, min(one.due - 1, until + 60 * strategies.SECOND))
        assert later[unit] == one
