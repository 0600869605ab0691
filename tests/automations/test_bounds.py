"""Signals on funnels: they fire when a bound is crossed, of enough attempts whose time is up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from doorstep.automations.bounds import Share, judged
from doorstep.automations.inbox import firings
from doorstep.definitions.signal import Conversion
from doorstep.ingest.records import Arrival, Event
from worlds import DAY, HOUR, START, World

FUNNEL = {"funnel": "signup", "count_by": "user_id", "steps": [{"event": "open"}, {"event": "pay", "window": "1d"}]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World.in_(tmp_path / "data")
    yield found
    found.close()


def opened(day: int, users: int, paid: int) -> list[Arrival]:
    """So many users who open on a day, and so many of them who pay an hour later."""
    found = []
    for number in range(users):
        user, at = f"{day}-{number}", START + day * DAY + HOUR
        found.append(Arrival(f"o{user}", at, "test", (Event("open", at, user),)))
        if number < paid:
            found.append(Arrival(f"p{user}", at, "test", (Event("pay", at + HOUR, user),)))
    return found


def test_conversion_fires_when_it_begins_to_be_low(world: World) -> None:
    """Below a bound and down by a part, once as long as it stays so, and again after it recovered."""
    over = {"funnel": "signup", "over": "1d", "mature_after": "1d", "sample": 10}
    world.publish(
        FUNNEL,
        {"signal": "low", "when": {"conversion": {**over, "below": 0.4}}},
        {"signal": "down", "when": {"conversion": {**over, "down_by": 0.5}}},
        {"signal": "step", "when": {"conversion": {**over, "below": 0.4, "at_step": 2}}},
    )
    for day, paid in enumerate((10, 10, 4, 10, 4)):
        world.accept(*opened(day, 20, paid))
    told: list[list[str]] = []
    for day in range(2, 7):
        world.round(day * DAY + 2 * HOUR)
        world.round(day * DAY + 2 * HOUR + 1)  # not looked at again so soon
        told.append(sorted({one.signal for one in firings(world.database, START) if one.known_at > START + day * DAY}))
    every = ["down", "low", "step"]
    assert told == [[], every, [], every, []]
    (why,) = {one.why for one in firings(world.database, START, signal="low")}
    assert why == "20.0 % of 20 mature attempts of signup converted, which is below 40.0 %"


@pytest.mark.parametrize(
    ("asked", "now", "before", "told"),
    [
        ({"below": 0.3}, (2, 10), None, True),
        ({"below": 0.3}, (3, 10), None, False),
        ({"below": 0.3}, (0, 9), None, False),
        ({"down_by": 0.2}, (4, 10), (5, 10), True),
        ({"down_by": 0.2}, (4, 10), (4, 9), False),
        ({"down_by": 0.2}, (4, 10), (0, 10), False),
        ({"down_by": 0.2}, (41, 100), (5, 10), False),
    ],
)
def test_bounds_are_judged_of_enough_attempts(
    asked: dict[str, Any], now: tuple[int, int], before: tuple[int, int] | None, told: bool
) -> None:
    """At the bound itself below does not hold and down does; too few attempts, now or before, tell nothing."""
    meant = Conversion.model_validate({"funnel": "f", "over": "1d", "sample": 10, **asked})
    found = judged(meant, Share(*now), None if before is None else Share(*before))
    assert (found is not None) == told


def test_drift_fires_for_what_changed(world: World) -> None:
    """A step's event that vanished is told once."""
    world.publish(FUNNEL, {"signal": "broken", "when": {"drift": {"funnel": "signup", "recent": "7d"}}})
    for day in range(0, 42, 2):
        world.accept(*opened(day, 8, 8 if day < 35 else 0))
    world.round(42 * DAY)
    world.round(42 * DAY + 2 * HOUR)
    found = firings(world.database, START, signal="broken")
    assert ("event-vanished", "pay") in {(one.evidence["code"], one.evidence["event"]) for one in found}
    assert len(found) == len({(one.evidence["code"], one.evidence["event"], one.evidence["property"]) for one in found})
