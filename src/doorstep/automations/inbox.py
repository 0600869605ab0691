"""Firings as people work through them: new, acknowledged, resolved, or put off until an instant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from doorstep.errors import RegistryError
from doorstep.registry import Database, FiringRow, TaskRow, kept, note

State = Literal["new", "acknowledged", "resolved", "snoozed"]


@dataclass(frozen=True, slots=True)
class Firing:
    """One firing. ``account`` None: it is about no account. ``state``: a firing that was put off is new again once its
    time has come. Times are microseconds UTC.
    """

    id: str
    signal: str
    version: int
    kind: str
    priority: str
    account: str | None
    journey: str | None
    why: str
    evidence: Mapping[str, Any]
    occurred_at: int
    known_at: int
    state: State
    state_by: str | None
    state_at: int | None
    note: str | None
    snoozed_until: int | None
    retracted_at: int | None


def firings(
    database: Database,
    now: int,
    *,
    state: State | None = None,
    signal: str | None = None,
    account: str | None = None,
    most: int = 100,
) -> tuple[Firing, ...]:
    """Firings, those that were noticed last first."""
    row = FiringRow
    query = select(row).order_by(row.known_at.desc(), row.occurred_at.desc(), row.id).limit(most)
    if signal is not None:
        query = query.where(row.signal == signal)
    if account is not None:
        query = query.where(row.account == account)
    if state == "new":
        query = query.where((row.state == "new") | ((row.state == "snoozed") & (row.snoozed_until <= now)))
    elif state == "snoozed":
        query = query.where(row.state == "snoozed", row.snoozed_until > now)
    elif state is not None:
        query = query.where(row.state == state)
    with database.reading() as session:
        return tuple(_firing(one, now) for one in session.scalars(query))


def firing(database: Database, key: str, now: int) -> Firing:
    """One firing, by its id or the beginning of it. RegistryError ``no-such-firing``."""
    with database.reading() as session:
        return _firing(_row(session, key), now)


def acknowledge(database: Database, key: str, *, by: str, at: int, why: str | None = None) -> Firing:
    """Somebody has seen it."""
    return _turn(database, key, "acknowledged", by, at, why)


def resolve(database: Database, key: str, *, by: str, at: int, why: str | None = None) -> Firing:
    """There is nothing left to do about it."""
    return _turn(database, key, "resolved", by, at, why)


def snooze(database: Database, key: str, until: int, *, by: str, at: int, why: str | None = None) -> Firing:
    """It is new again at an instant. RegistryError ``bad-snooze`` for one that has passed."""
    if until <= at:
        raise RegistryError("bad-snooze", "A firing is put off until a time to come. Say --for 3d, or a later --until.")
    return _turn(database, key, "snoozed", by, at, why, until)


def _turn(
    database: Database, key: str, state: State, by: str, at: int, why: str | None, until: int | None = None
) -> Firing:
    by = kept(by, "Who does this")
    why = None if why is None else kept(why, "The note")

    def work(session: Session) -> Firing:
        row = _row(session, key)
        session.refresh(row, with_for_update=True)
        before = {"state": row.state}
        row.state, row.state_by, row.state_at, row.note, row.snoozed_until = state, by, at, why, until
        after = {"state": state, "account": row.account, **({} if why is None else {"note": why})}
        note(session, at, by=by, act=state, subject="firing", name=row.id, before=before, after=after)
        session.flush()
        return _firing(row, at)

    return database.write(work)


def _row(session: Session, key: str) -> FiringRow:
    wanted = key.strip().lower()
    found = session.scalars(select(FiringRow).where(FiringRow.id.startswith(wanted, autoescape=True)).limit(2)).all()
    if len(found) != 1 or len(wanted) < 4:
        what = "several firings" if len(found) > 1 else "no firing"
        raise RegistryError("no-such-firing", f"{key!r} names {what}. `doorstep signals list` shows their ids.")
    return found[0]


def _firing(row: FiringRow, now: int) -> Firing:
    over = row.state == "snoozed" and row.snoozed_until is not None and row.snoozed_until <= now
    return Firing(
        row.id,
        row.signal,
        row.version,
        row.kind,
        row.priority,
        row.account or None,
        row.journey,
        row.why,
        json.loads(row.evidence),
        row.occurred_at,
        row.known_at,
        "new" if over else row.state,  # type: ignore[arg-type]
        row.state_by,
        row.state_at,
        row.note,
        row.snoozed_until,
        row.retracted_at,
    )


# -- tasks ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """Something for a person to do; ``run`` is the run of a workflow that opened it. Times are microseconds UTC."""

    id: str
    title: str
    text: str | None
    owner: str | None
    account: str | None
    run: str
    state: str
    opened_at: int
    due_at: int | None
    closed_at: int | None
    closed_by: str | None
    note: str | None


def tasks(database: Database, *, state: str | None = "open", most: int = 100) -> tuple[Task, ...]:
    """Tasks, those opened last first; ``state`` None: done ones too."""
    row = TaskRow
    query = select(row).order_by(row.opened_at.desc(), row.id).limit(most)
    with database.reading() as session:
        return tuple(map(_task, session.scalars(query if state is None else query.where(row.state == state))))


def close_task(database: Database, key: str, *, by: str, at: int, why: str | None = None) -> Task:
    """A task is done. RegistryError ``no-such-task``."""
    by = kept(by, "Who does this")

    def work(session: Session) -> Task:
        query = select(TaskRow).where(TaskRow.id.startswith(key.strip().lower(), autoescape=True)).limit(2)
        found = session.scalars(query.with_for_update()).all()
        if len(found) != 1 or len(key.strip()) < 4:
            raise RegistryError("no-such-task", f"{key!r} names no task. `doorstep tasks list` shows their ids.")
        row = found[0]
        before = {"state": row.state}
        row.state, row.closed_at, row.closed_by, row.note = "done", at, by, why
        note(session, at, by=by, act="done", subject="task", name=row.id, before=before, after={"state": "done"})
        return _task(row)

    return database.write(work)


def _task(row: TaskRow) -> Task:
    return Task(
        row.id,
        row.title,
        row.text,
        row.owner,
        row.account or None,
        row.cause,
        row.state,
        row.opened_at,
        row.due_at,
        row.closed_at,
        row.closed_by,
        row.note,
    )


__all__ = ["Firing", "State", "Task", "acknowledge", "close_task", "firing", "firings", "resolve", "snooze", "tasks"]
