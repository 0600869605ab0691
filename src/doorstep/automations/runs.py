"""Runs of workflows go on: each action in one transaction, with the step that says it was done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from doorstep.automations.active import published, version_of
from doorstep.automations.announcing import digest
from doorstep.automations.belongings import Belongings
from doorstep.automations.claims import refresh
from doorstep.automations.doing import Effect, apply, effect
from doorstep.automations.firing import named
from doorstep.automations.telling import Traits, account_values, shown, traits_of
from doorstep.automations.wanted import claims_of
from doorstep.definitions.automation_rules import texts
from doorstep.definitions.belonging import belonging_of
from doorstep.definitions.kinds import ground_of
from doorstep.definitions.workflow import Action, Workflow
from doorstep.delivery.outbox import Message, put
from doorstep.funnels.result import instant
from doorstep.ingest.records import Arrival
from doorstep.ingest.records import Traits as TraitsSet
from doorstep.lake import Lake
from doorstep.lake.traits import HOLDERS
from doorstep.registry import Database, WorkflowRunRow, WorkflowStepRow

AT_ONCE: Final = 5_000
"""Runs that take a step together; those that share a message in Slack do so however many they are."""

Key = tuple[str, int, int]
"""A workflow, its version, and the action that is next."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands."""

    id: str
    account: str
    known: Mapping[str, Any]


def advance(lake: Lake | None, database: Database, at: int) -> int:
    """Takes every step that is due by ``at``, until none is; of workflows that are paused, none. How many steps.

    Killed anywhere and run again, it comes to the same: what goes out has ids that follow from the run and the step.
    """
    taken = 0
    while True:
        due = _due(database, at)
        if not due:
            return taken
        for key in due:
            taken += _step(lake, database, key, at)


def _due(database: Database, at: int) -> tuple[Key, ...]:
    row = WorkflowRunRow
    with database.reading() as session:
        paused = {one.name for one in published(session, "workflow") if one.paused}
        query = (
            select(row.workflow, row.version, row.position)
            .where(row.state == "waiting", row.wake_at <= at, row.workflow.not_in(paused))
            .distinct()
            .order_by(row.workflow, row.version, row.position)
        )
        return tuple(session.execute(query).all())


def _step(lake: Lake | None, database: Database, key: Key, at: int) -> int:
    """One action of the runs that are at it."""
    name, number, position = key
    with database.reading() as session:
        workflow = version_of(session, name, number)
        assert isinstance(workflow, Workflow)
        slack = workflow.actions[position].slack
        together = slack is not None and slack.digest
        most = None if together else AT_ONCE
        runs = _at(session, key, at, most)
        claims = list(claims_of(session, workflow)) if lake is not None and _asks(workflow, position) else []
    unit = workflow.count_by
    if lake is not None and claims:
        refresh(lake, database, claims, at, forget=False)
    asked = runs if shows_account(workflow.actions[position]) else []
    traits = traits_of(lake, unit, (one.account for one in asked), at)
    with database.reading() as session:
        effects = effects_of(session, workflow, position, runs, traits, at)
    if lake is not None:
        _set_traits(lake, workflow, position, runs, effects, at)

    def work(session: Session) -> int:
        left = {one.id for one in _at(session, key, at, most, lock=True)}
        mine = [(one, told) for one, told in zip(runs, effects, strict=True) if one.id in left]
        messages = [told.message for _, told in mine if told.message is not None]
        put(session, [_digest(messages)] if together and len(messages) > 1 else messages, at)
        apply(session, [(one.id, one.account, told) for one, told in mine], unit, at)
        _write(session, workflow, position, mine, at)
        return len(mine)

    return database.write(work)


def shows_account(action: Action) -> bool:
    """Whether what an action says is about the account, so that its traits have to be known."""
    whole = action.webhook is not None and action.webhook.body is None
    return whole or any("account" in text for _, text in texts(action))


def _asks(workflow: Workflow, position: int) -> bool:
    action = workflow.actions[position]
    return action.if_ is not None or action.only_if is not None


def _at(session: Session, key: Key, at: int, most: int | None, *, lock: bool = False) -> list[Run]:
    row = WorkflowRunRow
    query = (
        select(row.id, row.account, row.known)
        .where(row.workflow == key[0], row.version == key[1], row.position == key[2])
        .where(row.state == "waiting", row.wake_at <= at)
        .order_by(row.started_at, row.id)
        .limit(most)
    )
    found = session.execute(query.with_for_update() if lock else query)
    return [Run(one, account, json.loads(known)) for one, account, known in found]


