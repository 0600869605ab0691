"""The whole road: an official SDK sends, a funnel counts within seconds, a frozen run stays what it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segment.analytics.client import Client as Segment

DOORSTEP = str(Path(sys.executable).parent / "doorstep")
FUNNEL = """
funnel: signup
count_by: user_id
steps: [{event: signup}, {event: verify, window: 7d}]
examples:
  - {name: both, events: [{at: 0s, event: signup}, {at: 1h, event: verify}], expect: {reached: 2}}
"""


def doorstep(*arguments: str) -> Any:
    """What a command answers, as JSON."""
    done = subprocess.run([DOORSTEP, *arguments, "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """The address of `doorstep serve`, which is ended by SIGTERM."""
    command = [DOORSTEP, "serve", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)


def send(address: str, key: str, users: range, event: str) -> None:
    client = Segment(key, host=address, sync_mode=False)
    for user in users:
        client.track(f"u{user}", event)
    client.flush()
    client.join()


def counts(data: Path) -> list[int]:
    return [step["count"] for step in doorstep("run", "signup@1", "--lake", str(data), "--data", str(data))["steps"]]


def wait_for(data: Path, expected: list[int]) -> None:
    """Until a run counts this; events are seen within seconds."""
    end = time.monotonic() + 60
    while counts(data) != expected and time.monotonic() < end:
        time.sleep(0.5)
    assert counts(data) == expected


def test_sent_counted_frozen_and_counted_again(tmp_path: Path) -> None:
    """More events move a run of today, and not the frozen one."""
    data = tmp_path / "data"
    (tmp_path / "signup.yaml").write_text(FUNNEL, "utf-8")
    key = doorstep("keys", "create", "--data", str(data), "--name", "shop")["key"]
    doorstep("publish", str(tmp_path / "signup.yaml"), "--data", str(data), "--by", "ana")
    with serving(data) as address:
        send(address, key, range(5), "signup")
        send(address, key, range(2), "verify")
        wait_for(data, [5, 2])
        frozen = doorstep("freeze-run", "signup@1", "--data", str(data), "--by", "ana")
        send(address, key, range(2, 9), "signup")
        send(address, key, range(2, 4), "verify")
        wait_for(data, [9, 4])
    doorstep("lake", "compact", "--lake", str(data), "--history", "0")
    again = doorstep("rerun", frozen["id"], "--data", str(data))
    assert again["same"] is True
    assert [step["count"] for step in again["run"]["steps"]] == [5, 2]
    assert counts(data) == [9, 4]
