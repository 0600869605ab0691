"""Who is in a segment now, who came and who went since the last look, and how large it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from doorstep.automations.active import Active, segments_at_work, signals_at_work, workflows_at_work
from doorstep.automations.belongings import NOT, Belongings, Truths, holding
from doorstep.automations.claims import batches
from doorstep.automations.firing import WITHIN, Noticed, fire, named
from doorstep.automations.starting import Cause, start
from doorstep.definitions.belonging import belonging_of
from doorstep.definitions.kinds import ground_of
from doorstep.definitions.segment import Segment
from doorstep.registry import Database, SegmentChangeRow, SegmentLookRow, SegmentMemberRow, SegmentSizeRow


@dataclass(frozen=True, slots=True)
class SegmentLook:
    """What a look at a segment found: how many members there are, who entered and who left, and since when."""

    segment: str
    members: int
    entered: Mapping[str, int]
    left: Mapping[str, int]


def look(database: Database, at: int) -> tuple[SegmentLook, ...]:
    """Looks at every segment, each in one transaction, and tells the signals and workflows that are about it."""
    with database.reading() as session:
        names = [one.name for one in segments_at_work(session)]
    found = []
    for name in names:

        def work(session: Session, name: str = name) -> SegmentLook | None:
            segment = next((one for one in segments_at_work(session) if one.name == name), None)
            return None if segment is None else _look(session, segment, at)

        seen = database.write(work)
        if seen is not None:
            found.append(seen)
    return tuple(found)


def members_of(session: Session, segment: Segment, at: int) -> dict[str, int]:
    """The members by what is known now, and since when."""
    return holding(_truths(session, segment, at))


def _truths(session: Session, segment: Segment, at: int) -> Truths:
    ground = ground_of(segment)
    return Belongings(session, ground, at).members(belonging_of(segment.criteria, ground))


def _look(session: Session, segment: Active[Segment], at: int) -> SegmentLook | None:
    head = session.get(SegmentLookRow, segment.name, with_for_update=True)
    if head is not None and head.at > at:
        return None
    row = SegmentMemberRow
    before = dict(session.execute(select(row.account, row.since).where(row.segment == segment.name)).all())
    truths = _truths(session, segment.definition, at)
    now = holding(truths)
    entered = {account: since for account, since in now.items() if account not in before}
    left = {account: truths.get(account, NOT).since or at for account in before if account not in now}
    first = head is None
    anew = head is not None and head.definition_hash != segment.definition_hash
    _keep(session, segment, entered, left, len(now), at, changes=not first, anew=anew)
    if head is None:
        head = SegmentLookRow(segment=segment.name)
        session.add(head)
    head.version, head.definition_hash, head.at = segment.number, segment.definition_hash, at
    session.flush()
    found = SegmentLook(segment.name, len(now), {} if first else entered, {} if first else left)
    if not first and not anew:
        _tell(session, segment, found, at)
    return found


def _keep(
    session: Session,
    segment: Active[Segment],
    entered: Mapping[str, int],
    left: Mapping[str, int],
    size: int,
    at: int,
    *,
    changes: bool,
    anew: bool,
) -> None:
    row = SegmentMemberRow
    for some in batches(left):
        session.execute(delete(row).where(row.segment == segment.name, row.account.in_(some)))
    if entered:
        lines = [{"segment": segment.name, "account": one, "since": since} for one, since in entered.items()]
        session.connection().execute(insert(row), lines)
    if changes and (entered or left):
        base = {"segment": segment.name, "version": segment.number, "known_at": at, "anew": anew}
        told: list[dict[str, Any]] = [
            {**base, "account": account, "change": change, "occurred_at": since}
            for change, some in (("entered", entered), ("left", left))
            for account, since in some.items()
        ]
        session.connection().execute(insert(SegmentChangeRow), told)
    last = session.scalar(select(func.max(SegmentSizeRow.at)).where(SegmentSizeRow.segment == segment.name))
    if last is None or ((entered or left) and last < at):
        told_size = {"members": size, "entered": len(entered), "left": len(left), "version": segment.number}
        session.add(SegmentSizeRow(segment=segment.name, at=at, **told_size))


def _tell(session: Session, segment: Active[Segment], found: SegmentLook, at: int) -> None:
    entered = list(_noticed(segment.name, "entered", found.entered, at))
    left = list(_noticed(segment.name, "left", found.left, at))
    for signal in signals_at_work(session):
        when = signal.definition.when
        if when.entered_segment == segment.name:
            fire(session, signal, entered, at)
        elif when.left_segment == segment.name:
            fire(session, signal, left, at)
    for workflow in workflows_at_work(session):
        if workflow.definition.trigger.entered_segment == segment.name:
            causes = [_cause(segment.name, one) for one in entered if one.occurred_at >= workflow.since]
            start(session, workflow, causes, at)


def _noticed(segment: str, change: str, some: Mapping[str, int], at: int) -> Iterator[Noticed]:
    """What is news of it; a late fact about long ago is none."""
    for account, since in some.items():
        if at - since <= WITHIN:
            cause = named(change, segment, account, since)
            evidence = {"segment": segment, "change": change, "occurred_at": since}
            yield Noticed(account, cause, f"{account} {change} the segment {segment}", since, None, evidence)


def _cause(segment: str, one: Noticed) -> Cause:
    return Cause(one.cause, one.account, None, {"segment": {"name": segment, "occurred_at": one.occurred_at}})


# -- reading ------------------------------------------------------------


def looked_at(database: Database, name: str) -> tuple[int | None, int]:
    """When a segment was last looked at (None: never), and how many members it had."""
    with database.reading() as session:
        head = session.get(SegmentLookRow, name)
        row = SegmentMemberRow
        count = session.scalar(select(func.count()).select_from(row).where(row.segment == name)) or 0
        return (None if head is None else head.at), count


def members(database: Database, name: str, most: int | None = None) -> dict[str, int]:
    """Members at the last look, and since when, by name."""
    row = SegmentMemberRow
    query = select(row.account, row.since).where(row.segment == name).order_by(row.account).limit(most)
    with database.reading() as session:
        return dict(session.execute(query).all())


def sizes(database: Database, name: str) -> Sequence[SegmentSizeRow]:
    """How large it was, where it changed, oldest first."""
    with database.reading() as session:
        query = select(SegmentSizeRow).where(SegmentSizeRow.segment == name).order_by(SegmentSizeRow.at)
        return session.scalars(query).all()


def changes(database: Database, name: str, most: int = 100) -> Sequence[SegmentChangeRow]:
    """Who came and went, latest first."""
    row = SegmentChangeRow
    with database.reading() as session:
        return session.scalars(select(row).where(row.segment == name).order_by(row.id.desc()).limit(most)).all()


__all__ = ["SegmentLook", "changes", "look", "looked_at", "members", "members_of", "sizes"]
