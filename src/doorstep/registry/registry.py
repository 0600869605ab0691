"""Definitions as immutable numbered versions: publishing, reverting, freezing, and finding them again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from doorstep.definitions.kinds import KINDS, canonical, definition_hash, difference, text_hash
from doorstep.errors import RegistryError, nearest
from doorstep.registry.database import Database, open_database
from doorstep.registry.drafts import Draft, checked, draft
from doorstep.registry.keys import WriteKeys
from doorstep.registry.records import Form, Freeze, Publication, Version
from doorstep.registry.runs import FrozenRuns
from doorstep.registry.segments import SavedSegments
from doorstep.registry.spoken import kept
from doorstep.registry.tables import DefinitionRow, FreezeRow, VersionRow

Clock = Callable[[], int]
"""The time now, in microseconds since 1970 UTC."""


def open_registry(place: Path | str, clock: Clock, *, create: bool = True) -> Registry:
    """The registry in a data directory (SQLite), or at an address such as ``postgresql://user@host/database``.

    A fresh database is set up and an old one brought up to date. Without ``create`` a directory that has none is
    RegistryError ``no-registry``. Other errors: ``registry-newer``, ``registry-unusable``, ``registry-busy``.
    """
    return Registry(open_database(place, create=create), clock)


class Registry:
    """What is remembered. Safe to use from several threads, and by several processes at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.keys = WriteKeys(database, clock)
        self.runs = FrozenRuns(database, clock)
        self.segments = SavedSegments(database, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the database."""
        self._database.close()

    # -- publishing

    def publish(
        self, source: Path | str | Mapping[str, object] | Draft, *, by: str, message: str | None = None
    ) -> Publication:
        """Publishes a file, a mapping or a draft as its name's next version; nothing when it is the latest already.

        DefinitionError when it is no definition. RegistryError: ``examples-failed``, ``frozen``,
        ``other-kind`` when the name is that of another kind of definition.
        """
        return self._publish(source if isinstance(source, Draft) else draft(source), by, message, None)

    def revert(self, name: str, number: int, *, by: str, message: str | None = None) -> Publication:
        """Publishes the document of an old version anew, as the next version. Errors as of `publish` and `version`."""
        old = self.version(name, number)
        return self._publish(checked(Draft(old.definition(), old.text, old.form)), by, message, number)

    def _publish(self, new: Draft, by: str, message: str | None, reverts: int | None) -> Publication:
        meant, name, now = new.definition, new.name, self._clock()
        by = kept(by, "Who publishes")
        message = None if message is None else kept(message, "The message")
        hashes = definition_hash(meant), text_hash(meant)

        def work(session: Session) -> Publication:
            before = _lock(session, name, now)
            _refuse_other_kind(before, new)
            if before is not None and (before.definition_hash, before.text_hash) == hashes:
                return Publication(_version(before), False, ())
            _refuse_frozen(session, name)
            row = VersionRow(
                name=name,
                number=1 if before is None else before.number + 1,
                kind=new.kind,
                definition_hash=hashes[0],
                text_hash=hashes[1],
                semantics=meant.semantics,
                moves_counts=before is None or before.definition_hash != hashes[0],
                canonical=json.dumps(canonical(meant), sort_keys=True, separators=(",", ":")),
                text=new.text,
                form=new.form,
                message=message,
                published_by=by,
                published_at=now,
                reverts=reverts,
            )
            session.add(row)
            session.flush()
            changes = () if before is None else difference(_version(before).definition(), meant)
            return Publication(_version(row), True, changes)

        return self._database.write(work)

    # -- finding

    def names(self) -> tuple[Version, ...]:
        """The latest version of every name, by name."""
        latest = select(VersionRow.name, func.max(VersionRow.number)).group_by(VersionRow.name)
        with self._database.reading() as session:
            found = [session.get_one(VersionRow, tuple(key)) for key in session.execute(latest)]
            return tuple(sorted(map(_version, found), key=lambda one: one.name))

    def versions(self, name: str) -> tuple[Version, ...]:
        """Every version of a name, oldest first; RegistryError ``no-such-definition``."""
        with self._database.reading() as session:
            rows = session.scalars(select(VersionRow).where(VersionRow.name == name).order_by(VersionRow.number))
            found = tuple(_version(row) for row in rows)
            if not found:
                raise _no_definition(session, name)
            return found

    def version(self, name: str, number: int | None = None) -> Version:
        """One version, or the latest; RegistryError ``no-such-definition`` or ``no-such-version``."""
        with self._database.reading() as session:
            latest = _latest(session, name)
            if latest is None:
                raise _no_definition(session, name)
            row = latest if number is None else session.get(VersionRow, (name, number))
            if row is None:
                there = "only version 1" if latest.number == 1 else f"versions 1 to {latest.number}"
                raise RegistryError("no-such-version", f"There is no {name}@{number}: {name} has {there}.")
            return _version(row)

    # -- freezing

    def freeze(self, name: str, *, by: str, why: str) -> Freeze:
        """Holds the latest version: nobody can publish over it until it is released.

        RegistryError: ``frozen`` when it is held already, ``no-such-definition``.
        """
        by, why, now = kept(by, "Who freezes"), kept(why, "Why it is frozen"), self._clock()

        def work(session: Session) -> Freeze:
            latest = _locked(session, name)
            _refuse_frozen(session, name)
            row = FreezeRow(name=name, version=latest.number, frozen_by=by, frozen_why=why, frozen_at=now)
            session.add(row)
            session.flush()
            return _freeze(row)

        return self._database.write(work)

    def release(self, name: str, *, by: str, why: str) -> Freeze:
        """Ends a freeze. RegistryError: ``not-frozen``, ``no-such-definition``."""
        by, why, now = kept(by, "Who releases"), kept(why, "Why it is released"), self._clock()

        def work(session: Session) -> Freeze:
            _locked(session, name)
            row = _unreleased(session, name)
            if row is None:
                raise RegistryError("not-frozen", f"{name} is not frozen, so there is nothing to release.")
            row.released_by, row.released_why, row.released_at = by, why, now
            return _freeze(row)

        return self._database.write(work)

    def freezes(self, name: str | None = None) -> tuple[Freeze, ...]:
        """Every freeze there ever was, or those of one name, oldest first."""
        query = select(FreezeRow).order_by(FreezeRow.id)
        with self._database.reading() as session:
            return tuple(map(_freeze, session.scalars(query if name is None else query.where(FreezeRow.name == name))))


# -- inside a transaction


def _lock(session: Session, name: str, now: int) -> VersionRow | None:
    """The latest version, once no one else can write under this name; the name is made when it is new."""
    if session.get(DefinitionRow, name, with_for_update=True) is None:
        session.add(DefinitionRow(name=name, created_at=now))
        session.flush()
    return _latest(session, name)


def _locked(session: Session, name: str) -> VersionRow:
    session.get(DefinitionRow, name, with_for_update=True)
    latest = _latest(session, name)
    if latest is None:
        raise _no_definition(session, name)
    return latest


def _latest(session: Session, name: str) -> VersionRow | None:
    return session.scalar(select(VersionRow).where(VersionRow.name == name).order_by(VersionRow.number.desc()).limit(1))


def _unreleased(session: Session, name: str) -> FreezeRow | None:
    return session.scalar(select(FreezeRow).where(FreezeRow.name == name, FreezeRow.released_at.is_(None)))


def _refuse_other_kind(before: VersionRow | None, new: Draft) -> None:
    if before is not None and before.kind != new.kind:
        message = f"{before.name} is published as a {before.kind}, and this is a {new.kind}."
        raise RegistryError("other-kind", f"{message} Give it another name.")


def _refuse_frozen(session: Session, name: str) -> None:
    held = _unreleased(session, name)
    if held is not None:
        message = f"{name}@{held.version} was frozen by {held.frozen_by}: {held.frozen_why.rstrip('.')}."
        raise RegistryError("frozen", f"{message} `doorstep release {name}` ends the freeze.")


def _no_definition(session: Session, name: str) -> RegistryError:
    near = nearest(name, session.scalars(select(DefinitionRow.name)))
    mend = f"Did you mean {near}?" if near else "`doorstep versions` shows what is."
    return RegistryError("no-such-definition", f"Nothing is published under the name {name!r}. {mend}")


def _version(row: VersionRow) -> Version:
    form: Form = "json" if row.form == "json" else "yaml"
    return Version(
        name=row.name,
        number=row.number,
        kind=KINDS[row.kind],
        hash=row.definition_hash,
        text_hash=row.text_hash,
        semantics=row.semantics,
        moves_counts=row.moves_counts,
        canonical=json.loads(row.canonical),
        text=row.text,
        form=form,
        message=row.message,
        published_by=row.published_by,
        published_at=row.published_at,
        reverts=row.reverts,
    )


def _freeze(row: FreezeRow) -> Freeze:
    return Freeze(
        row.name,
        row.version,
        row.frozen_by,
        row.frozen_why,
        row.frozen_at,
        row.released_by,
        row.released_why,
        row.released_at,
    )


__all__ = ["Clock", "Registry", "open_registry"]
