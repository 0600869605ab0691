"""Of which accounts conditions hold now, and since when, by what the ledger, claims, lists and tags say.

``since`` is the instant since which it has surely been so: exact where one fact decides, never too early.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from doorstep.automations.active import Active, segments_at_work
from doorstep.automations.claims import batches
from doorstep.definitions.belonging import (
    Belonging,
    Belongs,
    Claim,
    Each,
    Either,
    Ground,
    Neither,
    Reached,
    Remains,
    Stands,
    Tagged,
    belonging_of,
    claim,
    leaves_of,
)
from doorstep.definitions.journey import Criteria, Journey
from doorstep.definitions.kinds import ground_of
from doorstep.definitions.reading import load_journey_text
from doorstep.definitions.segment import Segment
from doorstep.registry import ClaimAccountRow, JourneyAccountRow, JourneyRow, TagRow
from doorstep.registry.tables import SegmentRow, SegmentUnitRow, VersionRow

MANY: Final = 20_000
"""Of more accounts than this all are read at once."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Whether something holds of an account, and since when (microseconds UTC; 0: since ever)."""

    holds: bool
    since: int = 0


NOT: Final = Truth(False)
Truths = dict[str, Truth]
"""By account; of one that is not there it does not hold."""


def everybody(ground: Ground) -> Claim:
    """The claim that every account with a row or a `created_at` meets."""
    return claim(Criteria.model_construct(), ground)


class Belongings:
    """Answers for one session, and for accounts of one kind (``ground.unit``). ``ahead``: as if nothing happened until
    ``at``, where a journey's horizon counts otherwise.
    """

    def __init__(self, session: Session, ground: Ground, at: int, *, ahead: bool = False) -> None:
        self.session, self.ground, self.at, self.ahead = session, ground, at, ahead
        self._segments: dict[str, Active[Segment]] | None = None
        self._whole: dict[str, Truths] = {}

    def among(self, of: Belonging, accounts: Collection[str]) -> Truths:
        """Of these accounts."""
        return self._truths(of, list(dict.fromkeys(accounts)), whole=False)

    def members(self, of: Belonging) -> Truths:
        """Of every account that any part of the conditions knows; where none knows any, of all there are."""
        known: dict[str, None] = {}
        for leaf in self.unfolded(of):
            known.update(dict.fromkeys(self._leaf(leaf, None)))
        if needs_everybody(self.unfolded(of)):
            known.update(dict.fromkeys(self._leaf(everybody(self.ground), None)))
        return self._truths(of, list(known), whole=True)

    def unfolded(self, of: Belonging) -> Iterator[Belonging]:
        """Every leaf, those of segments inside too, the segments among them."""
        for leaf in leaves_of(of):
            yield leaf
            inner = self.segment(leaf.segment) if isinstance(leaf, Belongs) else None
            if inner is not None:
                yield from self.unfolded(inner)

    def segment(self, name: str) -> Belonging | None:
        """What a published segment's criteria mean; None for a saved list, or for nothing."""
        if self._segments is None:
            self._segments = {one.name: one for one in segments_at_work(self.session)}
        found = self._segments.get(name)
        return None if found is None else belonging_of(found.definition.criteria, ground_of(found.definition))

    def _truths(self, of: Belonging, accounts: list[str], *, whole: bool) -> Truths:
        match of:
            case Each() | Either():
                parts = [self._truths(part, accounts, whole=whole) for part in of.of]
                every = isinstance(of, Each)
                return {one: _together([part.get(one, NOT) for part in parts], every) for one in accounts}
            case Neither():
                inner = self._truths(of.of, accounts, whole=whole)
                return {one: Truth(not told.holds, told.since) for one in accounts for told in [inner.get(one, NOT)]}
            case Belongs() if (meant := self.segment(of.segment)) is not None:
                return self._truths(meant, accounts, whole=whole)
            case _:
                found = self._leaf(of, None if whole or len(accounts) > MANY else accounts)
                return {one: found.get(one, NOT) for one in accounts}

    def _leaf(self, of: Belonging, accounts: list[str] | None) -> Truths:
        """What one leaf says; of everybody it is read once."""
        if accounts is not None:
            return self._read(of, accounts)
        key = of.digest if isinstance(of, Claim) else repr(of)
        if key not in self._whole:
            self._whole[key] = self._read(of, None)
        return self._whole[key]

    def _read(self, of: Belonging, accounts: list[str] | None) -> Truths:
        match of:
            case Claim():
                row = ClaimAccountRow
                query = select(row.account, row.holds, row.since).where(row.digest == of.digest)
                return {
                    one: Truth(bool(holds), since) for one, holds, since in self._rows(query, row.account, accounts)
                }
            case Stands() | Reached() | Remains():
                return self._standings(of, accounts)
            case Belongs():
                return self._list(of.segment, accounts)
            case Tagged():
                row_ = TagRow
                query_ = select(row_.account, row_.since).where(
                    row_.unit == json.dumps(list(self.ground.unit)), row_.tag == of.tag
                )
                return {one: Truth(True, since) for one, since in self._rows(query_, row_.account, accounts)}
            case _:
                return {}

    def _rows(self, query: Any, column: Any, accounts: list[str] | None) -> Iterator[Any]:
        if accounts is None:
            yield from self.session.execute(query)
            return
        for some in batches(accounts):
            yield from self.session.execute(query.where(column.in_(some)))

    def _standings(self, of: Stands | Reached | Remains, accounts: list[str] | None) -> Truths:
        head = self.session.get(JourneyRow, of.journey)
        journey = None if head is None else journey_of(self.session, head.name, head.version)
        if head is None or journey is None or journey.unit_columns != self.ground.unit:
            return {}
        row = JourneyAccountRow
        query = select(row.account, row.stage, row.high_water, row.since).where(
            row.journey == of.journey, row.stage.is_not(None)
        )
        horizon = self.at if self.ahead else head.horizon or 0
        return {
            account: _standing(of, journey, stage, high, since or 0, horizon)
            for account, stage, high, since in self._rows(query, row.account, accounts)
        }

    def _list(self, name: str, accounts: list[str] | None) -> Truths:
        latest = self.session.scalar(
            select(SegmentRow).where(SegmentRow.name == name).order_by(SegmentRow.number.desc()).limit(1)
        )
        if latest is None:
            return {}
        row = SegmentUnitRow
        query = select(row.unit).where(row.name == name, row.number == latest.number)
        return {one: Truth(True, latest.saved_at) for (one,) in self._rows(query, row.unit, accounts)}


