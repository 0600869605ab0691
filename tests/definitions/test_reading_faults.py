"""Documents that do not say a funnel: every fault is found, coded, placed, and told without jargon."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from doorstep.definitions.reading import load, load_any
from doorstep.errors import DefinitionError, Issue

GOOD = "count_by: u\nsteps: [{event: a}, {event: b}]\n"


def issues_of(tmp_path: Path, text: str | bytes, name: str = "f.yaml") -> tuple[Issue, ...]:
    """What is wrong with a file of this text."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DefinitionError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    return caught.value.issues


def told(issues: tuple[Issue, ...]) -> list[str]:
    """``line:column code`` of each."""
    places = [(issue.position, issue.code) for issue in issues]
    return [f"{place.line}:{place.column} {code}" for place, code in places if place]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

YAML_TEXTS = [
    # what is no document at all
    ("", ["1:1 empty-document"]),
    ("# nothing\n", ["1:1 empty-document"]),
    ("---\n", ["1:1 empty-document"]),
    ("- a\n- b\n", ["1:1 not-a-mapping"]),
    ("just text\n", ["1:1 not-a-mapping"]),
    (GOOD + "---\nfunnel: b\n", ["3:1 several-documents"]),
    ("count_by: u\nsteps: [\n", ["3:1 not-yaml"]),
    ("count_by: u\nsteps:\n\t- event: a\n", ["3:1 not-yaml"]),
    ("title: a: b\n" + GOOD, ["1:9 not-yaml"]),
    ("title: 'a\n" + GOOD, ["4:1 not-yaml"]),
    (b"count_by: u\ntitle: caf\xe9\n", ["2:11 not-utf-8"]),
    (b"title: \x00\n", ["1:8 bad-text"]),
    ("title: " + "x" * 5_000_000, ["1:1 too-large"]),
    (BOMB, ["6:4 too-many-values"]),
    ("a: &a {b: [*a]}\n", ["1:12 circular"]),
    ("a: *b\n", ["1:4 unknown-alias"]),
    ("a: " + "[" * 70 + "]" * 70, ["1:67 too-deep"]),
    ("a: " + "[" * 100_000, ["1:1003 too-deep"]),
    ("? [a]\n: b\n", ["1:3 bad-key"]),
    # faults that do not stop the reading
    (GOOD + "count_by: v\ncount_by: w\n", ["3:1 duplicate-key", "4:1 duplicate-key"]),
    (GOOD + "title: !!python/object:os.system x\n", ["3:8 yaml-tag"]),
    ("title: 3\ncount_by: !text u\nsteps: [{event: a}]\n", ["1:8 wrong-type", "2:11 yaml-tag"]),
    (
        "x: &x {event: a}\ncount_by: u\nsteps: [{<<: *x}]\n",
        ["1:1 unknown-key", "3:10 merge-key"],
    ),
    (
        "count_by: u\nsteps: [{event: a, filters: {p: .inf, q: {gt: .nan}}}]\n",
        ["2:33 not-finite", "2:47 not-finite"],
    ),
    # keys
    ("funel: a\n" + GOOD, ["1:1 unknown-key"]),
    ("funnel: a\n", ["1:1 missing-key", "1:1 missing-key"]),
    ("count_by: {sesion_of: u, gap: 30m}\nsteps: [{event: a}]\n", ["1:12 unknown-key"]),
    ("count_by: {sticth: {known: u, anonymous: a}}\nsteps: [{event: a}]\n", ["1:12 unknown-key"]),
    ("count_by: {stitch: {knwon: u, anonymous: a}}\nsteps: [{event: a}]\n", ["1:21 unknown-key"]),
    ("count_by: {stitch: {known: u, anonymous: u}}\nsteps: [{event: a}]\n", ["1:42 stitch-one-column"]),
    ("count_by: {account_of: {stitch: {known: u, anonymous: u}}}\nsteps: [{event: a}]\n", ["1:55 stitch-one-column"]),
    (
        "count_by: {account_of: {stitch: {known: u, anonymous: a}}, account: a}\nsteps: [{event: a}]\n",
        ["1:69 account-one-column"],
    ),
    ("count_by: {acount_of: {stitch: {known: u, anonymous: a}}}\nsteps: [{event: a}]\n", ["1:12 unknown-key"]),
    ("count_by: {account_of: user_id}\nsteps: [{event: a}]\n", ["1:24 wrong-type"]),
    ("count_by: {stitch: {known: u, anonymous: a}, gap: 3m}\nsteps: [{event: a}]\n", ["1:11 bad-stitch"]),
    (
        "count_by: {session_of: {stitch: {known: u, anonymous: u}}, gap: 3m}\nsteps: [{event: a}]\n",
        ["1:55 stitch-one-column"],
    ),
    ("count_by: u\nsteps:\n  - event: a\n  - event: b\n    windw: 3d\n", ["5:5 unknown-key"]),
    ("count_by: u\nsteps: [{event: a, filters: {p: {eqq: 1}}}]\n", ["2:34 unknown-key"]),
    ("semantics: 2\nnonsense: 1\n", ["1:12 semantics-version"]),
    ("semantics: '1'\n", ["1:12 semantics-version"]),
    # types and values
    ("funnel: Sign Up\n" + GOOD, ["1:9 bad-name"]),
    ("count_by: 3\nsteps: [{event: a}]\n", ["1:11 wrong-type"]),
    ("count_by: []\nsteps: [{event: a}]\n", ["1:11 empty-list"]),
    ("count_by: ''\nsteps: [{event: a}]\n", ["1:11 empty-text"]),
    ("count_by: u\nsteps: []\n", ["2:8 empty-list"]),
    ("count_by: u\nsteps: {event: a}\n", ["2:8 wrong-type"]),
    ("count_by: u\nsteps: [a]\n", ["2:9 wrong-type"]),
    ("count_by: u\nsteps: [" + "{event: a}, " * 65 + "]\n", ["2:8 too-many-steps"]),
    (GOOD + "count: all\n", ["3:8 bad-choice"]),
    (GOOD + "entry: first\n", ["3:8 bad-entry"]),
    (GOOD + "entry: 1\n", ["3:8 bad-entry"]),
    (GOOD + "entry: []\n", ["3:8 bad-entry"]),
    (GOOD + "entry: [nope]\n", ["3:9 unknown-step"]),
    (GOOD + "reentry: sometimes\n", ["3:10 bad-reentry"]),
    (GOOD + "reentry: no_within_soon\n", ["3:10 bad-duration"]),
    (GOOD + "reentry: {after: [done], interrupt: 1}\n", ["3:19 bad-choice", "3:37 wrong-type"]),
    (GOOD + "window: 0s\n", ["3:9 bad-duration"]),
    (GOOD + "window: -3d\n", ["3:9 bad-duration"]),
    (GOOD + "window: 3\n", ["3:9 bad-duration"]),
    (GOOD + "window: 1mo\n", ["3:9 bad-duration"]),
    (GOOD + "window: 99999999999999999999d\n", ["3:9 bad-duration"]),
    ("count_by: u\nsteps: [{event: a}, {event: b, window: [3d, 2d_after_lunch]}]\n", ["2:45 bad-window"]),
    ("count_by: u\nsteps: [{event: a}, {event: b, window: 0s_after_prev}]\n", ["2:40 bad-duration"]),
    ("count_by: u\nsteps: [{event: 5}]\n", ["2:17 bad-event"]),
    ("count_by: u\nsteps: [{event: []}]\n", ["2:17 bad-event"]),
    ("count_by: u\nsteps: [{event: [a, '']}]\n", ["2:17 bad-event"]),
    ("count_by: u\nsteps: [{id: a b, event: a}]\n", ["2:14 bad-step-id"]),
    ("count_by: u\nsteps: [{event: a, optional: yes}]\n", ["2:30 wrong-type"]),
    ("count_by: u\nsteps: [{event: a, first_time: 1}]\n", ["2:32 bad-choice"]),
    ("count_by: u\nsteps: [{event: a, filters: {p: null}}]\n", ["2:33 bad-literal"]),
    ("count_by: u\nsteps: [{event: a, filters: {p: {}}}]\n", ["2:33 empty-test"]),
    ("count_by: u\nsteps: [{event: a, filters: {p: []}}]\n", ["2:33 empty-list"]),
    ("count_by: u\nsteps: [{event: a, filters: {p: {in: []}}}]\n", ["2:38 empty-list"]),
    ("count_by: u\nsteps: [{event: a, filters: {p: {between: [1]}}}]\n", ["2:43 wrong-type"]),
    ("count_by: u\nsteps: [{event: a, filters: {p: {between: [1, 2, 3]}}}]\n", ["2:43 wrong-type"]),
    ("count_by: u\nsteps: [{event: a, filters: {p: {matches: '(a'}}}]\n", ["2:43 bad-expression"]),
    ("count_by: u\nsteps: [{event: a, filters: {p: {matches: '(a)\\1'}}}]\n", ["2:43 bad-expression"]),
    ("count_by: u\nsteps: [{event: a, filters: {any: []}}]\n", ["2:35 empty-list"]),
    ("count_by: u\nsteps: [{event: a, filters: {not: }}]\n", ["2:35 empty-test"]),
    ("count_by: u\nsteps: [{event: a, filters: {any: [{p: {gt: true}}]}}]\n", ["2:45 wrong-type"]),
    # optional_between
    (GOOD + "optional_between: {after: 1}\n", ["3:19 wrong-type"]),
    (GOOD + "optional_between: [x]\n", ["3:20 wrong-type"]),
    (GOOD + "optional_between: [{after: 1, before: 3, event: x}]\n", ["3:39 unknown-step"]),
    (GOOD + "optional_between: [{before: 2, event: x}]\n", ["3:20 missing-key"]),
    (GOOD + "optional_between: [{after: 2, before: 1, event: x}]\n", ["3:39 not-neighbours"]),
    (GOOD + "optional_between: [{after: 1, before: 2, event: x, wndow: 1d}]\n", ["3:52 unknown-key"]),
    (GOOD + "optional_between: [{after: 1, before: 2, event: x, dedupe: last}]\n", ["3:52 optional-step"]),
    (GOOD + "optional_between: [{after: 1, before: 2}]\n", ["3:20 missing-key"]),
    # examples
    (GOOD + "examples: [{name: x, events: [], expect: {status: done}}]\n", ["3:30 empty-list", "3:51 bad-choice"]),
    (GOOD + "examples: [{name: x, events: [{at: 0s, event: a}], expect: {at: {3: 1d}}}]\n", ["3:66 unknown-step"]),
]


