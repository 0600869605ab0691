"""Firings that are to be announced become messages: one for each, or one of all that a sync found."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from doorstep.automations.active import version_of
from doorstep.automations.firing import named
from doorstep.automations.telling import account_values, kinds_of, shown, traits_of
from doorstep.definitions.kinds import ground_of
from doorstep.definitions.signal import Announce, QuietHours, Signal
from doorstep.definitions.templates import rendered
from doorstep.delivery.outbox import Message, put
from doorstep.errors import RunError
from doorstep.funnels.result import instant
from doorstep.lake import Lake
from doorstep.registry import Database, FiringRow

log: Final = logging.getLogger("doorstep.automations")

SHOWN: Final = 50
"""Lines of a digest; of more the rest is counted."""


def announce(lake: Lake | None, database: Database, at: int) -> int:
    """Puts what is to be said of firings into the outbox, a signal at a time, each in one transaction. How many
    messages.
    """
    with database.reading() as session:
        query = select(FiringRow.signal, FiringRow.version).where(FiringRow.told.is_(False)).distinct()
        waiting = session.execute(query).all()
    return sum(_announce(lake, database, name, number, at) for name, number in waiting)


def _announce(lake: Lake | None, database: Database, name: str, number: int, at: int) -> int:
    row = FiringRow
    waiting = (row.told.is_(False), row.signal == name, row.version == number)
    with database.reading() as session:
        signal = version_of(session, name, number)
        accounts = session.scalars(select(row.account).where(*waiting).distinct()).all()
    assert isinstance(signal, Signal)
    asked = accounts if any("account" in (one.text or "") for one in signal.announce) else []
    traits = traits_of(lake, ground_of(signal).unit, asked, at)

    def work(session: Session) -> int:
        firings = session.scalars(
            select(row).where(*waiting).order_by(row.occurred_at, row.account, row.id).with_for_update()
        ).all()
        values = account_values(session, accounts, {one.account: one.journey for one in firings}, traits)
        kinds, told = kinds_of(session), []
        for one in firings:
            one.told = True
            told.append(
                (one, {**shown(_known(signal, one)), "account": values.get(one.account, {}), "now": instant(at)})
            )
        messages = [
            message
            for place, to in enumerate(signal.announce)
            for message in _messages(signal, to, place, told, kinds.get(to.to, "slack"), at)
        ]
        return put(session, messages, at)

    return database.write(work)


def _known(signal: Signal, one: FiringRow) -> dict[str, Any]:
    fired = {
        "id": one.id,
        "name": one.signal,
        "title": signal.title or one.signal,
        "kind": one.kind,
        "priority": one.priority,
        "why": one.why,
        "occurred_at": one.occurred_at,
    }
    return {"signal": fired, "transition": json.loads(one.evidence).get("transition")}


Told = Sequence[tuple[FiringRow, dict[str, Any]]]


def _messages(signal: Signal, to: Announce, place: int, told: Told, kind: str, at: int) -> Iterator[Message]:
    begins = at if signal.quiet_hours is None else end_of_quiet(signal.quiet_hours, at)
    parts = [[one] for one in told] if to.as_ == "immediate" else [list(told)] if told else []
    for part in parts:
        ids = [firing.id for firing, _ in part]
        account = part[0][0].account if to.as_ == "immediate" else ""
        lines = [_line(to.text, firing, values) for firing, values in part]
        body = _body(kind, signal, lines, [firing for firing, _ in part], at)
        yield Message(f"msg_{named('announce', place, ids)}", to.to, account, body, ids[0], begins)


def _line(text: str | None, firing: FiringRow, values: dict[str, Any]) -> str:
    """What is said of one firing; why it fired, where the template cannot be filled in."""
    try:
        return firing.why if text is None else rendered(text, values)
    except RunError as error:
        log.error("the signal %s: %s", firing.signal, error.message)
        return firing.why


def _body(kind: str, signal: Signal, lines: Sequence[str], firings: Sequence[FiringRow], at: int) -> dict[str, Any]:
    head = f"{signal.title or signal.signal} ({signal.kind}, {signal.priority})"
    text = digest(lines) if len(lines) == 1 else f"{head}: {len(lines):,}\n{digest(lines)}"
    match kind:
        case "slack":
            return {"text": text}
        case "email":
            return {"subject": head, "text": text}
        case _:
            told = [
                {
                    "id": one.id,
                    "account": one.account or None,
                    "journey": one.journey,
                    "why": one.why,
                    "occurred_at": instant(one.occurred_at),
                    "known_at": instant(one.known_at),
                    "evidence": json.loads(one.evidence),
                }
                for one in firings
            ]
            about = {"name": signal.signal, "kind": signal.kind, "priority": signal.priority}
            return {"type": "signal.fired", "timestamp": instant(at), "data": {"signal": about, "firings": told}}


def digest(lines: Sequence[str]) -> str:
    """Lines, and how many more there are than are shown."""
    more = [f"… and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])


def end_of_quiet(hours: QuietHours, at: int) -> int:
    """When it may be told: ``at``, or the end of the quiet hours that it falls in."""
    zone = ZoneInfo(hours.timezone)
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone)
    begin, end = (_minutes(one) for one in (hours.from_, hours.to))
    now = local.hour * 60 + local.minute
    inside = begin <= now < end if begin <= end else now >= begin or now < end
    if not inside:
        return at
    days = 1 if begin > end and now >= begin else 0
    day = local.date() + timedelta(days=days)
    ends = datetime(day.year, day.month, day.day, end // 60, end % 60, tzinfo=zone)
    return max(at, int((ends - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)))


def _minutes(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


__all__ = ["announce", "digest", "end_of_quiet"]
