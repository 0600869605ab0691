"""Documents that say a funnel, in every form they may be written."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.identity import definition_hash
from doorstep.definitions.reading import load
from doorstep.definitions.rules import broken_rules
from doorstep.errors import DefinitionError
from strategies import documents

SHORT_JSON = """{
\t"count_by": "user_id",
\t"exclude": [{"filters": {"bots": true}}],
\t"entry": "step1_only",
\t"reentry": "no_within_7d",
\t"window": "14d",
\t"steps": [
\t\t{"id": 1, "event": "app_install", "filters": {"country": ["US", "CA"]}},
\t\t{"id": 2, "event": "app_open", "window": "7d_after_prev", "dedupe": "first"},
\t\t{"id": 3, "event": "tutorial_completed", "window": "24h_after_prev", "dedupe": "first"},
\t\t{"id": 4, "event": "account_created", "window": "24h_after_prev", "dedupe": "first"}
\t],
\t"optional_between": [{"after": 3, "before": 4, "event": "enable_notifications"}]
}
"""

LONG_YAML = """
funnel: mobile-onboarding
semantics: 1
title: Mobile onboarding
count_by: user_id
count: unique
exclude: [{filters: {bots: true}}]
exclude_units: []
entry: step1_only
reentry: {no_within: 7d}
window: 14d
order: sequential
match: declared
ties: allow
represent: best
steps:
  - {id: 1, event: app_install, filters: {country: [US, CA]}}
  - {id: 2, event: app_open, window: 7d_after_prev, dedupe: first}
  - {id: 3, event: tutorial_completed, window: 24h_after_prev, dedupe: first}
  - {id: notif, event: enable_notifications, optional: true}
  - {id: 4, event: account_created, window: 24h_after_prev, dedupe: first}
exclude_between: []
examples: []
"""


def written(tmp_path: Path, text: str, name: str = "a.yaml") -> Path:
    """A file with this text."""
    path = tmp_path / name
    path.write_text(dedent(text), encoding="utf-8")
    return path


def test_the_short_json_form_means_the_same_as_the_long_yaml_form(tmp_path: Path) -> None:
    """Semantics 2: the JSON form in common use loads unchanged; tabs are JSON's own business."""
    short = load(written(tmp_path, SHORT_JSON, "Mobile Onboarding.json"))
    long = load(written(tmp_path, LONG_YAML))
    assert short.funnel == "mobile-onboarding"
    assert [step.id for step in short.steps] == [1, 2, 3, "enable_notifications", 4]
    assert definition_hash(long) == definition_hash(short)


def test_json_is_yaml(tmp_path: Path) -> None:
    """A JSON document in a .yaml file is read as what it is, in flow style."""
    text = json.dumps(json.loads(SHORT_JSON))
    assert load(json.loads(SHORT_JSON)).steps == load(written(tmp_path, text)).steps


def test_a_mapping_is_a_document() -> None:
    """The same keys as plain data; a funnel without a name gets one."""
    assert load({"count_by": "u", "steps": [{"event": "a"}]}).funnel == "funnel"
    assert load({"count_by": "u", "steps": [{"event": "a"}]}, name="My funnel").funnel == "my-funnel"


def test_only_core_schema_scalars_are_not_text(tmp_path: Path) -> None:
    """NO, on, yes, dates and 1:30 are texts; integers, decimals, true, false and null are not."""
    funnel = load(
        written(
            tmp_path,
            """
            count_by: u
            steps:
              - event: a
                filters: {p: [NO, on, off, yes, y, 2026-03-01, 1:30, 1_000, 0x1F, 0o17, 017, -1.5e3, "1", true]}
            """,
        )
    )
    expected = {True, 31, 15, 17, -1500.0, "1", "NO", "on", "off", "yes", "y", "2026-03-01", "1:30", "1_000"}
    tests = funnel.steps[0].filters.model_extra
    assert tests is not None
    assert (14, expected) == (len(tests["p"]), set(tests["p"]))


