"""However facts come and cycles are cut, the ledger says what a replay from nothing says."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import journey_strategies as strategies
from doorstep.errors import RunError
from doorstep.ingest.records import Arrival, Event, Traits
from doorstep.ledger import move
from ledgers import SECOND, START, World, replayed

LAX = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@st.composite
def stories(draw: st.DrawFn) -> dict[str, Any]:
    """A case, whose facts come in any order, in a few batches, with a cycle after each at a later time."""
    case = draw(strategies.cases())
    cycles = draw(st.integers(1, 4))
    facts = [("rows", one) for one in case["rows"]] + [("traits", one) for one in case["traits"]]
    facts += [("moves", one) for one in case["moves"]]
    times = sorted(draw(st.lists(st.integers(0, 18), min_size=cycles, max_size=cycles)))
    return {
        "definition": {**case["definition"], "count_by": "account_id"},
        "batches": [(draw(st.integers(0, cycles - 1)), kind, one) for kind, one in facts],
        "times": [time * SECOND for time in times],
        "compact": draw(st.integers(0, cycles)),
    }


def _arrival(number: int, kind: str, one: dict[str, Any]) -> Arrival:
    moment = START + one.get("time", 0)
    if kind == "rows":
        properties: dict[str, Any] = {name: one[name] for name in ("p", "x", "f") if name in one}
        facts: Any = Event(one["event"], moment, "u", account_id=one["unit"], properties=properties)
    else:
        values = {name: one[name] for name in ("plan", "seats") if one.get(name) is not None}
        if "created_at" in one:
            values["created_at"] = START + one["created_at"]
        facts = Traits("account", one["unit"], moment, values, False)
    return Arrival(f"m{number}", moment, "test", (facts,))


def _told(world: World, story: dict[str, Any]) -> None:
    """Each batch in turn, and a cycle after it."""
    name = None
    world.lake.accept([Arrival("t0", START, "test", (Traits("account", "other", START, {"plan": "x"}, False),))])
    moves = []
    for cycle, time in enumerate(story["times"]):
        batch = [(number, kind, one) for number, (at, kind, one) in enumerate(story["batches"]) if at == cycle]
        world.lake.accept([_arrival(number, kind, one) for number, kind, one in batch if kind != "moves"])
        world.lake.accept([_arrival(1000, "rows", {"unit": "other", "event": "z", "time": 0})])
        name = name or world.activate(story["definition"], START)
        for _, kind, one in batch:
            if kind == "moves":
                move(world.ledger, name, one["unit"], one["to"], by="b", reason="r", at=START + one["at"], now=START)
                moves.append({"unit": one["unit"], "to": one["to"], "at": START + one["at"]})
        world.sync(START + time)
        if story["compact"] == cycle:
            world.lake.compact()
        lines, stands = replayed(story["definition"], world.lake, START + time, moves or None)
        assert (world.told(name), world.stands(name)) == (lines, stands)


def _run(story: dict[str, Any]) -> None:
    directory = Path(tempfile.mkdtemp())
    world = World.at(directory)
    try:
        _told(world, story)
    except RunError as error:
        if error.code != "impossible-literal":
            raise
    finally:
        world.close()
        shutil.rmtree(directory)


@settings(max_examples=3, deadline=None, suppress_health_check=LAX)
@given(stories())
def test_cycles_give_what_a_replay_gives(story: dict[str, Any]) -> None:
    """To the microsecond: stages, high waters, since when, and every transition."""
    _run(story)


@pytest.mark.long
@settings(max_examples=150, deadline=None, suppress_health_check=LAX)
@given(stories())
def test_cycles_give_what_a_replay_gives_in_many_stories(story: dict[str, Any]) -> None:
    """The same promise, kept in many more."""
    _run(story)
