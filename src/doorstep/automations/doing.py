"""What an action of a workflow would do for an account: worked out as a value, so that a dry run tells the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from sqlalchemy import delete
from sqlalchemy.orm import Session

from doorstep.automations.firing import named
from doorstep.automations.telling import filled
from doorstep.definitions.workflow import Action, Workflow
from doorstep.delivery.outbox import Message
from doorstep.errors import RunError
from doorstep.registry import TagRow, TaskRow

Outcome = Literal["done", "passed", "ended", "failed"]


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to be opened. ``due_at``: microseconds UTC."""

    id: str
    title: str
    text: str | None
    owner: str | None
    due_at: int | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What one action comes to. ``wait``: microseconds until the next; ``message`` goes out, ``traits`` are set."""

    action: str
    outcome: Outcome = "done"
    wait: int = 0
    message: Message | None = None
    traits: Mapping[str, Any] = field(default_factory=dict)
    tag: str | None = None
    task: NewTask | None = None
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """What it comes to, as JSON: only what there is."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        for name in ("message", "task"):
            if told[name] is not None:
                told[name] = {one.name: getattr(told[name], one.name) for one in fields(told[name])}
        return {key: value for key, value in told.items() if value not in (None, 0, {})}


def effect(
    workflow: Workflow, position: int, run: str, account: str, values: Mapping[str, Any], holds: bool, at: int
) -> Effect:
    """The effect of the action at ``position``. ``holds``: whether its conditions hold of the account now. A text that
    cannot be filled in ends the run as failed.
    """
    try:
        return _effect(workflow, position, run, account, values, holds, at)
    except RunError as error:
        return Effect(workflow.actions[position].kind, "failed", note=error.message)


def _effect(
    workflow: Workflow, position: int, run: str, account: str, values: Mapping[str, Any], holds: bool, at: int
) -> Effect:
    action = workflow.actions[position]
    kind = action.kind
    if not holds:
        return Effect(kind, "ended" if kind == "only_if" else "passed")
    key = named(run, position)
    match kind:
        case "wait":
            return Effect(kind, wait=action.wait or 0)
        case "only_if":
            return Effect(kind)
        case "webhook" | "slack" | "email":
            return Effect(kind, message=_message(action, workflow, key, run, account, values, at))
        case "set_trait":
            return Effect(kind, traits=filled(action.set_trait or {}, values))
        case "add_tag" | "remove_tag":
            return Effect(kind, tag=filled(getattr(action, kind), values))
        case _:
            return Effect(kind, task=_task(action, key, values, at))


def _message(
    action: Action, workflow: Workflow, key: str, run: str, account: str, values: Mapping[str, Any], at: int
) -> Message:
    body: dict[str, Any]
    if action.slack is not None:
        to, body = action.slack.to, {"text": filled(action.slack.text, values)}
    elif action.email is not None:
        mail = action.email
        to, body = mail.to, {"subject": _line(filled(mail.subject, values)), "text": filled(mail.text, values)}
        if mail.address is not None:
            body["to"] = _line(filled(mail.address, values))
    else:
        assert action.webhook is not None
        to, body = action.webhook.to, _hook(action, workflow, run, values)
    return Message(f"msg_{key}", to, account, body, run, at)


def _line(text: str) -> str:
    """On one line: a header of a mail has no others."""
    return " ".join(text.split())


def _hook(action: Action, workflow: Workflow, run: str, values: Mapping[str, Any]) -> dict[str, Any]:
    assert action.webhook is not None
    if action.webhook.body is not None:
        found: dict[str, Any] = filled(action.webhook.body, values)
        return found
    told = {
        key: value for key, value in values.items() if key in {"account", "signal", "transition", "segment"} and value
    }
    data = {"workflow": workflow.workflow, "run": run, **told}
    return {"type": "workflow.action", "timestamp": values["now"], "data": data}


def _task(action: Action, key: str, values: Mapping[str, Any], at: int) -> NewTask:
    asked = action.task
    assert asked is not None
    text, owner = (None if one is None else filled(one, values) for one in (asked.text, asked.owner))
    due = None if asked.due_in is None else at + asked.due_in
    return NewTask(key, filled(asked.title, values), text, owner or None, due)


def apply(session: Session, effects: Sequence[tuple[str, str, Effect]], unit: tuple[str, ...], at: int) -> None:
    """Writes tags and tasks of (run, account, effect), in the caller's transaction."""
    columns = json.dumps(list(unit))
    for run, account, one in effects:
        if one.tag and account and one.outcome == "done":
            key = (columns, account, one.tag)
            if one.action == "remove_tag":
                gone = (TagRow.unit == columns, TagRow.account == account, TagRow.tag == one.tag)
                session.execute(delete(TagRow).where(*gone))
            elif session.get(TagRow, key) is None:
                session.add(TagRow(unit=columns, account=account, tag=one.tag, since=at, by=f"run {run}"))
                session.flush()
        if one.task is not None and session.get(TaskRow, one.task.id) is None:
            session.add(TaskRow(**asdict(one.task), account=account, cause=run, state="open", opened_at=at))


__all__ = ["Effect", "NewTask", "apply", "effect"]
