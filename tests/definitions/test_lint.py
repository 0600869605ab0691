"""Findings about valid definitions, one case a finding, and none where nothing is wrong."""

from __future__ import annotations

from typing import Any

import pytest

import doorstep
from doorstep.definitions.lint import against_data, lint

A, B = {"event": "a"}, {"event": "b", "window": "1d"}

FINDINGS: list[tuple[str, dict[str, Any]]] = [
    ("no-window", {"steps": [A, {"event": "b"}]}),
    ("unreachable-step", {"steps": [A, {"event": "b", "window": "1h", "min_gap": "2h"}]}),
    ("unreachable-step", {"steps": [A, {**B, "min_gap": "2h"}, {"event": "c", "window": "1h_after_entry"}]}),
    ("unreachable-step", {"steps": [A, {**B, "filters": {"all": [{"p": 1}, {"p": [2, 3]}]}}]}),
    ("unreachable-step", {"exclude": [{"event": "b"}], "steps": [A, B]}),
    ("same-as-previous", {"steps": [A, {**B, "event": "a"}]}),
    ("excludes-own-step", {"exclude_units": [{"event": "b", "filters": {"p": 1}}], "steps": [A, B]}),
    ("excludes-own-step", {"steps": [A, B], "exclude_between": [{"event": "a", "after": 1, "before": 2}]}),
    ("window-never-binds", {"window": "1d", "steps": [A, {"event": "b", "window": "2d_after_entry"}]}),
    ("represent-no-effect", {"represent": "last", "steps": [A, B]}),
]


@pytest.mark.parametrize(("code", "document"), FINDINGS)
def test_a_finding_is_found(code: str, document: dict[str, Any]) -> None:
    """Each by its stable code."""
    assert code in {issue.code for issue in lint(doorstep.load({"count_by": "user_id", **document}))}


def test_a_sound_definition_has_no_findings() -> None:
    """Nothing is found where nothing is wrong."""
    assert lint(doorstep.load({"count_by": "user_id", "steps": [A, B, {"event": "c", "window": "2d"}]})) == ()


def test_names_and_literals_are_held_against_the_data() -> None:
    """An event that does not occur, a property that is not there (both with the nearest name), an impossible literal."""
    document = {
        "count_by": "user_id",
        "steps": [
            {"event": "signup_strated"},
            {"event": "pay", "window": "1d", "filters": {"plann": "pro", "seats": "3", "paid": True}},
        ],
    }
    found = against_data(
        doorstep.load(document),
        kinds={"plan": "text", "seats": "integer", "paid": "boolean"},
        events=["signup_started", "pay"],
        columns=["plan", "seats", "paid"],
    )
    assert [(issue.code, issue.level) for issue in found] == [
        ("unknown-event", "warning"),
        ("unknown-property", "warning"),
        ("impossible-literal", "error"),
    ]
    assert [issue.suggestion for issue in found][:2] == ["Did you mean `signup_started`?", "Did you mean `plan`?"]