def needs_everybody(leaves: Iterable[Belonging]) -> bool:
    """Whether no part of conditions tells which accounts there are."""
    return not any(isinstance(one, Claim | Stands | Reached | Remains) for one in leaves)


def _standing(
    of: Stands | Reached | Remains, journey: Journey, stage: str, high: str | None, since: int, horizon: int
) -> Truth:
    match of:
        case Stands():
            return Truth(stage in of.stages, since)
        case Reached():
            positions = journey.positions
            reached = high is not None and of.stage in positions and positions.get(high, -1) >= positions[of.stage]
            return Truth(reached, since)
        case Remains():
            counts = of.stage in (None, stage)
            long = counts and since + of.least <= horizon
            return Truth(long, since + of.least if long else since)


def _together(parts: list[Truth], every: bool) -> Truth:
    """Of `all`: true since the last part became so, false since the first of those that are false; `any` likewise."""
    decisive = [one.since for one in parts if one.holds != every]
    if decisive:
        return Truth(not every, min(decisive))
    return Truth(every, max((one.since for one in parts), default=0))


def journey_of(session: Session, name: str, version: int) -> Journey | None:
    """A version of a journey that is kept."""
    row = session.get(VersionRow, (name, version))
    return None if row is None else _parsed(row.text, f"{name}@{version}.{row.form}")


@lru_cache(maxsize=200)
def _parsed(text: str, file: str) -> Journey:
    return load_journey_text(text, file=file)


def holding(truths: Mapping[str, Truth]) -> dict[str, int]:
    """Accounts of which it holds, and since when."""
    return {account: one.since for account, one in truths.items() if one.holds}


__all__ = ["Belongings", "Truth", "Truths", "everybody", "holding", "journey_of", "needs_everybody"]
