"""A workflow rehearsed on a past transition: what would be sent, to the letter, and nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from doorstep.automations.active import Active, published
from doorstep.automations.belongings import Belongings, journey_of
from doorstep.automations.claims import refresh
from doorstep.automations.doing import Effect
from doorstep.automations.firing import named
from doorstep.automations.noticing import about, cause_of, fits, told
from doorstep.automations.runs import Run, effects_of
from doorstep.automations.starting import Cause, run_id
from doorstep.automations.telling import traits_of
from doorstep.automations.wanted import claims_of, where_of
from doorstep.definitions.signal import Signal
from doorstep.definitions.workflow import Workflow
from doorstep.errors import RegistryError
from doorstep.lake import Lake
from doorstep.registry import Database, JourneyTransitionRow


@dataclass(frozen=True, slots=True)
class Step:
    """One action: when it would be done (microseconds UTC), by what is known now, if nothing else happens."""

    position: int
    at: int
    effect: Effect


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a transition would set off. ``fits``: whether it is one that the workflow is about; ``meets``: whether the
    account meets its conditions now; ``steps`` are told in any case.
    """

    workflow: str
    account: str
    transition: Mapping[str, Any]
    fits: bool
    meets: bool
    steps: tuple[Step, ...]


def rehearse(
    lake: Lake,
    database: Database,
    workflow: Workflow,
    at: int,
    *,
    transition: str | None = None,
    account: str | None = None,
) -> Rehearsal:
    """Rehearses a workflow on a transition (its id), or on the last one of ``account`` that fits, else the last one of
    all that fits. Claims are brought up to ``at``; nothing else is written. RegistryError ``no-such-transition``.
    """
    with database.reading() as session:
        line, fitting = _line(session, workflow, transition, account)
        claims = list(claims_of(session, workflow))
        signal = _signal(session, workflow)
    refresh(lake, database, claims, at, forget=False)
    traits = traits_of(lake, workflow.count_by, [line["account"]], at)
    cause = _cause(line, signal)
    run = Run(run_id(workflow.workflow, cause.id), cause.account, {**cause.known, "journey": cause.journey})
    with database.reading() as session:
        belonging, ground = where_of(workflow)
        meets = Belongings(session, ground, at).among(belonging, [run.account])[run.account].holds
        steps, time = [], at
        for position in range(len(workflow.actions)):
            (effect,) = effects_of(session, workflow, position, [run], traits, time, ahead=True)
            steps.append(Step(position, time, effect))
            if effect.outcome in {"ended", "failed"}:
                break
            time += effect.wait
    return Rehearsal(workflow.workflow, run.account, cause.known["transition"], fitting, meets, tuple(steps))


def _cause(line: Mapping[str, Any], signal: Active[Signal] | None) -> Cause:
    cause = cause_of(line)
    if signal is None:
        return cause
    meant, key = signal.definition, named(signal.name, line["transition_id"])
    fired = {
        "id": key,
        "name": signal.name,
        "title": meant.title or signal.name,
        "kind": meant.kind,
        "priority": meant.priority,
        "why": told(line).why,
        "occurred_at": line["occurred_at"],
    }
    return Cause(key, cause.account, cause.journey, {"signal": fired, **cause.known})


def _signal(session: Session, workflow: Workflow) -> Active[Signal] | None:
    name = workflow.trigger.signal
    return next((one for one in published(session, "signal") if one.name == name), None)


def _line(
    session: Session, workflow: Workflow, transition: str | None, account: str | None
) -> tuple[Mapping[str, Any], bool]:
    row = JourneyTransitionRow
    query = select(row).where(row.change != "retracted").order_by(row.occurred_at.desc(), row.seq.desc())
    if transition is not None:
        query = query.where(row.transition_id.startswith(transition, autoescape=True))
    if account is not None:
        query = query.where(row.account == account)
    first = None
    for one in session.scalars(query.limit(10_000)):
        line = {column.name: getattr(one, column.name) for column in row.__table__.columns}
        first = first or line
        if _fits(session, workflow, line):
            return line, True
    if first is None or (transition is None and account is None):
        what = f"of {account}" if account else f"{transition}" if transition else "that would set it off"
        mend = "`doorstep journey export` shows those there are."
        raise RegistryError("no-such-transition", f"The ledger has no transition {what}. {mend}")
    return first, False


def _fits(session: Session, workflow: Workflow, line: Mapping[str, Any]) -> bool:
    journey = journey_of(session, line["journey"], line["version"])
    if journey is None:
        return False
    if workflow.trigger.transition is not None:
        return fits(workflow.trigger.transition, line, journey)
    signal = _signal(session, workflow)
    return signal is not None and about(signal, line, journey)


__all__ = ["Rehearsal", "Step", "rehearse"]
