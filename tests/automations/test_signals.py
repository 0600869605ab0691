"""Signals fire once for what is news, for whom they are about, and when people want to be told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from doorstep.automations import inbox
from doorstep.automations.active import turn
from doorstep.automations.announcing import end_of_quiet
from doorstep.definitions.signal import QuietHours
from doorstep.errors import RegistryError
from doorstep.ledger import Ledger, activate, draft
from doorstep.registry import DeliveryRow, FiringRow
from ledgers import event, traits
from worlds import DAY, HOUR, LIVES, START, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World.in_(tmp_path / "data")
    yield found
    found.close()


def signal(name: str, when: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"signal": name, "when": when, **more}


def engaged(account: str, at: int, first: int = 1) -> list[Any]:
    """Rows that make an account engaged two hours after ``at``."""
    rows = [event(first, account, "project_created", at)]
    return [*rows, *(event(first + 1 + n, account, "work", at + n * HOUR) for n in range(3))]


def test_each_kind_of_move_fires_its_signal_once(world: World) -> None:
    """Entered, left, skipped and moved back; a second round tells nothing again."""
    world.activate()
    world.publish(
        signal("entered", {"entered": {"journey": "lives", "stage": "engaged"}}),
        signal("left", {"left": {"journey": "lives", "stage": "engaged"}}),
        signal("skipped", {"skipped": {"journey": "lives", "stage": "activated"}}),
        signal("back", {"moved_back": {"journey": "lives"}}),
        signal("elsewhere", {"moved_back": {"journey": "lives", "from": "activated"}}),
    )
    world.accept(
        *(event(n, "acme", "work", n * HOUR) for n in range(1, 4)), event(9, "acme", "project_created", 3 * HOUR)
    )
    world.round(4 * HOUR)
    assert world.fired() == [("entered", "acme", 3 * HOUR), ("skipped", "acme", 3 * HOUR)]
    world.round(7 * DAY + 2 * HOUR)
    world.round(7 * DAY + 3 * HOUR)
    back = 7 * DAY + HOUR
    assert world.fired()[2:] == [("back", "acme", back), ("left", "acme", back)]


def test_what_is_not_announced_fires_nothing(world: World) -> None:
    """Not what happened before the activation, nor what happened too long ago, nor what a new version finds."""
    world.accept(*engaged("before", 0))
    world.activate(5 * HOUR)
    world.publish(signal("entered", {"entered": {"journey": "lives", "stage": "engaged"}}))
    world.round(6 * HOUR)
    assert world.fired() == []
    world.accept(*engaged("late", 6 * HOUR, 10))
    world.round(3 * DAY)
    assert world.fired() == []
    other = {**LIVES, "stages": [*LIVES["stages"][:2], {"id": "engaged", "criteria": {"did": "work"}}]}
    ledger = Ledger(world.database)
    draft(ledger, other, by="ann", at=START + 3 * DAY)
    world.accept(event(20, "once", "work", 3 * DAY - HOUR))
    activate(ledger, "lives", by="ann", at=START + 3 * DAY + HOUR)
    world.round(3 * DAY + 2 * HOUR)
    assert world.fired() == []


def test_what_happened_before_a_signal_was_published_is_not_told(world: World) -> None:
    """Publishing tells nobody of the past, and neither does setting it to work again; other words change nothing."""
    world.activate()
    world.accept(*engaged("acme", 0))
    entered = signal("entered", {"entered": {"journey": "lives", "stage": "engaged"}})
    world.publish(entered, at=3 * HOUR)
    world.round(4 * HOUR)
    assert world.fired() == []
    world.accept(*engaged("bolt", 5 * HOUR, 10))
    world.publish({**entered, "title": "Engaged"}, at=8 * HOUR)
    world.round(9 * HOUR)
    assert world.fired() == [("entered", "bolt", 7 * HOUR)]
    turn(world.database, "signal", "entered", paused=True, by="ann", at=START + 9 * HOUR)
    world.accept(*engaged("cord", 9 * HOUR, 20))
    world.round(12 * HOUR)
    turn(world.database, "signal", "entered", paused=False, by="ann", at=START + 12 * HOUR)
    world.round(13 * HOUR)
    assert len(world.fired()) == 1


def test_conditions_and_cool_down_choose_whom_it_is_about(world: World) -> None:
    """Only accounts that meet `where` as things stand; after a firing an account is left alone for so long."""
    world.activate()
    back = {"moved_back": {"journey": "lives"}}
    world.publish(signal("pro-back", back, where={"trait": {"plan": "pro"}}), signal("cool", back, cool_down="30d"))
    for number, account in enumerate(("acme", "zoo")):
        world.accept(*engaged(account, HOUR, 10 * number))
    world.accept(traits(1, "acme", HOUR, plan="pro"))
    world.round(4 * HOUR)
    world.round(7 * DAY + 2 * HOUR)
    assert {one[:2] for one in world.fired()} == {("cool", "acme"), ("cool", "zoo"), ("pro-back", "acme")}
    assert {one[2] for one in world.fired()} == {7 * DAY + HOUR}
    world.accept(*(event(50 + n, "acme", "work", 8 * DAY + n * HOUR) for n in range(3)))
    world.round(8 * DAY + 3 * HOUR)
    world.round(15 * DAY + HOUR)
    assert [one[0] for one in world.fired() if one[2] > 10 * DAY] == ["pro-back"]


def test_stuck_is_told_once_for_each_stay(world: World) -> None:
    """When the time is up, not before, and not again while the account stays."""
    world.activate()
    world.publish(signal("stuck", {"stuck": {"journey": "lives", "stage": "new", "at_least": "2d"}}))
    world.accept(event(1, "acme", "signup", HOUR))
    world.round(2 * DAY)
    assert world.fired() == []
    world.round(2 * DAY + HOUR)
    world.round(3 * DAY)
    assert world.fired() == [("stuck", "acme", 2 * DAY + HOUR)]


def test_an_account_that_goes_quiet_is_told_once_for_each_silence(world: World) -> None:
    """A row ends the silence; one that came late ends it without a trace."""
    world.activate()
    world.publish(signal("quiet", {"no_activity": "2d"}))
    world.accept(event(1, "acme", "signup", HOUR), event(2, "zoo", "signup", HOUR))
    world.round(DAY)
    world.accept(event(3, "zoo", "work", 2 * DAY))
    world.round(2 * DAY + 2 * HOUR)
    world.round(3 * DAY)
    assert world.fired() == [("quiet", "acme", 2 * DAY + HOUR)]
    world.round(4 * DAY)
    assert world.fired()[1:] == [("quiet", "zoo", 4 * DAY)]


def test_a_digest_is_one_message_and_quiet_hours_put_it_off(world: World) -> None:
    """Twelve accounts make one message that goes out in the morning; the firings are there at once."""
    world.activate()
    quiet = {"from": "00:30", "to": "07:00", "timezone": "Europe/Berlin"}
    told = [{"to": "ops"}, {"to": "crm", "as": "immediate", "text": "{{account.name}}: {{signal.priority}}"}]
    when = {"entered": {"journey": "lives", "stage": "engaged"}}
    world.publish(signal("entered", when, announce=told, quiet_hours=quiet, priority="high"))
    for number in range(12):
        world.accept(*engaged(f"a{number:02}", HOUR, 10 * number))
    world.accept(traits(1, "a00", HOUR, name="Acme"))
    found = world.round(4 * HOUR)
    assert (len(world.fired()), found.messages) == (12, 13)
    out = world.out()
    assert [one[:2] for one in out].count(("ops", "")) == 1
    digest = next(body["text"] for to, _, body in out if to == "ops")
    assert digest.startswith("entered (informational, high): 12\na00 moved from activated to engaged in lives\n")
    assert {"text": "Acme: high"} in [body for _, _, body in out]
    with world.database.reading() as session:
        assert set(session.scalars(select(DeliveryRow.due_at))) == {START + 6 * HOUR}  # 07:00 in Berlin
    assert world.round(5 * HOUR).messages == 0


def test_quiet_hours_end_when_the_clock_on_the_wall_says_so() -> None:
    """Over midnight, within a day, and on the night when clocks change."""
    night = QuietHours.model_validate({"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"})
    noon = QuietHours.model_validate({"from": "12:00", "to": "13:00"})
    assert end_of_quiet(night, START + 10 * HOUR) == START + 10 * HOUR
    assert end_of_quiet(night, START + 21 * HOUR) == START + 30 * HOUR
    assert end_of_quiet(night, START + HOUR) == START + 6 * HOUR
    assert end_of_quiet(noon, START + 12 * HOUR) == START + 13 * HOUR
    before_change = START + 87 * DAY + 22 * HOUR  # 2026-03-28 23:00 in Berlin
    assert end_of_quiet(night, before_change) == START + 88 * DAY + 5 * HOUR  # 07:00, by then UTC+2


def test_what_a_late_fact_undoes_is_marked(world: World) -> None:
    """The firing stays, marked as retracted, and nothing more is said of it."""
    world.activate()
    world.publish(signal("back", {"moved_back": {"journey": "lives"}}))
    world.accept(*engaged("acme", HOUR))
    world.round(4 * HOUR)
    world.round(7 * DAY + 2 * HOUR)
    assert len(world.fired()) == 1
    world.accept(event(30, "acme", "work", 5 * DAY), event(31, "acme", "work", 5 * DAY + 1))
    world.round(7 * DAY + 2 * HOUR + 1)
    with world.database.reading() as session:
        assert session.scalars(select(FiringRow.retracted_at)).all() == [START + 7 * DAY + 2 * HOUR + 1]


def test_firings_are_worked_through(world: World) -> None:
    """New, acknowledged, put off and new again, resolved; each with who and when, and noted."""
    world.activate()
    world.publish(signal("stuck", {"stuck": {"journey": "lives", "stage": "new", "at_least": "1d"}}))
    world.accept(event(1, "acme", "signup", HOUR))
    world.round(DAY + HOUR)
    now = START + 2 * DAY
    (one,) = inbox.firings(world.database, now, state="new")
    assert one.why == "acme has been in new of lives for 24 hours"
    assert inbox.acknowledge(world.database, one.id, by="eve", at=now).state == "acknowledged"
    assert inbox.firings(world.database, now, state="new") == ()
    assert inbox.snooze(world.database, one.id[:8], now + HOUR, by="eve", at=now).state == "snoozed"
    assert inbox.firings(world.database, now, state="snoozed")[0].snoozed_until == now + HOUR
    assert inbox.firings(world.database, now + HOUR, state="new")[0].id == one.id
    resolved = inbox.resolve(world.database, one.id, by="eve", at=now, why="called them")
    assert (resolved.state, resolved.state_by, resolved.note) == ("resolved", "eve", "called them")
    with pytest.raises(RegistryError, match="names no firing"):
        inbox.firing(world.database, "ffffffff", now)
    with pytest.raises(RegistryError, match="until a time to come"):
        inbox.snooze(world.database, one.id, now, by="eve", at=now)
