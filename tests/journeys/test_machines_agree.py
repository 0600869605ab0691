"""The kernel and the reference are the same machine, and history is a function of what is known."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import journey_strategies as strategies
from doorstep.definitions.journey import Journey
from doorstep.journeys.plan import compile_plan
from doorstep.journeys.resuming import reachable, resumable, told_apart
from doorstep.matching.conditions import meets
from lives import by_going_on, by_kernel, by_reference, lacking, lives_of

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


@settings(max_examples=600, deadline=None, suppress_health_check=LAX)
@given(strategies.cases(), st.integers(0, 18))
def test_a_history_goes_on_from_where_it_stood(case: dict[str, Any], cut: int) -> None:
    """The stage, since when, birth and high water, with the rows that are still in some window, are all it needs."""
    journey, lives = Journey.model_validate({**case["definition"]}), lives_of({**case, "moves": []})
    if not resumable(compile_plan(journey)):
        return
    early = min(cut * strategies.SECOND, case["until"])
    whole, further = by_kernel(journey, lives, case["until"]), by_going_on(journey, lives, early, case["until"])
    for unit, one in whole.items():
        assert (further[unit].stage, further[unit].since, further[unit].high_water, further[unit].born_at) == (
            *(one.stage, one.since, one.high_water, one.born_at),
        )
        born_later = one.born_at > early
        later = tuple(line for line in one.transitions if born_later or line[3] > early)
        assert further[unit].transitions == later
        assert further[unit].due == one.due


@settings(max_examples=600, deadline=None, suppress_health_check=LAX)
@given(strategies.cases(), st.integers(0, 18))
def test_news_that_brings_no_stage_within_reach_moves_nobody(case: dict[str, Any], cut: int) -> None:
    """Fewer new rows than every stage above lacks, no new traits and nothing due: the account stays."""
    journey, lives = Journey.model_validate({**case["definition"]}), lives_of({**case, "moves": []})
    plan, until = compile_plan(journey), case["until"]
    early = min(cut * strategies.SECOND, until)
    before, after = by_kernel(journey, lives, early), by_kernel(journey, lives, until)
    short = lacking(journey, lives, early)
    for unit, one in before.items():
        account = lives[unit]
        if one.due <= until or any(trait.time is None or trait.time > early for trait in account.traits):
            continue
        news = [row for row in account.rows if early < row.time <= until]
        enough = {
            leaf: str(
                short[unit][leaf]
                <= sum(any(meets(question, row.event, row.properties) for question in asked) for row in news)
            )
            for leaf, asked in told_apart(plan).items()
        }
        able = reachable(plan, enough.__getitem__, str(one.stage))
        if duckdb.sql(f"SELECT {able}").fetchone() == (False,):
            assert (after[unit].stage, after[unit].transitions) == (one.stage, one.transitions)