def effects_of(
    session: Session,
    workflow: Workflow,
    position: int,
    runs: Sequence[Run],
    traits: Traits,
    at: int,
    *,
    ahead: bool = False,
) -> list[Effect]:
    """What the action comes to for each run; ``ahead``: at a time to come, as if nothing happened until then."""
    action, ground = workflow.actions[position], ground_of(workflow)
    holds = dict.fromkeys((one.account for one in runs), True)
    for condition in (action.if_, action.only_if):
        if condition is not None:
            told = Belongings(session, ground, at, ahead=ahead)
            truths = told.among(belonging_of(condition, ground), list(holds))
            holds = {account: held and truths[account].holds for account, held in holds.items()}
    accounts = account_values(session, holds, {one.account: one.known.get("journey") for one in runs}, traits)
    return [
        effect(workflow, position, one.id, one.account, _values(workflow, one, accounts, at), holds[one.account], at)
        for one in runs
    ]


def _values(workflow: Workflow, run: Run, accounts: Mapping[str, Any], at: int) -> dict[str, Any]:
    about = {"name": workflow.workflow, "title": workflow.title or workflow.workflow}
    known = shown({key: value for key, value in run.known.items() if key != "journey"})
    account = accounts.get(run.account, {})
    return {**known, "account": account, "workflow": about, "run": {"id": run.id}, "now": instant(at)}


def _digest(messages: Sequence[Message]) -> Message:
    """One message with a line for each, in no account's order."""
    first = messages[0]
    text = digest([str(one.body["text"]) for one in messages])
    key = f"msg_{named('digest', [one.id for one in messages])}"
    return replace(first, id=key, account="", body={"text": text})


def _set_traits(
    lake: Lake, workflow: Workflow, position: int, runs: Sequence[Run], effects: Sequence[Effect], at: int
) -> None:
    """Traits go the way of every other: the lake keeps a message id once, so that doing it again adds nothing."""
    unit = workflow.count_by
    if len(unit) != 1 or unit[0] not in HOLDERS:
        return
    arrivals = [
        Arrival(
            f"workflow-{named(run.id, position)}",
            at,
            f"workflow:{workflow.workflow}",
            (TraitsSet("account" if unit[0] == "account_id" else "user", run.account, at, dict(told.traits)),),
        )
        for run, told in zip(runs, effects, strict=True)
        if told.traits and run.account
    ]
    if arrivals:
        lake.accept(arrivals)


def _write(session: Session, workflow: Workflow, position: int, mine: Sequence[tuple[Run, Effect]], at: int) -> None:
    if not mine:
        return
    steps = [
        {
            "run": run.id,
            "position": position,
            "action": told.action,
            "outcome": told.outcome,
            "at": at,
            "told": json.dumps(told.to_dict(), default=str),
        }
        for run, told in mine
    ]
    session.connection().execute(insert(WorkflowStepRow), steps)
    last = position + 1 >= len(workflow.actions)
    updates = []
    for run, told in mine:
        over = told.outcome in {"ended", "failed"}
        state = told.outcome if over else "done" if last else "waiting"
        updates.append(
            {
                "id": run.id,
                "position": position + 1,
                "state": state,
                "wake_at": at + told.wait,
                "ended_at": at if state != "waiting" else None,
                "note": told.note or ("its condition did not hold" if over else None),
            }
        )
    session.bulk_update_mappings(WorkflowRunRow.__mapper__, updates)


# -- reading ------------------------------------------------------------


def listed(database: Database, workflow: str | None = None, most: int = 100) -> Sequence[WorkflowRunRow]:
    """Runs, latest first."""
    row = WorkflowRunRow
    query = select(row).order_by(row.started_at.desc(), row.id).limit(most)
    with database.reading() as session:
        return session.scalars(query if workflow is None else query.where(row.workflow == workflow)).all()


def steps_of(database: Database, run: str) -> Sequence[WorkflowStepRow]:
    """Steps that a run took, in order."""
    row = WorkflowStepRow
    with database.reading() as session:
        return session.scalars(select(row).where(row.run == run).order_by(row.position)).all()


__all__ = ["Run", "advance", "effects_of", "listed", "steps_of"]
