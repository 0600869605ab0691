"""The server as a process: what it prints, how it stops, and what is there when it is killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from doorstep.errors import RunError
from doorstep.server.serving import serve
from servers import client, post
from sinks import SqliteSink

PROGRAM = Path(__file__).parent.parent / "serve_sink.py"


@contextmanager
def process(database: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server that has said its address; it is killed if it still runs afterwards."""
    running = subprocess.Popen([sys.executable, str(PROGRAM), str(database)], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    with running, running.stdout:
        try:
            yield running, running.stdout.readline().strip()
        finally:
            running.kill()


def keep_sending(address: str, name: str, acknowledged: set[str]) -> None:
    """Batches of ten until the server is gone; the ids of those that were acknowledged."""
    with client(address) as sender:
        for turn in range(10_000):
            ids = [f"{name}-{turn}-{n}" for n in range(10)]
            calls = [{"type": "track", "event": "e", "userId": "u", "messageId": one} for one in ids]
            try:
                if sender.post("/v1/batch", json={"batch": calls}).status_code == 200:
                    acknowledged.update(ids)
                else:
                    return
            except httpx.HTTPError:
                return


def stopped_under_load(database: Path, how: signal.Signals, after: float) -> tuple[set[str], int]:
    """What was acknowledged, and how the process ended."""
    acknowledged: set[str] = set()
    with process(database) as (running, address):
        senders = [
            threading.Thread(target=keep_sending, args=(address, f"{after}-{n}", acknowledged)) for n in range(4)
        ]
        for one in senders:
            one.start()
        time.sleep(after)
        running.send_signal(how)
        for one in senders:
            one.join()
        return acknowledged, running.wait(20)


def kept(database: Path) -> set[str]:
    sink = SqliteSink(database)
    found = {arrival.message_id for arrival in sink.arrivals()}
    sink.close()
    return found


def test_it_says_its_address_once_it_answers(tmp_path: Path) -> None:
    """And nothing else on standard output until it is stopped."""
    with process(tmp_path / "kept.sqlite") as (running, address):
        assert httpx.get(f"{address}/api/health").status_code == 200
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
        assert running.stdout is not None
        assert running.stdout.read() == "closed\n"


def test_told_to_stop_it_ends_what_is_under_way(tmp_path: Path) -> None:
    """SIGTERM under load: every acknowledged event is there, and the end is in order."""
    database = tmp_path / "kept.sqlite"
    acknowledged, code = stopped_under_load(database, signal.SIGTERM, 0.5)
    assert code == 0
    assert acknowledged
    assert acknowledged <= kept(database)


def _killed(database: Path, times: int) -> None:
    acknowledged: set[str] = set()
    for turn in range(times):
        found, code = stopped_under_load(database, signal.SIGKILL, random.Random(turn).uniform(0.05, 0.6))
        assert code == -signal.SIGKILL
        acknowledged |= found
    there = kept(database)
    assert acknowledged
    assert acknowledged <= there
    batches = {one.rpartition("-")[0] for one in there}
    assert len(there) == 10 * len(batches)  # no batch is half there


def test_killed_under_load_it_has_kept_what_it_acknowledged(tmp_path: Path) -> None:
    """SIGKILL at any moment: acknowledged is on disk, and no batch is half there."""
    _killed(tmp_path / "kept.sqlite", 3)


@pytest.mark.long
def test_killed_often_under_load_it_has_kept_what_it_acknowledged(tmp_path: Path) -> None:
    """The same, fifty times over one database."""
    _killed(tmp_path / "kept.sqlite", 50)


def test_an_address_that_is_taken_is_a_plain_error(address: str) -> None:
    """Where, and the mend."""
    port = int(address.rpartition(":")[2])
    with pytest.raises(RunError, match=f"cannot listen on 127.0.0.1:{port}.* Give another --host or --port"):
        serve(None, host="127.0.0.1", port=port, ready=print)  # type: ignore[arg-type]
    assert post(address, "/v1/batch", json={"batch": []}).status_code == 200
