"""Claims kept up to date: of which accounts criteria of their rows, age and traits hold, and since when.

A claim is a journey of two stages, so that the walk of journeys tells it, and only accounts with news, or about which
something is due, are walked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from doorstep.definitions.belonging import IN, Claim
from doorstep.engines.duckdb import Progress
from doorstep.errors import DoorstepError
from doorstep.lake import Lake
from doorstep.ledger.records import Walk
from doorstep.ledger.walking import News, walk
from doorstep.registry import ClaimAccountRow, ClaimRow, Database

AT_A_TIME: Final = 500
"""Accounts named in one statement."""


def refresh(
    lake: Lake,
    database: Database,
    claims: Iterable[Claim],
    at: int,
    *,
    forget: bool = True,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Brings claims to ``at``, each in a transaction of its own; ``forget``: those that are not among them are not kept
    any longer. What could not be told is given as sentences: it stays as it was.
    """
    wanted = {one.digest: one for one in claims}
    if forget:
        _forget(database, wanted)
    failures = []
    for one in wanted.values():
        try:
            _refresh(lake, database, one, at, progress)
        except DoorstepError as error:
            failures.append(f"{error.code}: {error.message}")
    return tuple(dict.fromkeys(failures))


def _refresh(lake: Lake, database: Database, of: Claim, at: int, progress: Progress | None) -> None:
    with database.reading() as session:
        row = session.get(ClaimRow, of.digest)
        known = None if row is None else (row.horizon, row.snapshot)
        due = _due(session, of.digest, at)
    if known is not None and known[0] > at:
        return
    snapshot = lake.snapshot().id
    if known == (at, snapshot):
        return
    there, found = lake.at(snapshot), None
    if known is not None:
        found = walk(of.journey, there, at, [], News(known[1], due), progress)
    if found is None:
        found = walk(of.journey, there, at, [], News(None), progress)
    assert found is not None
    walked = found

    def work(session: Session) -> None:
        row = session.get(ClaimRow, of.digest, with_for_update=True)
        if (None if row is None else (row.horizon, row.snapshot)) != known:
            return  # another process came first, and came as far
        if row is None:
            session.add(ClaimRow(digest=of.digest, horizon=at, snapshot=snapshot))
            session.flush()
        else:
            row.horizon, row.snapshot = at, snapshot
        _replace(session, of.digest, walked)

    database.write(work)


def _due(session: Session, digest: str, until: int) -> Sequence[str]:
    row = ClaimAccountRow
    return session.scalars(select(row.account).where(row.digest == digest, row.due_at <= until)).all()


def _replace(session: Session, digest: str, found: Walk) -> None:
    row = ClaimAccountRow
    if found.whole:
        session.execute(delete(row).where(row.digest == digest))
    else:
        for some in batches(found.histories):
            session.execute(delete(row).where(row.digest == digest, row.account.in_(some)))
    lines: list[dict[str, Any]] = [
        {
            "digest": digest,
            "account": account,
            "holds": None if one.standing.stage is None else one.standing.stage == IN,
            "since": one.standing.since,
            "due_at": one.standing.due_at,
        }
        for account, one in found.histories.items()
        if one.standing.stage is not None or one.standing.due_at is not None
    ]
    if lines:
        session.connection().execute(insert(row), lines)


def batches(accounts: Iterable[str]) -> Iterator[list[str]]:
    """Accounts, some at a time."""
    listed = list(accounts)
    for begin in range(0, len(listed), AT_A_TIME):
        yield listed[begin : begin + AT_A_TIME]


def _forget(database: Database, wanted: Mapping[str, Claim]) -> None:
    with database.reading() as session:
        gone = set(session.scalars(select(ClaimRow.digest))) - set(wanted)
    if not gone:
        return

    def work(session: Session) -> None:
        for digest in gone:
            session.execute(delete(ClaimAccountRow).where(ClaimAccountRow.digest == digest))
            session.execute(delete(ClaimRow).where(ClaimRow.digest == digest))

    database.write(work)


__all__ = ["batches", "refresh"]
