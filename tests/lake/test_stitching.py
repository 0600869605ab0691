"""Over a lake, devices are stitched by what senders said of them too."""

from __future__ import annotations

from typing import Any

import pytest

import doorstep
from doorstep.ingest.records import Arrival, Event, Identify, Record

DOCUMENT: dict[str, Any] = {
    "funnel": "signup",
    "count_by": {"stitch": {"known": "user_id", "anonymous": "anonymous_id"}},
    "steps": [{"event": "visit"}, {"event": "pay", "window": "7d"}],
}


def tell(lake: doorstep.Lake, *records: Record) -> None:
    lake.accept([Arrival(f"{number}-{one}", 0, "test", (one,)) for number, one in enumerate(records)])
    lake.settle()


def test_an_identify_call_brings_a_device_to_its_user(lake: doorstep.Lake) -> None:
    """Its earlier rows are the user's; a device that nobody spoke of counts as itself; `explain` tells the same."""
    tell(
        lake,
        Event("visit", 1_000_000, anonymous_id="d1"),
        Event("visit", 1_000_000, anonymous_id="d2"),
        Identify("d1", "ann", 2_000_000),
        Event("pay", 3_000_000, user_id="ann"),
    )
    result = doorstep.run(DOCUMENT, lake)
    assert [step.count for step in result.steps] == [2, 1]
    assert sorted(result.attempts["unit"].to_pylist()) == ["ann", "anonymous:d2"]
    told = doorstep.explain(DOCUMENT, lake, "ann")
    assert [attempt.status for attempt in told.attempts] == ["completed"]


@pytest.mark.parametrize(("as_of", "expected"), [(2_500_000, [2, 1]), (1_500_000, [2, 0])])
def test_what_is_said_after_the_horizon_is_not_known_yet(lake: doorstep.Lake, as_of: int, expected: list[int]) -> None:
    """An identify later than `as_of` links nothing."""
    tell(
        lake,
        Event("visit", 1_000_000, anonymous_id="d1"),
        Event("visit", 1_000_000, user_id="bob"),
        Event("pay", 1_400_000, user_id="ann"),
        Identify("d1", "ann", 2_000_000),
    )
    horizon = f"1970-01-01T00:00:0{as_of / 1_000_000}Z"
    assert [step.count for step in doorstep.run(DOCUMENT, lake, as_of=horizon).steps] == expected
