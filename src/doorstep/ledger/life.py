"""The life of a journey: draft, active, paused, archived; and moves by hand. Its versions are the registry's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from doorstep.definitions.journey import Journey
from doorstep.errors import RegistryError, nearest
from doorstep.ledger.ledger import Ledger, row_of
from doorstep.ledger.records import Head, Move, State
from doorstep.registry import Draft, JourneyMoveRow, JourneyRow, kept
from doorstep.registry import draft as drafted
from doorstep.registry.audit import note

DAY: Final = 86_400_000_000
ANNOUNCE_WITHIN: Final = DAY
"""How long after it occurred a transition is still announced, where nothing else is said."""


def draft(ledger: Ledger, document: Path | str | Mapping[str, object] | Draft, *, by: str, at: int) -> Head:
    """Publishes a document as its journey's next version, to be activated. An active journey stays with the
    version it has. DefinitionError; RegistryError ``examples-failed``, ``not-a-journey``, ``frozen``.
    """
    by, given = kept(by, "Who drafts the journey"), document if isinstance(document, Draft) else drafted(document)
    if given.kind != "journey":
        raise RegistryError("not-a-journey", f"{given.name} is a funnel, where a journey is meant.")
    with ledger.database.reading() as session:
        _refuse_archived(session.get(JourneyRow, given.name))
    number = ledger.published(at).publish(given, by=by).version.number

    def work(session: Session) -> None:
        row = _kept(session, given.name, number, by, at)
        if row.state == "draft":
            row.version = number

    ledger.database.write(work)
    return ledger.head(given.name)


def activate(
    ledger: Ledger,
    name: str,
    *,
    by: str,
    at: int,
    version: int | None = None,
    lag: int | None = None,
    announce_within: int | None = None,
) -> Head:
    """Makes a published version (default: the last one) the one that counts, from ``at`` on; the next sync walks
    everything anew if it is another one. Activated again, nothing changes but what is given anew. RegistryError
    ``no-such-definition``, ``no-such-version``, ``not-a-journey``, ``journey-state``.
    """
    by = kept(by, "Who activates the journey")
    chosen = ledger.published().version(name, version)
    chosen.journey()

    def work(session: Session) -> None:
        row = _kept(session, name, chosen.number, by, at)
        if row.state != "active":
            row.active_since = at
        if row.activated_at is None or row.version != chosen.number:
            row.activated_at, row.activated_by = at, by
        row.state, row.version = "active", chosen.number
        row.lag = row.lag if lag is None else lag
        row.announce_within = row.announce_within if announce_within is None else announce_within
        _changed(session, row, "activated", by, at)

    ledger.database.write(work)
    return ledger.head(name)


def pause(ledger: Ledger, name: str, *, by: str, at: int) -> Head:
    """Stops syncing a journey; its history stays, and goes on where it stopped once it is activated again."""
    return _turn(ledger, name, "paused", {"active"}, by, at)


def archive(ledger: Ledger, name: str, *, by: str, at: int) -> Head:
    """Ends a journey for good; its history stays."""
    return _turn(ledger, name, "archived", {"draft", "active", "paused"}, by, at)


def move(ledger: Ledger, name: str, account: str, to: str, *, by: str, reason: str, at: int, now: int) -> Move:
    """Moves an account by hand at an instant: an input of its history, which the next sync takes in. RegistryError
    ``unknown-stage``, ``journey-state``, ``bad-words``.
    """
    by, reason = kept(by, "Who moves the account"), kept(reason, "The reason of the move")
    head = ledger.head(name)
    if head.state == "archived":
        raise RegistryError("journey-state", f"{name} is archived: its accounts do not move any more.")
    _refuse_unknown_stage(head.journey, to)
    _refuse_bad_account(head.journey, account)

    def work(session: Session) -> int:
        row = JourneyMoveRow(journey=name, account=account, at=at, to_stage=to, by=by, reason=reason, made_at=now)
        session.add(row)
        session.flush()
        after = {"journey": name, "to_stage": to, "at": at, "reason": reason}
        note(session, now, by=by, act="moved", subject="account", name=account, after=after)
        return row.id

    return Move(ledger.database.write(work), account, at, to, by, reason)


def _changed(session: Session, row: JourneyRow, act: str, by: str, at: int) -> None:
    """Writes down who changed a journey last, and into the audit log what they did."""
    row.changed_by, row.changed_at = by, at
    attributes = {one.key: one for one in inspect(row).attrs}
    told = [attributes[name] for name in ("state", "version", "lag", "announce_within")]
    after = {one.key: one.value for one in told}
    before = {one.key: one.history.deleted[0] for one in told if one.history.deleted}
    note(session, at, by=by, act=act, subject="journey", name=row.name, before={**after, **before}, after=after)


def _refuse_unknown_stage(journey: Journey, to: str) -> None:
    if to not in journey.positions:
        near = nearest(to, journey.positions)
        mend = f"Did you mean {near}?" if near else f"The stages are {', '.join(journey.positions)}."
        raise RegistryError("unknown-stage", f"{journey.journey} has no stage {to}. {mend}")


def _refuse_bad_account(journey: Journey, account: str) -> None:
    columns = journey.unit_columns
    if len(columns) == 1:
        return
    try:
        values: Any = json.loads(account)
    except ValueError:
        values = None
    if not isinstance(values, list) or len(values) != len(columns) or not all(isinstance(one, str) for one in values):
        raise RegistryError("bad-account", f"{account!r} names no account: write a JSON list of {', '.join(columns)}.")


def _kept(session: Session, name: str, number: int, by: str, at: int) -> JourneyRow:
    """The journey's row, locked; made when there is none. RegistryError ``journey-state``."""
    row = session.get(JourneyRow, name, with_for_update=True, populate_existing=True)
    _refuse_archived(row)
    if row is None:
        row = JourneyRow(
            name=name,
            state="draft",
            version=number,
            lag=0,
            announce_within=ANNOUNCE_WITHIN,
            changed_by=by,
            changed_at=at,
            synced_move=0,
            cycle=0,
        )
        session.add(row)
        session.flush()
    return row


def _turn(ledger: Ledger, name: str, to: State, allowed: set[str], by: str, at: int) -> Head:
    by = kept(by, "Who does this")

    def work(session: Session) -> None:
        row = row_of(session, name)
        session.refresh(row, with_for_update=True)
        if row.state not in {*allowed, to}:
            raise RegistryError("journey-state", f"{name} is {row.state}; it cannot be {to}.")
        row.state = to
        _changed(session, row, to, by, at)

    ledger.database.write(work)
    return ledger.head(name)


def _refuse_archived(row: JourneyRow | None) -> None:
    if row is not None and row.state == "archived":
        message = f"{row.name} is archived: it is not activated again."
        raise RegistryError("journey-state", f"{message} Give the journey another name.")


__all__ = ["ANNOUNCE_WITHIN", "activate", "archive", "draft", "move", "pause"]
