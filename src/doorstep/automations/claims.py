"""Claims kept up to date: of which accounts criteria of their rows, age and traits hold, and since when.

A claim is a journey of two stages, so that the walk of journeys tells it, and only accounts with news, or about which
something is due, are walked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from doorstep.definitions.belonging import IN, Claim
from doorstep.engines.duckdb import Progress
from doorstep.errors import DoorstepError
from doorstep.lake import Lake
from doorstep.ledger import footing
from doorstep.ledger.footing import Mark
from doorstep.ledger.records import Walk
from doorstep.ledger.touching import News
from doorstep.ledger.walking import walk
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
    if known is not None and known[0] > at:
        return
    snapshot = lake.snapshot().id
    if known == (at, snapshot):
        return
    mark = _mark(of, at, snapshot)
    walked = _walked(lake, of, known, at, snapshot, progress)
    footing.write(lake.place, _place(of), mark, walked.footing)

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
    footing.forget(lake.place, _place(of), mark.cycle)


def _walked(
    lake: Lake, of: Claim, known: tuple[int, int] | None, at: int, snapshot: int, progress: Progress | None
) -> Walk:
    """What is new since the last time, where its footing is there; else everything."""
    there, found = lake.at(snapshot), None
    stood = None if known is None else footing.read(lake.place, _place(of), _mark(of, *known))
    if known is not None and stood is not None:
        found = walk(of.journey, there, at, [], News(known[1], known[0], stood), progress)
    if found is None:
        found = walk(of.journey, there, at, [], None, progress)
    assert found is not None
    return found


def _mark(of: Claim, horizon: int, snapshot: int) -> Mark:
    """A claim's footing is named by its horizon: none is written twice for one, but by the same facts."""
    return Mark(horizon, horizon, snapshot, of.digest, horizon)


def _place(of: Claim) -> str:
    return f"claim-{of.digest[:32]}"


def _replace(session: Session, digest: str, found: Walk) -> None:
    row = ClaimAccountRow
    standings = {account: one.standing for some in (found.histories, found.further) for account, one in some.items()}
    if found.whole:
        session.execute(delete(row).where(row.digest == digest))
    else:
        for some in batches(standings):
            session.execute(delete(row).where(row.digest == digest, row.account.in_(some)))
    lines: list[dict[str, Any]] = [
        {"digest": digest, "account": account, "holds": one.stage == IN, "since": one.since}
        for account, one in standings.items()
        if one.stage is not None
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
