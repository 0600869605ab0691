"""The life of a journey: draft, active, paused, archived; its versions, and moves by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, inspect, select
from sqlalchemy.orm import Session

from doorstep.definitions.identity import definition_hash
from doorstep.definitions.journey import Journey
from doorstep.definitions.reading import load_journey, load_journey_text, text_of
from doorstep.errors import RegistryError, nearest
from doorstep.journeys.examples import run_examples
from doorstep.ledger.ledger import Ledger, row_of
from doorstep.ledger.records import Head, Move, State
from doorstep.registry import JourneyMoveRow, JourneyRow, JourneyVersionRow, kept
from doorstep.registry.audit import note

DAY: Final = 86_400_000_000
ANNOUNCE_WITHIN: Final = DAY
"""How long after it occurred a transition is still announced, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Document:
    """A journey's document, as it was written."""

    journey: Journey
    text: str
    form: str


def document_of(source: Path | str | Mapping[str, object]) -> Document:
    """The document in a file, or of a mapping. DefinitionError; RegistryError ``examples-failed``."""
    if isinstance(source, Mapping):
        found = Document(load_journey(source), json.dumps(source, indent=2), "json")
    else:
        text, form = text_of(Path(source)), "json" if Path(source).suffix == ".json" else "yaml"
        found = Document(load_journey_text(text, file=str(source)), text, form)
    failed = [one for one in run_examples(found.journey) if not one.passed]
    if failed:
        message = (
            f"{len(failed)} of the examples of {found.journey.journey} failed: {failed[0].name}: {failed[0].message}."
        )
        raise RegistryError("examples-failed", f"{message} `doorstep test` runs them.")
    return found


def draft(ledger: Ledger, document: Document, *, by: str, at: int) -> Head:
    """Keeps a document as the next version of its journey, to be activated. A journey that is active stays with the
    version it has.
    """
    by, name = kept(by, "Who drafts the journey"), document.journey.journey

    def work(session: Session) -> None:
        row = session.get(JourneyRow, name, with_for_update=True)
        if row is None:
            row = _fresh(session, name, by, at)
        _refuse_archived(row)
        number = _version(session, row, document)
        if row.state == "draft":
            row.version = number

    ledger.database.write(work)
    return ledger.head(name)


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
    """Makes a version (default: the last one) the one that counts, from ``at`` on; the next sync walks everything anew
    if it is another one. Activated again, nothing changes but what is given anew. RegistryError ``journey-state``.
    """
    by = kept(by, "Who activates the journey")

    def work(session: Session) -> None:
        row = row_of(session, name)
        session.refresh(row, with_for_update=True)
        _refuse_archived(row)
        last = session.scalar(select(func.max(JourneyVersionRow.number)).where(JourneyVersionRow.name == name)) or 1
        chosen = session.get(JourneyVersionRow, (name, version or last))
        if chosen is None:
            raise RegistryError("no-such-journey", f"{name} has no version {version}; the last one is {last}.")
        if row.state != "active":
            row.active_since = at
        if chosen.activated_at is None or row.version != chosen.number:
            chosen.activated_at, chosen.activated_by = at, by
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


def _fresh(session: Session, name: str, by: str, at: int) -> JourneyRow:
    row = JourneyRow(
        name=name,
        state="draft",
        version=1,
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


def _version(session: Session, row: JourneyRow, document: Document) -> int:
    """The number of the document: that of the last version where it is the same to the letter, else the next."""
    last = session.scalar(
        select(JourneyVersionRow)
        .where(JourneyVersionRow.name == row.name)
        .order_by(JourneyVersionRow.number.desc())
        .limit(1)
    )
    if last is not None and (last.text, last.form) == (document.text, document.form):
        return last.number
    number = 1 if last is None else last.number + 1
    session.add(
        JourneyVersionRow(
            name=row.name,
            number=number,
            definition_hash=definition_hash(document.journey),
            text=document.text,
            form=document.form,
        )
    )
    session.flush()
    return number


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


def _refuse_archived(row: JourneyRow) -> None:
    if row.state == "archived":
        message = f"{row.name} is archived: it is not activated again."
        raise RegistryError("journey-state", f"{message} Give the journey another name.")


__all__ = ["ANNOUNCE_WITHIN", "Document", "activate", "archive", "document_of", "draft", "move", "pause"]