@pytest.mark.parametrize(("text", "expected"), YAML_TEXTS)
def test_faults_are_coded_and_placed(tmp_path: Path, text: str | bytes, expected: list[str]) -> None:
    """Each fault once, in document order, with the line and column of the key or value that is wrong."""
    assert expected == told(issues_of(tmp_path, text))


JARGON = re.compile(r"valid (tuple|dict|list)|Input should|pydantic|NoneType|\bdict\b|\btuple\b|\bstr\b|Traceback")


@pytest.mark.parametrize(("text", "expected"), YAML_TEXTS)
def test_messages_are_for_people(tmp_path: Path, text: str | bytes, expected: list[str]) -> None:
    """No name of a Python type or of a library; each message is a sentence of moderate length."""
    for issue in issues_of(tmp_path, text):
        assert not JARGON.search(str(issue))
        assert issue.message.endswith(".")
        assert len(issue.message) < 300


JSON_TEXTS = [
    ("", ["1:1 empty-document"]),
    ("[]", ["1:1 not-a-mapping"]),
    ('{"count_by": "u",}', ["1:18 not-json"]),
    ('{"count_by": "u"\n "steps": []}', ["2:2 not-json"]),
    ("# no comments\n{}", ["1:1 not-json"]),
    ('{"a": ' + "[" * 100_000, ["1:1 too-deep"]),
    ('{"a": ' + "[" * 70 + "]" * 70 + "}", ["1:70 too-deep"]),
    ('{"count_by": "u",\n\t"count_by": "v", "steps": [{"event": "a"}]}', ["2:2 duplicate-key"]),
    ('{"count_by": "u", "steps": [{"event": "a"}], "window": "7x"}', ["1:56 bad-duration"]),
    ('{"count_by": "u", "steps": [{"event": "a"}], "title": "\\ud800"}', ["1:55 bad-text"]),
    ('{"count_by": "u", "steps": [{"event": "a", "filters": {"p": NaN}}]}', ["1:61 not-finite"]),
    ('{"count_by": "u", "steps": [{"event": "a", "filters": {"p": 1e999}}]}', ["1:61 not-finite"]),
    ('{"a": ' + "1" * 5000 + "}", ["1:1 bad-number"]),
]


