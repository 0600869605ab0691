"""A signal fires: a record of what, for whom and why, once for each cause, and the workflows that it sets off."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from doorstep.automations.active import Active
from doorstep.automations.belongings import Belongings
from doorstep.automations.claims import batches
from doorstep.automations.starting import Cause, start_by_signal
from doorstep.automations.wanted import where_of
from doorstep.definitions.belonging import Each
from doorstep.definitions.signal import Signal
from doorstep.ledger.life import ANNOUNCE_WITHIN
from doorstep.registry import FiringRow

WITHIN: Final = ANNOUNCE_WITHIN
"""What happened longer ago than this is no news, where no journey says otherwise."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """A change that a signal is about. ``cause`` names it for ever: a transition's id, or what is as lasting."""

    account: str
    cause: str
    why: str
    occurred_at: int
    journey: str | None = None
    evidence: Mapping[str, Any] | None = None


def named(*parts: object) -> str:
    """An id that is the same whenever it is worked out."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def fire(session: Session, signal: Active[Signal], noticed: Iterable[Noticed], at: int) -> int:
    """Keeps a firing for each change that is news, that did not fire before, whose account meets the conditions and is
    not cooling down; in the caller's transaction. How many.
    """
    fresh = {named(signal.name, one.cause): one for one in noticed if one.occurred_at >= signal.since}
    for some in batches(fresh):
        for known in session.scalars(select(FiringRow.id).where(FiringRow.id.in_(some))):
            del fresh[known]
    fresh = _meeting(session, signal, fresh, at)
    fresh = _cooled(session, signal, fresh, at)
    if not fresh:
        return 0
    meant = signal.definition
    rows = [
        {
            "id": key,
            "signal": signal.name,
            "version": signal.number,
            "kind": meant.kind,
            "priority": meant.priority,
            "account": one.account,
            "journey": one.journey,
            "cause": one.cause,
            "why": one.why,
            "evidence": json.dumps(one.evidence or {}),
            "occurred_at": one.occurred_at,
            "known_at": at,
            "told": not meant.announce,
            "state": "new",
        }
        for key, one in fresh.items()
    ]
    session.connection().execute(insert(FiringRow), rows)
    start_by_signal(session, signal, [_cause(signal, key, one) for key, one in fresh.items()], at)
    return len(rows)


def _meeting(session: Session, signal: Active[Signal], found: dict[str, Noticed], at: int) -> dict[str, Noticed]:
    belonging, ground = where_of(signal.definition)
    if belonging == Each(()) or not found:
        return found
    truths = Belongings(session, ground, at).among(belonging, {one.account for one in found.values()})
    return {key: one for key, one in found.items() if one.account in truths and truths[one.account].holds}


def _cooled(session: Session, signal: Active[Signal], found: dict[str, Noticed], at: int) -> dict[str, Noticed]:
    """Of each account the first change alone, and none where it fired lately."""
    length = signal.definition.cool_down
    if length is None or not found:
        return found
    last: dict[str, int] = {}
    row = FiringRow
    for some in batches({one.account for one in found.values()}):
        query = select(row.account, func.max(row.known_at)).where(row.signal == signal.name, row.account.in_(some))
        last.update(session.execute(query.group_by(row.account)).all())
    kept: dict[str, Noticed] = {}
    for key, one in sorted(found.items(), key=lambda pair: pair[1].occurred_at):
        if at - last.get(one.account, at - length) >= length:
            kept[key], last[one.account] = one, at
    return kept


def _cause(signal: Active[Signal], key: str, one: Noticed) -> Cause:
    meant, moved = signal.definition, dict(one.evidence or {}).get("transition")
    told = {
        "id": key,
        "name": signal.name,
        "title": meant.title or signal.name,
        "kind": meant.kind,
        "priority": meant.priority,
        "why": one.why,
        "occurred_at": one.occurred_at,
    }
    return Cause(key, one.account, one.journey, {"signal": told, **({"transition": moved} if moved else {})})


def retract(session: Session, causes: Sequence[str], at: int) -> None:
    """Marks firings whose transitions a late fact undid; what was not announced yet is not any more."""
    row = FiringRow
    for some in batches(causes):
        for one in session.scalars(select(row).where(row.cause.in_(some), row.retracted_at.is_(None))):
            one.retracted_at, one.told = at, True


__all__ = ["WITHIN", "Noticed", "fire", "named", "retract"]
