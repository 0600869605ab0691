"""Destinations by name, and hosts that may be reached though they are not public. Every change is in the audit log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, func, literal_column, select, update
from sqlalchemy.orm import Session

from doorstep.delivery.addresses import Guard, Resolve, plain_host, resolved
from doorstep.delivery.lines import WAITING
from doorstep.delivery.sealing import Seal
from doorstep.delivery.targets import Target, checked, target_of, text_of
from doorstep.errors import RegistryError, nearest
from doorstep.registry import AllowedHostRow, Database, DeliveryRow, DestinationRow, kept, note

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination without its secrets. Times are microseconds UTC; ``failures`` counts attempts that failed since one
    succeeded.
    """

    name: str
    kind: str
    shown: Mapping[str, Any]
    added_by: str
    added_at: int
    failures: int
    failing_since: int | None
    rests_until: int | None
    waiting: int
    parked: int


class Destinations:
    """The destinations of a database."""

    def __init__(self, database: Database, seal: Callable[[], Seal], *, resolve: Resolve = resolved) -> None:
        """``seal`` is asked when a secret is to be sealed or opened, and not before."""
        self._database = database
        self._seal = seal
        self._resolve = resolve

    def add(self, name: str, target: Target, *, by: str, at: int) -> Destination:
        """Keeps a destination. RegistryError ``bad-destination-name``, ``destination-exists``; what `checked` says."""
        by = kept(by, "Who adds the destination")
        if not _NAME.fullmatch(name):
            message = f"{name[:120]!r} cannot be a destination's name."
            raise RegistryError("bad-destination-name", f"{message} Use small letters, digits, - and _.")
        sealed = self._seal().close(text_of(checked(target, self.guard())))

        def work(session: Session) -> None:
            if session.get(DestinationRow, name) is not None:
                message = f"There is a destination {name} already."
                raise RegistryError("destination-exists", f"{message} Take another name, or remove that one first.")
            session.add(
                DestinationRow(
                    name=name,
                    kind=target.kind,
                    shown=json.dumps(target.shown),
                    sealed=sealed,
                    added_by=by,
                    added_at=at,
                    failures=0,
                )
            )
            after = {"kind": target.kind, **target.shown}
            note(session, at, by=by, act="added", subject="destination", name=name, after=after)

        self._database.write(work)
        return self.get(name)

    def remove(self, name: str, *, by: str, at: int) -> int:
        """Removes a destination; what waits for it is parked: how many. RegistryError ``no-such-destination``."""
        by = kept(by, "Who removes the destination")

        def work(session: Session) -> int:
            row = _row(session, name, lock=True)
            before = {"kind": row.kind, **json.loads(row.shown)}
            waits = update(DeliveryRow).where(DeliveryRow.destination == name, DeliveryRow.state == WAITING)
            parked = session.execute(
                waits.values(state="parked", ended_at=at, why="the destination was removed", leased_until=None)
            )
            session.delete(row)
            note(session, at, by=by, act="removed", subject="destination", name=name, before=before)
            return int(getattr(parked, "rowcount", 0))

        return self._database.write(work)

    def get(self, name: str) -> Destination:
        """One destination. RegistryError ``no-such-destination``."""
        with self._database.reading() as session:
            return _destination(_row(session, name), _counts(session))

    def all(self) -> tuple[Destination, ...]:
        """Every destination, by name."""
        with self._database.reading() as session:
            counts = _counts(session)
            rows = session.scalars(select(DestinationRow).order_by(DestinationRow.name))
            return tuple(_destination(row, counts) for row in rows)

    def target(self, name: str) -> Target:
        """The destination with its secrets, to send to. RegistryError ``no-such-destination``, ``wrong-secret-key``."""
        with self._database.reading() as session:
            sealed = _row(session, name).sealed
        return target_of(self._seal().open(sealed))

    def guard(self) -> Guard:
        """Where connections may go."""
        return Guard(frozenset(self.allowed()), self._resolve)

    def allowed(self) -> tuple[str, ...]:
        """Hosts that may be reached though they are not public."""
        with self._database.reading() as session:
            return tuple(session.scalars(select(AllowedHostRow.host).order_by(AllowedHostRow.host)))

    def allow(self, host: str, *, by: str, at: int) -> str:
        """Lets messages go to a host whatever its address; the host as it is compared. SendingError ``bad-host``."""
        by, host = kept(by, "Who allows the host"), plain_host(host)

        def work(session: Session) -> None:
            if session.get(AllowedHostRow, host) is None:
                session.add(AllowedHostRow(host=host, allowed_by=by, allowed_at=at))
                note(session, at, by=by, act="allowed", subject="host", name=host)

        self._database.write(work)
        return host

    def forbid(self, host: str, *, by: str, at: int) -> str:
        """Takes that back. RegistryError ``host-not-allowed``."""
        by, host = kept(by, "Who forbids the host"), plain_host(host)

        def work(session: Session) -> None:
            row = session.get(AllowedHostRow, host)
            if row is None:
                near = nearest(host, session.scalars(select(AllowedHostRow.host)))
                mend = f"Did you mean {near}?" if near else "`doorstep destinations list` shows those that are."
                raise RegistryError("host-not-allowed", f"{host} is none of the allowed hosts. {mend}")
            session.delete(row)
            note(session, at, by=by, act="forbidden", subject="host", name=host)

        self._database.write(work)
        return host

    def noted(self, name: str, act: str, after: Mapping[str, Any], *, by: str, at: int) -> None:
        """Writes an act that changes nothing, such as a test, into the audit log."""
        by = kept(by, "Who does it")
        self._database.write(
            lambda session: note(session, at, by=by, act=act, subject="destination", name=name, after=after)
        )


def _row(session: Session, name: str, *, lock: bool = False) -> DestinationRow:
    row = session.get(DestinationRow, name, with_for_update=lock)
    if row is None:
        near = nearest(name, session.scalars(select(DestinationRow.name)))
        mend = f"Did you mean {near}?" if near else "`doorstep destinations list` shows what there is."
        raise RegistryError("no-such-destination", f"There is no destination {name}. {mend}")
    return row


def _counts(session: Session) -> Mapping[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for state in ("waiting", "parked"):
        word: ColumnElement[str] = literal_column(f"'{state}'")  # not a parameter, see `lines.WAITING`
        query = select(DeliveryRow.destination, func.count()).where(DeliveryRow.state == word)
        found |= {(name, state): count for name, count in session.execute(query.group_by(DeliveryRow.destination))}
    return found


def _destination(row: DestinationRow, counts: Mapping[tuple[str, str], int]) -> Destination:
    return Destination(
        row.name,
        row.kind,
        json.loads(row.shown),
        row.added_by,
        row.added_at,
        row.failures,
        row.failing_since,
        row.rests_until,
        counts.get((row.name, "waiting"), 0),
        counts.get((row.name, "parked"), 0),
    )


__all__ = ["Destination", "Destinations"]
