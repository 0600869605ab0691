"""Killed at any moment: nothing that was announced is lost, and who dedupes by ``webhook-id`` sees all of it once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from doorstep.delivery.deliveries import deliveries
from doorstep.registry import acts
from outboxes import Outbox
from receivers import Came, Says, receiving

TESTS = Path(__file__).parent.parent
ACCOUNTS = 7
LIVES = """
import itertools, os, signal, sys, time
from pathlib import Path
from doorstep.delivery.outbox import put
from doorstep.registry import note
from outboxes import Outbox, message
SPEED, BEGAN = 200, int(sys.argv[2])

def live(life, put_more):
    outbox = Outbox.at(sys.argv[1] if "://" in sys.argv[1] else Path(sys.argv[1]))
    outbox.clock = lambda: BEGAN + (time.time_ns() // 1000 - BEGAN) * SPEED
    deliverer = outbox.delivery(whole=0.4, lease=1_500_000 * SPEED)
    for turn in itertools.count():
        def work(session):
            for n in range(12):
                name = f"{life:03}-{turn:04}-{n:02}"
                note(session, outbox.clock(), by="eve", act="announced", subject="test", name=name)
                put(session, [message(name, account=f"a{n % %d}", to="crm" if n % 2 else "other")], outbox.clock())
        if put_more:
            outbox.database.write(work)
        deliverer.turn()

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
for line in sys.stdin:
    life, more = line.split()
    child = os.fork()
    if child == 0:
        live(int(life), more == "more")
    print(child, flush=True)
""".replace("%d", str(ACCOUNTS))
"""Imports once, then forks a life for each line, so that none of them has to begin from nothing."""


class Moody:
    """Answers as it likes: often well, else with a fault, a redirect, too late, or not at all."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.taken: list[str] = []
        self.calm = False

    def __call__(self, came: Came) -> Says:
        mood = 1.0 if self.calm else self._chance.random()
        if mood < 0.04:
            return Says(500)
        if mood < 0.06:
            return Says(302, headers={"Location": "http://127.0.0.1:9/"})
        if mood < 0.08:
            return Says(429, headers={"Retry-After": "30"})
        if mood < 0.10:  # taken, though the sender does not wait for the answer
            self.taken.append(came.id)
            return Says(seconds=0.6)
        self.taken.append(came.id)
        return Says(seconds=0.002)


@contextmanager
def _lives(place: Path | str) -> Iterator[Callable[[int, str], int]]:
    """Begins a life, by its number, and gives its process."""
    command = [sys.executable, "-c", LIVES, str(place), str(time.time_ns() // 1000)]
    with subprocess.Popen(command, cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        told, tells = running.stdin, running.stdout
        assert tells.readline() == "ready\n"

        def begin(life: int, more: str) -> int:
            told.write(f"{life} {more}\n")
            told.flush()
            return int(tells.readline())

        yield begin
        running.kill()


def _kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)  # ProcessLookupError if it died of something else
    with suppress(ProcessLookupError):
        while True:
            os.kill(process, 0)
            time.sleep(0.001)


def _survive(place: Path | str, lives: int, seed: int) -> None:
    chance = random.Random(seed)
    outbox = Outbox.at(place)
    crm_moods, other_moods = Moody(seed), Moody(seed + 1)
    with receiving(crm_moods) as crm, receiving(other_moods) as other, _lives(place) as begin:
        outbox.webhook("crm", crm.address)
        outbox.webhook("other", other.address)
        for life in range(lives):
            process = begin(life, "more")
            time.sleep(chance.random() * 1.2)
            _kill(process)
        crm_moods.calm = other_moods.calm = True
        process = begin(lives, "no")
        deadline = time.monotonic() + 60
        while deliveries(outbox.database, state="waiting", most=1) and time.monotonic() < deadline:
            time.sleep(0.1)
        _kill(process)
    announced = {act.name for act in acts(outbox.database)}
    announced = {one for one in announced if one.count("-") == 2}
    assert announced
    assert {one.id for one in deliveries(outbox.database, state="delivered", most=100_000)} == announced
    for moods, odd in ((crm_moods, 1), (other_moods, 0)):
        first_seen = list(dict.fromkeys(moods.taken))
        assert set(first_seen) == {one for one in announced if int(one[-2:]) % 2 == odd}
        for account in range(ACCOUNTS):
            line = [one for one in first_seen if int(one[-2:]) % ACCOUNTS == account]
            assert line == sorted(line)
    outbox.database.close()


def test_whatever_is_killed_everything_arrives_in_order(tmp_path: Path) -> None:
    """SIGKILL while it puts, sends, or writes down; receivers that answer 500, 302, 429, or too late."""
    _survive(tmp_path, 8, 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_hundreds_of_kills(tmp_path: Path, seed: int, request: pytest.FixtureRequest) -> None:
    """The same, at many more moments, on SQLite and on PostgreSQL."""
    _survive(request.getfixturevalue("server").database() if seed % 2 else tmp_path, 30, 10 * seed + 2)
