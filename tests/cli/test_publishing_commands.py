"""Commands on published definitions and keys keep the contracts of the command line."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from doorstep.cli import main
from postgres import serving

FUNNEL = """
funnel: signup
count_by: user_id
steps:
  - {event: signup}
  - {event: verify, window: 7d}
examples:
  - {name: fine, events: [{at: 0s, event: signup}, {at: 1d, event: verify}], expect: {reached: 2}}
"""

EVENTS = """user_id,event,time
u1,signup,2026-03-01T00:00:00Z
u1,verify,2026-03-06T00:00:00Z
"""


@dataclass
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a definition and its events, and nothing published."""
    for name in ("DOORSTEP_DATA", "DOORSTEP_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "signup.yaml").write_text(FUNNEL, "utf-8")
    (tmp_path / "events.csv").write_text(EVENTS, "utf-8")
    return tmp_path


class Doorstep:
    """The command line, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> Ran:
        self.monkeypatch.setattr(sys, "argv", ["doorstep", *arguments])
        heard = signal.getsignal(signal.SIGINT)
        with pytest.raises(SystemExit) as ended:
            main()
        signal.signal(signal.SIGINT, heard)
        told = self.capsys.readouterr()
        assert "Traceback" not in told.err
        return Ran(int(ended.value.code or 0), told.out, told.err)


@pytest.fixture
def doorstep(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doorstep:
    """The command line, in a directory with a definition."""
    return Doorstep(monkeypatch, capsys)


@pytest.fixture
def two(doorstep: Doorstep, place: Path) -> Doorstep:
    """The same, with two versions published by Ada."""
    doorstep("publish", "signup.yaml", "--by", "ada")
    (place / "signup.yaml").write_text(FUNNEL.replace("7d", "3d"), "utf-8")
    doorstep("publish", "signup.yaml", "--by", "ada", "--message", "a week was too long")
    return doorstep


def test_publish_tells_what_became_of_each_file(doorstep: Doorstep, place: Path) -> None:
    """0 when all is well, 1 for a refusal, 2 for what is no definition; JSON says the same."""
    first = doorstep("publish", "signup.yaml", "--json")
    assert first.code == 0
    assert first.json["ok"] is True
    assert [(one["result"], one["name"], one["version"]) for one in first.json["definitions"]] == [
        ("published", "signup", 1)
    ]
    assert doorstep("publish", "signup.yaml").out.split()[:2] == ["unchanged", "signup@1"]
    (place / "signup.yaml").write_text(FUNNEL.replace("reached: 2", "reached: 1"), "utf-8")
    refused = doorstep("publish", ".")
    assert refused.code == 1
    assert "examples-failed" in refused.out
    assert "fine: expected 1 steps reached, got 2" in refused.out
    (place / "wrong.yaml").write_text(FUNNEL.replace("count_by", "count_bye"), "utf-8")
    invalid = doorstep("publish", ".", "--json")
    assert invalid.code == 2
    assert [one["result"] for one in invalid.json["definitions"]] == ["refused", "invalid"]
    assert invalid.json["definitions"][1]["issues"][0]["position"]["line"] == 3


def test_versions_show_and_diff_tell_what_is_published(two: Doorstep, place: Path) -> None:
    """Numbers, hashes, whether a count may move; the text to the letter; the difference in words."""
    listed = two("versions", "signup", "--json").json["versions"]
    assert [(one["version"], one["moves_counts"], one["published_by"]) for one in listed] == [
        (1, True, "ada"),
        (2, True, "ada"),
    ]
    assert "a week was too long" in two("versions").out
    assert two("show", "signup@1").out == FUNNEL
    assert two("show", "signup").out == FUNNEL.replace("7d", "3d")
    assert two("show", "signup@1", "--json").json["canonical"]["steps"][1]["window"] == {"prev": 604_800_000_000}
    assert two("diff", "signup@1", "signup@2").out.strip() == "counts  step 2: window 7d -> 3d"
    (place / "signup.yaml").write_text(FUNNEL.replace("funnel: signup", "funnel: signup\ntitle: Sign up"), "utf-8")
    found = two("diff", "signup@1", "signup.yaml", "--json").json
    assert (found["same"], found["moves_counts"]) == (False, False)
    assert found["changes"] == [{"clause": "title", "message": 'title none -> "Sign up"', "moves_count": False}]
    assert "no difference" in two("diff", "signup", "signup@2").out


def test_a_freeze_refuses_until_it_is_released(two: Doorstep, place: Path) -> None:
    """Exit code 1, and who and why."""
    assert two("freeze", "signup", "--why", "experiment 12", "--by", "eve").code == 0
    (place / "signup.yaml").write_text(FUNNEL, "utf-8")
    for refused in (two("publish", "signup.yaml"), two("revert", "signup@1"), two("freeze", "signup", "--why", "x")):
        assert refused.code == 1
        assert "signup@2 was frozen by eve: experiment 12" in refused.out + refused.err
    assert "frozen by eve: experiment 12" in two("versions", "signup").out
    assert two("release", "signup", "--why", "over", "--by", "bob", "--json").json["released_by"] == "bob"
    assert two("release", "signup", "--why", "over").code == 1
    reverted = two("revert", "signup@1", "--by", "bob", "--json")
    assert (reverted.code, reverted.json["version"], reverted.json["reverts"]) == (0, 3, 1)


def test_a_published_version_stands_wherever_a_file_may(two: Doorstep) -> None:
    """Each counts by its own rules."""
    run = ("--events", "events.csv", "--json")
    counts = [[step["count"] for step in two("run", f"signup@{one}", *run).json["steps"]] for one in (1, 2)]
    assert counts == [[1, 1], [1, 0]]
    assert two("explain", "signup@2", "--unit", "u1", *run).json["attempts"][0]["status"] == "expired"
    assert two("check", "signup@latest", "--json").json["ok"] is True
    assert two("test", "signup@1").code == 0
    assert "at most 3 days" in two("describe", "signup@2").out


def test_what_is_not_there_is_told_with_what_is(two: Doorstep) -> None:
    """Exit code 2, one sentence, and as JSON when asked."""
    for arguments, told in {
        ("show", "signup@9"): "versions 1 to 2",
        ("run", "singup@1", "--events", "events.csv"): "Did you mean signup",
        ("revert", "signup"): "signup@1",
        ("show", "signup@0"): "Write name@3",
        ("diff", "signup@1", "sigup.yaml"): "Did you mean signup.yaml",
        ("versions", "--data", "elsewhere"): "Nothing was ever published in elsewhere",
        ("publish", "elsewhere"): "There is no file elsewhere",
    }.items():
        ran = two(*arguments)
        assert ran.code == 2, arguments
        assert told in ran.out + ran.err
    assert two("show", "signup@9", "--json").json["error"]["code"] == "no-such-version"


def test_keys_create_prints_the_key_and_nothing_else(doorstep: Doorstep, place: Path) -> None:
    """Once; lists do not show it; a revoked one is marked."""
    made = doorstep("keys", "create", "--data", "elsewhere", "--name", "web")
    key = made.out.strip()
    assert (made.code, made.err, made.out) == (0, "", f"{key}\n")
    assert key.startswith("dsk_")
    listed = doorstep("keys", "list", "--data", "elsewhere")
    assert "web" in listed.out
    assert key not in listed.out
    assert doorstep("keys", "create", "--name", "web", "--data", "elsewhere").code == 2
    assert doorstep("keys", "revoke", "web", "--data", "elsewhere").code == 0
    found = doorstep("keys", "list", "--data", "elsewhere", "--json").json["keys"]
    assert found[0]["revoked_at"] is not None
    assert doorstep("keys", "create", "--name", "web", "--data", "elsewhere", "--json").json["key"] != key


def test_the_environment_says_where(doorstep: Doorstep, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory, or the database of several servers."""
    monkeypatch.setenv("DOORSTEP_DATA", "by-environment")
    doorstep("publish", "signup.yaml")
    assert (place / "by-environment" / "doorstep.sqlite").exists()
    with serving() as server:
        monkeypatch.setenv("DOORSTEP_DATABASE", server.database())
        assert doorstep("versions", "--json").json == {"versions": []}
        assert doorstep("publish", "signup.yaml", "--json").json["definitions"][0]["version"] == 1
        assert doorstep("show", "signup@1").out == FUNNEL


def test_drift_without_files_looks_at_what_is_published(doorstep: Doorstep) -> None:
    """The latest version of each definition, or a published one by name; with nothing published that is said."""
    events = ("--events", "events.csv", "--json")
    assert doorstep("drift", *events).json["error"]["code"] == "no-registry"
    doorstep("keys", "create", "--name", "web")
    assert doorstep("drift", *events).json["error"]["code"] == "nothing-published"
    doorstep("publish", "signup.yaml", "--by", "ada")
    told = doorstep("drift", *events)
    assert (told.code, [one["code"] for one in told.json["findings"]]) == (1, ["little-history"])
    assert doorstep("drift", "signup@1", *events).json == told.json
