"""The commands on what is noticed keep the contracts of the command line: JSON, exit codes, one paragraph."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands import typed
from ledgers import event
from worlds import HOUR, World

Doorstep = Callable[..., tuple[int, str, str]]

WORKFLOW = """
workflow: tell
trigger: {signal: back}
actions:
  - slack: {to: ops, text: "{{account.name}}"}
  - wait: 3d
  - task: {title: "Call {{account.id}}"}
"""


@pytest.fixture
def doorstep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doorstep:
    """The command line, in this process and in a directory of its own."""
    for name in ("DOORSTEP_DATA", "DOORSTEP_DATABASE"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        ran = typed(tmp_path, *words)
        return ran.returncode, ran.stdout, ran.stderr

    return run


def test_what_was_noticed_is_told_and_worked_through_as_json(doorstep: Doorstep, tmp_path: Path) -> None:
    """Every command with --json prints one document; what is asked for and is not there is exit code 2."""
    world = World.in_(tmp_path / "kept")
    world.activate()
    world.accept(
        event(1, "acme", "project_created", HOUR), *(event(2 + n, "acme", "work", (1 + n) * HOUR) for n in range(3))
    )
    world.close()
    (tmp_path / "back.yaml").write_text("signal: back\nwhen: {moved_back: {journey: lives}}\n")
    (tmp_path / "tell.yaml").write_text(WORKFLOW)
    (tmp_path / "low.yaml").write_text("segment: low\ncriteria: {stage: {journey: lives, is: activated}}\n")

    def asked(*arguments: str, code: int = 0) -> Any:
        data = ["--data", "kept"]
        found, out, err = doorstep(*arguments, *data, "--json")
        assert found == code, (out, err)
        return json.loads(out)

    at = ["--at", "2026-01-01"]
    assert asked("signals", "publish", "back.yaml", *at)["result"] == "published"
    told = asked("workflow", "publish", "tell.yaml", *at)
    assert [one["code"] for one in told["findings"]] == ["not-there-yet"]
    assert asked("workflow", "publish", "tell.yaml", *at)["result"] == "unchanged"
    assert asked("segments", "publish", "low.yaml", *at)["version"] == 1
    assert asked("signals", "defined")["signals"][0]["about"] == "moved back; informational, medium"
    assert asked("workflow", "list")["workflows"][0]["about"] == "on signal: slack, wait, task"
    assert asked("sync", "--at", "2026-01-01T05:00")[0]["added"] == 2
    assert asked("workflow", "dry-run", "tell", "--account", "acme", code=1)["fits"] is False
    asked("sync", "--at", "2026-01-08T02:00")
    (fired,) = asked("signals", "list", "--state", "new")["firings"]
    assert (fired["account"], fired["occurred_at"]) == ("acme", "2026-01-08T01:00:00Z")
    assert asked("signals", "show", fired["id"])["evidence"]["transition"]["from"] == "engaged"
    assert asked("signals", "ack", fired["id"][:8], "--by", "eve")["state"] == "acknowledged"
    assert asked("signals", "snooze", fired["id"], "--for", "2d", *at)["snoozed_until"] == "2026-01-03T00:00:00Z"
    assert asked("signals", "resolve", fired["id"], "--note", "called")["note"] == "called"
    found = asked("workflow", "dry-run", "tell.yaml", "--at", "2026-01-08T02:00")
    assert [one["action"] for one in found["steps"]] == ["slack", "wait", "task"]
    assert found["steps"][0]["message"]["body"] == {"text": "acme"}
    assert found["steps"][2]["at"] == "2026-01-11T02:00:00Z"
    (run,) = asked("workflow", "runs")["runs"]
    assert (run["state"], [one["action"] for one in run["steps"]]) == ("waiting", ["slack", "wait"])
    assert asked("workflow", "pause", "tell")["paused"] is True
    asked("sync", "--at", "2026-01-11T03:00")
    assert asked("tasks", "list")["tasks"] == []
    asked("workflow", "resume", "tell")
    asked("sync", "--at", "2026-01-11T04:00")
    assert asked("signals", "pause", "back")["paused"] is True
    assert asked("signals", "resume", "back")["paused"] is False
    (task,) = asked("tasks", "list")["tasks"]
    assert asked("tasks", "done", task["id"])["state"] == "done"
    assert [one["account"] for one in asked("segments", "members", "low")["list"]] == ["acme"]
    history = asked("segments", "history", "low")
    assert [(one["members"], one["entered"]) for one in history["sizes"]] == [(0, 0), (1, 1)]
    assert asked("segments", "list")["criteria"][0]["members"] == 1
    acts = {(one["subject"], one["act"]) for one in asked("audit")["acts"]}
    assert {("signal", "published"), ("firing", "resolved"), ("workflow", "paused"), ("task", "done")} <= acts
    for command in (("signals", "show", "ffff"), ("workflow", "pause", "tel"), ("segments", "members", "lo")):
        assert asked(*command, code=2)["error"]["code"].startswith("no-such-")
    assert "Did you mean tell?" in doorstep("workflow", "pause", "tel", "--data", "kept")[2]


def test_documents_are_checked_described_and_have_schemas(doorstep: Doorstep, tmp_path: Path) -> None:
    """As funnels are; another kind than is meant is told by its name."""
    (tmp_path / "tell.yaml").write_text(WORKFLOW)
    assert doorstep("check", "tell.yaml")[0] == 0
    assert "2. Wait 3 days." in doorstep("describe", "tell.yaml")[1]
    code, _, err = doorstep("run", "tell.yaml", "--events", "none.csv")
    assert (code, "defines a workflow, where a funnel is meant" in err) == (2, True)
    (tmp_path / "bad.yaml").write_text(WORKFLOW.replace("wait: 3d", "wiat: 3d"))
    code, out, _ = doorstep("check", "bad.yaml", "--json")
    assert (code, json.loads(out)["issues"][0]["suggestion"]) == (1, "Did you mean `wait`?")
    for kind in ("segment", "signal", "workflow"):
        assert json.loads(doorstep("schema", "--kind", kind)[1])["title"] == f"Doorstep {kind}"
    assert doorstep("schema", "--kind", "signl")[0] == 2
