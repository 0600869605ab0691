"""The official Node SDKs, unmodified, pointed at a real server. `make test` installs them from their lock."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from doorstep.ingest.records import Alias, Event, Identify, Member, Traits
from sent import SAID, in_order, untimed
from servers import KEY
from sinks import SqliteSink

HERE = Path(__file__).parent / "node"
INSTALLED = HERE / "node_modules"

pytestmark = pytest.mark.skipif(
    not INSTALLED.is_dir() and "CI" not in os.environ, reason="npm is not here; with it, `make test` installs the SDKs"
)


def send(sdk: str, address: str) -> None:
    node = shutil.which("node")
    assert node is not None, "node is missing; .ci/run installs it"
    ran = subprocess.run(
        [node, "send.cjs", sdk, address, KEY], cwd=HERE, capture_output=True, text=True, check=False, timeout=60
    )
    assert (ran.returncode, ran.stdout) == (0, "sent\n"), ran.stderr


@pytest.mark.parametrize("sdk", ["segment", "rudderstack"])
def test_segments_kin(address: str, sink: SqliteSink, sdk: str) -> None:
    """Batches of three, flushed at the end; RudderStack's come packed."""
    send(sdk, address)
    in_order(untimed(sink.records()), SAID)
    assert sink.rejects() == []


def test_posthogs_sdk(address: str, sink: SqliteSink) -> None:
    """Events at once and in packed batches, an alias in its own direction, and a group without a person."""
    send("posthog", address)
    in_order(
        untimed(sink.records()),
        [
            (Event, {"event": "Signed Up", "user_id": "u1", "account_id": "acme", "properties": {"plan": "pro"}}),
            (Member, {"account_id": "acme", "user_id": "u1"}),
            (Traits, {"holder": "user", "id": "u1", "values": {"email": "a@x.test"}}),
            (Identify, {"anonymous_id": "a1", "user_id": "u1"}),
            (Alias, {"previous_id": "old", "user_id": "u1"}),
            (Traits, {"holder": "account", "id": "acme", "values": {"seats": 9}}),
            (Event, {"event": "Opened", "user_id": "u1"}),
        ],
    )
    assert sink.rejects() == []


@pytest.mark.parametrize("sdk", ["segment", "rudderstack"])
def test_sdks_come_again_when_they_are_asked_to(address: str, sink: SqliteSink, sdk: str) -> None:
    """A 429 costs time and no event."""
    sink.busy = 1
    send(sdk, address)
    in_order(untimed(sink.records()), SAID)
    assert sink.busy == 0
