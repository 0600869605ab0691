"""`doorstep check` leaves no rule unsaid, and says what a default means for this funnel."""

from __future__ import annotations

import doorstep
from doorstep.definitions.checklist import checklist

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
]


def test_every_topic_is_told_in_order() -> None:
    """A bare definition has a rule under each topic."""
    rules = checklist(doorstep.load({"count_by": "user_id", "steps": [{"event": "a"}, {"event": "b"}]}))
    assert list(dict.fromkeys(rule.topic for rule in rules)) == TOPICS


def test_a_default_is_told_in_terms_of_the_funnel() -> None:
    """Undeclared re-entry names the unit and the entry event; staff, test users and bots are named as counting."""
    rules = checklist(doorstep.load({"count_by": "user_id", "steps": [{"event": "signup"}, {"event": "b"}]}))
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
    rules = checklist(doorstep.load(document))
    defaulted = {rule.topic for rule in rules if rule.state == "defaulted"}
    assert defaulted.isdisjoint({"windows between steps", "dedupe", "re-entry", "exact events"})
    assert not any("like everybody else" in rule.means for rule in rules)
