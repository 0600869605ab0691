"""What no type can say: rules between keys, each with definitions that break it and no other."""

from __future__ import annotations

from typing import Any

import pytest

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.reading import load
from doorstep.definitions.rules import RULES, broken_rules
from doorstep.errors import DefinitionError
from doorstep.matching.plan import compile_plan

A, B, C = {"event": "a"}, {"event": "b"}, {"event": "c"}
WALK = {"steps": [{"event": "x"}, {"event": "y"}]}
TIMED = {"event": "x", "window": "1d"}
BETWEEN = {"event": "x", "after": 1, "before": 2}

BROKEN: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    # names
    ("two ids alike as text", {"steps": [{**A, "id": 1}, {**B, "id": "1"}]}, [("steps[1].id", "duplicate-step")]),
    ("an id that is another's position", {"steps": [{**A, "id": 2}, B]}, [("steps[1].id", "duplicate-step")]),
    ("entry at no step", {"steps": [A, B], "entry": [1, 7]}, [("entry[1]", "unknown-step")]),
    (
        "entry at an optional step",
        {"steps": [A, {**B, "id": "o", "optional": True}], "entry": ["o"]},
        [("entry[0]", "optional-step-named")],
    ),
    (
        "a window after no step",
        {"steps": [A, {**B, "window": "1d_after_step_x"}]},
        [("steps[1].window", "unknown-step")],
    ),
    (
        "a window after an optional step",
        {"steps": [A, {**B, "id": "o", "optional": True}, {**C, "window": "1d_after_step_o"}]},
        [("steps[2].window", "optional-step-named")],
    ),
    (
        "a window after its own step",
        {"steps": [A, {**B, "window": ["1d", "1d_after_step_2"]}]},
        [("steps[1].window[1]", "window-not-earlier")],
    ),
    (
        "windows in a circle",
        {"steps": [A, {**B, "window": "1d_after_step_3"}, {**C, "window": "1d_after_step_2"}]},
        [("steps[1].window", "window-not-earlier")],
    ),
    (
        "an optional step's window after a later step",
        {"steps": [A, {**B, "optional": True, "window": "1d_after_step_3"}, C]},
        [("steps[1].window", "window-not-earlier")],
    ),
    (
        "an alternative's window after a later step",
        {"steps": [A, {"any_of": [{"event": "x", "window": "1d_after_step_3"}]}, C]},
        [("steps[1].any_of[0].window", "window-not-earlier")],
    ),
    (
        "a sub-step's window after a later sub-step",
        {"steps": [A, {"any_of": [{"steps": [{**B, "window": "1d_after_step_s"}, {**C, "id": "s"}]}]}]},
        [("steps[1].any_of[0].steps[0].window", "window-not-earlier")],
    ),
    (
        "a sub-step's window after another branch's",
        {"steps": [A, {"any_of": [{"steps": [{**B, "id": "s"}]}, {"steps": [{**C, "window": "1d_after_step_s"}]}]}]},
        [("steps[1].any_of[1].steps[0].window", "unknown-step")],
    ),
    (
        "a sub-step's window after the step it is in",
        {"steps": [A, {"any_of": [{"steps": [{**B, "window": "1d_after_step_2"}]}]}]},
        [("steps[1].any_of[0].steps[0].window", "window-not-earlier")],
    ),
    (
        "two sub-steps of one id",
        {"steps": [A, {"any_of": [{"steps": [{**B, "id": "s"}, {**C, "id": "s"}]}]}]},
        [("steps[1].any_of[0].steps[1].id", "duplicate-step")],
    ),
    (
        "a sub-step with a step's id",
        {"steps": [A, {"any_of": [{"steps": [{**B, "id": 1}]}]}]},
        [("steps[1].any_of[0].steps[0].id", "duplicate-step")],
    ),
    (
        "an exclusion between no steps",
        {"steps": [A, B], "exclude_between": [{"event": "x", "after": 0, "before": 9}]},
        [("exclude_between[0].after", "unknown-step"), ("exclude_between[0].before", "unknown-step")],
    ),
    (
        "an exclusion backwards",
        {"steps": [A, B], "exclude_between": [{"event": "x", "after": 2, "before": 1}]},
        [("exclude_between[0].before", "exclusion-order")],
    ),
    (
        "an exclusion between a step and itself",
        {"steps": [A, B], "exclude_between": [{"event": "x", "after": 1, "before": 1}]},
        [("exclude_between[0].before", "exclusion-order")],
    ),
    (
        "re-entry below no step",
        {"steps": [A, B], "reentry": {"below_step": 3}},
        [("reentry.below_step", "unknown-step")],
    ),
    # steps
    ("a first step with a window", {"steps": [{**A, "window": "1d"}]}, [("steps[0].window", "first-step")]),
    ("a first step with a gap", {"steps": [{**A, "min_gap": "1d"}]}, [("steps[0].min_gap", "first-step")]),
    ("a first step out of order", {"steps": [{**A, "out_of_order": "1d"}]}, [("steps[0].out_of_order", "first-step")]),
    ("a first step deduped", {"steps": [{**A, "dedupe": "last"}]}, [("steps[0].dedupe", "first-step")]),
    ("an optional first step", {"steps": [{**A, "optional": True}, B]}, [("steps[0].optional", "optional-first")]),
    ("no required step", {"steps": [{**A, "optional": True}]}, [("steps[0].optional", "optional-first")]),
    (
        "a gap and out of order",
        {"steps": [A, {**B, "min_gap": "1d", "out_of_order": "1d"}]},
        [("steps[1].out_of_order", "min-gap-out-of-order")],
    ),
    (
        "an optional step with a pace",
        {"steps": [A, {**B, "optional": True, "dedupe": "last", "min_gap": "1s"}]},
        [("steps[1].dedupe", "optional-step"), ("steps[1].min_gap", "optional-step")],
    ),
    (
        "an optional step with a walk",
        {"steps": [A, {"optional": True, "any_of": [WALK]}]},
        [("steps[1].any_of", "optional-step")],
    ),
    ("a step with both", {"steps": [A, {**B, "any_of": [C]}]}, [("steps[1].event", "any-of-and-event")]),
    (
        "a step with filters too",
        {"steps": [A, {"filters": {}, "any_of": [C]}]},
        [("steps[1].filters", "any-of-and-event")],
    ),
    ("no alternatives", {"steps": [A, {"any_of": []}]}, [("steps[1].any_of", "empty-list")]),
    ("a step of nothing", {"steps": [A, {"id": 2, "filters": {}}]}, [("steps[1]", "missing-key")]),
    ("an exclusion of nothing", {"steps": [A], "exclude": [{}]}, [("exclude[0]", "missing-key")]),
    (
        "an exclusion of nothing between",
        {"steps": [A, B], "exclude_between": [{"after": 1, "before": 2}]},
        [("exclude_between[0]", "missing-key")],
    ),
    ("an alternative of nothing", {"steps": [A, {"any_of": [{"name": "x"}]}]}, [("steps[1].any_of[0]", "missing-key")]),
    # alternatives
    (
        "a walk with an event",
        {"steps": [A, {"any_of": [{**WALK, "event": "z", "window": "1d"}]}]},
        [("steps[1].any_of[0].event", "steps-and-event"), ("steps[1].any_of[0].window", "steps-and-event")],
    ),
    ("a walk of no steps", {"steps": [A, {"any_of": [{"steps": []}]}]}, [("steps[1].any_of[0].steps", "empty-list")]),
    ("a walk to enter by", {"steps": [{"any_of": [WALK]}, B]}, [("steps[0].any_of[0].steps", "entry-alternative")]),
    (
        "a timed alternative to enter by",
        {"steps": [A, {"any_of": [B, TIMED]}], "entry": "any_step"},
        [("steps[1].any_of[1].window", "entry-alternative")],
    ),
    (
        "a walk at one of several entries",
        {"steps": [A, {"any_of": [WALK]}, C], "entry": [1, 2]},
        [("steps[1].any_of[0].steps", "entry-alternative")],
    ),
    (
        "a walk with a gap before it",
        {"steps": [A, {"any_of": [WALK, B], "min_gap": "1d"}]},
        [("steps[1].min_gap", "branch-pace")],
    ),
    (
        "a walk out of order",
        {"steps": [A, {"any_of": [WALK], "out_of_order": "1d"}]},
        [("steps[1].out_of_order", "branch-pace")],
    ),
    # consecutive
    (
        "consecutive with a pace",
        {"order": "consecutive", "steps": [A, {**B, "dedupe": "nearest"}, {**C, "min_gap": "1d"}]},
        [("steps[1].dedupe", "consecutive-order"), ("steps[2].min_gap", "consecutive-order")],
    ),
    (
        "consecutive out of order",
        {"order": "consecutive", "steps": [A, {**B, "out_of_order": "1d"}]},
        [("steps[1].out_of_order", "consecutive-order")],
    ),
    (
        "consecutive with a walk",
        {"order": "consecutive", "steps": [A, {"any_of": [WALK]}]},
        [("steps[1].any_of[0].steps", "consecutive-order")],
    ),
    # any order
    ("any order without a window", {"order": "any", "steps": [A, B]}, [("window", "any-order")]),
    (
        "any order, timed",
        {"order": "any", "window": "1d", "steps": [A, {**B, "window": "1d"}]},
        [("steps[1].window", "any-order")],
    ),
    (
        "any order, a timed alternative",
        {"order": "any", "window": "1d", "steps": [A, {"any_of": [TIMED]}]},
        [("steps[1].any_of[0].window", "any-order")],
    ),
    (
        "any order, a walk",
        {"order": "any", "window": "1d", "steps": [A, {"any_of": [WALK]}]},
        [("steps[1].any_of[0].steps", "any-order")],
    ),
    (
        "any order, an optional step",
        {"order": "any", "window": "1d", "steps": [A, {**B, "optional": True}]},
        [("steps[1].optional", "any-order")],
    ),
    (
        "any order, an exclusion",
        {"order": "any", "window": "1d", "steps": [A, B], "exclude_between": [BETWEEN]},
        [("exclude_between", "any-order")],
    ),
    (
        "any order, no ties",
        {"order": "any", "window": "1d", "steps": [A, B], "ties": "forbid"},
        [("ties", "any-order")],
    ),
    (
        "any order, deduped",
        {"order": "any", "window": "1d", "steps": [A, {**B, "dedupe": "last"}]},
        [("steps[1].dedupe", "any-order")],
    ),
    (
        "any order from step 1",
        {"order": "any", "window": "1d", "steps": [A, B], "entry": "step1_only"},
        [("entry", "any-order")],
    ),
    (
        "any order, long re-entry",
        {"order": "any", "window": "1d", "steps": [A, B], "reentry": {"no_within": "1d", "after": ["completed"]}},
        [("reentry", "any-order")],
    ),
    (
        "any order, re-entry after exclusion",
        {"order": "any", "window": "1d", "steps": [A, B], "reentry": {"after": ["excluded"]}},
        [("reentry", "any-order")],
    ),
    # furthest
    ("furthest, attempts", {"match": "furthest", "steps": [A, B], "count": "attempts"}, [("count", "furthest-match")]),
    (
        "furthest, re-entry",
        {"match": "furthest", "steps": [A, B], "reentry": "always"},
        [("reentry", "furthest-match")],
    ),
    (
        "furthest, consecutive",
        {"match": "furthest", "steps": [A, B], "order": "consecutive"},
        [("order", "furthest-match")],
    ),
    ("furthest, any entry", {"match": "furthest", "steps": [A, B], "entry": "any_step"}, [("entry", "furthest-match")]),
    (
        "furthest, exclusion",
        {"match": "furthest", "steps": [A, B], "exclude_between": [BETWEEN]},
        [("exclude_between", "furthest-match")],
    ),
    (
        "furthest, optional",
        {"match": "furthest", "steps": [A, {**B, "optional": True}]},
        [("steps[1].optional", "furthest-match")],
    ),
    (
        "furthest, deduped",
        {"match": "furthest", "steps": [A, {**B, "dedupe": "last"}]},
        [("steps[1].dedupe", "furthest-match")],
    ),
    (
        "furthest, a gap",
        {"match": "furthest", "steps": [A, {**B, "min_gap": "1d"}]},
        [("steps[1].min_gap", "furthest-match")],
    ),
    (
        "furthest, a walk",
        {"match": "furthest", "steps": [A, {"any_of": [WALK]}]},
        [("steps[1].any_of[0].steps", "furthest-match")],
    ),
    (
        "furthest, after a named step",
        {"match": "furthest", "steps": [A, {**B, "window": ["1d", "2d_after_step_1"]}]},
        [("steps[1].window[1]", "furthest-match")],
    ),
    (
        "furthest, an alternative after a named step",
        {"match": "furthest", "steps": [A, {"any_of": [{"event": "x", "window": "2d_after_step_1"}]}]},
        [("steps[1].any_of[0].window", "furthest-match")],
    ),
    # limits
    ("65 steps", {"steps": [A] * 65}, [("steps", "too-many-steps")]),
    ("65 conditions", {"steps": [A] * 60, "exclude_between": [BETWEEN] * 5}, [("steps", "too-many-conditions")]),
]