@pytest.mark.parametrize(("text", "expected"), JSON_TEXTS)
def test_faults_in_json_are_coded_and_placed(tmp_path: Path, text: str, expected: list[str]) -> None:
    """A .json file is judged as JSON, and its values have places too."""
    assert expected == told(issues_of(tmp_path, text, "f.json"))


NESTED: dict[str, object] = {}
NESTED["not"] = NESTED

MAPPINGS = [
    (
        {"count_by": "u", "steps": [{"event": "a"}, {"event": "b", "window": "soon"}]},
        [("steps[1].window", "bad-duration")],
    ),
    (
        {"count_by": "u", "steps": [{"event": "a", "filters": {"p": {"gt": object}}}]},
        [("steps[0].filters.p.gt", "wrong-type")],
    ),
    ({"count_by": "u", "steps": [{"event": "a", "filters": NESTED}]}, [("", "circular")]),
    (
        {"count_by": "u", "steps": [{"event": "a", "filters": {"p": float("nan")}}]},
        [("steps[0].filters.p", "not-finite")],
    ),
    (
        {"steps": [{"event": "a", 3: 4}], "titel": ""},
        [("count_by", "missing-key"), ("steps[0].3", "unknown-key"), ("titel", "unknown-key")],
    ),
    ({}, [("count_by", "missing-key"), ("steps", "missing-key")]),
]


