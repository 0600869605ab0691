"""Findings point at what is wrong, keep quiet about what is not, and are never mistaken about the walk."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorstep.definitions.conditions import All, Condition, Not
from doorstep.definitions.filters import Filters
from doorstep.definitions.lint import against_data, lint
from doorstep.definitions.possible import can_hold, implies
from doorstep.definitions.reading import load
from doorstep.matching.conditions import holds
from strategies import documents, timelines
from walks import Outcome, by_reference, case_of

PLAIN: dict[str, Any] = {
    "funnel": "signup",
    "count_by": "user_id",
    "window": "14d",
    "steps": [
        {"id": 1, "event": "signup"},
        {"id": 2, "event": "verify", "window": "7d"},
        {"id": 3, "event": "pay", "window": "3d"},
    ],
}
UNSET = object()


def edited(**keys: Any) -> dict[str, Any]:
    """The plain funnel with keys changed (`UNSET` takes one away); ``stepN`` does so to a step."""
    document = copy.deepcopy(PLAIN)
    for key, value in keys.items():
        if key.startswith("step") and key[4:].isdigit():
            step = {**document["steps"][int(key[4:]) - 1], **value}
            document["steps"][int(key[4:]) - 1] = {name: one for name, one in step.items() if one is not UNSET}
        elif value is UNSET:
            del document[key]
        else:
            document[key] = value
    return document


def found(**keys: Any) -> list[tuple[str, str]]:
    """Code and path of every finding about an edited plain funnel."""
    return [(issue.code, issue.path) for issue in lint(load(edited(**keys)))]


def any_of(*ways: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """An edit of step 2 that gives it alternatives."""
    return {"event": UNSET, "any_of": list(ways), **keys}


def filtered(**filters: Any) -> dict[str, Any]:
    """Step 2 with filters."""
    return {"step2": {"filters": filters}}


def never(**filters: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A case in which the filters of step 2 contradict each other."""
    return filtered(**filters), [("unreachable-step", "steps[1]")]


