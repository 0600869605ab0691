"""Which segments, signals and workflows are at work: the latest version of each that is published and not paused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from doorstep.definitions.kinds import Definition, Kind, load_definition_text
from doorstep.definitions.segment import Segment
from doorstep.definitions.signal import Signal
from doorstep.definitions.workflow import Workflow
from doorstep.errors import RegistryError, nearest
from doorstep.registry import AutomationRow, Database, note
from doorstep.registry.tables import VersionRow

D = TypeVar("D", bound=Segment | Signal | Workflow)


@dataclass(frozen=True, slots=True)
class Active(Generic[D]):
    """A definition that is at work. ``since`` (microseconds UTC): what happened before is not told; a version that
    says what the one before said keeps its time.
    """

    name: str
    number: int
    definition_hash: str
    definition: D
    since: int
    paused: bool = False


def segments_at_work(session: Session) -> tuple[Active[Segment], ...]:
    """Every segment with criteria, by name."""
    return tuple(cast("list[Active[Segment]]", _found(session, "segment")))


def signals_at_work(session: Session) -> tuple[Active[Signal], ...]:
    """Every signal, by name."""
    return tuple(cast("list[Active[Signal]]", _found(session, "signal")))


def workflows_at_work(session: Session) -> tuple[Active[Workflow], ...]:
    """Every workflow, by name."""
    return tuple(cast("list[Active[Workflow]]", _found(session, "workflow")))


def published(session: Session, kind: Kind) -> tuple[Active[Any], ...]:
    """Every one of a kind, those that are paused too."""
    return tuple(_found(session, kind, paused=True))


def _found(session: Session, kind: Kind, *, paused: bool = False) -> list[Active[Any]]:
    versions: dict[str, list[VersionRow]] = {}
    query = select(VersionRow).where(VersionRow.kind == kind).order_by(VersionRow.name, VersionRow.number)
    for row in session.scalars(query):
        versions.setdefault(row.name, []).append(row)
    states = {one.name: one for one in session.scalars(select(AutomationRow))} if versions else {}
    found = (_active(rows, states.get(name)) for name, rows in versions.items())
    return [one for one in found if paused or not one.paused]


def _active(rows: list[VersionRow], state: AutomationRow | None) -> Active[Any]:
    last = rows[-1]
    since = last.published_at
    for row in reversed(rows):
        if row.definition_hash != last.definition_hash:
            break
        since = row.published_at
    if state is not None:
        since = max(since, state.since)
    definition = _parsed(last.text, f"{last.name}@{last.number}.{last.form}", last.name)
    return Active(
        last.name, last.number, last.definition_hash, cast(Any, definition), since, state is not None and state.paused
    )


@lru_cache(maxsize=1_000)
def _parsed(text: str, file: str, name: str) -> Definition:
    return load_definition_text(text, file=file, name=name)


def version_of(session: Session, name: str, number: int) -> Definition:
    """One version's definition; it was published, so it is there."""
    row = session.get_one(VersionRow, (name, number))
    return _parsed(row.text, f"{name}@{number}.{row.form}", name)


def turn(database: Database, kind: Kind, name: str, *, paused: bool, by: str, at: int) -> None:
    """Pauses what is at work, or sets it to work again: what happened meanwhile is not told. RegistryError
    ``no-such-definition``.
    """

    def work(session: Session) -> None:
        known = [one.name for one in _found(session, kind, paused=True)]
        if name not in known:
            raise unknown(name, known, kind)
        row = session.get(AutomationRow, name, with_for_update=True)
        before: Mapping[str, Any] = {"paused": row is not None and row.paused}
        if row is None:
            session.add(AutomationRow(name=name, paused=paused, since=at, changed_by=by))
        elif row.paused != paused:
            row.paused, row.since, row.changed_by = paused, at, by
        act = "paused" if paused else "resumed"
        note(session, at, by=by, act=act, subject=kind, name=name, before=before, after={"paused": paused})

    database.write(work)


def unknown(name: str, known: list[str], kind: str) -> RegistryError:
    """The error for a name that nothing of the kind is published under."""
    near = nearest(name, known)
    mend = f"Did you mean {near}?" if near and near != name else f"`doorstep {kind}s list` shows what there is."
    return RegistryError("no-such-definition", f"There is no {kind} {name!r}. {mend}")


__all__ = [
    "Active",
    "published",
    "segments_at_work",
    "signals_at_work",
    "turn",
    "unknown",
    "version_of",
    "workflows_at_work",
]
