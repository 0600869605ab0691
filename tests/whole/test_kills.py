"""`doorstep serve` killed under load, over and over: what it acknowledged is there once, and nothing is half there.

Half of the clients deliver a batch again until it is acknowledged, across the server's lives, as SDKs do; the others
give a batch up when its answer does not come, so that it may be there or not, but not in part. Most of a start is the
import of libraries: the long suite forks each life from a process that has them.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

import doorstep
from doorstep.cli.serve import serve_lake
from lakes import rows_of
from servers import client

DOORSTEP = str(Path(sys.executable).parent / "doorstep")
SIZE = 10
FUNNEL = {"funnel": "f", "count_by": "user_id", "steps": [{"event": "signup"}, {"event": "pay", "window": "7d"}]}


class Sender(threading.Thread):
    """Delivers batches of ten events, each of them five users who sign up and pay."""

    def __init__(self, address: str, key: str, name: str, *, again: bool) -> None:
        super().__init__()
        self._address, self._key, self._name, self._again = address, key, name, again
        self.acknowledged: set[str] = set()
        self.stopped = threading.Event()
        self.refused: list[str] = []

    def run(self) -> None:
        turn = 0
        with client(self._address, self._key) as sender:
            while not self.stopped.is_set():
                batch = f"{self._name}-{turn}"
                told = self._deliver(sender, self._calls(batch, turn))
                if told:
                    self.acknowledged.add(batch)
                if told or not self._again:
                    turn += 1
                else:
                    self.stopped.wait(0.02)

    def _deliver(self, sender: httpx.Client, calls: list[dict[str, object]]) -> bool:
        try:
            answer = sender.post("/v1/batch", json={"batch": calls})
        except httpx.HTTPError:
            return False
        if answer.status_code not in {200, 429, 503}:
            self.refused.append(answer.text)
        return answer.status_code == 200 and answer.json() == {"success": True}

    @staticmethod
    def _calls(batch: str, turn: int) -> list[dict[str, object]]:
        return [
            {
                "type": "track",
                "messageId": f"{batch}-{n}",
                "event": ("signup", "pay")[n % 2],
                "userId": f"{batch}-{n // 2}",
                "timestamp": f"2026-03-01T12:00:{n:02}Z",
                "properties": {"plan": "pro", f"p{turn % 40}": n},
            }
            for n in range(SIZE)
        ]


FORKED: Final = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    [
        *("doorstep.cli.whole", "doorstep.server.app", "doorstep.server.serving", "doorstep.server.stores"),
        *("doorstep.registry", "uvicorn.lifespan.on", "uvicorn.loops.asyncio", "uvicorn.protocols.http.h11_impl"),
    ]
)
OFTEN: Final = {"settle_every": 0.05, "compact_every": 0.3}
Kill = Callable[[], int | None]
"""Kills a server; tells how it had ended before that, None while it ran."""

Serving = Callable[[Path, int], AbstractContextManager[Kill]]


@contextmanager
def started(data: Path, port: int) -> Iterator[Kill]:
    """The command itself. It settles and compacts all the time."""
    options = [f"--{name.replace('_', '-')}={seconds}" for name, seconds in OFTEN.items()]
    command = [DOORSTEP, "serve", "--data", str(data), "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:

        def kill() -> int | None:
            ended = server.poll()
            server.kill()
            assert server.stderr is not None
            assert "Traceback" not in server.stderr.read()
            return ended

        yield kill


@contextmanager
def forked(data: Path, port: int) -> Iterator[Kill]:
    """What the command does, in a process that need not import it."""
    server = FORKED.Process(target=serve_lake, kwargs={"data": data, "port": port, **OFTEN})
    server.start()

    def kill() -> int | None:
        ended = server.exitcode
        server.kill()
        server.join()
        return ended

    yield kill


def _live(data: Path, port: int, chance: random.Random, serving: Serving) -> None:
    """One life, which ends by SIGKILL: one of ten while it starts, the others within a second of its first answer."""
    with serving(data, port) as kill:
        if chance.random() < 0.1:
            time.sleep(chance.uniform(0.05, 0.5))
        else:
            _wait_for(port)
            time.sleep(chance.uniform(0.02, 0.9))
        assert kill() is None, "it ended by itself"


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError("it never answered")


def _survive(data: Path, kills: int, seed: int, serving: Serving) -> tuple[int, int]:
    """(events acknowledged, events there) after so many kills."""
    told = subprocess.run(
        [DOORSTEP, "keys", "create", "--data", str(data), "--name", "shop", "--json"], capture_output=True, check=True
    )
    key = json.loads(told.stdout)["key"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    senders = [Sender(f"http://127.0.0.1:{port}", key, f"c{n}", again=n % 2 == 0) for n in range(4)]
    chance = random.Random(seed)
    for one in senders:
        one.start()
    try:
        for _ in range(kills):
            _live(data, port, chance, serving)
    finally:
        for one in senders:
            one.stopped.set()
        for one in senders:
            one.join()
    assert not [text for one in senders for text in one.refused]
    return _agreed(data, {batch for one in senders for batch in one.acknowledged})


def _agreed(data: Path, acknowledged: set[str]) -> tuple[int, int]:
    """Opened as it is, the lake has each acknowledged event once, and of every other batch all or nothing."""
    with doorstep.open_lake(data, create=False) as lake:
        lake.settle(wait=10)
        kept = [name for (name,) in rows_of(lake, "message_id")]
        batches = {name.rpartition("-")[0] for name in kept}
        assert acknowledged, "nothing was ever acknowledged"
        assert len(set(kept)) == len(kept), "something is there twice"
        assert acknowledged <= batches, "something acknowledged is lost"
        assert len(kept) == SIZE * len(batches), "a batch is half there"
        assert lake.inbox.dead_letters() == ()
        assert lake.check() == ()
        result = doorstep.run(FUNNEL, lake)
        assert [step.count for step in result.steps] == [SIZE // 2 * len(batches)] * 2
    return SIZE * len(acknowledged), len(kept)


def test_a_server_that_is_killed_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """SIGKILL at random moments while it takes, settles and compacts, and once more."""
    _survive(tmp_path / "data", 3, 1, started)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_a_server_that_is_killed_fifty_times(tmp_path: Path, seed: int) -> None:
    """The same, two hundred times in all."""
    print(_survive(tmp_path / "data", 50, seed, forked))