NO_WINDOW = {"window": UNSET, "step2": {"window": UNSET}, "step3": {"window": UNSET}}
SPOILED = {"after": 1, "before": 3}
CASES: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "a sound funnel": ({}, []),
    # windows
    "no window at all": (NO_WINDOW, [("no-window", "steps[1]"), ("no-window", "steps[2]")]),
    "no window on one step": ({"window": UNSET, "step3": {"window": UNSET}}, [("no-window", "steps[2]")]),
    "a window for the funnel alone": ({"step2": {"window": UNSET}, "step3": {"window": UNSET}}, []),
    "a window on every way": (
        {
            "window": UNSET,
            "step2": any_of({"event": "a", "window": "1d"}, {"event": "b", "window": "2d"}, window=UNSET),
        },
        [],
    ),
    "a window on some ways": (
        {"window": UNSET, "step2": any_of({"event": "a", "window": "1d"}, {"event": "b"}, window=UNSET)},
        [("no-window", "steps[1]")],
    ),
    "an optional step needs no window": ({"window": UNSET, "step2": {"window": UNSET, "optional": True}}, []),
    "a window longer than the funnel's": ({"step2": {"window": "15d"}}, [("window-never-binds", "steps[1]")]),
    "a window as long as the funnel's": ({"step2": {"window": "14d"}}, [("window-never-binds", "steps[1]")]),
    "a way's window longer than the funnel's": (
        {"step2": any_of({"event": "a", "window": "15d"}, {"event": "b"})},
        [("window-never-binds", "steps[1].any_of[0]")],
    ),
    "two windows after the same step": (
        {"step2": {"window": ["2d", "3d"]}},
        [("window-never-binds", "steps[1]")],
    ),
    "the last row of all time": (
        {**NO_WINDOW, "step2": {"window": UNSET, "dedupe": "last"}},
        [("no-window", "steps[1]"), ("no-window", "steps[2]"), ("last-without-window", "steps[1]")],
    ),
    # out of reach by time
    "a gap longer than the window": ({"step2": {"min_gap": "8d"}}, [("unreachable-step", "steps[1]")]),
    "a gap as long as the window": ({"step2": {"min_gap": "7d"}}, []),
    "gaps longer than the funnel's window": (
        {"step2": {"min_gap": "6d"}, "step3": {"min_gap": "9d", "window": UNSET}},
        [("unreachable-step", "steps[2]")],
    ),
    "gaps longer than a window after the entry": (
        {"step2": {"min_gap": "5d"}, "step3": {"window": "4d_after_entry"}},
        [("unreachable-step", "steps[2]")],
    ),
    "gaps longer than a window after a step": (
        {"step2": {"min_gap": "5d"}, "step3": {"window": "4d_after_step_1"}},
        [("unreachable-step", "steps[2]")],
    ),
    "reachable when entered later": (
        {"entry": [1, 2], "step2": {"min_gap": "5d"}, "step3": {"window": "4d_after_entry"}},
        [],
    ),
    "reachable by coming early": (
        {"step2": {"min_gap": "5d"}, "step3": {"window": "4d_after_entry", "out_of_order": "1d"}},
        [],
    ),
    "a hurried walk": (
        {"step2": any_of({"event": "a"}, {"steps": [{"event": "b"}, {"event": "c", "min_gap": "2d", "window": "1d"}]})},
        [("unreachable-branch", "steps[1].any_of[1].steps[0]")],
    ),
    # out of reach by rows
    "no common country": never(all=[{"country": ["US", "CA"]}, {"country": "DE"}]),
    "two plans": never(plan={"eq": "pro", "ne": "pro"}),
    "an empty range": never(price={"gt": 5, "lt": 5}),
    "a range the wrong way round": never(price={"between": [5, 1]}),
    "a number and a text": never(price={"gt": 5, "lt": "9"}),
    "present and missing": never(plan={"exists": False, "eq": "pro"}),
    "a text that is a number": never(plan={"starts_with": "a", "gt": 5}),
    "two beginnings": never(plan={"starts_with": "a"}, all=[{"plan": {"starts_with": "b"}}]),
    "a value without its letters": never(plan={"in": ["pro", "team"], "contains": "x"}),
    "not what it is": never(plan="pro", **{"not": {"plan": "pro"}}),
    "a range that holds one value": (filtered(price={"gte": 5, "lte": 5}), []),
    "a value in the range": (filtered(price={"gt": 5, "lt": 6}), []),
    "a beginning within a beginning": (filtered(plan={"starts_with": "ab"}, all=[{"plan": {"starts_with": "a"}}]), []),
    "a plan or none": (filtered(**{"not": {"plan": "pro"}, "any": [{"plan": {"exists": False}}]}), []),
    "dates may be one time": (filtered(all=[{"day": "2026-01-01"}, {"day": "2026-01-01T00:00:00Z"}]), []),
    "every way is closed": (
        {"step2": any_of({"event": "a", "filters": {"p": {"gt": 2, "lt": 1}}})},
        [("unreachable-step", "steps[1]")],
    ),
    "one way is closed": (
        {"step2": any_of({"event": "a", "filters": {"p": {"gt": 2, "lt": 1}}}, {"event": "b"})},
        [("unreachable-branch", "steps[1].any_of[0]")],
    ),
    "all rows excluded": ({"exclude": [{"event": "verify"}]}, [("unreachable-step", "steps[1]")]),
    "all rows excluded by a weaker filter": (
        {"exclude": [{"filters": {"country": ["US", "CA"]}}], **filtered(country="US", plan="pro")},
        [("unreachable-step", "steps[1]")],
    ),
    "all rows excluded by two rules": (
        {"exclude": [{"filters": {"p": {"gte": 5}}}, {"filters": {"not": {"p": {"gt": 5}}}}], "step1": {}},
        [("unreachable-step", f"steps[{index}]") for index in range(3)],
    ),
    "all units vanish": ({"exclude_units": [{"event": "pay"}]}, [("unreachable-step", "steps[2]")]),
    "the first row came before": (
        {"ties": "forbid", "step2": {"event": "signup", "filters": {"p": 1}, "first_time": True}},
        [("unreachable-step", "steps[1]"), ("overlapping-steps", "steps[1]")],
    ),
    "the first row came before a gap": (
        {"step2": {"event": "signup", "filters": {"p": 1}, "first_time": True, "min_gap": "1h"}},
        [("unreachable-step", "steps[1]"), ("overlapping-steps", "steps[1]")],
    ),
    "the first row may come at the same time": (
        {"step2": {"event": "signup", "filters": {"p": 1}, "first_time": True}},
        [("overlapping-steps", "steps[1]")],
    ),
    # steps alike
    "the same step twice": ({"step2": {"event": "signup"}}, [("same-as-previous", "steps[1]")]),
    "the same step twice, filters in another form": (
        {"step1": {"filters": {"p": 1}}, "step2": {"event": "signup", "filters": {"p": [1.0]}}},
        [("same-as-previous", "steps[1]")],
    ),
    "the same event, other rows": (
        {"step1": {"filters": {"p": 1}}, "step2": {"event": "signup", "filters": {"p": 2}}},
        [],
    ),
    "the same event, some rows": (
        {"step2": {"event": "signup", "filters": {"p": 2}}},
        [("overlapping-steps", "steps[1]")],
    ),
    "the first step again at the end": ({"step3": {"event": "signup"}}, [("overlapping-steps", "steps[2]")]),
    "an optional step like the one before": (
        {"step2": {"event": "signup", "optional": True}},
        [("same-as-previous", "steps[1]")],
    ),
    # exclusions
    "a step's own event excluded in part": (
        {"exclude": [{"event": "verify", "filters": {"test": True}}]},
        [("excludes-own-step", "exclude[0]")],
    ),
    "another part of the event excluded": (
        {"exclude": [{"event": "verify", "filters": {"test": True}}], **filtered(test=False)},
        [],
    ),
    "any event excluded in part": ({"exclude": [{"filters": {"test": True}}]}, []),
    "a unit excluded by a step's own event": (
        {"exclude_units": [{"event": "pay", "filters": {"amount": 0}}]},
        [("excludes-own-step", "exclude_units[0]")],
    ),
    "a step's own event between the steps": (
        {"exclude_between": [{"event": "verify", **SPOILED}]},
        [("excludes-own-step", "exclude_between[0]")],
    ),
    "a step's own event where the rule does not stand": (
        {"exclude_between": [{"event": "signup", "after": 2, "before": 3}]},
        [],
    ),
    "other rows of a step's event": (
        {"exclude_between": [{"event": "verify", "filters": {"ok": False}, **SPOILED}], **filtered(ok=True)},
        [],
    ),
    "an exclusion that contradicts itself": (
        {"exclude": [{"filters": {"p": {"gt": 2, "lt": 1}}}]},
        [("never-matches", "exclude[0]")],
    ),
    # keys without effect
    "again, but the first counts": (
        {"reentry": "always", "represent": "first"},
        [("reentry-no-effect", "reentry")],
    ),
    "again, and the first may be cut": ({"reentry": {"interrupt": True}, "represent": "first"}, []),
    "again, and the first may be dropped": (
        {"reentry": "always", "represent": "first", "exclude_between": [{"event": "x", **SPOILED}]},
        [],
    ),
    "again after what every attempt reached": ({"reentry": {"below_step": 1}}, [("reentry-no-effect", "reentry")]),
    "again after completion below a step": (
        {"reentry": [{"after": "completed", "below_step": 2}, {"inactive": "1d"}]},
        [("reentry-no-effect", "reentry[0]")],
    ),
    "again after an exclusion that is not there": (
        {"reentry": {"after": "excluded"}},
        [("reentry-no-effect", "reentry")],
    ),
    "again below a step": ({"reentry": {"below_step": 2}}, []),
    "one attempt to choose from": ({"represent": "last"}, [("represent-no-effect", "represent")]),
    "every attempt counts": (
        {"represent": "last", "count": "attempts", "reentry": "always"},
        [("represent-no-effect", "represent")],
    ),
    "one attempt an order": ({"represent": "last", "hold_constant": "order_id"}, []),
    "nearest of later rows": ({"step2": {"dedupe": "nearest"}}, [("dedupe-no-effect", "steps[1]")]),
    "nearest on both sides": ({"step2": {"dedupe": "nearest", "out_of_order": "1h"}}, []),
}


