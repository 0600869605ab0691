"""Workflows do what they say, in order, once, and a rehearsal tells the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy.orm import Session

from doorstep.automations import inbox
from doorstep.automations.cycle import go_round
from doorstep.automations.rehearsing import rehearse
from doorstep.automations.runs import listed, steps_of
from doorstep.automations.schedules import last_time
from doorstep.definitions.kinds import load_automation, load_definition
from doorstep.definitions.templates import rendered
from doorstep.definitions.workflow import Schedule, Workflow
from doorstep.errors import DefinitionError, RunError
from doorstep.registry import Database
from ledgers import event, traits
from worlds import DAY, HOUR, START, World

T = TypeVar("T")

BACK: dict[str, Any] = {
    "signal": "fell-back",
    "kind": "risk",
    "priority": "high",
    "when": {"moved_back": {"journey": "lives", "from": "engaged"}},
}
TELL: dict[str, Any] = {
    "workflow": "tell",
    "trigger": {"signal": "fell-back"},
    "actions": [
        {"slack": {"to": "ops", "text": "{{account.name}} ({{signal.priority}}) left {{transition.from}}"}},
        {"webhook": {"to": "crm", "body": {"id": "{{account.id}}", "tags": ["{{signal.kind}}", 3]}}},
        {"email": {"to": "mail", "address": "{{account.owner}}", "subject": "{{account.name}}\n!", "text": "Call."}},
        {"set_trait": {"health": "{{signal.kind}}", "score": 3}},
        {"add_tag": "at-risk"},
        {"wait": "3d"},
        {"only_if": {"time_in_stage": {"journey": "lives", "stage": "activated", "at_least": "3d"}}},
        {"task": {"title": "Call {{account.name}}", "owner": "{{account.owner}}", "due_in": "2d"}},
        {"remove_tag": "at-risk", "if": {"trait": {"health": "fine"}}},
    ],
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World.in_(tmp_path / "data")
    yield found
    found.close()


def begin(world: World, *accounts: str) -> None:
    """Accounts that fall back from engaged seven days and three hours after the start."""
    world.activate()
    for number, account in enumerate(accounts):
        world.accept(
            event(100 * number, account, "project_created", HOUR),
            *(event(100 * number + 1 + n, account, "work", (1 + n) * HOUR) for n in range(3)),
        )
    world.round(4 * HOUR)


def steps(world: World) -> list[tuple[str, str]]:
    (run,) = listed(world.database)
    return [(one.action, one.outcome) for one in steps_of(world.database, run.id)]


def test_actions_are_done_in_order_and_waits_are_waited(world: World) -> None:
    """Slack, webhook and mail go to the outbox, traits to the lake, tags and tasks are there; after three days the
    account still stands there, and the task is opened.
    """
    world.publish(BACK, TELL)
    world.accept(traits(1, "acme", HOUR, name="Acme Ltd", owner="eve@example.com"))
    begin(world, "acme")
    world.round(7 * DAY + HOUR)
    assert world.out() == [
        ("ops", "acme", {"text": "Acme Ltd (high) left engaged"}),
        ("crm", "acme", {"id": "acme", "tags": ["risk", 3]}),
        ("mail", "acme", {"subject": "Acme Ltd !", "text": "Call.", "to": "eve@example.com"}),
    ]
    assert steps(world)[-1] == ("wait", "done")
    world.round(10 * DAY)
    assert inbox.tasks(world.database) == ()
    world.round(10 * DAY + 2 * HOUR)
    (task,) = inbox.tasks(world.database)
    due = START + 12 * DAY + 2 * HOUR
    assert (task.title, task.owner, task.account, task.due_at) == ("Call Acme Ltd", "eve@example.com", "acme", due)
    assert steps(world)[-3:] == [("only_if", "done"), ("task", "done"), ("remove_tag", "passed")]
    assert world.lake.traits_of("account_id", ["acme"], START + 20 * DAY)["acme"]["health"] == "risk"
    assert inbox.close_task(world.database, task.id[:6], by="eve", at=START).state == "done"
    world.round(11 * DAY)
    assert (len(world.out()), len(listed(world.database))) == (3, 1)


def test_a_run_ends_where_its_condition_does_not_hold(world: World) -> None:
    """An account that came back is left alone."""
    world.publish(BACK, TELL)
    begin(world, "acme")
    world.round(7 * DAY + HOUR)
    world.accept(*(event(50 + n, "acme", "work", 8 * DAY + n) for n in range(3)))
    world.round(8 * DAY + HOUR)
    world.round(10 * DAY + 2 * HOUR)
    assert steps(world)[-1] == ("only_if", "ended")
    assert (listed(world.database)[0].state, inbox.tasks(world.database)) == ("ended", ())


def test_many_accounts_at_once_make_one_message_in_slack(world: World) -> None:
    """A digest with a line for each; without `digest` each has its own."""
    action = {"to": "ops", "text": "{{account.id}}"}
    trigger = {"transition": {"journey": "lives", "moved": "back"}}
    world.publish(
        {"workflow": "one", "trigger": trigger, "actions": [{"slack": action}]},
        {"workflow": "each", "trigger": trigger, "actions": [{"slack": {**action, "to": "all", "digest": False}}]},
    )
    begin(world, "acme", "bolt", "cord")
    world.round(7 * DAY + HOUR)
    digests = [(account, set(body["text"].split())) for to, account, body in world.out() if to == "ops"]
    assert digests == [("", {"acme", "bolt", "cord"})]
    assert sorted(account for to, account, _ in world.out() if to == "all") == ["acme", "bolt", "cord"]


def test_a_rehearsal_tells_what_would_be_sent_and_sends_nothing(world: World) -> None:
    """To the letter what is sent when it happens, up to ids and times."""
    world.publish(BACK)
    world.accept(traits(1, "acme", HOUR, name="Acme Ltd"))
    begin(world, "acme")
    world.round(7 * DAY + HOUR)
    meant = load_automation(TELL, "workflow")
    assert isinstance(meant, Workflow)
    found = rehearse(world.lake, world.database, meant, START + 7 * DAY + HOUR, account="acme")
    assert (found.fits, found.meets, world.out(), listed(world.database)) == (True, True, [], [])
    sent = [one.effect.message.body for one in found.steps if one.effect.message is not None]
    assert [one.effect.outcome for one in found.steps] == ["done"] * 8 + ["passed"]
    assert found.steps[-1].at == START + 10 * DAY + HOUR
    again = World.in_(world.lake.place.directory.parent / "again")
    again.publish(BACK, TELL)
    again.accept(traits(1, "acme", HOUR, name="Acme Ltd"))
    begin(again, "acme")
    again.round(7 * DAY + HOUR)
    assert sent == [body for _, _, body in again.out()]
    again.close()


def test_schedules_come_once_for_each_account_that_meets_the_conditions(world: World) -> None:
    """At the time of day in its zone; of several times that were missed the last one alone."""
    schedule = {"at": "09:00", "timezone": "Europe/Berlin"}
    where = {"stage": {"journey": "lives", "is": "engaged"}}
    actions = [{"webhook": {"to": "crm"}}]
    world.publish({"workflow": "daily", "trigger": {"schedule": schedule}, "where": where, "actions": actions}, at=HOUR)
    begin(world, "acme", "bolt")
    world.accept(event(900, "zoo", "signup", HOUR))
    world.round(7 * HOUR)
    assert world.out() == []
    world.round(8 * HOUR)
    world.round(9 * HOUR)
    assert sorted(account for _, account, _ in world.out()) == ["acme", "bolt"]
    world.round(4 * DAY)
    assert len(world.out()) == 4
    assert world.out()[0][2]["data"]["account"]["stage"] == "engaged"
    mondays = Schedule.model_validate({"at": "02:30", "on": "monday", "timezone": "Europe/Berlin"})
    assert last_time(mondays, START) == START - 3 * DAY + HOUR + HOUR // 2  # Monday 2025-12-29, 02:30 in Berlin


class Dying(Database):
    """A database in which a write fails once, before or after it was committed."""

    deaths: list[tuple[int, bool]]
    writes = 0

    def write(self, work: Callable[[Session], T]) -> T:
        self.writes += 1
        dies = [after for number, after in self.deaths if number == self.writes]
        if dies and not dies[0]:
            raise ConnectionError
        found = super().write(work)
        if dies:
            raise ConnectionError
        return found


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.long)])
def test_wherever_a_round_dies_the_next_one_makes_up_for_it(tmp_path: Path, every: int) -> None:
    """After a failure before or after any transaction, what went out, traits, tags and tasks are the same."""
    expected = _outcome(tmp_path / "whole", None)
    writes = expected.pop("writes")
    assert writes > 10
    for number in range(2, writes + 1, every):
        found = _outcome(tmp_path / f"n{number}", (number, bool(number % 2)))
        found.pop("writes")
        assert found == expected, number


def _outcome(directory: Path, death: tuple[int, bool] | None) -> dict[str, Any]:
    world = World.in_(directory)
    world.publish({**BACK, "announce": {"to": "all"}}, TELL)
    begin(world, "acme", "bolt")
    world.database.close()
    dying = Dying(*_of(directory))
    dying.deaths = [] if death is None else [death]
    for at in (7 * DAY + HOUR, 10 * DAY + 2 * HOUR):
        for _ in range(3):
            try:
                go_round(world.lake, dying, START + at)
            except ConnectionError:
                continue
            break
    world.database = dying
    told = {
        "out": sorted(map(json.dumps, world.out())),
        "fired": sorted(world.fired()),
        "tasks": sorted(one.title for one in inbox.tasks(dying)),
        "steps": sorted((one.account, len(steps_of(dying, one.id))) for one in listed(dying)),
        "writes": dying.writes,
    }
    world.close()
    return told


def _of(directory: Path) -> tuple[Any, str]:
    from doorstep.registry import open_database

    opened = open_database(directory, create=False)
    return opened._engine, opened.name


TEMPLATES = {
    "{{account.nme}}": ("unknown-variable", "Did you mean {{account.name}}?"),
    "{{segment.name}}": ("unknown-variable", None),
    "{{account.name": ("bad-template", "Write variables as {{account.name}}."),
    "{% for x in account %}{% endfor %}": ("bad-template", None),
    "{{ account.name * 99999999 }}": ("bad-template", None),
    "{{ account.name.upper() }}": ("bad-template", None),
    "{{ account.__class__ }}": ("unknown-variable", None),
    "{{ account['__class__'] }}": ("unknown-variable", None),
    "{{ ''['__class__'] }}": ("bad-template", None),
    "{{ account.name|center(999999999) }}": ("bad-template", None),
    "{{ signal.title|upper if signal.kind == 'risk' else account.traits.plan }}": None,
}


@pytest.mark.parametrize("text", TEMPLATES)
def test_an_unknown_variable_is_an_error_when_saving(text: str) -> None:
    """Templates show declared variables and nothing else; what they may not say is told with its place and the mend."""
    document = {"workflow": "w", "trigger": {"signal": "s"}, "actions": [{"slack": {"to": "ops", "text": text}}]}
    expected = TEMPLATES[text]
    if expected is None:
        load_definition(document)
        return
    with pytest.raises(DefinitionError) as caught:
        load_definition(document)
    issue = caught.value.issues[0]
    assert (issue.code, issue.path) == (expected[0], "actions[0].slack.text")
    if expected[1] is not None:
        assert issue.suggestion == expected[1]


def test_templates_render_what_there_is_and_nothing_for_what_there_is_not() -> None:
    """A trait that was never set is empty; texts of accounts are shown, never read as templates."""
    known = {"account": {"name": "{{7*7}} <b>", "owner": None, "traits": {"items": "x", "size": 3}}}
    assert rendered("{{account.name}}|{{account.traits.plan}}|{{account.traits.items}}", known) == "{{7*7}} <b>||x"
    assert rendered("{{account.owner|default('nobody')|upper}}{{account.traits.size.deep}}", known) == "NOBODY"
    with pytest.raises(RunError, match="cannot be filled in"):
        rendered("{{ account.traits.size|join }}", known)


def test_a_text_that_cannot_be_filled_in_fails_its_run_and_no_other(world: World) -> None:
    """The run says why; the others go on."""
    text = "{{ account.traits.size|join }}"
    trigger = {"transition": {"journey": "lives", "moved": "back"}}
    world.publish({"workflow": "odd", "trigger": trigger, "actions": [{"slack": {"to": "ops", "text": text}}]})
    world.accept(traits(1, "acme", HOUR, size=3), traits(2, "bolt", HOUR, size="ab"))
    begin(world, "acme", "bolt")
    world.round(7 * DAY + HOUR)
    assert sorted((one.account, one.state) for one in listed(world.database)) == [("acme", "failed"), ("bolt", "done")]
    assert world.out() == [("ops", "bolt", {"text": "ab"})]
