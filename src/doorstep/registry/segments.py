"""Saved segments: lists of units under a name, in numbered versions, with where each list came from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from doorstep.errors import RegistryError, nearest
from doorstep.registry.database import Database
from doorstep.registry.records import SavedSegment
from doorstep.registry.spoken import kept
from doorstep.registry.tables import SegmentRow, SegmentUnitRow, VersionRow

AT_A_TIME: Final = 10_000
"""Units that are written and read together."""


class SavedSegments:
    """The saved segments of a registry. A version is never changed; it may be deleted."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def save(
        self,
        name: str,
        units: Callable[[], Iterable[Sequence[str]]],
        *,
        by: str,
        unit: str,
        definition: str,
        definition_hash: str,
        source: str,
        chosen: Mapping[str, Any],
        snapshot: int | None = None,
    ) -> SavedSegment:
        """Keeps a list of units as the name's next version. ``units`` gives them some at a time, from the start each
        time it is called (a unit that comes again counts once); ``unit`` says what they are, ``chosen`` how they were
        chosen: bounds, step, outcome. RegistryError ``bad-segment-name``, ``name-taken``.
        """
        by, now = kept(by, "Who saves the segment"), self._clock()
        _refuse_bad(name)

        def work(session: Session) -> SavedSegment:
            _refuse_taken(session, name)
            last = session.scalar(select(func.max(SegmentRow.number)).where(SegmentRow.name == name)) or 0
            row = SegmentRow(
                name=name,
                number=last + 1,
                unit=unit,
                units=0,
                definition=definition,
                definition_hash=definition_hash,
                source=source,
                snapshot=snapshot,
                chosen=json.dumps(dict(chosen), default=str, allow_nan=False),
                saved_by=by,
                saved_at=now,
            )
            session.add(row)
            session.flush()
            row.units = self._write(session, row, units())
            session.flush()
            return _segment(row)

        return self._database.write(work)

    def _write(self, session: Session, row: SegmentRow, batches: Iterable[Sequence[str]]) -> int:
        """How many different units were written."""
        written = 0
        for batch in batches:
            for begin in range(0, len(batch), AT_A_TIME):
                some = list(dict.fromkeys(batch[begin : begin + AT_A_TIME]))
                there = select(SegmentUnitRow.unit).where(
                    SegmentUnitRow.name == row.name, SegmentUnitRow.number == row.number, SegmentUnitRow.unit.in_(some)
                )
                known = set(session.scalars(there))
                new = [{"name": row.name, "number": row.number, "unit": one} for one in some if one not in known]
                if new:
                    session.execute(insert(SegmentUnitRow), new)
                written += len(new)
        return written

    def get(self, name: str, number: int | None = None) -> SavedSegment:
        """A version, or the latest one. RegistryError ``no-such-segment``."""
        with self._database.reading() as session:
            return _segment(_row(session, name, number))

    def units(self, name: str, number: int | None = None) -> Iterator[Sequence[str]]:
        """The units of a version, in order, some at a time. RegistryError ``no-such-segment``."""
        with self._database.reading() as session:
            row = _row(session, name, number)
            query = (
                select(SegmentUnitRow.unit)
                .where(SegmentUnitRow.name == name, SegmentUnitRow.number == row.number)
                .order_by(SegmentUnitRow.unit)
            )
            yield from session.scalars(query.execution_options(yield_per=AT_A_TIME)).partitions()

    def all(self) -> tuple[SavedSegment, ...]:
        """Every version, by name."""
        with self._database.reading() as session:
            return tuple(
                map(_segment, session.scalars(select(SegmentRow).order_by(SegmentRow.name, SegmentRow.number)))
            )

    def delete(self, name: str, number: int | None = None) -> int:
        """Deletes a version, or all of the name's; how many. RegistryError ``no-such-segment``."""

        def work(session: Session) -> int:
            _row(session, name, number)
            deleted = 0
            for table in (SegmentUnitRow, SegmentRow):
                statement = delete(table).where(table.name == name)
                if number is not None:
                    statement = statement.where(table.number == number)
                deleted = int(getattr(session.execute(statement), "rowcount", 0))
            return deleted

        return self._database.write(work)


def _refuse_bad(name: str) -> None:
    if not name or len(name) > 100 or not all(one.isascii() and (one.isalnum() or one in "-_.") for one in name):
        raise RegistryError(
            "bad-segment-name",
            f"{name[:120]!r} cannot be a segment's name. Use up to 100 letters, digits, -, _ and dots.",
        )


def _refuse_taken(session: Session, name: str) -> None:
    if session.scalar(select(VersionRow.number).where(VersionRow.name == name, VersionRow.kind == "segment").limit(1)):
        message = f"A segment with criteria is published as {name}, and a segment is one or the other."
        raise RegistryError("name-taken", f"{message} Give the list another name.")


def _row(session: Session, name: str, number: int | None) -> SegmentRow:
    query = select(SegmentRow).where(SegmentRow.name == name).order_by(SegmentRow.number.desc()).limit(1)
    row = session.scalar(query if number is None else query.where(SegmentRow.number == number))
    if row is None:
        near = nearest(name, session.scalars(select(SegmentRow.name).distinct()))
        said = name if number is None else f"{name}@{number}"
        mend = f"Did you mean {near}?" if near and near != name else "`doorstep segments list` shows what there is."
        raise RegistryError("no-such-segment", f"There is no saved segment {said}. {mend}")
    return row


def _segment(row: SegmentRow) -> SavedSegment:
    return SavedSegment(
        name=row.name,
        number=row.number,
        unit=row.unit,
        units=row.units,
        definition=row.definition,
        definition_hash=row.definition_hash,
        source=row.source,
        snapshot=row.snapshot,
        chosen=json.loads(row.chosen),
        saved_by=row.saved_by,
        saved_at=row.saved_at,
    )


__all__ = ["SavedSegments"]
