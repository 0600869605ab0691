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
from doorstep.errors import DoorstepError
from doorstep.ingest.records import Alias, Arrival, Event, Identify, Member, Traits
from doorstep.ledger import move, sync
from ledgers import SECOND, START, World, replayed

LAX = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


REFUSED = {"impossible-literal", "no-traits"}
"""Some that are made up cannot be run: where ids are stitched, no row has ``unit.plan`` beside it."""

STITCH = {"stitch": {"known": "user_id", "anonymous": "anonymous_id"}}
UNITS: dict[str, Any] = {"plain": "account_id", "people": STITCH, "accounts": {"account_of": STITCH}}
DEVICES, USERS = st.sampled_from(["d1", "d2"]), st.sampled_from(["u1", "u2"])


@st.composite
def links(draw: st.DrawFn, who: str, units: list[str]) -> dict[str, Any]:
    """Something that is said of ids: of devices and units, or of users and the accounts that units are."""
    known = st.sampled_from(units) if who == "people" else USERS
    kind = draw(st.sampled_from(["identify", "identify", "alias", *(["member"] * 3 if who == "accounts" else [])]))
    time = draw(st.integers(0, 12)) * SECOND
    match kind:
        case "identify":
            return {"say": Identify(draw(DEVICES), draw(known), START + time)}
        case "alias":
            return {"say": Alias(draw(st.one_of(known, DEVICES)), draw(known), START + time)}
        case _:
            ids = {"user_id": draw(USERS)} if draw(st.booleans()) else {"anonymous_id": draw(DEVICES)}
            return {"say": Member(draw(st.sampled_from(units)), START + time, **ids)}


def _ids(draw: st.DrawFn, who: str, unit: str) -> dict[str, str]:
    """Whose a row says to be."""
    if who == "plain":
        return {"user_id": "u", "account_id": unit}
    named = {"user_id": unit} if who == "people" else {"account_id": unit, "user_id": draw(USERS)}
    device = {"anonymous_id": draw(DEVICES)}
    loose = [device] if who == "people" else [device, {"user_id": draw(USERS)}]
    return draw(st.sampled_from([named, {**named, **device}, *loose]))


@st.composite
def stories(draw: st.DrawFn) -> dict[str, Any]:
    """A case, whose facts come in any order, in a few batches, with a cycle after each at a later time."""
    case, who = draw(strategies.cases()), draw(st.sampled_from(list(UNITS)))
    cycles = draw(st.integers(1, 4))
    units = sorted({one["unit"] for one in case["rows"]}) or ["x"]
    facts = [("rows", {**one, "ids": _ids(draw, who, one["unit"])}) for one in case["rows"]]
    facts += [("traits", {**one, "holder": "user" if who == "people" else "account"}) for one in case["traits"]]
    facts += [("moves", one) for one in case["moves"]]
    facts += [("links", one) for one in draw(st.lists(links(who, units), max_size=4)) if who != "plain"]
    times = sorted(draw(st.lists(st.integers(0, 18), min_size=cycles, max_size=cycles)))
    return {
        "definition": {**case["definition"], "count_by": UNITS[who]},
        "batches": [(draw(st.integers(0, cycles - 1)), kind, one) for kind, one in facts],
        "times": [time * SECOND for time in times],
        "compact": draw(st.integers(0, cycles)),
    }


def _arrival(number: int, kind: str, one: dict[str, Any]) -> Arrival:
    moment = START + one.get("time", 0)
    if kind == "rows":
        properties: dict[str, Any] = {name: one[name] for name in ("p", "x", "f") if name in one}
        facts: Any = Event(one["event"], moment, properties=properties, **one["ids"])
    elif kind == "links":
        facts = one["say"]
    else:
        values = {name: one[name] for name in ("plan", "seats") if one.get(name) is not None}
        if "created_at" in one:
            values["created_at"] = START + one["created_at"]
        facts = Traits(one["holder"], one["unit"], moment, values, False)
    return Arrival(f"m{number}", moment, "test", (facts,))


def _told(world: World, story: dict[str, Any]) -> None:
    """Each batch in turn, and a cycle after it."""
    name = None
    other = tuple(Traits(holder, "other", START, {"plan": "x"}, False) for holder in ("account", "user"))
    world.lake.accept([Arrival("t0", START, "test", other)])
    moves = []
    for cycle, time in enumerate(story["times"]):
        batch = [(number, kind, one) for number, (at, kind, one) in enumerate(story["batches"]) if at == cycle]
        world.lake.accept([_arrival(number, kind, one) for number, kind, one in batch if kind != "moves"])
        world.lake.accept(
            [_arrival(1000, "rows", {"ids": {"user_id": "other", "account_id": "other"}, "event": "z", "time": 0})]
        )
        name = name or world.activate(story["definition"], START)
        for _, kind, one in batch:
            if kind == "moves":
                move(world.ledger, name, one["unit"], one["to"], by="b", reason="r", at=START + one["at"], now=START)
                moves.append({"unit": one["unit"], "to": one["to"], "at": START + one["at"]})
        (found,) = sync(world.lake, world.ledger, START + time)
        if found.failure is not None:
            assert found.failure.partition(":")[0] in REFUSED, found.failure
            return
        if story["compact"] == cycle:
            world.lake.compact()
        lines, stands = replayed(story["definition"], world.lake, START + time, moves or None)
        assert (world.told(name), world.stands(name)) == (lines, stands)


def _run(story: dict[str, Any]) -> None:
    directory = Path(tempfile.mkdtemp())
    world = World.at(directory)
    try:
        _told(world, story)
    except DoorstepError as error:
        if error.code not in REFUSED:
            raise
    finally:
        world.close()
        shutil.rmtree(directory)


@settings(max_examples=4, deadline=None, suppress_health_check=LAX)
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
