"""The published schema takes what the reader takes, and refuses what an editor can see is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import doorstep
from doorstep.definitions.reading import is_journey, load
from doorstep.definitions.schema import journey_schema, json_schema
from doorstep.errors import DefinitionError

ROOT = Path(__file__).parent.parent.parent
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_one() -> None:
    """It is valid by its own dialect, and JSON."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_every_reference_in_it_leads_somewhere() -> None:
    """Editors resolve them all."""
    text = json.dumps(SCHEMA)
    named = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert named <= set(SCHEMA["$defs"])
    assert {"Step", "Reentry", "Filters", "Operators"} <= named


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.[yj]*")), ids=lambda path: path.name)
def test_the_examples_satisfy_it(path: Path) -> None:
    """What the reader reads, an editor leaves unmarked."""
    doorstep.load(path)
    validator = jsonschema.Draft202012Validator(journey_schema()) if is_journey(path) else VALIDATOR
    assert list(validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))) == []


def test_conformance_definitions_satisfy_it() -> None:
    """Hundreds of definitions of every kind."""
    for line in (ROOT / "tests" / "conformance" / "funnels.jsonl").read_text(encoding="utf-8").splitlines():
        assert VALIDATOR.is_valid(json.loads(line)["definition"])


A: dict[str, Any] = {"event": "a"}
GOOD: dict[str, Any] = {"count_by": "u", "steps": [A, {"event": "b"}]}

TAKEN: list[dict[str, Any]] = [
    GOOD,
    {**GOOD, "count_by": {"session_of": ["u"], "gap": "30m"}},
    {**GOOD, "count_by": {"stitch": {"known": "u", "anonymous": "a"}}},
    {**GOOD, "count_by": {"session_of": {"stitch": {"known": "u", "anonymous": "a"}}, "gap": "30m"}},
    {**GOOD, "count_by": {"account_of": {"stitch": {"known": "u", "anonymous": "a"}}}},
    {**GOOD, "count_by": {"account_of": {"stitch": {"known": "u", "anonymous": "a"}}, "account": "team"}},
    {**GOOD, "entry": [1, "2"], "reentry": [{"after": "completed"}, {"event": "x"}, {"event": {"filters": {"p": 1}}}]},
    {**GOOD, "reentry": "no_within_7d", "title": None, "hold_constant": "order_id", "tags": ["x"]},
    {**GOOD, "optional_between": [{"after": 1, "before": 2, "event": "x", "window": "1d", "name": "X"}]},
    {**GOOD, "steps": [{"event": ["a", "b"], "filters": {"p": [1, "x", True], "q": {"between": [1, 2.5]}}}]},
    {**GOOD, "steps": [A, {"any_of": [{"event": "x", "window": ["1d_after_step_1"]}, {"steps": [{"event": "y"}]}]}]},
    {**GOOD, "steps": [{"event": "*", "filters": {"all": [{"p": 1}], "any": [{"q": 2}], "not": {"r": 3}}}]},
    {**GOOD, "steps": [{**A, "first_time": "matching"}]},
    {**GOOD, "examples": [{"name": "x", "events": [{"at": "0s", **A, "p": [1]}], "expect": {"at": {"1": "0s"}}}]},
]

REFUSED: list[dict[str, Any]] = [
    {},
    {"count_by": "u", "steps": []},
    {**GOOD, "stepz": []},
    {**GOOD, "funnel": "Sign Up"},
    {**GOOD, "semantics": 2},
    {**GOOD, "count": "all"},
    {**GOOD, "count_by": 3},
    {**GOOD, "count_by": {"stitch": {"known": "u"}}},
    {**GOOD, "count_by": {"stitch": "u"}},
    {**GOOD, "count_by": {"account_of": "u"}},
    {**GOOD, "count_by": {"account": "team"}},
    {**GOOD, "count_by": {"stitch": {"known": "u", "anonymous": "a"}, "gap": "30m"}},
    {**GOOD, "count_by": {"session_of": {"known": "u", "anonymous": "a"}, "gap": "30m"}},
    {**GOOD, "window": 3},
    {**GOOD, "window": "1 day"},
    {**GOOD, "reentry": "sometimes"},
    {**GOOD, "reentry": []},
    {**GOOD, "reentry": {"after": ["done"]}},
    {**GOOD, "entry": "first"},
    {**GOOD, "steps": [{"event": 3}]},
    {**GOOD, "steps": [{**A, "id": "a b"}]},
    {**GOOD, "steps": [{**A, "windw": "1d"}]},
    {**GOOD, "steps": [{**A, "window": "1d_after_lunch"}]},
    {**GOOD, "steps": [{**A, "optional": "yes"}]},
    {**GOOD, "steps": [{**A, "filters": {"p": None}}]},
    {**GOOD, "steps": [{**A, "filters": {"p": {"eqq": 1}}}]},
    {**GOOD, "steps": [{**A, "filters": {"p": {"gt": None}}}]},
    {**GOOD, "steps": [{**A, "filters": {"p": {"between": [1]}}}]},
    {**GOOD, "steps": [{**A, "filters": {"p": {}}}]},
    {**GOOD, "steps": [{**A, "filters": {"p": []}}]},
    {**GOOD, "steps": [A] * 65},
    {**GOOD, "optional_between": [{"event": "x"}]},
    {**GOOD, "optional_between": [{"after": 1, "before": 2, "event": "x", "dedupe": "last"}]},
]


@pytest.mark.parametrize("document", TAKEN, ids=json.dumps)
def test_what_the_reader_takes_the_schema_takes(document: dict[str, Any]) -> None:
    """Short forms, defaulted keys and all."""
    load(document)
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


@pytest.mark.parametrize("document", REFUSED, ids=lambda document: json.dumps(document)[:90])
def test_what_the_schema_refuses_the_reader_refuses(document: dict[str, Any]) -> None:
    """Neither is stricter on keys, types and choices."""
    assert not VALIDATOR.is_valid(document)
    with pytest.raises(DefinitionError):
        load(document)
