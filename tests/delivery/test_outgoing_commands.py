"""Destinations, deliveries and the audit log on the command line, and deliveries by a server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from commands import typed
from doorstep.delivery.deliveries import delivery
from doorstep.delivery.outbox import put
from doorstep.delivery.sealing import VARIABLE
from doorstep.registry import open_database
from outboxes import message
from receivers import Says, receiving


class Terminal:
    """Runs commands in this process, over one data directory."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"

    def __call__(self, *words: str, exits: int = 0) -> str:
        ran = typed(self.data.parent, *words, "--data", str(self.data))
        assert ran.returncode == exits, ran
        return ran.stdout or ran.stderr

    def json(self, *words: str, exits: int = 0) -> Any:
        return json.loads(self(*words, "--json", exits=exits))

    def put(self, *names: str) -> None:
        """Puts messages to the crm."""
        database = open_database(self.data, create=True)
        database.write(lambda session: put(session, [message(one) for one in names], time.time_ns() // 1000))
        database.close()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A command line with an empty data directory."""
    monkeypatch.delenv("DOORSTEP_DATABASE", raising=False)
    monkeypatch.delenv(VARIABLE, raising=False)
    return Terminal(tmp_path)


def test_a_webhook_is_added_tested_sent_to_and_removed(run: Terminal, tmp_path: Path) -> None:
    """Its secret is printed once and verifies what comes; it is nowhere else."""
    with receiving() as crm:
        (tmp_path / "url").write_text(f"{crm.address}/in?key=hidden\n", "utf-8")
        assert "not-https" in run("destinations", "add", "webhook", "crm", "--url", "http://example.com", exits=2)
        added = run("destinations", "add", "webhook", "crm", "--url-file", str(tmp_path / "url"), exits=2)
        assert "destinations allow 127.0.0.1" in added
        run("destinations", "allow", "127.0.0.1")
        added = run.json("destinations", "add", "webhook", "crm", "--url-file", str(tmp_path / "url"), "--by", "ann")
        secret = added["secret"]
        assert (added["url"], added["added_by"], added["waiting"]) == (f"{crm.address}/…", "ann", 0)
        tested = run.json("destinations", "test", "crm")
        assert (tested["delivered"], tested["status"], tested["answer"]) == (True, 200, "ok")
        run.put("m1", "m2")
        assert run.json("destinations", "show", "crm")["waiting"] == 2
        assert run.json("deliver") == {"delivered": 2, "failed": 0, "parked": 0}
        for one in crm.came:
            Verifier(secret).verify(one.body, dict(one.headers))
        shown = run.json("deliveries", "show", "m1")
        assert (shown["state"], shown["tried"][0]["status"], shown["body"]) == ("delivered", 200, {"n": "m1"})
        assert "m1" in run("deliveries", "show", "m1")
        told = run("destinations", "list") + run("destinations", "show", "crm") + run("audit", "--json")
        assert "hidden" not in told
        assert secret not in told
        assert run.json("destinations", "remove", "crm") == {"name": "crm", "parked": 0}
        assert [one["act"] for one in run.json("audit", "--subject", "destination")["acts"]] == [
            "removed",
            "tested",
            "added",
        ]
        assert run.json("destinations", "list") == {"destinations": [], "allowed_hosts": ["127.0.0.1"]}
        run("destinations", "forbid", "127.0.0.1")


def test_what_fails_is_told_and_exits_with_one(run: Terminal) -> None:
    """A test that is not taken, a delivery that is to be tried again, what is parked and replayed."""
    with receiving(lambda _: Says(500, b"out of order")) as crm:
        run("destinations", "allow", "127.0.0.1")
        run("destinations", "add", "slack", "crm", "--url", crm.address)
        assert "answered 500 (out of order)" in run("destinations", "test", "crm", exits=1)
        run.put("m1")
        assert run.json("deliver", exits=1) == {"delivered": 0, "failed": 1, "parked": 0}
        waiting = run.json("deliveries", "list", "--state", "waiting")["deliveries"]
        assert [(one["id"], one["attempts"], one["why"]) for one in waiting] == [("m1", 1, "answered 500")]
        assert "not-parked" in run("deliveries", "replay", "m1", exits=2)
        run("destinations", "remove", "crm")
        assert [one["id"] for one in run.json("deliveries", "list", "--state", "parked")["deliveries"]] == ["m1"]
        assert run.json("deliveries", "replay", "m1") == {"replayed": 1}
        assert run.json("deliver", exits=1) == {"delivered": 0, "failed": 0, "parked": 1}
        assert run.json("deliveries", "replay", "--destination", "crm") == {"replayed": 1}
    for words, code in (
        (["deliveries", "replay"], "what-to-replay"),
        (["deliveries", "show", "nothing"], "no-such-delivery"),
        (["deliveries", "list", "--state", "lost"], "bad-state"),
        (["destinations", "add", "slack", "x"], "which-url"),
        (["destinations", "show", "crm"], "no-such-destination"),
    ):
        assert run.json(*words, exits=2)["error"]["code"] == code


def test_mail_is_added_with_a_password_from_a_file(run: Terminal, tmp_path: Path) -> None:
    """And shown without it."""
    (tmp_path / "password").write_text("hunter2\n", "utf-8")
    words = ["destinations", "add", "email", "post", "--host", "smtp.example.com", "--from", "door@example.com"]
    words += ["--to", "a@example.com", "--username", "door", "--password-file", str(tmp_path / "password")]
    added = run.json(*words)
    assert (added["host"], added["port"], added["security"], added["to"]) == (
        *("smtp.example.com", 465, "tls"),
        ["a@example.com"],
    )
    assert "hunter2" not in json.dumps(added) + run("destinations", "show", "post")


def test_a_server_delivers_by_itself(run: Terminal, tmp_path: Path) -> None:
    """What is put while it serves goes out soon; told to stop, it stops soon though a receiver hangs."""
    hang = [0.0]
    with receiving(lambda _: Says(seconds=hang[0])) as crm:
        run("destinations", "allow", "127.0.0.1")
        run("destinations", "add", "webhook", "crm", "--url", crm.address)
        command = [str(Path(sys.executable).parent / "doorstep"), "serve", "--data", str(run.data), "--port", "0"]
        with subprocess.Popen(
            [*command, "--deliver-every", "0.05"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as serving:
            assert serving.stdout is not None
            assert serving.stdout.readline().startswith("http://127.0.0.1:")
            run.put("m1")
            deadline = time.monotonic() + 20
            while crm.ids != ["m1"] and time.monotonic() < deadline:
                time.sleep(0.01)
            hang[0] = 2.0
            run.put(*(f"n{n}" for n in range(20)))
            while len(crm.ids) < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            os.kill(serving.pid, signal.SIGINT)
            assert serving.wait(30) == 0
    assert crm.ids[:2] == ["m1", "n0"]
    assert len(crm.ids) < 10
    database = open_database(run.data, create=False)
    assert delivery(database, "m1")[0].state == "delivered"
    assert delivery(database, "n19")[0].state == "waiting"
    database.close()