def test_a_byte_order_mark_is_no_part_of_the_document(tmp_path: Path) -> None:
    """Files saved by Windows editors read like others."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbffunnel: a\r\ncount_by: u\r\nsteps: [{event: a}]\r\n")
    assert load(path).funnel == "a"


def test_an_alias_stands_for_what_it_names(tmp_path: Path) -> None:
    """Anchors save writing; what they stand for is counted as if written out."""
    funnel = load(written(tmp_path, "{count_by: u, steps: [{event: a, filters: &f {p: 1}}, {event: b, filters: *f}]}"))
    assert funnel.steps[0].condition == funnel.steps[1].condition


def test_a_step_without_an_id_has_its_position_as_written() -> None:
    """Folded optional steps do not move the numbers of the steps written after them."""
    document = {
        "count_by": "u",
        "steps": [{"event": "a"}, {"event": "b"}, {"event": "c", "window": "1d_after_step_1"}],
        "optional_between": [{"after": 1, "before": 2, "event": "x"}, {"after": 2, "before": 3, "event": "y"}],
    }
    assert [step.id for step in load(document).steps] == [1, "x", 2, "y", 3]


def test_folded_steps_keep_the_order_in_which_they_are_written() -> None:
    """Two optional steps of one event in one place get two ids."""
    between = [{"after": 1, "before": 2, "event": one} for one in ("x y", ["x y", "z"], "w")]
    document = {"count_by": "u", "steps": [{"event": "a"}, {"event": "b"}], "optional_between": between}
    assert [step.id for step in load(document).steps] == [1, "x_y", "x_y_2", "w", 2]
    assert [step.optional for step in load(document).steps] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("after_completion", {"after": ["completed"]}),
        ("after_timeout", {"after": ["completed", "expired"]}),
        ("no_within_7d", {"no_within": "7d"}),
        ({"after": "completed"}, {"after": ["completed"]}),
        ({"event": "cancelled"}, [{"event": {"event": ["cancelled"], "filters": {}}}]),
    ],
)
def test_short_forms_of_reentry_unfold(short: object, long: object) -> None:
    """Semantics 6: each short form is an object, and an object is a list of one."""
    first, second = (load({"count_by": "u", "steps": [{"event": "a"}], "reentry": one}) for one in (short, long))
    assert definition_hash(first) == definition_hash(second)


def test_every_conformance_definition_is_read() -> None:
    """No rule of ours refuses what independent readings of the semantics take for valid."""
    corpus = Path(__file__).parent.parent / "conformance"
    for file in ("funnels.jsonl", "worked.jsonl"):
        for line in (corpus / file).read_text(encoding="utf-8").splitlines():
            document = json.loads(line)["definition"]
            assert len(document["steps"]) == len(load(document).steps)


@settings(max_examples=200, deadline=None)
@given(documents())
def test_the_reader_and_the_rules_let_every_valid_definition_pass(document: dict[str, object]) -> None:
    """Random definitions, valid by construction, break no rule."""
    funnel = load(document)
    assert broken_rules(funnel) == ()
    assert funnel == Funnel.model_validate({"funnel": "funnel", **document})


def test_a_journey_is_told_from_a_broken_funnel(tmp_path: Path) -> None:
    """One clear sentence, not a list of unknown keys."""
    with pytest.raises(DefinitionError) as caught:
        load(written(tmp_path, "\njourney: lifecycle\nstages: []\n"))
    assert [issue.code for issue in caught.value.issues] == ["not-a-funnel"]


def test_files_that_are_not_there_are_named_with_what_is(tmp_path: Path) -> None:
    """A missing file offers the nearest one, a folder the definitions in it."""
    written(tmp_path, LONG_YAML, "signup.yaml")
    for path, code, word in (
        (tmp_path / "sign_up.yaml", "no-such-file", "signup.yaml"),
        (tmp_path, "is-a-directory", "signup.yaml"),
        (tmp_path / "nowhere" / "a.yaml", "no-such-file", "folder"),
        ("a\0b", "unreadable-file", "read"),
    ):
        with pytest.raises(DefinitionError) as caught:
            load(path)
        assert code == caught.value.code
        assert word in str(caught.value)
