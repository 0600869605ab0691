"""Lines of messages: those of one destination and account that wait, in the order in which they are to go out.

A claim leases the beginnings of lines, a record tells what came of them. Both lock the destination's row, so that
processes take turns and no message overtakes one before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, insert, literal_column, or_, select, update
from sqlalchemy.orm import Session, aliased

from doorstep.delivery.attempts import BROKEN, GIVE_UP, LONGEST_REST, Attempt, Chance, delay
from doorstep.registry import DeliveryAttemptRow, DeliveryRow, DestinationRow

LEASE: Final = 120_000_000
"""Microseconds that a claimed message is left alone by others; longer than any attempt."""
AT_ONCE: Final = 64
"""Messages of one destination that are claimed together."""
AT_ONCE_AFTER_FAILURE: Final = 8
WAITING: Final[ColumnElement[str]] = literal_column("'waiting'")
"""Not a parameter: only with the word itself do databases see that an index of what waits may be used."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is leased to us. ``tried_since``: when it was first tried, None if it was not."""

    seq: int
    id: str
    body: str
    attempts: int
    tried_since: int | None


@dataclass(frozen=True, slots=True)
class Run:
    """The beginning of a line, to be sent one after the other until one fails; leased until an instant."""

    destination: str
    account: str
    messages: tuple[Claimed, ...]
    leased_until: int


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a run: an attempt for each message that was tried, in order. Only the last one may have failed."""

    run: Run
    attempts: tuple[Attempt, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many messages were delivered, failed for now, and were parked."""

    delivered: int = 0
    failed: int = 0
    parked: int = 0

    def __add__(self, other: Recorded) -> Recorded:
        return Recorded(self.delivered + other.delivered, self.failed + other.failed, self.parked + other.parked)


def claim(session: Session, destination: str, token: str, now: int, held: int, lease: int) -> tuple[Run, ...]:
    """Leases to ``token``, which holds so many already, what may be sent now, for ``lease`` microseconds. Of a
    destination that rests nothing, of one that failed time and again one message at a time.
    """
    head = session.get(DestinationRow, destination, with_for_update=True, populate_existing=True)
    if head is None or (head.rests_until or 0) > now:
        return ()
    room = _room(session, head, now, held)
    if room <= 0:
        return ()
    until = now + lease
    rows = _beginnings(session, destination, now, room)
    if not rows:
        return ()
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.seq.in_([one.seq for _, one in rows]))
        .values(leased_by=token, leased_until=until)
        .execution_options(synchronize_session=False)
    )
    lines: dict[str, list[Claimed]] = {}
    for account, one in rows:
        lines.setdefault(account, []).append(one)
    return tuple(Run(destination, account, tuple(line), until) for account, line in lines.items())


def _room(session: Session, head: DestinationRow, now: int, held: int) -> int:
    if head.failures >= BROKEN:
        leased = select(func.count()).where(*_waits(DeliveryRow, head.name), DeliveryRow.leased_until > now)
        return 1 - (session.scalar(leased) or 0)
    return (AT_ONCE_AFTER_FAILURE if head.failures else AT_ONCE) - held


def _waits(row: type[DeliveryRow], destination: str) -> tuple[ColumnElement[bool], ...]:
    return row.destination == destination, row.state == WAITING


def _beginnings(session: Session, destination: str, now: int, room: int) -> list[tuple[str, Claimed]]:
    """Messages whose time has come, whom nobody holds, and before whom nothing in their line is held up."""
    row, before = DeliveryRow, aliased(DeliveryRow)
    held_up = (
        select(before.seq)
        .where(
            *_waits(before, destination),
            before.account == row.account,
            before.due_at <= row.due_at,
            or_(before.due_at < row.due_at, and_(before.due_at == row.due_at, before.seq < row.seq)),
            or_(before.leased_until > now, before.next_at > now),
        )
        .exists()
    )
    query = (
        select(row.account, row.seq, row.id, row.body, row.attempts, row.tried_since)
        .where(
            *_waits(row, destination),
            row.due_at <= now,
            row.next_at <= now,
            or_(row.leased_until.is_(None), row.leased_until <= now),
            ~held_up,
        )
        .order_by(row.due_at, row.seq)
        .limit(room)
    )
    return [
        (account, Claimed(seq, name, body, attempts, since))
        for account, seq, name, body, attempts, since in session.execute(query)
    ]


def record(session: Session, told: Iterable[Told], token: str, now: int, chance: Chance) -> Recorded:
    """Writes down what came of runs that were leased to ``token``, and lets go of what was not tried."""
    by_destination: dict[str, list[Told]] = {}
    for one in told:
        by_destination.setdefault(one.run.destination, []).append(one)
    found = Recorded()
    for destination, some in sorted(by_destination.items()):  # in one order, so that no two wait for each other
        head = session.get(DestinationRow, destination, with_for_update=True, populate_existing=True)
        found += _record(session, head, some, token, now, chance)
    return found


def _record(
    session: Session, head: DestinationRow | None, told: Sequence[Told], token: str, now: int, chance: Chance
) -> Recorded:
    _write_attempts(session, told)
    done, untried, found = [], [], Recorded()
    recovered = False
    for one in told:
        for message, attempt in zip(one.run.messages, one.attempts, strict=False):
            if head is not None:
                recovered = _judge(head, attempt, now, chance) or recovered
            if attempt.failure is None:
                done.append(message.seq)
            else:
                found += _failed(session, one.run, message, attempt, token, now, chance)
        untried += [message.seq for message in one.run.messages[len(one.attempts) :]]
    row = DeliveryRow
    if done:
        values = {
            "state": "delivered",
            "ended_at": now,
            "attempts": row.attempts + 1,
            "leased_until": None,
            "why": None,
        }
        _update(session, row.seq.in_(done), **values)
    if untried:
        _update(session, row.seq.in_(untried), row.leased_by == token, leased_until=None)
    if recovered and head is not None:
        _bring_forward(session, head.name, now)
    return found + Recorded(delivered=len(done))


