"""The ledger in the application's database: heads, moves, standings and transitions; one transaction a sync."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from doorstep.errors import RegistryError, nearest
from doorstep.ledger.records import Cycle, Head, Hook, Line, Move, Standing, Stored, Transition
from doorstep.registry import (
    Database,
    JourneyAccountRow,
    JourneyMoveRow,
    JourneyRow,
    JourneyTransitionRow,
    Registry,
)

AT_A_TIME: Final = 500
"""Accounts asked for in one statement."""
MANY: Final = 20_000
"""From more accounts on, all of a journey's are read instead."""


class Ledger:
    """The ledger of a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def published(self, at: int = 0) -> Registry:
        """The registry, which has the versions of journeys; what it writes is written at ``at``."""
        return Registry(self.database, lambda: at)

    def heads(self) -> tuple[Head, ...]:
        """Every journey, by name."""
        with self.database.reading() as session:
            rows = session.scalars(select(JourneyRow).order_by(JourneyRow.name)).all()
            return tuple(map(self._head, rows))

    def head(self, name: str) -> Head:
        """One journey. RegistryError ``no-such-journey``."""
        with self.database.reading() as session:
            return self._head(row_of(session, name))

    def _head(self, row: JourneyRow) -> Head:
        version = self.published().version(row.name, row.version)
        return Head(
            row.name,
            row.state,  # type: ignore[arg-type]
            row.version,
            version.journey(),
            version.hash,
            row.lag,
            row.announce_within,
            row.active_since,
            row.activated_at,
            row.horizon,
            row.snapshot,
            row.synced_version,
            row.synced_move,
            row.cycle,
            row.synced_at,
        )

    def moves(self, name: str) -> tuple[Move, ...]:
        """Moves by hand, in the order they were made."""
        with self.database.reading() as session:
            found = session.scalars(
                select(JourneyMoveRow).where(JourneyMoveRow.journey == name).order_by(JourneyMoveRow.id)
            )
            return tuple(Move(one.id, one.account, one.at, one.to_stage, one.by, one.reason) for one in found)

    def standings(self, name: str, accounts: Iterable[str] | None = None) -> dict[str, Standing]:
        """Where accounts stand (None: all of them), as far as the ledger knows them."""
        row = JourneyAccountRow
        columns = (row.account, row.stage, row.high_water, row.since, row.born_at)
        with self.database.reading() as session:
            found: dict[str, Standing] = {}
            for wanted in _batches(accounts):
                query = select(*columns).where(row.journey == name)
                lines = session.execute(query if wanted is None else query.where(row.account.in_(wanted)))
                found.update({one[0]: Standing(*one[1:]) for one in lines})
            return found

    def transitions(self, name: str, accounts: Iterable[str] | None = None) -> dict[str, dict[tuple[str, int], Stored]]:
        """By account and identity: each transition as it was told last, retracted ones too."""
        row = JourneyTransitionRow
        columns = (
            *(row.account, row.to_stage, row.entry, row.from_stage, row.skipped, row.occurred_at, row.manual),
            *(row.change, row.announce),
        )
        with self.database.reading() as session:
            found: dict[str, dict[tuple[str, int], Stored]] = {}
            for wanted in _batches(accounts):
                query = select(*columns).where(row.journey == name).order_by(row.seq)
                lines = session.execute(query if wanted is None else query.where(row.account.in_(wanted)))
                for account, to, entry, came_from, skipped, at, manual, change, announce in lines:
                    told = found.setdefault(account, {})
                    before = told.get((to, entry))
                    announced = bool(announce) or (before is not None and before.announced)
                    known = Transition(to, entry, came_from, tuple(json.loads(skipped)), at, bool(manual))
                    told[to, entry] = Stored(known, change == "retracted", announced)
            return found

    def lines(self, name: str, account: str) -> tuple[Line, ...]:
        """All that syncs said about an account, in the order in which they did. RegistryError ``no-such-account``."""
        row = JourneyTransitionRow
        by_hand = {(one.at, one.to_stage): one for one in self.moves(name) if one.account == account}
        with self.database.reading() as session:
            query = select(row).where(row.journey == name, row.account == account).order_by(row.seq)
            found = tuple(_line(one, by_hand) for one in session.scalars(query))
        if not found and account not in self.standings(name, [account]):
            message = f"The ledger of {name} has no account {account!r}."
            raise RegistryError("no-such-account", f"{message} `doorstep journey export` writes all it has.")
        return found

    def write(
        self,
        head: Head,
        standings: Mapping[str, Standing],
        lines: Sequence[Mapping[str, Any]],
        *,
        horizon: int,
        snapshot: int,
        move: int,
        at: int,
        hooks: Sequence[Hook] = (),
    ) -> None:
        """A sync as one transaction: standings that are otherwise now, lines of transitions, how far it came, and what
        ``hooks`` make of it. RegistryError ``sync-overtaken`` when another one came first.
        """

        def work(session: Session) -> None:
            row = session.get(JourneyRow, head.name, with_for_update=True, populate_existing=True)
            if row is None or (row.cycle, row.version, row.state) != (head.cycle, head.version, head.state):
                message = f"The journey {head.name} was synced or changed meanwhile; nothing was written."
                raise RegistryError("sync-overtaken", f"{message} Run doorstep sync again.")
            _replace(session, head, standings, at)
            if lines:
                session.connection().execute(insert(JourneyTransitionRow), list(lines))
            reached = {
                "horizon": horizon,
                "snapshot": snapshot,
                "synced_version": head.version,
                "synced_move": move,
                "cycle": head.cycle + 1,
                "synced_at": at,
            }
            session.execute(update(JourneyRow).where(JourneyRow.name == head.name).values(reached))
            for hook in hooks:
                hook(session, lines, Cycle(head, head.cycle + 1, horizon, at))

        self.database.write(work)


def _line(row: JourneyTransitionRow, by_hand: Mapping[tuple[int, str], Move]) -> Line:
    move = by_hand.get((row.occurred_at, row.to_stage)) if row.manual else None
    return Line(
        row.change,
        row.from_stage,
        row.to_stage,
        row.entry,
        tuple(json.loads(row.skipped)),
        row.occurred_at,
        row.detected_at,
        row.cause,
        row.version,
        None if move is None else move.by,
        None if move is None else move.reason,
        None if row.evidence is None else json.loads(row.evidence),
    )


def _replace(session: Session, head: Head, standings: Mapping[str, Standing], at: int) -> None:
    row, connection = JourneyAccountRow, session.connection()
    if head.cycle:
        for wanted in _batches(standings, every=AT_A_TIME):
            connection.execute(delete(row).where(row.journey == head.name, row.account.in_(wanted or ())))
    if standings:
        rows = [
            {
                "journey": head.name,
                "account": account,
                "stage": one.stage,
                "high_water": one.high_water,
                "since": one.since,
                "born_at": one.born_at,
                "cycle": head.cycle + 1,
                "updated_at": at,
            }
            for account, one in standings.items()
        ]
        connection.execute(insert(row), rows)


def _batches(accounts: Iterable[str] | None, every: int = 0) -> Iterator[Sequence[str] | None]:
    """Some accounts at a time; None, for all, where that is less work."""
    listed = None if accounts is None else list(accounts)
    if listed is None or (not every and len(listed) > MANY):
        yield None
        return
    for begin in range(0, len(listed), AT_A_TIME):
        yield listed[begin : begin + AT_A_TIME]


def row_of(session: Session, name: str) -> JourneyRow:
    """A journey's row. RegistryError ``no-such-journey``."""
    row = session.get(JourneyRow, name)
    if row is None:
        near = nearest(name, session.scalars(select(JourneyRow.name)))
        mend = f"Did you mean {near}?" if near else "`doorstep journey list` shows what there is."
        raise RegistryError("no-such-journey", f"There is no journey {name}. {mend}")
    return row


__all__ = ["Ledger", "row_of"]
