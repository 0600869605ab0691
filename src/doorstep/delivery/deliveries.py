"""What became of messages: their attempts, those that are parked, and sending them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, literal_column, select, update
from sqlalchemy.orm import Session

from doorstep.errors import RegistryError, nearest
from doorstep.registry import Database, DeliveryAttemptRow, DeliveryRow, DestinationRow, kept, note

State = Literal["waiting", "delivered", "parked"]
PARKED: Final[ColumnElement[str]] = literal_column("'parked'")
"""See `lines.WAITING`."""
STATES: Final = ("waiting", "delivered", "parked")


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt. ``at``: microseconds UTC; ``latency``: microseconds; ``answer``: the beginning of what was said."""

    number: int
    at: int
    latency: int
    status: int | None
    answer: str
    failure: str | None


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of the outbox. Times are microseconds UTC; ``next_at`` is None unless it waits; ``why``: what failed
    last.
    """

    id: str
    destination: str
    account: str
    cause: str
    state: State
    attempts: int
    put_at: int
    due_at: int
    next_at: int | None
    ended_at: int | None
    why: str | None
    body: Mapping[str, Any]


def deliveries(
    database: Database,
    *,
    state: State | None = None,
    destination: str | None = None,
    account: str | None = None,
    cause: str | None = None,
    most: int = 100,
) -> tuple[Sent, ...]:
    """Messages, latest first, of which all that is given holds. RegistryError ``bad-state``."""
    if state is not None and state not in STATES:
        raise RegistryError("bad-state", f"{state!r} is no state of a delivery. It is one of {', '.join(STATES)}.")
    given = {"state": state, "destination": destination, "account": account, "cause": cause}
    query = select(DeliveryRow).order_by(DeliveryRow.seq.desc()).limit(most)
    for name, value in given.items():
        if name == "state" and value == "parked":
            query = query.where(DeliveryRow.state == PARKED)
        elif value is not None:
            query = query.where(getattr(DeliveryRow, name) == value)
    with database.reading() as session:
        return tuple(map(_sent, session.scalars(query)))


def delivery(database: Database, id: str) -> tuple[Sent, tuple[Tried, ...]]:  # noqa: A002
    """A message and its attempts, first to last. RegistryError ``no-such-delivery``."""
    with database.reading() as session:
        row = _row(session, id)
        lines = session.scalars(
            select(DeliveryAttemptRow).where(DeliveryAttemptRow.delivery == row.seq).order_by(DeliveryAttemptRow.id)
        )
        tried = [Tried(one.number, one.at, one.latency, one.status, one.answer, one.failure) for one in lines]
        return _sent(row), tuple(tried)


def replay(database: Database, ids: tuple[str, ...], *, by: str, at: int) -> int:
    """Lets parked messages wait again, with three more days; how many. They keep their ids and their place in the line,
    and their destinations are no longer left alone.
    RegistryError ``no-such-delivery``, ``not-parked``; then none is changed.
    """
    by = kept(by, "Who replays")

    def work(session: Session) -> int:
        for one in ids:
            row = _row(session, one)
            if row.state != "parked":
                message = f"The delivery {one} is {row.state}; only a parked one can be replayed."
                raise RegistryError("not-parked", f"{message} `doorstep deliveries list --state parked` shows them.")
            _again(row, at)
            _wake(session, row.destination)
            note(session, at, by=by, act="replayed", subject="delivery", name=one, before={"why": row.why})
        return len(ids)

    return database.write(work)


def replay_all(database: Database, destination: str, *, by: str, at: int) -> int:
    """The same for everything that is parked of a destination."""
    by = kept(by, "Who replays")

    def work(session: Session) -> int:
        parked = (DeliveryRow.destination == destination, DeliveryRow.state == PARKED)
        values = {"state": "waiting", "next_at": at, "tried_since": None, "ended_at": None, "leased_until": None}
        done = session.execute(update(DeliveryRow).where(*parked).values(values))
        count = int(getattr(done, "rowcount", 0))
        _wake(session, destination)
        if count:
            after = {"deliveries": count}
            note(session, at, by=by, act="replayed all", subject="destination", name=destination, after=after)
        return count

    return database.write(work)


def _again(row: DeliveryRow, at: int) -> None:
    row.state, row.next_at, row.tried_since, row.ended_at, row.leased_until = "waiting", at, None, None, None


def _wake(session: Session, destination: str) -> None:
    values = {"failures": 0, "failing_since": None, "rests_until": None}
    session.execute(update(DestinationRow).where(DestinationRow.name == destination).values(values))


def _row(session: Session, id: str) -> DeliveryRow:  # noqa: A002
    row = session.scalar(select(DeliveryRow).where(DeliveryRow.id == id))
    if row is None:
        latest = session.scalars(select(DeliveryRow.id).order_by(DeliveryRow.seq.desc()).limit(1000))
        near = nearest(id, latest)
        mend = f"Did you mean {near}?" if near else "`doorstep deliveries list` shows the latest."
        raise RegistryError("no-such-delivery", f"There is no delivery {id[:200]!r}. {mend}")
    return row


def _sent(row: DeliveryRow) -> Sent:
    return Sent(
        row.id,
        row.destination,
        row.account,
        row.cause,
        row.state,  # type: ignore[arg-type]
        row.attempts,
        row.put_at,
        row.due_at,
        row.next_at if row.state == "waiting" else None,
        row.ended_at,
        row.why,
        json.loads(row.body),
    )


__all__ = ["STATES", "Sent", "State", "Tried", "deliveries", "delivery", "replay", "replay_all"]
