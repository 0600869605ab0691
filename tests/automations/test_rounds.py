"""Rounds that are killed, and rounds over PostgreSQL: what is announced is noticed once, and goes out once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import select

import doorstep
from doorstep.automations.cycle import go_round
from doorstep.automations.runs import listed, steps_of
from doorstep.registry import DeliveryRow, FiringRow, JourneyTransitionRow, TagRow, open_database
from killing import kill_at_work
from ledgers import event
from postgres import Server
from worlds import DAY, HOUR, START, World

LIFE = {
    "journey": "lives",
    "count_by": "account_id",
    "movement": {"backward": True},
    "stages": [
        {"id": "new"},
        {"id": "active", "criteria": {"count": {"event": "work", "at_least": 2, "in_last": "4h"}}},
    ],
}
DOCUMENTS = (
    {"signal": "back", "when": {"moved_back": {"journey": "lives"}}, "announce": {"to": "ops", "as": "immediate"}},
    {
        "workflow": "tell",
        "trigger": {"signal": "back"},
        "actions": [
            {"webhook": {"to": "crm"}},
            {"set_trait": {"fell": "{{transition.id}}"}},
            {"add_tag": "fell"},
            {"wait": "2h"},
            {"slack": {"to": "ops", "text": "{{account.id}}", "digest": False}},
        ],
    },
)
ROUNDS = """
import itertools, os, random, sys
from pathlib import Path
from worlds import DAY, HOUR, START, World
from ledgers import event
from doorstep.ledger import Ledger
world = World.in_(Path(sys.argv[1]))
life = int(sys.argv[2])
chance = random.Random(life)
said = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for turn in itertools.count():
    now = max(head.horizon or START for head in Ledger(world.database).heads()) + HOUR
    world.accept(*(event(f"{life}-{turn}-{n}", f"a{chance.randrange(12)}", "work",
                         max(0, now - START - chance.randrange(3 * HOUR))) for n in range(6)))
    world.round(now - START)
    os.write(said, b"x")
"""


def holds(world: World) -> int:
    """Each transition that is announced has one firing, one run that took every step, and its messages, once."""
    with world.database.reading() as session:
        row = JourneyTransitionRow
        news = session.scalars(select(row.transition_id).where(row.announce, row.to_stage == "new")).all()
        fired = session.scalars(select(FiringRow)).all()
        sent = session.execute(select(DeliveryRow.cause, DeliveryRow.destination)).all()
        tagged = set(session.scalars(select(TagRow.account)))
    assert sorted(one.cause for one in fired) == sorted(news)
    runs = {one.cause: one for one in listed(world.database, most=10_000)}
    assert set(runs) == {one.id for one in fired}
    for one in fired:
        run, of_firing = runs[one.id], [to for cause, to in sent if cause == one.id]
        of_run = sorted(to for cause, to in sent if cause == run.id)
        undone = one.retracted_at is not None
        assert of_firing == ["ops"] or (undone and of_firing == [])
        steps = [step.action for step in steps_of(world.database, run.id)]
        if not undone:
            assert (run.state, of_run, run.account in tagged) == ("done", ["crm", "ops"], True)
            assert steps == ["webhook", "set_trait", "add_tag", "wait", "slack"]
    return len(fired)


@pytest.mark.parametrize("lives", [1, pytest.param(25, marks=pytest.mark.long)])
def test_whatever_is_killed_what_is_announced_goes_out_once(tmp_path: Path, lives: int) -> None:
    """SIGKILL at any moment of a round: the next one makes up for it, and nothing is doubled."""
    chance = random.Random(lives)
    world = World.in_(tmp_path)
    world.activate(document=LIFE)
    world.publish(*DOCUMENTS)
    world.close()
    said = tmp_path / "said"
    for life in range(lives):
        kill_at_work(ROUNDS, tmp_path, life, said, said=said, seconds=1 + chance.random() * 6)
    world = World.in_(tmp_path)
    horizon = max(head.horizon or START for head in _heads(world)) - START
    for hours in range(3):
        world.round(horizon + hours * HOUR)
    world.round(horizon + 12 * HOUR)
    world.round(horizon + 15 * HOUR)
    assert holds(world) > 0
    world.close()


def _heads(world: World) -> tuple[doorstep.ledger.Head, ...]:
    from doorstep.ledger import Ledger

    return Ledger(world.database).heads()


def test_over_postgresql_it_is_the_same(tmp_path: Path, server: Server) -> None:
    """Signals, segments, workflows and schedules, with their locks and their ids."""
    world = World(doorstep.open_lake(tmp_path / "lake"), open_database(server.database(), create=True))
    world.activate(document=LIFE)
    where = {"stage": {"journey": "lives", "is": "new"}}
    daily = {"trigger": {"schedule": {"at": "00:00"}}, "where": where, "actions": [{"task": {"title": "Look"}}]}
    world.publish(
        *DOCUMENTS,
        {"segment": "asleep", "criteria": {**where, "did_not": {"event": "work", "in_last": "6h"}}},
        {"signal": "slept", "when": {"entered_segment": "asleep"}, "cool_down": "1d"},
        {"signal": "quiet", "when": {"no_activity": "10h"}},
        {"workflow": "daily", **daily},
    )
    world.accept(*(event(n, f"a{n % 3}", "work", n * HOUR // 10) for n in range(6)))
    for hours in (1, 5, 8, 11, 24, 26):
        world.round(hours * HOUR)
    assert {one[0] for one in world.fired()} == {"back", "slept", "quiet"}
    assert len([one for one in listed(world.database) if one.workflow == "daily"]) == 3
    with world.database.reading() as session:
        assert len(session.scalars(select(FiringRow).where(FiringRow.signal == "back")).all()) == 3
    go_round(world.lake, world.database, START + DAY + 2 * HOUR)
    assert holds_back(world)
    world.close()


def holds_back(world: World) -> bool:
    """As `holds`, of the firings of `back` alone."""
    with world.database.reading() as session:
        fired = {one.id for one in session.scalars(select(FiringRow).where(FiringRow.signal == "back"))}
        sent = [cause for (cause,) in session.execute(select(DeliveryRow.cause))]
    runs = [one for one in listed(world.database) if one.workflow == "tell"]
    return {one.cause for one in runs} == fired and len(sent) == 3 * len(fired)
