"""Trouble, made for real, over the server and the lake together: nothing lost, nothing doubled, a clear answer each."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

import doorstep
from doorstep.server.beside import repeating
from doorstep.server.stores import settling
from lakes import rows_of
from servers import KEY, client, now, post, running


def batch(size: int, first: int = 0) -> dict[str, Any]:
    calls = [{"type": "track", "event": "e", "userId": f"u{n}", "messageId": f"m{first + n}"} for n in range(size)]
    return {"batch": calls}


def code(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


@contextmanager
def serving(directory: Path, clock: Callable[[], int] = now) -> Iterator[tuple[doorstep.Lake, str]]:
    """A server over a lake that settles and compacts all the time, and once more at the end."""
    with (
        doorstep.open_lake(directory) as lake,
        repeating(settling(lake, time.monotonic, 0.4), 0.05),
        running(lake, clock=clock) as address,
    ):
        yield lake, address


def ids(directory: Path) -> list[str]:
    """The message ids in the tables of a lake that is whole, opened as it is."""
    with doorstep.open_lake(directory, create=False) as lake:
        assert (lake.inbox.depth(), lake.check()) == (0, ())
        return [name for (name,) in rows_of(lake, "message_id")]


def test_the_same_batches_in_parallel_are_kept_once(tmp_path: Path) -> None:
    """While they are settled, too; every delivery is acknowledged."""
    with serving(tmp_path) as (_, address), ThreadPoolExecutor(8) as threads:
        sent = [threads.submit(post, address, "/v1/batch", json=batch(40, 40 * (n % 4))) for n in range(32)]
        assert [one.result().json() for one in sent] == [{"success": True}] * 32
    assert sorted(ids(tmp_path)) == sorted(f"m{n}" for n in range(160))


def test_bombs_halves_and_crowds_leave_only_what_was_acknowledged(tmp_path: Path) -> None:
    """A gigabyte in a megabyte, half a body, 100,000 events in one batch: refused, and in batches that fit kept."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb, more = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    body = orjson.dumps({**batch(50), "writeKey": KEY})
    with serving(tmp_path) as (_, address), client(address) as sender:
        packed = {"content-encoding": "gzip"}
        assert code(sender.post("/v1/batch", content=bomb + 1023 * more, headers=packed)) == "body-too-large"
        host, port = address.removeprefix("http://").split(":")
        for _ in range(5):
            with socket.create_connection((host, int(port))) as connection:
                head = f"POST /v1/batch HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body[: len(body) // 2])
        assert code(sender.post("/v1/batch", json=batch(100_000))) == "body-too-large"
        for first in range(0, 30_000, 5_000):
            while sender.post("/v1/batch", json=batch(5_000, first)).status_code != 200:
                time.sleep(0.2)
    found = ids(tmp_path)
    assert len(found) == len(set(found)) == 30_000


def test_a_clock_that_jumps_back_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """A day back and forth between requests; what was sent before is known all the same."""
    times = iter([now() + jump * 86_400_000_000 for jump in (0, -1, 1, -30, 0, 0)])
    with serving(tmp_path, clock=lambda: next(times)) as (lake, address):
        for turn in range(6):
            assert post(address, "/v1/batch", json=batch(10, 10 * (turn % 5))).status_code == 200
            lake.settle(wait=20)
    assert sorted(ids(tmp_path)) == sorted(f"m{n}" for n in range(50))


LOCK = """
import sqlite3, sys
catalog = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
catalog.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_catalog_that_another_process_locks_costs_no_acknowledgement(tmp_path: Path) -> None:
    """Senders are answered meanwhile; what they sent is seen once the lock is gone."""
    with serving(tmp_path) as (_, address):
        command = [sys.executable, "-c", LOCK, str(tmp_path / "catalog.sqlite")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "locked\n"
            for turn in range(10):
                assert post(address, "/v1/batch", json=batch(10, 10 * turn)).status_code == 200
                time.sleep(0.05)
            other.communicate()
    assert sorted(ids(tmp_path)) == sorted(f"m{n}" for n in range(100))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("mount is refused here: it takes root, and a container that may")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_is_full_is_told_and_loses_nothing(small_disk: Path) -> None:
    """Who does not fit is asked to come again, and is kept when there is room; nobody who was acknowledged is lost."""
    filler = small_disk / "filler"
    filler.write_bytes(bytes(14_000_000))
    padded = "x" * 2_000
    acknowledged: list[str] = []
    with serving(small_disk / "lake") as (_, address), client(address) as sender:
        answer, turn = None, 0
        while turn < 2_000:
            calls = [{**one, "properties": {"text": padded}} for one in batch(50, 50 * turn)["batch"]]
            answer = sender.post("/v1/batch", json={"batch": calls})
            if answer.status_code != 200:
                break
            acknowledged += [one["messageId"] for one in calls]
            turn += 1
        assert answer is not None
        assert (answer.status_code, code(answer)) == (429, "disk-full")
        assert "retry-after" in answer.headers
        filler.unlink()
        assert sender.post("/v1/batch", json={"batch": calls}).status_code == 200
        acknowledged += [one["messageId"] for one in calls]
    assert sorted(ids(small_disk / "lake")) == sorted(acknowledged)
