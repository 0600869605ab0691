"""The audit log: who changed what, when, from what to what. Lines are only added, in the transaction of the change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from doorstep.registry.database import Database
from doorstep.registry.delivery_tables import AuditRow

Told = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """One act. ``subject`` is the kind of thing, such as ``destination``; ``act`` what was done, such as ``added``;
    ``at`` microseconds UTC.
    """

    id: int
    at: int
    by: str
    act: str
    subject: str
    name: str
    before: Told | None
    after: Told | None


def note(
    session: Session,
    at: int,
    *,
    by: str,
    act: str,
    subject: str,
    name: str,
    before: Told | None = None,
    after: Told | None = None,
) -> None:
    """Writes an act down in the caller's transaction. ``before`` and ``after`` must hold no secret: they are told as
    they are.
    """
    session.execute(
        insert(AuditRow).values(
            at=at, by=by, act=act, subject=subject, name=name, before=_text(before), after=_text(after)
        )
    )


def acts(
    database: Database, *, subject: str | None = None, name: str | None = None, most: int | None = None
) -> tuple[Act, ...]:
    """Acts, latest first; of one kind of thing, or of one name, where that is said."""
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(most)
    if subject is not None:
        query = query.where(AuditRow.subject == subject)
    if name is not None:
        query = query.where(AuditRow.name == name)
    with database.reading() as session:
        return tuple(map(_act, session.scalars(query)))


def _act(row: AuditRow) -> Act:
    return Act(row.id, row.at, row.by, row.act, row.subject, row.name, _told(row.before), _told(row.after))


def _text(told: Told | None) -> str | None:
    return None if told is None else json.dumps(dict(told), default=str)


def _told(text: str | None) -> Told | None:
    found: Told | None = None if text is None else json.loads(text)
    return found


__all__ = ["Act", "acts", "note"]
