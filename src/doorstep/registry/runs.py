"""Frozen runs: what must be known to count the same again, and what was counted."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from doorstep.errors import RegistryError, nearest
from doorstep.registry.database import Database
from doorstep.registry.records import FrozenRun, RunBounds
from doorstep.registry.spoken import kept
from doorstep.registry.tables import RunRow, VersionRow


class FrozenRuns:
    """The frozen runs of a registry; none is ever changed."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def keep(
        self,
        name: str,
        version: int,
        *,
        snapshot: int,
        map_version: int,
        bounds: RunBounds,
        figures: Mapping[str, Any],
        by: str,
    ) -> FrozenRun:
        """Keeps a run of a published version. ``figures`` is the run's ``to_dict()``.

        RegistryError: ``no-such-version``; ``other-definition`` when the figures are those of another definition.
        """
        by, now = kept(by, "Who froze the run"), self._clock()
        text = json.dumps(figures, default=str, allow_nan=False)

        def work(session: Session) -> FrozenRun:
            of = session.get(VersionRow, (name, version))
            if of is None:
                raise RegistryError("no-such-version", f"There is no {name}@{version}. Publish what was run first.")
            counted = figures.get("funnel", {}).get("hash")
            if counted != of.definition_hash:
                message = f"The figures are of the definition {str(counted)[:12]}, not of {name}@{version}."
                raise RegistryError("other-definition", f"{message} Run that version, or publish what was run.")
            row = RunRow(
                id=secrets.token_hex(6),
                name=name,
                version=version,
                definition_hash=of.definition_hash,
                semantics=of.semantics,
                snapshot=snapshot,
                map_version=map_version,
                since=bounds.since,
                until=bounds.until,
                as_of=bounds.as_of,
                timezone=bounds.timezone,
                first_time=bounds.first_time,
                breakdown=_written(bounds),
                figures=text,
                frozen_by=by,
                frozen_at=now,
            )
            session.add(row)
            session.flush()
            return _run(row)

        return self._database.write(work)

    def get(self, run_id: str) -> FrozenRun:
        """The run with this id; RegistryError ``no-such-run``."""
        with self._database.reading() as session:
            row = session.get(RunRow, run_id)
            if row is None:
                near = nearest(run_id, session.scalars(select(RunRow.id)))
                mend = f"Did you mean {near}?" if near else "Look at the list of frozen runs."
                raise RegistryError("no-such-run", f"There is no frozen run {run_id!r}. {mend}")
            return _run(row)

    def all(self, name: str | None = None) -> tuple[FrozenRun, ...]:
        """Every frozen run, or those of one name's versions, oldest first."""
        query = select(RunRow).order_by(RunRow.frozen_at, RunRow.id)
        with self._database.reading() as session:
            return tuple(map(_run, session.scalars(query if name is None else query.where(RunRow.name == name))))


def _written(bounds: RunBounds) -> str | None:
    """Breakdowns as one text: a property as it is, several or the most entered ones as a JSON object."""
    if bounds.top is None and len(bounds.breakdown) <= 1 and not any(one.startswith("{") for one in bounds.breakdown):
        return next(iter(bounds.breakdown), None)
    return json.dumps({"by": bounds.breakdown, "top": bounds.top})


def _read(text: str | None) -> tuple[tuple[str, ...], int | None]:
    if text is None or not text.startswith("{"):
        return () if text is None else (text,), None
    found = json.loads(text)
    return tuple(found["by"]), found["top"]


def _run(row: RunRow) -> FrozenRun:
    breakdown, top = _read(row.breakdown)
    bounds = RunBounds(row.as_of, row.since, row.until, row.timezone, row.first_time, breakdown, top)
    return FrozenRun(
        id=row.id,
        name=row.name,
        version=row.version,
        hash=row.definition_hash,
        semantics=row.semantics,
        snapshot=row.snapshot,
        map_version=row.map_version,
        bounds=bounds,
        figures=json.loads(row.figures),
        frozen_by=row.frozen_by,
        frozen_at=row.frozen_at,
    )


__all__ = ["FrozenRuns"]
