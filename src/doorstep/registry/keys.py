"""Write keys: who may send events. A key is shown once; its SHA-256 is all that is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from doorstep.errors import RegistryError, nearest
from doorstep.registry.database import Database
from doorstep.registry.records import NewKey, WriteKey
from doorstep.registry.spoken import kept
from doorstep.registry.tables import KeyRow

PREFIX: Final = "dsk_"
"""How every key begins, so that one that leaked can be found."""

BYTES: Final = 32
"""Of randomness: so many that their plain hash cannot be turned back."""

USED_ANEW: Final = 60_000_000
"""Microseconds after which a key's last use is written again; not with every batch."""


class WriteKeys:
    """The write keys of a registry."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def create(self, name: str) -> NewKey:
        """Makes a key. RegistryError ``key-exists`` when a live key has this name."""
        name = kept(name, "The key's name")
        secret = PREFIX + secrets.token_hex(BYTES)
        now = self._clock()

        def work(session: Session) -> WriteKey:
            if session.scalar(select(KeyRow).where(KeyRow.name == name, KeyRow.revoked_at.is_(None))):
                message = f"There is a key {name!r} already. Take another name, or revoke that one first."
                raise RegistryError("key-exists", message)
            row = KeyRow(name=name, digest=_digest(secret), created_at=now, last_used_at=None, revoked_at=None)
            session.add(row)
            session.flush()
            return _key(row)

        return NewKey(secret, self._database.write(work))

    def all(self) -> tuple[WriteKey, ...]:
        """Every key there ever was, oldest first."""
        with self._database.reading() as session:
            return tuple(_key(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.id)))

    def verify(self, secret: str) -> WriteKey | None:
        """The live key that this is, or None. Takes as long for a key that is nearly right as for any other."""
        offered, now = _digest(secret), self._clock()
        with self._database.reading() as session:
            live = session.scalars(select(KeyRow).where(KeyRow.revoked_at.is_(None))).all()
            same = [row for row in live if hmac.compare_digest(row.digest, offered)]
        if not same:
            return None
        found = same[0]
        if found.last_used_at is None or now - found.last_used_at >= USED_ANEW:
            return self._used(found.id, now)
        return _key(found)

    def _used(self, number: int, now: int) -> WriteKey | None:
        """Writes the use down; None when the key was revoked meanwhile."""

        def work(session: Session) -> WriteKey | None:
            row = session.get(KeyRow, number, with_for_update=True)
            if row is None or row.revoked_at is not None:
                return None
            row.last_used_at = max(now, row.last_used_at or now)
            return _key(row)

        return self._database.write(work)

    def revoke(self, name: str) -> WriteKey:
        """Ends a key: it is refused from now on. RegistryError ``no-such-key`` when no live key has this name."""
        now = self._clock()

        def work(session: Session) -> WriteKey:
            live = {row.name: row for row in session.scalars(select(KeyRow).where(KeyRow.revoked_at.is_(None)))}
            row = live.get(name.strip())
            if row is None:
                near = nearest(name, live)
                mend = f"Did you mean {near!r}?" if near else "`doorstep keys list` shows them."
                raise RegistryError("no-such-key", f"There is no live key {name!r}. {mend}")
            row.revoked_at = now
            return _key(row)

        return self._database.write(work)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: KeyRow) -> WriteKey:
    return WriteKey(row.name, row.created_at, row.last_used_at, row.revoked_at)


__all__ = ["WriteKeys"]
