"""Workflows are set off: a run for each cause, once, in the transaction of the cause."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from doorstep.automations.active import Active, workflows_at_work
from doorstep.automations.belongings import Belongings
from doorstep.automations.claims import batches
from doorstep.automations.wanted import where_of
from doorstep.definitions.belonging import Each
from doorstep.definitions.signal import Signal
from doorstep.definitions.workflow import Workflow
from doorstep.registry import FiringRow, WorkflowRunRow


@dataclass(frozen=True, slots=True)
class Cause:
    """What sets a workflow off: its lasting id, the account (none: empty), and what templates may show of it."""

    id: str
    account: str
    journey: str | None
    known: Mapping[str, Any]


def start_by_signal(session: Session, signal: Active[Signal], causes: Sequence[Cause], at: int) -> None:
    """Sets off the workflows that a signal triggers."""
    for workflow in workflows_at_work(session):
        if workflow.definition.trigger.signal == signal.name:
            start(session, workflow, causes, at)


def start(session: Session, workflow: Active[Workflow], causes: Iterable[Cause], at: int) -> int:
    """Runs for causes whose account meets the conditions; a cause that was there before starts nothing. How many."""
    fresh = {run_id(workflow.name, one.id): one for one in causes}
    for some in batches(fresh):
        for known in session.scalars(select(WorkflowRunRow.id).where(WorkflowRunRow.id.in_(some))):
            del fresh[known]
    belonging, ground = where_of(workflow.definition)
    if belonging != Each(()) and fresh:
        truths = Belongings(session, ground, at).among(belonging, {one.account for one in fresh.values()})
        fresh = {key: one for key, one in fresh.items() if one.account in truths and truths[one.account].holds}
    if fresh:
        session.connection().execute(
            insert(WorkflowRunRow), [_run(workflow, key, one, at) for key, one in fresh.items()]
        )
    return len(fresh)


def run_id(workflow: str, cause: str) -> str:
    """A run's id, the same whenever it is worked out."""
    return hashlib.sha256(json.dumps([workflow, cause]).encode()).hexdigest()[:32]


def _run(workflow: Active[Workflow], key: str, cause: Cause, at: int) -> dict[str, Any]:
    return {
        "id": key,
        "workflow": workflow.name,
        "version": workflow.number,
        "account": cause.account,
        "cause": cause.id,
        "known": json.dumps({**cause.known, "journey": cause.journey}),
        "position": 0,
        "state": "waiting",
        "wake_at": at,
        "started_at": at,
    }


def end_undone(session: Session, transitions: Sequence[str], at: int) -> None:
    """Ends runs that wait and whose cause a late fact undid: a transition, or a signal about one."""
    run, firing = WorkflowRunRow, FiringRow
    for some in batches(transitions):
        fired = select(firing.id).where(firing.cause.in_(some))
        session.execute(
            update(run)
            .where(run.state == "waiting", run.cause.in_(some) | run.cause.in_(fired))
            .values(state="ended", ended_at=at, note="what set it off was retracted")
            .execution_options(synchronize_session=False)
        )


__all__ = ["Cause", "end_undone", "run_id", "start", "start_by_signal"]
