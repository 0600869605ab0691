"""Every rule that people forget to agree on is listed, as declared or defaulted, in words about this funnel."""

from __future__ import annotations

import copy
from typing import Any, get_args

import pytest
from hypothesis import given, settings

from doorstep.definitions.checklist import Topic, checklist
from doorstep.definitions.reading import load
from strategies import documents

PLAIN: dict[str, Any] = {
    "funnel": "signup",
    "count_by": "account_id",
    "steps": [
        {"id": 1, "event": "signup"},
        {"id": 2, "event": "verify"},
        {"id": 3, "event": "pay"},
    ],
}


def rules(topic: Topic, where: str = "funnel", **keys: Any) -> list[tuple[str, str]]:
    """State and meaning of the rules of a topic; ``stepN`` adds keys to a step."""
    document = copy.deepcopy(PLAIN)
    for key, value in keys.items():
        if key.startswith("step") and key[4:].isdigit():
            document["steps"][int(key[4:]) - 1].update(value)
        else:
            document[key] = value
    return [
        (rule.state, rule.means) for rule in checklist(load(document)) if (rule.topic, rule.where) == (topic, where)
    ]


NOBODY = [
    ("defaulted", "Of rows that repeat a message_id only the earliest counts."),
    ("defaulted", "No rows are excluded beforehand."),
    ("defaulted", "No account_id is left out for what it did or is."),
    ("defaulted", "Staff count like everybody else: no filter or exclusion looks for them."),
    ("defaulted", "Test users count like everybody else: no filter or exclusion looks for them."),
    ("defaulted", "Bots count like everybody else: no filter or exclusion looks for them."),
    ("defaulted", "Nothing that happens between the steps takes an account_id out."),
]
EITHER = "`confirm` or `verify` counts, spelled exactly so, capitals included."
CASES: list[tuple[Topic, str, dict[str, Any], tuple[str, str]]] = [
    (
        "actor and counting unit",
        "funnel",
        {},
        ("declared", "What is counted is an account_id. Rows without one are left out."),
    ),
    (
        "actor and counting unit",
        "funnel",
        {},
        ("defaulted", "Each account_id counts at most once, however many `signup` rows it has."),
    ),
    (
        "actor and counting unit",
        "funnel",
        {"count": "attempts"},
        ("declared", "Each attempt counts, so an account_id counts as often as it attempts."),
    ),
    (
        "actor and counting unit",
        "funnel",
        {"reentry": "always"},
        (
            "defaulted",
            "Of several attempts, the one that got furthest stands for the account_id; of equals, the earliest.",
        ),
    ),
    (
        "actor and counting unit",
        "funnel",
        {"hold_constant": "order_id"},
        ("declared", "All rows of an attempt have the same order_id; rows without it are left out."),
    ),
    (
        "actor and counting unit",
        "funnel",
        {"count_by": {"session_of": "user_id", "gap": "30m"}},
        (
            "declared",
            "What is counted is a session of user_id; a session ends when the next row is more than 30 minutes away.",
        ),
    ),
    (
        "actor and counting unit",
        "funnel",
        {"count_by": "user_id"},
        (
            "defaulted",
            "Nothing says how devices are stitched to users: what somebody did while no user_id was known, such as "
            "before a log-in or on another device, counts for nobody.",
        ),
    ),
    (
        "actor and counting unit",
        "funnel",
        {"count_by": {"stitch": {"known": "user_id", "anonymous": "device"}}},
        ("declared", "What is counted is a stitched user_id."),
    ),
    (
        "actor and counting unit",
        "funnel",
        {"count_by": {"stitch": {"known": "user_id", "anonymous": "device"}}},
        (
            "declared",
            "A row with a user_id belongs to that user_id. A row without one belongs to the user_id that first came in "
            "one row with its device, even when it is earlier than that row; from the first row in which another "
            "user_id comes with the same device on, rows without one belong to that other. A device that never comes "
            "with a user_id counts by itself. Rows that are excluded, or later than the horizon, say nothing about "
            "this. Rows with neither user_id nor device are left out.",
        ),
    ),
    (
        "actor and counting unit",
        "funnel",
        {"count_by": {"account_of": {"stitch": {"known": "user_id", "anonymous": "device"}}, "account": "team"}},
        (
            "declared",
            "A row with a user_id belongs to that user_id. A row without one belongs to the user_id that first came in "
            "one row with its device, even when it is earlier than that row; from the first row in which another "
            "user_id comes with the same device on, rows without one belong to that other. A device that never comes "
            "with a user_id counts by itself. Rows that are excluded, or later than the horizon, say nothing about "
            "this. A row with a team belongs to that team. A row without one belongs to the team in the latest row at "
            "or before its time that has both a team and the same stitched user_id; before the first such row it "
            "belongs to no team, nor does it from where rows of one time name two until a later row names one. Rows of "
            "no team are left out.",
        ),
    ),
    ("exact events", "2", {"step2": {"event": ["verify", "confirm"]}}, ("declared", EITHER)),
    (
        "windows between steps",
        "2",
        {},
        (
            "defaulted",
            "No window: `verify` counts however long after step 1 it comes, even years, and an attempt that waits for "
            "it stays open and never expires.",
        ),
    ),
    (
        "windows between steps",
        "2",
        {"step2": {"window": "7d"}, "window": "14d"},
        (
            "declared",
            "`verify` counts at most 7 days after step 1 and at most 14 days after the attempt's first row "
            "(both ends included).",
        ),
    ),
    (
        "windows between steps",
        "2",
        {"step2": {"min_gap": "1h"}},
        ("declared", "`verify` sooner than 1 hour after step 1 is passed over."),
    ),
    (
        "filters and exclusions",
        "1",
        {},
        ("defaulted", "No filters: every `signup` counts, whatever its properties."),
    ),
    (
        "filters and exclusions",
        "1",
        {"step1": {"filters": {"plan": "pro"}}},
        ("declared", "Only `signup` where plan is pro."),
    ),
    (
        "filters and exclusions",
        "funnel",
        {"exclude": [{"filters": {"bots": True}}]},
        ("declared", "These rows never count: any event where bots is true."),
    ),
    (
        "filters and exclusions",
        "funnel",
        {"exclude": [{"filters": {"bots": True}}]},
        ("declared", "Bots: filters look at bots; see there whether they are left out."),
    ),
    (
        "filters and exclusions",
        "funnel",
        {"exclude_units": [{"filters": {"role": ["test", "staff"]}}]},
        ("declared", "Test users: filters look at role; see there whether they are left out."),
    ),
    (
        "filters and exclusions",
        "funnel",
        {"exclude": [{"filters": {"email": {"ends_with": "@us.example"}}}]},
        ("declared", "Staff: filters look at email; see there whether they are left out."),
    ),
    (
        "dedupe",
        "2",
        {},
        ("defaulted", "If `verify` comes several times in time, the earliest is taken; the others do not count again."),
    ),
    (
        "dedupe",
        "2",
        {"step2": {"dedupe": "first"}},
        ("declared", "If `verify` comes several times in time, the earliest is taken; the others do not count again."),
    ),
    (
        "entry",
        "funnel",
        {},
        (
            "defaulted",
            "An attempt starts at `signup` (step 1) and nowhere else: who does not come by it is not counted at all.",
        ),
    ),
    (
        "entry",
        "funnel",
        {"entry": [1, 2]},
        (
            "declared",
            "An attempt starts at `signup` (step 1) or `verify` (step 2); steps before the one it starts at are not "
            "counted for it.",
        ),
    ),
    (
        "re-entry",
        "funnel",
        {},
        (
            "defaulted",
            "Each account_id has one attempt, from its first `signup`; later ones start nothing.",
        ),
    ),
    (
        "re-entry",
        "funnel",
        {"reentry": "never"},
        (
            "declared",
            "Each account_id has one attempt, from its first `signup`; later ones start nothing.",
        ),
    ),
    (
        "re-entry",
        "funnel",
        {"reentry": "always"},
        ("declared", "Every `signup` starts an attempt of its own, also while others are running."),
    ),
    (
        "optional and OR logic",
        "funnel",
        {},
        ("defaulted", "Every step is required, and each has one event: `signup`, `verify` and `pay`."),
    ),
    (
        "optional and OR logic",
        "2",
        {"step2": {"optional": True}},
        (
            "declared",
            "`verify` may come from step 1 to step 3, both included (if step 3 is not reached, to its deadline), with "
            "no time limit; nobody is lost without it.",
        ),
    ),
    (
        "order and ties",
        "funnel",
        {},
        (
            "defaulted",
            "Steps count only in the order listed; anything may happen between them. "
            "`verify` before `signup` does not count.",
        ),
    ),
    (
        "order and ties",
        "funnel",
        {"ties": "forbid"},
        ("declared", "A row at the very time of the step before does not count: it must be strictly later."),
    ),
    (
        "order and ties",
        "3",
        {"step3": {"out_of_order": "1d"}},
        ("declared", "`pay` also counts when it comes up to 24 hours before step 2."),
    ),
]