@pytest.mark.parametrize(("document", "expected"), MAPPINGS)
def test_faults_in_plain_data_have_a_path(document: dict[str, object], expected: list[tuple[str, str]]) -> None:
    """Without a file there is no line, but there is still a place."""
    with pytest.raises(DefinitionError) as caught:
        load(document)
    assert expected == [(issue.path, issue.code) for issue in caught.value.issues]


def test_types_and_rules_are_judged_in_one_reading(tmp_path: Path) -> None:
    """A misspelt key does not hide a window that names no step, nor the other way round."""
    steps = "  - {event: a, window: 1d}\n  - {event: b, window: 1d_after_step_7, min_gap: 3}\n"
    text = f"titel: x\ncount_by: u\nsteps:\n{steps}"
    assert told(issues_of(tmp_path, text)) == [
        "1:1 unknown-key",
        "4:16 first-step",
        "5:24 unknown-step",
        "5:50 bad-duration",
    ]


def test_a_fault_does_not_cause_others(tmp_path: Path) -> None:
    """A misspelt `window` is not also a missing one."""
    assert told(issues_of(tmp_path, GOOD + "windwo: 3d\norder: any\n")) == ["3:1 unknown-key"]
    assert told(issues_of(tmp_path, "count_by: u\nsteps: [{event: 7}, {event: b}]\n")) == ["2:17 bad-event"]


def test_the_nearest_name_is_offered(tmp_path: Path) -> None:
    """Of keys, of choices, of steps, of windows."""
    for text, offer in (
        ("funel: a\n" + GOOD, "`funnel`"),
        (GOOD + "optional_betwen: []\n", "`optional_between`"),
        (GOOD + "count: uniq\n", "unique"),
        (GOOD + "reentry: aftr_completion\n", "after_completion"),
        ("count_by: u\nsteps: [{id: start, event: a}, {id: end, event: b, window: 1d_after_step_strt}]\n", "start"),
        ("count_by: u\nsteps: [{event: a}, {event: b, window: 1d_after_entri}]\n", "1d_after_entry"),
    ):
        (issue,) = issues_of(tmp_path, text)
        assert f"Did you mean {offer}?" == issue.suggestion


def test_an_endless_list_of_faults_is_cut(tmp_path: Path) -> None:
    """Nobody reads thousands; how many more there are is said."""
    issues = issues_of(tmp_path, GOOD + "".join(f"key_{number}: 1\n" for number in range(1000)))
    assert len(issues) == 201
    assert "800" in issues[-1].message


def test_a_list_that_is_too_long_is_told_its_length() -> None:
    """And not that it is no list."""
    stages = [{"id": "new"}, *({"id": f"s{n}", "criteria": {"did": "x"}} for n in range(200))]
    with pytest.raises(DefinitionError, match=r"`stages` has 201 entries\. It takes a list of 1 to 200"):
        load_any({"journey": "j", "count_by": "account_id", "stages": stages})
