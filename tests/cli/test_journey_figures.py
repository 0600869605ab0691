"""Show, accounts, history, and journeys among what is published, as a person types them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from commands import typed

JOURNEY = """journey: lifecycle
count_by: account_id
movement: {backward: true}
stages:
  - {id: new, name: New}
  - {id: busy, name: Busy, criteria: {count: {at_least: 2, in_last: 7d}}}
  - {id: paying, name: Paying, criteria: {did: paid}}
examples:
  - {name: two make busy, events: [{at: 0s, event: a}, {at: 1s, event: a}], expect: {stage: busy}}
"""
ROWS = [("x", "a", "01"), ("x", "a", "04"), ("x", "paid", "05"), ("y", "a", "05"), ("y", "b", "06"), ("z", "a", "02")]
WORDS = ("--events", "e.csv", "--until", "2026-01-20")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journey and its events."""
    path = tmp_path_factory.mktemp("figures")
    (path / "j.yaml").write_text(JOURNEY, "utf-8")
    lines = [f"{account},{event},2026-01-{day}T00:00:00Z" for account, event, day in ROWS]
    (path / "e.csv").write_text("\n".join(["account_id,event,time", *lines]), "utf-8")
    return path


def _run(place: Path, *words: str, code: int = 0) -> Any:
    ran = typed(place, *words)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return json.loads(ran.stdout) if "--json" in words else ran.stdout


def test_show_draws_stages_with_what_moved_and_who_is_stuck(place: Path) -> None:
    """Counts, conversion and stuck accounts, as bars, as JSON and as CSV; more sections where they are asked for."""
    told = _run(place, "journey", "show", "j.yaml", *WORDS, "--stuck", "10d", "--json", "--flow", "--over", "week")
    assert [(one["id"], one["accounts"], one["reached"], one["stuck"]) for one in told["stages"]] == [
        ("new", 2, 3, 1),
        ("busy", 0, 2, 0),
        ("paying", 1, 1, 1),
    ]
    assert {(one["from"], one["to"]): one["count"] for one in told["flow"]["passages"]}["busy", "new"] == 1
    assert [one["start"] for one in told["distribution"]["periods"]] == [
        "2025-12-29",
        "2026-01-05",
        "2026-01-12",
        "2026-01-19",
    ]
    drawn = _run(place, "journey", "show", "j.yaml", *WORDS, "--cohorts", "month")
    assert "3 accounts; most are in New (2)" in drawn
    assert "Reached Busy or went past it" in drawn
    lines = list(csv.DictReader(io.StringIO(_run(place, "journey", "show", "j.yaml", *WORDS, "--csv"))))
    assert [(one["stage"], one["accounts"]) for one in lines] == [("new", "2"), ("busy", "0"), ("paying", "1")]
    assert "bad-duration" in _error(place, "journey", "show", "j.yaml", *WORDS, "--stuck", "soon")
    assert "bad-period" in _error(place, "journey", "show", "j.yaml", *WORDS, "--over", "year")


