"""A server that syncs journeys: events come in over HTTP, stages come out in the ledger and in the lake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from doorstep.lake.attach import attached
from doorstep.registry import open_registry
from ledgers import World, replayed

JOURNEY = {
    "journey": "served",
    "count_by": "account_id",
    "stages": [
        {"id": "new"},
        {"id": "active", "criteria": {"count": {"event": "Visit", "at_least": 2}}},
        {"id": "paying", "criteria": {"did": "Pay"}},
    ],
}
PATIENCE = 60.0


def now() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000


@contextmanager
def serving(data: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``doorstep serve`` as people start it; killed at the end if it still runs."""
    command = [str(Path(sys.executable).parent / "doorstep"), "serve", "--data", str(data), "--port", "0"]
    command += ["--settle-every", "0.1", "--sync-every", "0.2"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})
    assert running.stdout is not None
    try:
        yield running, running.stdout.readline().strip()
    finally:
        running.kill()
        running.communicate()


def send(address: str, key: str, number: int, event: str) -> None:
    """One event of the account acme, acknowledged."""
    call = {"type": "track", "event": event, "userId": "u", "messageId": f"m{number}", "context": {"groupId": "acme"}}
    found = httpx.post(f"{address}/v1/batch", json={"batch": [call]}, auth=(key, ""))
    assert found.status_code == 200, found.text


def until(world: World, holds: Callable[[], bool]) -> None:
    """Waits for what the server does by itself."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, world.stands("served")
        time.sleep(0.1)


def in_lake(world: World) -> list[tuple[str, str]]:
    """Accounts and stages of the lake's table; nothing before there is one."""
    with attached(world.lake.place) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'").fetchall()
        if ("account_stage_current",) not in tables:
            return []
        return connection.execute("SELECT account, stage FROM lake.account_stage_current").fetchall()


def stage(world: World) -> str | None:
    """Where the account stands, as the ledger says."""
    found = world.ledger.standings("served", ["acme"]).get("acme")
    return None if found is None else found.stage


def test_events_that_are_sent_move_accounts_and_a_killed_server_goes_on(tmp_path: Path) -> None:
    """Sent over HTTP, seen in the ledger and in the lake's tables; killed, started again, and on from there."""
    world = World.at(tmp_path)
    world.activate(JOURNEY, now())
    with open_registry(tmp_path, now) as registry:
        key = registry.keys.create("web").secret
    with serving(tmp_path) as (running, address):
        send(address, key, 1, "Visit")
        until(world, lambda: stage(world) == "new")
        send(address, key, 2, "Visit")
        until(world, lambda: stage(world) == "active" and in_lake(world) == [("acme", "active")])
        send(address, key, 3, "Pay")
        os.kill(running.pid, signal.SIGKILL)
    with serving(tmp_path) as (running, address):
        until(world, lambda: stage(world) == "paying" and in_lake(world) == [("acme", "paying")])
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE) == 0
    horizon = world.ledger.head("served").horizon
    assert horizon is not None
    assert (world.told("served"), world.stands("served")) == replayed(JOURNEY, world.lake, horizon)
    world.close()