@pytest.mark.parametrize(("topic", "where", "keys", "expected"), CASES)
def test_a_rule_says_whether_it_is_declared_and_what_it_means(
    topic: Topic, where: str, keys: dict[str, Any], expected: tuple[str, str]
) -> None:
    """In words of this funnel's own events and units."""
    assert expected in rules(topic, where, **keys)


def test_without_exclusions_everyone_counts_and_it_is_said() -> None:
    """Staff, test users and bots are each named."""
    assert rules("filters and exclusions") == NOBODY


def test_a_word_inside_another_is_not_a_sign_of_staff_or_bots() -> None:
    """A contest, a bottle and the latest are neither tests nor bots."""
    filters = {"contest": True, "bottle": 1, "latest_plan": "pro"}
    assert rules("filters and exclusions", step1={"filters": filters}) == NOBODY


def test_short_forms_are_declarations() -> None:
    """What the short form of a document gives is declared, though it is folded into other keys."""
    document = {
        **PLAIN,
        "steps": [{"event": "signup"}, {"event": "pay", "dedupe": "last", "window": "7d"}],
        "optional_between": [{"after": 1, "before": 2, "event": "tour"}],
        "reentry": "no_within_7d",
    }
    found = {(rule.topic, rule.where): rule.state for rule in checklist(load(document)) if rule.topic != "exact events"}
    steps = [str(step.id) for step in load(document).steps]
    assert found["re-entry", "funnel"] == "declared"
    assert found["dedupe", steps[-1]] == "declared"
    assert found["optional and OR logic", steps[1]] == "declared"


