"""Segments hold of whom their criteria say, whichever way they are looked at."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from doorstep.automations import segments
from doorstep.automations.publishing import publish
from doorstep.definitions.belonging import Claim, belonging_of
from doorstep.definitions.kinds import canonical, definition_hash, ground_of, load_automation, load_definition
from doorstep.definitions.segment import Segment
from doorstep.errors import DefinitionError, RegistryError
from doorstep.registry import Registry
from ledgers import event, traits
from worlds import DAY, HOUR, START, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World.in_(tmp_path / "data")
    yield found
    found.close()


def segment(name: str, **criteria: Any) -> dict[str, Any]:
    return {"segment": name, "criteria": criteria}


def members(world: World, name: str) -> dict[str, int]:
    return {account: since - START for account, since in segments.members(world.database, name).items()}


def test_who_is_in_a_segment_and_since_when(world: World) -> None:
    """Standing, high water, time in stage, traits, rows, tags and lists, together and apart."""
    world.activate()
    save(world, "vip", ["acme", "ghost"])
    world.publish(
        segment("engaged", stage={"journey": "lives", "is": "engaged"}),
        segment("once-engaged", high_water={"journey": "lives", "at_least": "engaged"}),
        segment("settled", time_in_stage={"journey": "lives", "at_least": "1d"}),
        segment("pro", trait={"plan": "pro"}),
        segment("lazy", count={"event": "work", "at_most": 0, "in_last": "2d"}),
        segment("vips", segment="vip"),
        segment("lazy-pro", all=[{"segment": "lazy"}, {"segment": "pro"}]),
        segment("others", **{"not": {"any": [{"segment": "vip"}, {"trait": {"plan": "pro"}}]}}),
    )
    world.accept(
        event(1, "acme", "project_created", HOUR),
        *(event(2 + n, "acme", "work", (1 + n) * HOUR) for n in range(3)),
        event(8, "zoo", "signup", 2 * HOUR),
        event(9, "bolt", "signup", 2 * HOUR),
        traits(1, "zoo", 3 * HOUR, plan="pro"),
    )
    world.round(4 * HOUR)
    assert members(world, "engaged") == members(world, "once-engaged") == {"acme": 3 * HOUR}
    assert members(world, "pro") == {"zoo": 3 * HOUR}
    assert members(world, "lazy") == {"zoo": 2 * HOUR, "bolt": 2 * HOUR}
    assert set(members(world, "vips")) == {"acme", "ghost"}
    assert members(world, "lazy-pro") == {"zoo": 3 * HOUR}
    assert set(members(world, "others")) == {"bolt"}
    assert members(world, "settled") == {}
    world.round(7 * DAY + 3 * HOUR)
    assert members(world, "settled") == {"bolt": DAY + 2 * HOUR, "zoo": DAY + 2 * HOUR}
    assert (members(world, "engaged"), set(members(world, "once-engaged"))) == ({}, {"acme"})
    assert members(world, "lazy")["acme"] == 2 * DAY + 3 * HOUR


def save(world: World, name: str, units: list[str]) -> None:
    Registry(world.database, lambda: START).segments.save(
        name,
        lambda: [units],
        by="ann",
        unit="account_id",
        definition="f",
        definition_hash="0" * 64,
        source="x",
        chosen={},
    )


def test_coming_and_going_is_kept_and_told(world: World) -> None:
    """Sizes where they change, who came and went and when; signals and workflows hear of it, not of a new version."""
    criteria = {"count": {"event": "work", "at_least": 1, "in_last": "1d"}}
    world.publish(
        segment("busy", **criteria),
        {"signal": "came", "when": {"entered_segment": "busy"}},
        {"signal": "went", "when": {"left_segment": "busy"}},
        {"workflow": "greet", "trigger": {"entered_segment": "busy"}, "actions": [{"add_tag": "busy"}]},
        segment("tagged", tag="busy"),
    )
    world.accept(event(1, "acme", "work", HOUR), event(2, "zoo", "signup", HOUR))
    world.round(2 * HOUR)
    assert (set(members(world, "busy")), world.fired()) == ({"acme"}, [])  # the first look is no news
    world.accept(event(3, "zoo", "work", 3 * HOUR))
    world.round(4 * HOUR)
    world.round(DAY + HOUR)
    assert world.fired() == [("came", "zoo", 3 * HOUR), ("went", "acme", DAY + HOUR)]
    told = [(one.account, one.change, one.occurred_at - START) for one in segments.changes(world.database, "busy")]
    assert told == [("acme", "left", DAY + HOUR), ("zoo", "entered", 3 * HOUR)]
    assert [(one.members, one.entered, one.left) for one in segments.sizes(world.database, "busy")] == [
        (1, 1, 0),
        (2, 1, 0),
        (1, 0, 1),
    ]
    assert set(members(world, "tagged")) == {"zoo"}
    world.publish(segment("busy", did="signup"), at=DAY + 2 * HOUR)
    world.round(DAY + 3 * HOUR)
    assert (set(members(world, "busy")), len(world.fired())) == ({"zoo"}, 2)


def test_however_rounds_are_cut_members_are_those_that_one_round_finds(tmp_path: Path) -> None:
    """Claims that are kept say what claims from nothing say, late rows and traits among them."""
    chance = random.Random(7)
    document = segment(
        "odd",
        any=[
            {"all": [{"count": {"event": "work", "at_least": 2, "in_last": "1d"}}, {"trait": {"plan": "pro"}}]},
            {"not": {"did": {"event": "login", "in_last": "12h"}}},
        ],
    )
    world = World.in_(tmp_path / "cut")
    world.publish(document)
    arrivals, number = [], 0
    for hour in range(1, 60, 14):
        for account in ("a", "b", "c", "d"):
            number += 1
            late = chance.randrange(0, 20) * HOUR
            name = chance.choice(["work", "work", "login"])
            arrivals.append(event(number, account, name, max(0, hour * HOUR - late)))
            if chance.random() < 0.2:
                arrivals.append(traits(number, account, hour * HOUR, plan=chance.choice(["pro", "free"])))
        world.accept(*arrivals[-6:])
        world.round(hour * HOUR)
    world.round(60 * HOUR)
    whole = World.in_(tmp_path / "whole")
    whole.publish(document)
    whole.accept(*arrivals)
    whole.round(60 * HOUR)
    world.accept(*arrivals)
    world.round(60 * HOUR)
    assert set(members(world, "odd")) == set(members(whole, "odd"))
    world.close()
    whole.close()


def test_criteria_that_a_stage_could_have_are_one_claim() -> None:
    """However they are grouped; spellings of one meaning have one hash, and another meaning another."""
    first = segment("s", did="a", any=[{"did": "b"}, {"trait": {"plan": "pro"}}], **{"not": {"did": "c"}})
    second = segment(
        "s", all=[{"any": [{"trait": {"plan": ["pro"]}}, {"did": {"event": "b"}}]}, {"did_not": "c"}, {"did": "a"}]
    )
    one, two = (load_automation(document, "segment") for document in (first, second))
    assert isinstance(one, Segment)
    assert isinstance(belonging_of(one.criteria, ground_of(one)), Claim)
    assert canonical(one) == canonical(two)
    assert definition_hash(one) != definition_hash(load_definition(segment("s", did="a")))


def test_what_can_never_be_right_is_refused_and_what_may_come_is_told(world: World, tmp_path: Path) -> None:
    """Unknown stages, other units, rings of segments and taken names; journeys that are not there yet are told."""
    world.activate()

    def refused(document: dict[str, Any]) -> str:
        with pytest.raises((DefinitionError, RegistryError)) as caught:
            publish(world.database, document, "segment", by="ann", at=START)
        return caught.value.code

    assert refused(segment("s", stage={"journey": "lives", "is": "engagd"})) == "unknown-stage"
    assert refused({**segment("s", stage={"journey": "lives", "is": "new"}), "count_by": "user_id"}) == "other-unit"
    assert refused(segment("s", segment="s")) == "segment-cycle"
    assert refused(segment("s", sum={"property": "amount"})) == "no-bound"
    assert refused(segment("s", feature="reports")) == "unknown-feature"
    assert refused({"signal": "s", "when": {"no_activity": "1d"}}) == "other-kind"
    publish(world.database, segment("a", segment="b"), "segment", by="ann", at=START)
    assert refused(segment("b", **{"not": {"segment": "a"}})) == "segment-cycle"
    found = publish(world.database, segment("c", stage={"journey": "livez", "is": "x"}), "segment", by="ann", at=START)
    assert [str(one.suggestion) for one in found.findings] == ["Did you mean lives?"]
    save(world, "vip", ["acme"])
    assert refused(segment("vip", did="a")) == "name-taken"
    with pytest.raises(RegistryError, match="one or the other"):
        save(world, "a", ["acme"])
    file = tmp_path / "s.yaml"
    file.write_text("segment: s\ncriteria:\n  all:\n    - {did: a}\n    - {stage: {journey: lives, is: nowhere}}\n")
    with pytest.raises(DefinitionError, match=r"s\.yaml:3:3: error unknown-stage"):
        publish(world.database, file, "segment", by="ann", at=START)
