"""What a journey's document says: identity, findings, prose, schema, faults with their places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

import doorstep
from doorstep.definitions.identity import canonical, definition_hash, text_hash
from doorstep.definitions.journey_lint import lint_journey
from doorstep.definitions.journey_words import describe_journey
from doorstep.definitions.reading import load_journey
from doorstep.definitions.schema import journey_schema


def _document(*criteria: dict[str, Any], **more: Any) -> dict[str, Any]:
    stages: list[dict[str, Any]] = [{"id": "s0"}]
    stages += [{"id": f"s{place}", "criteria": one} for place, one in enumerate(criteria, start=1)]
    return {"journey": "j", "count_by": "account_id", "stages": stages, **more}


def _hash(*criteria: dict[str, Any], **more: Any) -> str:
    return definition_hash(load_journey(_document(*criteria, **more)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"did": "a"}, {"count": {"event": ["a"]}}),
        ({"did_not": "a"}, {"count": {"event": "a", "exactly": 0, "at_most": 0}}),
        ({"account_age": "1d"}, {"account_age": {"at_least": "24h"}}),
        ({"all": [{"did": "a"}, {"did": "b"}]}, {"all": [{"all": [{"did": "b"}]}, {"did": "a"}]}),
        ({"not": {"not": {"did": "a"}}}, {"did": "a"}),
        ({"did": "a", "trait": {"plan": "pro"}}, {"all": [{"trait": {"plan": {"in": ["pro"]}}}, {"did": "a"}]}),
    ],
)
def test_spellings_of_one_meaning_have_one_hash(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Short forms, order and brackets do not show in the hash."""
    assert canonical(load_journey(_document(one)))["stages"] is not None
    hashes = {_hash(one), _hash(other)}
    assert len(hashes) == (2 if "did_not" in one else 1)


def test_words_have_a_hash_of_their_own() -> None:
    """A colour changes the text's hash, a window the definition's."""
    plain = load_journey(_document({"did": "a"}))
    coloured = _document({"did": "a"})
    coloured["stages"][0]["color"] = "red"
    assert definition_hash(load_journey(coloured)) == definition_hash(plain)
    assert text_hash(load_journey(coloured)) != text_hash(plain)
    assert _hash({"did": {"event": "a", "in_last": "7d"}}) != definition_hash(plain)


@pytest.mark.parametrize(
    ("document", "codes"),
    [
        (_document({"count": {"at_least": 5, "at_most": 3}}), {"unreachable-stage"}),
        (_document({"all": [{"did": "a"}, {"did_not": "a"}]}), {"unreachable-stage"}),
        (_document({"all": [{"account_age": "2d"}, {"not": {"account_age": "1d"}}]}), {"unreachable-stage"}),
        (_document({"all": [{"trait": {"plan": "pro"}}, {"trait": {"plan": "free"}}]}), {"unreachable-stage"}),
        (_document({"count": {"at_least": 5}}, {"count": {"at_least": 3}}), {"shadowed-stage"}),
        (_document({"count": {"at_least": 5, "in_last": "1d"}}, {"count": {"at_least": 5}}), {"shadowed-stage"}),
        (_document({"did": "a"}, {"did_not": "a"}), {"never-together"}),
        (_document({"did": "a"}, {"did": "b"}, movement={"backward": True}), {"falls-past"}),
        (_document({"count": {"at_least": 2, "in_last": "7d"}}, movement={"backward": True}), {"flapping-stage"}),
        (_document({"time_in_stage": {"at_least": "1d", "stage": "s7"}}), {"unknown-stage", "unreachable-stage"}),
        (_document({"time_in_stage": {"at_least": "1d", "stage": "s1"}}), {"unreachable-stage"}),
        (_document({"did": "a"}, {"time_in_stage": {"at_least": "1d", "stage": "s1"}}), set()),
        (
            _document({"did": "a"}, {"time_in_stage": {"at_least": "1d", "stage": "s0"}}, movement={"skip": False}),
            {"unreachable-stage"},
        ),
        (
            _document({"count": {"at_least": 5, "at_most": 3}}, {"did": "a"}, movement={"skip": False}),
            {"unreachable-stage"},
        ),
        (
            _document({"did": "a"}, {"all": [{"did": "a"}, {"count": {"at_least": 9}}]}, movement={"backward": True}),
            set(),
        ),
    ],
)
def test_check_finds_what_cannot_be_meant(document: dict[str, Any], codes: set[str]) -> None:
    """Contradictions, shadows, absences, falls and edges; and nothing where all is well."""
    assert {issue.code for issue in lint_journey(load_journey(document))} == codes


def test_faults_are_told_with_line_column_and_the_nearest_key(tmp_path: Path) -> None:
    """Everything that is wrong, in document order."""
    path = tmp_path / "j.yaml"
    path.write_text(
        "journey: j\ncount_by: account_id\nstages:\n  - {id: a, criteria: {did: x}}\n  - {id: a}\n"
        "  - {id: c, criteria: {all: [{count: {evnt: x}}, {did: {in_last: 0s}}]}}\n",
        "utf-8",
    )
    with pytest.raises(doorstep.DefinitionError) as caught:
        doorstep.load(path)
    told = [(one.code, one.position.line, one.position.column) for one in caught.value.issues if one.position]
    assert told == [("unknown-key", 6, 39), ("bad-duration", 6, 66)]
    assert "Did you mean `event`?" in str(caught.value)
    path.write_text(path.read_text("utf-8").replace("evnt", "event").replace("0s", "1s"), "utf-8")
    with pytest.raises(doorstep.DefinitionError) as caught:
        doorstep.load(path)
    assert [one.code for one in caught.value.issues] == ["first-stage", "no-criteria", "duplicate-stage"]


def test_more_stages_than_anyone_can_tell_apart_are_refused() -> None:
    """Two hundred are fine."""
    criteria = [{"did": f"e{number}"} for number in range(200)]
    assert len(load_journey(_document(*criteria[:199])).stages) == 200
    with pytest.raises(doorstep.DefinitionError, match="stages"):
        load_journey(_document(*criteria))


def test_the_schema_takes_what_the_models_take() -> None:
    """The example passes, and a misspelt key does not."""
    schema = journey_schema()
    document = _document({"did": ["a", "b"], "any": [{"feature": "f"}, {"account_age": "1d"}]}, features={"f": "a"})
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_document({"didd": "a"}), schema)


def test_prose_says_every_criterion() -> None:
    """Counts, windows, features, ages, stays and traits."""
    document = _document(
        {
            "any": [
                {"count": {"event": "a", "at_least": 2, "in_last": "7d"}},
                {"time_in_stage": "3d"},
                {"features": {"at_least": 1}},
                {"sum": {"property": "x", "at_most": 0.5}},
            ]
        },
        features={"f": "a"},
    )
    told = describe_journey(load_journey(document))
    assert "at least 2 rows that are `a` in the last 7 days" in told
    assert "the account has been in its stage for at least 3 days" in told
    assert "the sum of x over rows that are any event is at most 0.5" in told
