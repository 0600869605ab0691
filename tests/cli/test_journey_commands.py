"""The commands about journeys, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commands import typed

JOURNEY = """journey: lifecycle
count_by: account_id
movement: {backward: true}
stages:
  - {id: new}
  - {id: busy, name: Busy, criteria: {count: {at_least: 2, in_last: 10s}}}
  - {id: paying, criteria: {trait: {plan: pro}, count: {at_least: 3, in_last: 10s}}}
examples:
  - {name: busy, events: [{at: 0s, event: a}, {at: 1s, event: a}], expect: {stage: busy}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A journey, events and traits."""
    (tmp_path / "j.yaml").write_text(JOURNEY, "utf-8")
    (tmp_path / "e.csv").write_text(
        "account_id,event,time\nx,a,2026-01-01T00:00:00Z\nx,a,2026-01-01T00:00:04Z\ny,a,2026-01-01T00:00:05Z\n", "utf-8"
    )
    (tmp_path / "t.csv").write_text("account_id,plan\nx,free\n", "utf-8")
    return tmp_path


def _run(place: Path, *words: str, code: int = 0) -> Any:
    ran = typed(place, *words)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return json.loads(ran.stdout) if "--json" in words else ran.stdout + ran.stderr


def test_a_replay_counts_accounts_by_stage(place: Path) -> None:
    """JSON, a table for people, and a file of transitions."""
    words = ("journey", "replay", "j.yaml", "--events", "e.csv", "--traits", "t.csv")
    told = _run(place, *words, "--json")
    assert [(one["id"], one["accounts"], one["entered"]) for one in told["stages"]] == [
        ("new", 1, 0),
        ("busy", 1, 1),
        ("paying", 0, 0),
    ]
    assert (told["accounts"], told["transitions"]) == (2, 1)
    assert "2 accounts, 1 transition" in _run(place, *words, "--transitions", "t.parquet")
    assert (place / "t.parquet").exists()


def test_explain_says_what_is_lacking_and_until_when(place: Path) -> None:
    """How many of how many, when the oldest leaves, and which trait is in the way."""
    words = ("journey", "explain", "j.yaml", "--events", "e.csv", "--traits", "t.csv", "--unit", "x")
    told = _run(place, *words)
    assert (
        "2 of 3 activities in the last 10 seconds; the oldest leaves the window on Thursday 2026-01-01 00:00:10" in told
    )
    assert "plan is 'free', not 'pro'" in told
    assert _run(place, *words, "--json")["stage"] == "busy"
    assert "no-such-unit" in _run(place, *words[:-1], "z", code=2)


def test_check_describe_and_test_take_journeys(place: Path) -> None:
    """Findings with their places, prose, and examples; errors with code 1."""
    assert _run(place, "check", "j.yaml", "--json")["journey"]["name"] == "lifecycle"
    assert "2. busy (Busy): at least 2 rows" in _run(place, "describe", "j.yaml")
    assert "1 of 1 examples pass" in _run(place, "test", "j.yaml")
    (place / "j.yaml").write_text(JOURNEY.replace("criteria: {trait", "criterai: {trait"), "utf-8")
    told = _run(place, "check", "j.yaml", "--json", code=1)
    assert [(one["code"], one["position"]["line"]) for one in told["issues"]] == [("unknown-key", 7)]
    assert "not-a-funnel" in _run(place, "run", "j.yaml", "--events", "e.csv", code=2)
