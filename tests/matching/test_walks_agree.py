"""The kernel and the reference are the same walk."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import strategies
from walks import by_kernel, by_reference, case_of

LAX = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def _agree(document: dict[str, Any], rows: list[dict[str, Any]], options: dict[str, Any]) -> None:
    case = case_of(document, rows, options)
    key = str
    assert sorted(by_kernel(case), key=key) == sorted(by_reference(case), key=key)


@settings(max_examples=2000, deadline=None, suppress_health_check=LAX)
@given(strategies.documents(), strategies.timelines(), strategies.options())
def test_the_kernel_finds_the_attempts_that_the_reference_finds(
    document: dict[str, Any], rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    """On random definitions and dense timelines both walks find the same attempts, rows, statuses and branches."""
    _agree(document, rows, options)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=LAX)
@given(strategies.documents(), strategies.timelines(), strategies.options())
def test_the_walks_agree_ten_thousand_times(
    document: dict[str, Any], rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    """The same promise, kept at ten thousand cases."""
    _agree(document, rows, options)


@settings(max_examples=60, deadline=None, suppress_health_check=LAX)
@given(strategies.documents(), strategies.timelines(units=1), strategies.options())
def test_the_walks_agree_on_a_robot(
    document: dict[str, Any], rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    """The paths for long streams and big ties (lists by bit, sorts by key) change nothing."""
    many = [{**row, "time": row["time"] + repeat % 2 * 1_000_000} for repeat in range(12) for row in rows]
    _agree(document, many, {**options, "as_of": options.get("as_of", 20_000_000)})