def _error(place: Path, *words: str) -> str:
    ran = typed(place, *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    return ran.stderr


def test_accounts_are_listed_with_what_they_lack(place: Path) -> None:
    """Longest in their stage first; by stage, by how long, by when they came; in a file with the same columns."""
    told = _run(place, "journey", "accounts", "j.yaml", *WORDS, "--json")
    assert [(one["unit"], one["stage"], one["next_stage"], one["lacks"]) for one in told["accounts"]] == [
        ("z", "new", "busy", "0 of 2 activities in the last 7 days"),
        ("x", "paying", None, None),
        ("y", "new", "busy", "0 of 2 activities in the last 7 days"),
    ]
    some = _run(
        place, "journey", "accounts", "j.yaml", *WORDS, "--stage", "new", "--changed-since", "2026-01-10", "--json"
    )
    assert [one["unit"] for one in some["accounts"]] == ["y"]
    _run(place, "journey", "accounts", "j.yaml", *WORDS, "--stuck", "10d", "--out", "stuck.parquet")
    assert pyarrow.parquet.read_table(place / "stuck.parquet").column("unit").to_pylist() == ["z", "x"]
    assert "Did you mean busy?" in _error(place, "journey", "accounts", "j.yaml", *WORDS, "--stage", "bussy")
    assert "nothing further on" in _run(place, "journey", "accounts", "j.yaml", *WORDS)


def test_history_names_what_tipped(place: Path) -> None:
    """In words and as JSON."""
    told = _run(place, "journey", "history", "j.yaml", *WORDS, "--unit", "y")
    assert "new → busy" in told
    assert "▸ 2 activities in the last 7 days: the second, b on Tuesday 2026-01-06 00:00 UTC" in told
    steps = _run(place, "journey", "history", "j.yaml", *WORDS, "--unit", "y", "--json")["steps"]
    assert [(one["to_stage"], one["evidence"][0]["rows"][0]["did"]) for one in steps] == [
        ("busy", "came"),
        ("new", "left"),
    ]


def test_a_published_journey_is_named_wherever_a_file_is(place: Path) -> None:
    """Publish runs its examples; versions, show, diff in words, revert; and a name that is a journey stays one."""
    assert "published  lifecycle@1" in _run(place, "publish", "j.yaml")
    (place / "j2.yaml").write_text(JOURNEY.replace("at_least: 2, in_last: 7d", "at_least: 2, in_last: 14d"), "utf-8")
    assert "unchanged" in _run(place, "publish", "j.yaml")
    assert "lifecycle@2" in _run(place, "publish", "j2.yaml")
    told = _run(place, "diff", "lifecycle@1", "lifecycle@2", "--json")
    assert [(one["clause"], one["moves_count"]) for one in told["changes"]] == [("stages[1].criteria", True)]
    assert "in the last 7 days -> at least 2 rows" in told["changes"][0]["message"]
    assert _run(place, "journey", "replay", "lifecycle@1", *WORDS, "--json")["journey"]["name"] == "lifecycle"
    assert _run(place, "check", "lifecycle@2", "--json")["ok"]
    assert "1 of 1 examples pass" in _run(place, "test", "lifecycle@latest")
    assert _run(place, "describe", "lifecycle@1").startswith("lifecycle")
    assert _run(place, "show", "lifecycle@1").startswith("journey: lifecycle")
    assert "lifecycle@3" in _run(place, "revert", "lifecycle@1")
    assert [one["kind"] for one in _run(place, "versions", "--json")["versions"]] == ["journey"]
    assert "not-a-funnel" in _error(place, "run", "lifecycle@1", "--events", "e.csv")
    (place / "f.yaml").write_text("funnel: lifecycle\ncount_by: account_id\nsteps: [{event: a}, {event: b}]\n", "utf-8")
    assert "other-kind" in _run(place, "publish", "f.yaml", code=1)
    (place / "bad.yaml").write_text(JOURNEY.replace("{stage: busy}", "{stage: paying}"), "utf-8")
    assert "examples-failed" in _run(place, "publish", "bad.yaml", code=1)


def test_check_holds_a_journey_against_its_data(place: Path) -> None:
    """Unknown events, properties and traits with the nearest names, and literals that no row can meet."""
    text = JOURNEY.replace(
        "did: paid", "did: {event: payed, filters: {amount: 1}}, trait: {plna: pro}, sum: {property: evnt, at_least: 1}"
    )
    (place / "odd.yaml").write_text(text.split("examples")[0], "utf-8")
    (place / "t.csv").write_text("account_id,plan\nx,pro\n", "utf-8")
    told = _run(place, "check", "odd.yaml", "--events", "e.csv", "--traits", "t.csv", "--json")
    assert {
        (one["code"], one["path"], one["suggestion"]) for one in told["issues"] if one["code"].startswith("unknown")
    } == {
        ("unknown-event", "stages[2].criteria.did.event", "Did you mean `paid`?"),
        ("unknown-property", "stages[2].criteria.did.filters", "Did you mean `account_id`?"),
        ("unknown-trait", "stages[2].criteria.trait", "Did you mean `plan`?"),
        ("unknown-property", "stages[2].criteria.sum.property", "Did you mean `event`?"),
    }
    literal = JOURNEY.replace("did: paid", "did: {event: paid, filters: {account_id: 7}}").split("examples")[0]
    (place / "never.yaml").write_text(literal, "utf-8")
    told = _run(place, "check", "never.yaml", "--events", "e.csv", "--json", code=1)
    assert [one["path"] for one in told["issues"] if one["code"] == "impossible-literal"] == [
        "stages[2].criteria.did.filters"
    ]


def test_a_preview_tells_what_would_be_and_writes_who_stands_elsewhere(place: Path) -> None:
    """Weeks, flapping and the other journey, in words and as JSON; nothing is written but what is asked for."""
    (place / "next.yaml").write_text(JOURNEY.replace("in_last: 7d", "in_last: 30d"), "utf-8")
    words = ("journey", "preview", "next.yaml", "--against", "j.yaml", *WORDS)
    told = _run(place, *words, "--out", "moved.csv")
    assert "nothing is announced" in told
    assert "1 account would stand elsewhere" in told
    assert (place / "moved.csv").read_text("utf-8").split() == ['"unit","before","after"', '"y","new","busy"']
    found = _run(place, *words, "--json")
    assert found["against"]["listed"] == [{"unit": "y", "before": "new", "after": "busy"}]
    assert len(found["weeks"]) == 4
    assert "--against" in _error(place, "journey", "preview", "j.yaml", *WORDS, "--out", "x.csv")
