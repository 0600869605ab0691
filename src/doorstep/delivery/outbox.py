"""What is to go out. It is put here in the transaction of what it tells of, so that neither is there without the
other; `delivery` brings it out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from doorstep.registry import DeliveryRow

AT_A_TIME: Final = 10_000
"""Messages that are written together."""

_as_json: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be delivered once. ``id`` is constant over retries (the ``webhook-id``), ``destination`` a
    destination's name, ``account`` orders: messages of one account and destination go out one after the other.
    ``body`` is JSON for webhooks, ``{text}`` for Slack, ``{to, subject, text}`` for email. ``cause`` is what it is
    about: the id of a firing of a signal, or of a run of a workflow. ``not_before``: microseconds UTC.
    """

    id: str
    destination: str
    account: str
    body: Mapping[str, Any]
    cause: str
    not_before: int


def put(session: Session, messages: Sequence[Message], at: int) -> int:
    """Puts messages into the outbox, in the caller's transaction, and tells how many are new: an id that was put
    before, with whatever content, is kept once. Nobody looks whether the destination exists; a message to none is
    parked.
    """
    postgres = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert(DeliveryRow) if postgres else sqlite.insert(DeliveryRow)
    statement = insert.on_conflict_do_nothing(index_elements=["id"]).returning(DeliveryRow.seq)
    new = 0
    for begin in range(0, len(messages), AT_A_TIME):
        lines = [_line(one, at) for one in messages[begin : begin + AT_A_TIME]]
        new += len(session.connection().execute(statement, lines).all())
    return new


def _line(one: Message, at: int) -> dict[str, Any]:
    due = max(one.not_before, at)
    return {
        "id": one.id,
        "destination": one.destination,
        "account": one.account,
        "body": _as_json(one.body),
        "cause": one.cause,
        "put_at": at,
        "due_at": due,
        "state": "waiting",
        "next_at": due,
        "attempts": 0,
    }


__all__ = ["Message", "put"]