@pytest.mark.parametrize(("document", "expected"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_rule_is_found_with_its_place(document: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Each with its code and path, and nothing beside it."""
    with pytest.raises(DefinitionError) as caught:
        load({"count_by": "u", **document})
    assert expected == [(issue.path, issue.code) for issue in caught.value.issues]


KEPT: list[tuple[str, dict[str, Any]]] = [
    ("defaults written out", {"steps": [{**A, "dedupe": "first"}, {**B, "dedupe": "first", "optional": False}]}),
    ("an optional last step", {"steps": [A, {**B, "optional": True, "window": "1d_after_step_1"}]}),
    ("windows of every anchor", {"steps": [A, B, {**C, "window": ["1d", "2d_after_entry", "3d_after_step_1"]}]}),
    (
        "windows in a walk",
        {
            "steps": [
                A,
                {
                    "any_of": [
                        {
                            "steps": [
                                {**B, "id": "s", "window": "1d"},
                                {**C, "window": ["1d_after_step_s", "2d_after_step_1"]},
                            ]
                        }
                    ]
                },
            ]
        },
    ),
    ("a pick beside a walk", {"steps": [A, {"any_of": [B, WALK], "dedupe": "nearest", "window": "3d"}]}),
    ("a walk off the entry", {"steps": [A, {"any_of": [WALK]}, C], "entry": [1, 3]}),
    (
        "the same sub-step id in two branches",
        {"steps": [A, {"any_of": [{"steps": [{**B, "id": "s"}]}, {"steps": [{**C, "id": "s"}]}]}]},
    ),
    ("any order, plain", {"order": "any", "window": "1d", "steps": [A, {"any_of": [B, C]}]}),
    ("any order, any entry", {"order": "any", "window": "1d", "entry": "any_step", "steps": [A, B]}),
    ("any order, short re-entry", {"order": "any", "window": "1d", "steps": [A, B], "reentry": "after_timeout"}),
    (
        "any order, the same written out",
        {"order": "any", "window": "1d", "steps": [A, B], "reentry": {"after": ["expired", "completed"]}},
    ),
    (
        "furthest, timed",
        {
            "match": "furthest",
            "window": "9d",
            "steps": [A, {"any_of": [B, TIMED], "window": "1d_after_entry"}],
            "ties": "forbid",
        },
    ),
    (
        "furthest, defaults",
        {"match": "furthest", "steps": [A, B], "reentry": "never", "entry": "step1_only", "count": "unique"},
    ),
    ("entry at step 1 by name", {"match": "furthest", "steps": [A, B], "entry": [1]}),
    ("every event", {"steps": [{"event": "*"}, B]}),
    ("filters alone", {"steps": [{"filters": {"p": 1}}], "exclude": [{"filters": {"q": True}}]}),
    ("64 conditions", {"steps": [A] * 60, "exclude_between": [BETWEEN] * 4}),
]


@pytest.mark.parametrize("document", [case[1] for case in KEPT], ids=[case[0] for case in KEPT])
def test_what_the_semantics_allow_is_allowed(document: dict[str, Any]) -> None:
    """Near misses of the rules pass, and compile."""
    funnel = load({"count_by": "u", **document})
    assert len(funnel.steps) == len(compile_plan(funnel).steps)


def test_no_rule_relies_on_another() -> None:
    """Every rule gives its findings, and raises nothing, on definitions that break others."""
    for _, document, _ in BROKEN:
        steps = [{"id": number + 1, **step} for number, step in enumerate(document["steps"][:64])]
        funnel = Funnel.model_validate({"funnel": "f", "count_by": "u", **document, "steps": steps})
        for rule in RULES:
            assert all(violation.message.endswith(".") for violation in rule(funnel))


@pytest.mark.parametrize("extra", [{}, {"first_time": True}, {"first_time": "matching"}])
def test_conditions_are_counted_as_they_are_compiled(extra: dict[str, Any]) -> None:
    """The limit is that of the plan's word: no more conditions than it has questions, nor fewer."""
    from doorstep.definitions.rules.limits import conditions_of

    funnel = load(
        {
            "count_by": "u",
            "steps": [{**A, **extra}, {"any_of": [B, WALK], **extra}, C],
            "exclude_between": [BETWEEN],
            "exclude_units": [B, C],
            "reentry": [{"event": "z"}, {"no_within": "1d"}],
        }
    )
    assert broken_rules(funnel) == ()
    assert len(compile_plan(funnel).questions) == conditions_of(funnel)
