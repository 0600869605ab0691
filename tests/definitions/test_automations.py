"""Documents of segments, signals and workflows: faults with places, one hash for one meaning, words, schemas."""

from __future__ import annotations

import jsonschema
import pytest

from doorstep.definitions.automation_words import describe_automation
from doorstep.definitions.kinds import (
    AUTOMATIONS,
    Kind,
    definition_hash,
    difference,
    load_definition_text,
    text_hash,
)
from doorstep.definitions.schema import automation_schema
from doorstep.definitions.segment import Segment
from doorstep.definitions.signal import Signal
from doorstep.definitions.workflow import Workflow
from doorstep.definitions.yaml_text import parse_yaml
from doorstep.errors import DefinitionError

SIGNAL = """
signal: slipping
title: Slipping away
kind: risk
priority: high
when: {stuck: {journey: lives, stage: onboarding, at_least: 14d}}
where:
  all:
    - {trait: {plan: pro}}
    - not: {segment: vip}
cool_down: 30d
quiet_hours: {from: 22:00, to: 07:00, timezone: Europe/Berlin}
announce: {to: ops, as: immediate, text: "{{account.name}}"}
"""
WORKFLOW = """
workflow: weekly
trigger: {schedule: {at: 09:00, on: monday}}
where: {high_water: {journey: lives, at_least: engaged}, count: {event: work, at_most: 3, in_last: 7d}}
actions:
  - email: {to: mail, subject: "{{account.name}}", text: Look.}
  - set_trait: {health: poor, score: 3}
    if: {tag: risk}
  - wait: 2d
  - only_if: {time_in_stage: {journey: lives, at_least: 2d}}
  - webhook: {to: crm, body: {a: ["{{account.id}}", 1, null]}}
"""
SEGMENT = """
segment: fading
criteria:
  any:
    - {did_not: {event: work, in_last: 7d}, account_age: 30d}
    - stage: {journey: lives, is: [dormant, churned]}
"""


def loaded(text: str) -> Segment | Signal | Workflow:
    found = load_definition_text(text, file="x.yaml", name="x")
    assert isinstance(found, Segment | Signal | Workflow)
    return found


@pytest.mark.parametrize(
    ("text", "old", "new", "told"),
    [
        (
            SIGNAL,
            "stuck:",
            "stuk:",
            "x.yaml:6:8: error unknown-key: `stuk` is not a key of `when`. Did you mean",
        ),
        (SIGNAL, "14d", "14", "x.yaml:6:61: error bad-duration: 14 is not a duration."),
        (SIGNAL, "07:00", "7:00", 'x.yaml:12:32: error bad-time-of-day: "7:00" is no time of day. Write 22:00.'),
        (SIGNAL, "Europe/Berlin", "Berlin", 'x.yaml:12:49: error bad-timezone: "Berlin" is no time zone.'),
        (SIGNAL, "kind: risk", "kind: rsk", 'x.yaml:4:7: error bad-choice: "rsk" is not a choice for `kind`. Did you'),
        (SIGNAL, "account.name", "account.nam", "x.yaml:13:42: error unknown-variable: There is no variable"),
        (SIGNAL, "    - {trait", "    - {trit", "x.yaml:9:8: error unknown-key: `trit` is not a key of `all`."),
        (
            WORKFLOW,
            "wait: 2d",
            "wait: 2d\n    slack: {to: a, text: b}",
            "error not-one-key: An action does exactly one",
        ),
        (WORKFLOW, "on: monday", "on: munday", 'error bad-choice: "munday" is not a choice for'),
        (
            WORKFLOW,
            "actions:",
            "acts:",
            "x.yaml:5:1: error unknown-key: `acts` is not a key of a workflow.",
        ),
        (SEGMENT, "did_not:", "sum:", "error missing-key: `property` is missing from `sum`."),
        (SEGMENT, "fading", "Fading Away", "cannot name a segment"),
        (SEGMENT, "stage: {journey: lives, ", "stage: {journy: lives, ", "Did you mean `journey`?"),
    ],
)
def test_faults_are_told_with_their_place_and_the_mend(text: str, old: str, new: str, told: str) -> None:
    """An unknown key, a wrong value, several where one must be: what, where, and what was meant."""
    assert old in text
    with pytest.raises(DefinitionError) as caught:
        loaded(text.replace(old, new, 1))
    assert told in str(caught.value)


def test_what_a_definition_means_makes_its_hash_and_its_words_another() -> None:
    """Spellings do not show; titles move the text hash alone; a difference is told exactly when a hash differs."""
    meant = loaded(SIGNAL)
    spelt = loaded(SIGNAL.replace("14d", "2w").replace("{trait: {plan: pro}}", "{trait: {plan: {eq: pro}}}"))
    assert (definition_hash(meant), text_hash(meant)) == (definition_hash(spelt), text_hash(spelt))
    assert difference(meant, spelt) == ()
    titled = loaded(SIGNAL.replace("Slipping away", "Going"))
    assert definition_hash(meant) == definition_hash(titled)
    assert [(one.clause, one.moves_count) for one in difference(meant, titled)] == [("title", False)]
    longer = loaded(SIGNAL.replace("14d", "15d"))
    assert [(one.clause, one.moves_count) for one in difference(meant, longer)] == [("when", True)]
    with pytest.raises(DefinitionError, match="cannot be compared"):
        difference(meant, loaded(SEGMENT))


@pytest.mark.parametrize(("kind", "text"), [("signal", SIGNAL), ("workflow", WORKFLOW), ("segment", SEGMENT)])
def test_documents_are_what_their_schema_says(kind: Kind, text: str) -> None:
    """The published schema takes what loads, and refuses an unknown key."""
    schema = automation_schema(AUTOMATIONS[kind])
    jsonschema.Draft202012Validator.check_schema(schema)
    document = parse_yaml(text, "x.yaml").value
    validator = jsonschema.Draft202012Validator(schema)
    assert [one.message for one in validator.iter_errors(document)] == []
    assert [one.message for one in validator.iter_errors({**document, "colour": "red"})] != []


def test_definitions_are_told_in_plain_words() -> None:
    """What a signal is about, whom it leaves alone, what a workflow does, who is in a segment."""
    signal, workflow, segment = (describe_automation(loaded(text)) for text in (SIGNAL, WORKFLOW, SEGMENT))
    assert "told when an account has been in onboarding of lives for 14 days." in signal
    assert "not (it is in the segment vip)" in signal
    assert "Nobody is told from 22:00 to 07:00 (Europe/Berlin)" in signal
    assert "Set off at 09:00 (UTC), monday, for each account." in workflow
    assert "2. Set health to poor and score to 3, if it has the tag `risk`." in workflow
    assert "it is in dormant or churned of lives" in segment
    assert "the account is at least 30 days old" in segment