def _write_attempts(session: Session, told: Sequence[Told]) -> None:
    lines = [
        {
            "delivery": message.seq,
            "number": message.attempts + 1,
            "at": attempt.at,
            "latency": attempt.latency,
            "status": attempt.status,
            "answer": attempt.answer,
            "failure": attempt.failure,
        }
        for one in told
        for message, attempt in zip(one.run.messages, one.attempts, strict=False)
    ]
    if lines:
        session.execute(insert(DeliveryAttemptRow), lines)


def _judge(head: DestinationRow, attempt: Attempt, now: int, chance: Chance) -> bool:
    """What an attempt says of its destination; True when it is well again after having been left alone."""
    if attempt.failure is None:
        was_broken = head.failures >= BROKEN
        head.failures, head.failing_since, head.rests_until = 0, None, None
        return was_broken
    if attempt.everywhere and attempt.at >= (head.rests_until or 0):  # what was under way tells nothing new
        head.failures += 1
        head.failing_since = head.failing_since or attempt.at
        if head.failures >= BROKEN:
            head.rests_until = now + delay(head.failures - BROKEN + 1, chance, LONGEST_REST)
    if attempt.asked is not None and attempt.everywhere:
        head.rests_until = max(head.rests_until or 0, now + attempt.asked)
    return False


def _failed(
    session: Session, run: Run, message: Claimed, attempt: Attempt, token: str, now: int, chance: Chance
) -> Recorded:
    since = attempt.at if message.tried_since is None else message.tried_since
    mine = (DeliveryRow.seq == message.seq, DeliveryRow.state == WAITING, DeliveryRow.leased_by == token)
    values = {"attempts": message.attempts + 1, "tried_since": since, "leased_until": None, "why": attempt.failure}
    if now - since >= GIVE_UP:
        _update(session, *mine, **values, state="parked", ended_at=now)
        return Recorded(parked=1)
    soonest = min(now + delay(message.attempts + 1, chance), since + GIVE_UP)
    again = max(soonest, now + (attempt.asked or 0))
    _update(session, *mine, **values, next_at=again)
    # whoever stands behind it has to wait as long, and need not be looked at before
    line = (*_waits(DeliveryRow, run.destination), DeliveryRow.account == run.account)
    _update(session, *line, DeliveryRow.due_at <= now, DeliveryRow.next_at < again, next_at=again)
    return Recorded(failed=1)


def _bring_forward(session: Session, destination: str, now: int) -> None:
    """A destination is well again: what it held up need not wait any longer."""
    due = (DeliveryRow.due_at <= now, DeliveryRow.next_at > now)
    _update(session, *_waits(DeliveryRow, destination), *due, next_at=now)


def ready(session: Session, now: int) -> tuple[str, ...]:
    """Destinations to which something may be sent now, for all that can be told without a lock."""
    row = DeliveryRow
    due = select(row.seq).where(row.destination == DestinationRow.name, row.state == WAITING, row.due_at <= now)
    awake = or_(DestinationRow.rests_until.is_(None), DestinationRow.rests_until <= now)
    return tuple(
        session.scalars(select(DestinationRow.name).where(awake, due.where(row.next_at <= now).exists())).all()
    )


def hopeless(session: Session, now: int) -> tuple[str, ...]:
    """Destinations with messages that `park_hopeless` would park."""
    waiting = (DeliveryRow.state == WAITING, DeliveryRow.due_at <= now)
    orphans = select(DeliveryRow.destination).where(
        *waiting, DeliveryRow.destination.not_in(select(DestinationRow.name))
    )
    broken = select(DestinationRow.name).where(
        DestinationRow.failures >= BROKEN, DestinationRow.failing_since <= now - GIVE_UP
    )
    return tuple({*session.scalars(orphans.distinct()), *session.scalars(broken)})


def park_hopeless(session: Session, names: Iterable[str], now: int) -> int:
    """Of these destinations, parks what is due for one that there is not; and what is due for three days for one that
    failed all the time, though its turn to be tried did not come. How many.
    """
    row, parked = DeliveryRow, 0
    unleased = or_(row.leased_until.is_(None), row.leased_until <= now)
    for name in sorted(names):
        head = session.get(DestinationRow, name, with_for_update=True, populate_existing=True)
        since, why = now, "there is no such destination"
        if head is not None:
            if head.failures < BROKEN or (head.failing_since or now) > now - GIVE_UP:
                continue
            since, why = now - GIVE_UP, "the destination failed for three days"
        waited = (*_waits(row, name), row.due_at <= since, unleased)
        parked += _update(session, *waited, state="parked", ended_at=now, why=func.coalesce(row.why, why))
    return parked


def _update(session: Session, *where: ColumnElement[bool], **values: Any) -> int:
    done = session.execute(
        update(DeliveryRow).where(*where).values(**values).execution_options(synchronize_session=False)
    )
    return int(getattr(done, "rowcount", 0))


__all__ = [
    "AT_ONCE",
    "LEASE",
    "Claimed",
    "Recorded",
    "Run",
    "Told",
    "claim",
    "hopeless",
    "park_hopeless",
    "ready",
    "record",
]