@pytest.mark.parametrize("name", CASES)
def test_findings(name: str) -> None:
    """Each case gives exactly these findings, at these places."""
    keys, expected = CASES[name]
    assert found(**keys) == expected


def test_a_finding_says_what_where_and_the_mend() -> None:
    """One sentence for people, a code and a path for programs."""
    (issue,) = lint(load(edited(window=UNSET, step3={"window": UNSET})))
    assert issue.level == "warning"
    assert issue.message.startswith("Step 3 (`pay`) has no window: it counts however late it comes")
    assert issue.suggestion == "Add one to the step (window: 7d), or one for the whole funnel."


# -- findings hold on the walk ----------------------------------------

LAX = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def _walked(document: Mapping[str, Any], rows: list[dict[str, Any]]) -> list[Outcome]:
    return by_reference(case_of(document, rows, {}))


def _codes(document: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(issue.code, issue.path) for issue in lint(load(document))}


def _never_reaches_the_unreachable(document: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    dead = {int(path[6:-1]) for code, path in _codes(document) if code == "unreachable-step"}
    if dead:
        assert all(outcome.times[position] is None for outcome in _walked(document, rows) for position in dead)


@settings(max_examples=400, deadline=None, suppress_health_check=LAX)
@given(documents(), timelines())
def test_no_attempt_reaches_an_unreachable_step(document: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """`unreachable-step` is proven: the walk never gets there."""
    _never_reaches_the_unreachable(document, rows)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=LAX)
@given(documents(), timelines())
def test_no_attempt_in_ten_thousand_reaches_an_unreachable_step(
    document: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    """The same promise, kept at ten thousand cases."""
    _never_reaches_the_unreachable(document, rows)


def _means_the_same_without_what_has_no_effect(document: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    lighter = copy.deepcopy(document)
    for code, path in _codes(document):
        match code, path:
            case "dedupe-no-effect", _:
                del lighter["steps"][int(path[6:-1])]["dedupe"]
            case "represent-no-effect", _:
                del lighter["represent"]
            case "reentry-no-effect", "reentry" if document["represent"] == "first" and document["count"] == "unique":
                lighter["reentry"] = "never"
    one, two = ([each for each in _walked(doc, rows) if each.counted] for doc in (document, lighter))
    assert [(each.unit, each.times) for each in one] == [(each.unit, each.times) for each in two]


@settings(max_examples=400, deadline=None, suppress_health_check=LAX)
@given(documents(), timelines())
def test_what_has_no_effect_can_be_left_out(document: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Without a `dedupe`, `represent` or re-entry that is said to have no effect, the same attempts count."""
    _means_the_same_without_what_has_no_effect(document, rows)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=LAX)
@given(documents(), timelines())
def test_what_has_no_effect_can_be_left_out_ten_thousand_times(
    document: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    """The same promise, kept at ten thousand cases."""
    _means_the_same_without_what_has_no_effect(document, rows)


VALUES = [None, True, False, 0, 1, 1.5, 2, -3, "", "a", "ab", "b", "a\0", "true", "1", ["x"], {"y": 1}]
SCALARS = [value for value in VALUES if isinstance(value, bool | int | float | str)]
ORDERED = [value for value in SCALARS if not isinstance(value, bool)]
TEXTS = ["", "a", "ab", "b"]


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> Condition:
    """Random filters on two properties."""
    name = draw(st.sampled_from(["p", "q"]))
    test = draw(
        st.one_of(
            st.sampled_from(SCALARS),
            st.lists(st.sampled_from(SCALARS), min_size=1, max_size=3),
            st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), st.sampled_from(ORDERED), min_size=1),
            st.dictionaries(
                st.sampled_from(["contains", "starts_with", "ends_with", "matches"]),
                st.sampled_from(TEXTS),
                min_size=1,
            ),
            st.builds(lambda flag: {"exists": flag}, st.booleans()),
            st.builds(lambda values: {"not_in": values}, st.lists(st.sampled_from(SCALARS), min_size=1, max_size=3)),
        )
    )
    found = Filters.model_validate({name: test}).condition
    if depth:
        other = draw(conditions(depth=depth - 1))
        return draw(st.sampled_from([found, All((found, other)), Not(found), All((Not(found), other))]))
    return found


@settings(max_examples=500, deadline=None)
@given(conditions(), st.sampled_from(VALUES), st.sampled_from(VALUES))
def test_what_is_said_to_be_impossible_never_happens(condition: Condition, p: object, q: object) -> None:
    """A condition that some row meets is never called a contradiction."""
    if holds(condition, {"p": p, "q": q}):
        assert can_hold(condition)


@settings(max_examples=500, deadline=None)
@given(conditions(), conditions(), st.sampled_from(VALUES), st.sampled_from(VALUES))
def test_what_is_said_to_be_implied_is(one: Condition, other: Condition, p: object, q: object) -> None:
    """If one condition is said to imply another, no row meets only the first."""
    if implies(one, other) and holds(one, {"p": p, "q": q}):
        assert holds(other, {"p": p, "q": q})


def test_a_condition_of_too_many_cases_is_let_pass() -> None:
    """What would take too long to look into is not called a contradiction."""
    pairs = [{"any": [{f"p{index}": 1}, {f"q{index}": 1}]} for index in range(20)]
    assert can_hold(Filters.model_validate({"all": [*pairs, {"p": {"gt": 1, "lt": 0}}]}).condition)


# -- against data ----------------------------------------

EVENTS = ["signup", "verify", "pay", "refund"]
COLUMNS = ["user_id", "event", "time", "n", "i", "b", "t", "j", "at"]


def data_issues(document: dict[str, Any], **facts: Any) -> list[tuple[str, str, str]]:
    """Level, code and path of what the data shows."""
    known = {"events": EVENTS, "columns": COLUMNS, **facts}
    return [(issue.level, issue.code, issue.path) for issue in against_data(load(document), **known)]


def test_names_that_the_data_lacks_are_found_everywhere() -> None:
    """Steps, branches, exclusions of every kind and re-entry events are looked at, each with its path."""
    document = edited(
        exclude=[{"event": "x0", "filters": {"p0": 1}}],
        exclude_units=[{"event": "x1", "filters": {"p1": 1}}],
        reentry={"event": "x2"},
        step2=any_of({"event": "x3"}, {"steps": [{"event": "x4"}, {"event": "x5", "filters": {"p2": 1}}]}),
        exclude_between=[{"event": "x6", **SPOILED}],
        hold_constant="order",
    )
    assert data_issues(document) == [
        ("warning", "unknown-property", "hold_constant"),
        ("warning", "unknown-event", "exclude[0].event"),
        ("warning", "unknown-property", "exclude[0].filters"),
        ("warning", "unknown-event", "exclude_units[0].event"),
        ("warning", "unknown-property", "exclude_units[0].filters"),
        ("warning", "unknown-event", "reentry.event.event"),
        ("warning", "unknown-event", "steps[1].any_of[0].event"),
        ("warning", "unknown-event", "steps[1].any_of[1].steps[0].event"),
        ("warning", "unknown-event", "steps[1].any_of[1].steps[1].event"),
        ("warning", "unknown-property", "steps[1].any_of[1].steps[1].filters"),
        ("warning", "unknown-event", "exclude_between[0].event"),
    ]


@pytest.mark.parametrize(
    ("event", "suggestion"),
    [("sign_up", "Did you mean `signup`?"), ("Signup", "Did you mean `signup`?"), ("zzz", None)],
)
def test_the_nearest_event_is_offered(event: str, suggestion: str | None) -> None:
    """A misspelt name gets the name that was probably meant, a strange one none."""
    issues = against_data(load(edited(step1={"event": event})), events=EVENTS, columns=COLUMNS)
    assert [(issue.code, issue.suggestion) for issue in issues] == [("unknown-event", suggestion)]


def test_nothing_known_gives_no_findings() -> None:
    """Without names to compare with, nothing is said to be missing; traits are not columns."""
    document = edited(step1={"event": "x", "filters": {"p": 1}})
    assert data_issues(document, events=[], columns=[]) == []
    assert data_issues(edited(**filtered(**{"unit.plan": "pro"}))) == []


# -- one document a code ----------------------------------------

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
    assert code in {issue.code for issue in lint(load({"count_by": "user_id", **document}))}


def test_a_sound_definition_has_no_findings() -> None:
    """Nothing is found where nothing is wrong."""
    assert lint(load({"count_by": "user_id", "steps": [A, B, {"event": "c", "window": "2d"}]})) == ()


def test_names_are_held_against_the_data() -> None:
    """An event that does not occur, a property that is not there (with the nearest names)."""
    document = {
        "count_by": "user_id",
        "steps": [
            {"event": "signup_strated"},
            {"event": "pay", "window": "1d", "filters": {"plann": "pro", "seats": "3", "paid": True}},
        ],
    }
    found = against_data(
        load(document),
        events=["signup_started", "pay"],
        columns=["plan", "seats", "paid"],
    )
    assert [(issue.code, issue.level) for issue in found] == [
        ("unknown-event", "warning"),
        ("unknown-property", "warning"),
    ]
    assert [issue.suggestion for issue in found][:2] == ["Did you mean `signup_started`?", "Did you mean `plan`?"]
