"""`--json` of every command: exactly one document on standard output, whatever comes of it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import doorstep
from cli.test_cli import FUNNEL
from commands import typed
from doorstep.cli.whole import app
from doorstep.delivery.outbox import put
from doorstep.ingest.records import Rejected
from doorstep.registry import open_database
from lakes import START
from outboxes import message
from receivers import receiving

EVENTS = """user_id,account_id,event,time,form,staff
u1,acme,signup,2026-03-01T00:00:00Z,short,
u1,acme,verify,2026-03-03T02:00:00Z,short,
u2,acme,signup,2026-03-01T00:00:00Z,long,
u2,acme,session,2026-03-12T12:00:00Z,long,true
"""
JOURNEY = """
journey: lives
count_by: account_id
stages: [{id: new}, {id: in, criteria: {did: verify}}]
"""
FILES = "--events events.csv"
STORY = f"""
schema | demo made --rows 1000 | journey demo lives --accounts 3
check funnel.yaml {FILES} | describe funnel.yaml | test funnel.yaml | run funnel.yaml {FILES}
explain funnel.yaml {FILES} --unit u2 | people funnel.yaml {FILES} --save early --data kept --by ann
sensitivity funnel.yaml {FILES} | compare funnel.yaml other.yaml {FILES} | experiment funnel.yaml {FILES} --variant form
why funnel.yaml {FILES} --step 2 | drift funnel.yaml {FILES}
segments list --data kept | segments show early --data kept | segments delete early@1 --data kept
import events.csv --data kept | import events.csv --data kept --dry-run
lake create --data new | lake show --data kept | lake settle --data kept | lake compact --data kept
lake check --data kept | lake repair --data kept | lake rejects list --data kept | lake rejects show 1 --data kept
lake rejects replay --data kept | identity --data kept | identity who u1 --data kept
publish funnel.yaml --data kept --by ann | publish other.yaml --data kept --by ann | versions --data kept
show signup@1 --data kept | diff signup@1 signup@2 --data kept | revert signup@1 --data kept --by ann
freeze signup --why trial --data kept --by ann | release signup --why over --data kept --by ann
freeze-run signup --data kept --by ann | runs --data kept | rerun RUN --data kept
journey replay lives.yaml {FILES} | journey explain lives.yaml {FILES} --unit acme | journey show lives.yaml {FILES}
journey accounts lives.yaml {FILES} | journey history lives.yaml {FILES} --unit acme
journey preview lives.yaml {FILES} | journey draft lives.yaml --data kept --by ann
journey activate lives --data kept --by ann | sync --data kept
journey move lives --unit acme --to in --reason paper --data kept --by ann | journey list --data kept
journey export lives --to moves.csv --data kept | journey pause lives --data kept --by ann
journey archive lives --data kept --by ann
destinations allow 127.0.0.1 --data kept --by ann | destinations add webhook crm --url RECEIVER --data kept --by ann
destinations add slack owners --url https://hooks.slack.com/services/x --data kept --by ann
destinations add email mail --host smtp.example.com --from door@example.com --data kept --by ann
destinations list --data kept | destinations show crm --data kept | destinations test crm --data kept --by ann
deliver --data kept | deliveries list --data kept | deliveries show m1 --data kept
deliveries replay --destination crm --data kept --by ann | destinations forbid 127.0.0.1 --data kept --by ann
destinations remove crm --data kept --by ann | audit --data kept
keys create --name shop --data kept | keys list --data kept | keys revoke shop --data kept
"""

NOTICED = frozenset({"signals", "tasks", "workflow"})
OF_SEGMENTS = frozenset({("segments", "publish"), ("segments", "members"), ("segments", "history")})
"""What needs accounts that move has a story of its own, in tests/automations/test_commands.py."""


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The names of every command that takes `--json`."""
    if any("--json" in one.opts for one in command.params):
        yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


COMMANDS = sorted(_commands(typer.main.get_command(app)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Definitions, events, and a lake with one reject."""
    (tmp_path / "funnel.yaml").write_text(FUNNEL, "utf-8")
    (tmp_path / "other.yaml").write_text(FUNNEL.replace("window: 3d", "window: 2d"), "utf-8")
    (tmp_path / "lives.yaml").write_text(JOURNEY, "utf-8")
    (tmp_path / "events.csv").write_text(EVENTS, "utf-8")
    with doorstep.open_lake(tmp_path / "kept") as lake:
        lake.accept([], [Rejected("no-event", "it has no name", START, "shop", "{}")])
    return tmp_path


def _run(place: Path, *words: str) -> tuple[int, Any]:
    """A command's exit code and the one document that it printed."""
    ran = typed(place, *words, "--json")
    return ran.returncode, json.loads(ran.stdout, parse_constant=_refuse)


@pytest.fixture
def receiver(place: Path) -> Iterator[str]:
    """Where messages can be sent to; one waits for it."""
    database = open_database(place / "kept", create=True)
    database.write(lambda session: put(session, [message("m1")], START))
    database.close()
    with receiving() as found:
        yield found.address


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_error_is_one_document(place: Path, words: tuple[str, ...]) -> None:
    """With its code and its sentence, and exit code 2: of an option that is not there, and of a value that is missing
    or stands for nothing.
    """
    code, told = _run(place, *words, "--no-such-option")
    assert (code, told["error"]["code"]) == (2, "usage")
    assert "--no-such-option" in told["error"]["message"]


def test_every_command_says_its_answer_as_one_document(place: Path, receiver: str) -> None:
    """A story that every command with `--json` has its part in; nothing is NaN."""
    told: set[tuple[str, ...]] = set()
    frozen = ""
    for line in re.split(r"[|\n]", STORY.strip()):
        words = shlex.split(line.replace("RUN", frozen).replace("RECEIVER", receiver))
        code, found = _run(place, *words)
        assert code == (1 if words[0] == "drift" else 0), (line, found)
        assert "error" not in found, line
        if words[0] == "freeze-run":
            frozen = found["id"]
        told.add(next(one for one in reversed(COMMANDS) if tuple(words[: len(one)]) == one))
    assert told == {one for one in COMMANDS if one[0] not in NOTICED and one not in OF_SEGMENTS}
