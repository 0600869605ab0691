"""A sync that is killed at any moment, and run again, comes to what it would have come to."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from doorstep.lake.attach import attached
from doorstep.ledger.handing_on import transitions_of
from killing import kill_at_work
from ledgers import START, World, replayed

LIFE = {
    "journey": "life",
    "count_by": "account_id",
    "movement": {"backward": True},
    "stages": [
        {"id": "new"},
        {"id": "active", "criteria": {"count": {"at_least": 2, "in_last": "4h"}}},
        {"id": "paying", "criteria": {"did": {"event": "pay", "in_last": "9h"}}},
    ],
}
CYCLES = """
import itertools, os, random, sys
from pathlib import Path
from ledgers import HOUR, START, World, event
from doorstep.ledger import sync
world = World.at(Path(sys.argv[1]))
life = int(sys.argv[2])
chance = random.Random(life)
said = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for turn in itertools.count():
    now = max(head.horizon or START for head in world.ledger.heads()) + HOUR
    world.lake.accept([
        event(f"{life}-{turn}-{n}", f"a{chance.randrange(30)}", chance.choice(["visit", "pay"]),
              max(0, now - START - chance.randrange(12 * HOUR))) for n in range(8)])
    sync(world.lake, world.ledger, now)
    os.write(said, b"x")
"""


def _survive(directory: Path, lives: int, seed: int) -> None:
    chance = random.Random(seed)
    world = World.at(directory)
    world.activate(LIFE, START)
    world.close()
    said = directory / "said"
    for life in range(lives):
        kill_at_work(CYCLES, directory, seed * 1000 + life, said, said=said, seconds=chance.random() * 2)
        world = World.at(directory)
        horizon = world.ledger.head("life").horizon
        assert horizon is not None
        world.sync(horizon)
        assert (world.told("life"), world.stands("life")) == replayed(LIFE, world.lake, horizon)
        ours = transitions_of(world.ledger, "life").select(["seq", "transition_id", "change"]).to_pylist()
        with attached(world.lake.place) as connection:
            theirs = connection.execute(
                "SELECT seq, transition_id, change FROM lake.account_stage_transitions ORDER BY seq"
            ).fetchall()
            current = connection.execute("SELECT account, stage FROM lake.account_stage_current").fetchall()
        assert theirs == [tuple(one.values()) for one in ours]
        assert dict(current) == {account: one[0] for account, one in world.stands("life").items()}
        world.close()


def test_whatever_is_killed_the_ledger_and_the_lake_say_what_a_replay_says(tmp_path: Path) -> None:
    """SIGKILL while it reads, writes, or hands on: run again, nothing is lost, doubled or half there."""
    _survive(tmp_path, 3, 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_kills(tmp_path: Path, seed: int) -> None:
    """The same, at many more moments."""
    _survive(tmp_path, 10, seed + 2)