@settings(max_examples=100, deadline=None)
@given(documents())
def test_every_topic_is_settled_for_every_definition(document: dict[str, Any]) -> None:
    """Whatever the definition, each topic has an answer (a single step has no step before it)."""
    found = checklist(load(document))
    assert all(rule.means.endswith(".") for rule in found)
    missing = set(get_args(Topic)) - {rule.topic for rule in found}
    single = {"windows between steps", "dedupe"} if len(load(document).required) == 1 else set()
    assert missing <= {"windows between steps", "optional and OR logic"} | single


TOPICS = [
    "actor and counting unit",
    "exact events",
    "windows between steps",
    "filters and exclusions",
    "dedupe",
    "entry",
    "re-entry",
    "optional and OR logic",
    "order and ties",
    "time zone and horizon",
]


def test_every_topic_is_told_in_order() -> None:
    """A bare definition has a rule under each topic."""
    rules = checklist(load({"count_by": "user_id", "steps": [{"event": "a"}, {"event": "b"}]}))
    assert list(dict.fromkeys(rule.topic for rule in rules)) == TOPICS


def test_a_default_is_told_in_terms_of_the_funnel() -> None:
    """Undeclared re-entry names the unit and the entry event; staff, test users and bots are named as counting."""
    rules = checklist(load({"count_by": "user_id", "steps": [{"event": "signup"}, {"event": "b"}]}))
    told = {rule.means for rule in rules if rule.state == "defaulted"}
    assert "Each user_id has one attempt, from its first `signup`; later ones start nothing." in told
    assert sum("like everybody else" in means for means in told) == 3


def test_what_is_declared_is_marked_so() -> None:
    """Each key that is given makes its rule declared."""
    document = {
        "count_by": "user_id",
        "count": "attempts",
        "reentry": "always",
        "window": "7d",
        "exclude": [{"filters": {"is_staff": True}}, {"filters": {"bot": True}}, {"filters": {"test_user": True}}],
        "steps": [{"event": "a"}, {"event": "b", "window": "1d", "dedupe": "last"}],
    }
    rules = checklist(load(document))
    defaulted = {rule.topic for rule in rules if rule.state == "defaulted"}
    assert defaulted.isdisjoint({"windows between steps", "dedupe", "re-entry", "exact events"})
    assert not any("like everybody else" in rule.means for rule in rules)
