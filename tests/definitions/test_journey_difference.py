"""How two journeys differ, in words, and one hash for what means the same."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from doorstep.definitions.identity import definition_hash, text_hash
from doorstep.definitions.journey_difference import journey_difference
from doorstep.definitions.reading import load_journey

BASE: dict[str, Any] = {
    "journey": "j",
    "count_by": "account_id",
    "movement": {"backward": True},
    "stages": [
        {"id": "new"},
        {"id": "active", "criteria": {"did": "project", "account_age": "1d"}},
        {
            "id": "wide",
            "criteria": {"features": {"at_least": 1}, "time_in_stage": {"at_least": "1d", "stage": "active"}},
        },
    ],
    "features": {"reports": "report"},
}


def _changed(**paths: Any) -> dict[str, Any]:
    """The base with other values at ``a__0__b``."""
    document = deepcopy(BASE)
    for path, value in paths.items():
        *way, last = [int(part) if part.isdigit() else part for part in path.split("__")]
        place: Any = document
        for part in way:
            place = place[part]
        place[last] = value
    return document


def _told(document: dict[str, Any]) -> list[str]:
    before, after = load_journey(BASE), load_journey(document)
    changes = journey_difference(before, after)
    assert any(one.moves_count for one in changes) == (definition_hash(before) != definition_hash(after))
    if text_hash(before) == text_hash(after):
        assert all(one.moves_count for one in changes)
    return [one.message for one in changes]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (_changed(), []),
        (_changed(stages__1__name="Active"), ['stage active: name none -> "Active"']),
        (_changed(movement={"backward": True, "grace": "2d"}), ["movement grace: none -> 2 days"]),
        (_changed(exclude=[{"event": "ping"}]), ["exclude added: `ping`"]),
        (_changed(count_by="user_id"), ["count_by account_id -> user_id"]),
        (_changed(stages__1__rank="none"), ["stage active: no longer counts for high water"]),
        (
            _changed(stages__1__criteria__account_age="2d"),
            ["stage active: the account is at least 24 hours old -> the account is at least 2 days old"],
        ),
        (
            _changed(stages__1__criteria={"did": "project"}),
            ["stage active: no longer asks for the account is at least 24 hours old"],
        ),
        (
            _changed(features={"reports": "report_v2"}),
            ["stage wide: at least 1 of the features reports used, where the rows of its features are others now"],
        ),
    ],
)
def test_changes_are_told_clause_by_clause(document: dict[str, Any], told: list[str]) -> None:
    """Those that can move an account exactly when the hashes differ."""
    assert [one.lower() for one in _told(document)] == [one.lower() for one in told]


def test_a_stage_put_between_two_changes_no_other_stage() -> None:
    """Stages keep what they are by their ids; the one that names another by `time_in_stage` still names it."""
    document = deepcopy(BASE)
    document["stages"].insert(1, {"id": "trial", "criteria": {"did": "trial"}})
    assert _told(document) == ["stage trial added: at least one row that is `trial`"]
    document = deepcopy(BASE)
    document["stages"][1]["id"] = "live"
    document["stages"][2]["criteria"]["time_in_stage"]["stage"] = "live"
    assert _told(document) == ['stage active (now live): id "active" -> "live"']


def test_stages_that_change_places_are_told() -> None:
    """Their order is what forward means."""
    document = deepcopy(BASE)
    document["stages"][1:] = document["stages"][:0:-1]
    assert {one.split(":")[1] for one in _told(document)} == {
        " moved from place 3 to place 2",
        " moved from place 2 to place 3",
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"did_not": "x"}, {"not": {"did": "x"}}),
        ({"did": "x"}, {"not": {"did_not": "x"}}),
        ({"count": {"at_most": 2}}, {"not": {"count": {"at_least": 3}}}),
        ({"distinct": {"property": "p", "at_least": 3}}, {"not": {"distinct": {"property": "p", "at_most": 2}}}),
    ],
)
def test_what_means_the_same_has_one_hash(one: dict[str, Any], other: dict[str, Any]) -> None:
    """A negated count is the other bound."""
    hashes = {definition_hash(load_journey(_changed(stages__1__criteria=each))) for each in (one, other)}
    assert len(hashes) == 1
    assert definition_hash(load_journey(_changed(stages__1__criteria={"did": "y"}))) not in hashes
