"""What a journey would do, before it is switched on: told from past data, and announced to nobody.

A replay says where every account would stand now and stood at the end of each past week, which accounts would come and
go, and, beside another journey, who would stand elsewhere. A trait that was only kept without a time, or only since
some day, is named: what a replay says of the time before is a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from doorstep.definitions.conditions import properties_of
from doorstep.definitions.criteria import Trait, criterion_of, leaves_of
from doorstep.definitions.journey import Journey
from doorstep.definitions.reading import load_journey
from doorstep.engines.duckdb import Progress, engine
from doorstep.errors import RunError
from doorstep.funnels.bounds import Instant
from doorstep.funnels.result import instant
from doorstep.journeys.histories import Walked
from doorstep.journeys.periods import Moment
from doorstep.journeys.result import JourneyResult
from doorstep.journeys.run import open_all, replay
from doorstep.journeys.visits import NOWHERE, visits_of
from doorstep.rows import reading

WEEK: Final = 7 * 86_400_000_000
MOST_LISTED: Final = 1_000
"""So many accounts are listed in JSON."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back a trait is known: ``since`` (microseconds) is when it was first set with a time; ``untimed`` says
    whether some values have no time, and are taken to hold since birth.
    """

    trait: str
    since: int | None
    untimed: bool

    @property
    def words(self) -> str:
        """``known only from 2026-01-05``."""
        if self.since is None and not self.untimed:
            return "known of no account"
        if self.since is None:
            return "without history: its values have no time, and are taken to hold since birth"
        day = (instant(self.since) or "")[:10]
        return f"known only from {day}" + (", and some values without a time" if self.untimed else "")


@dataclass(frozen=True, slots=True)
class Flaps:
    """Accounts that left a stage, or came to one, and were back within ``within`` microseconds: how many, how often,
    and each with the stage it went to and its number of returns, most first.
    """

    within: int
    trips: int
    accounts: tuple[tuple[object, int], ...] = field(repr=False)
    stages: tuple[tuple[str, str, int], ...]
    """(where they were, where they were for a short while, how often), most first."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where accounts stand by two journeys: ``matrix`` counts (before, after) stages, None for those that are not born;
    ``changed`` has ``unit, before, after`` of those for whom they are not the same, by name.
    """

    name: str
    hash: str
    matrix: tuple[tuple[str | None, str | None, int], ...]
    changed: pa.Table = field(repr=False)
    flaps: Flaps


@dataclass(frozen=True, slots=True)
class Preview:
    """``weeks`` are the last so many, oldest first; ``reach`` names traits whose past is not wholly known."""

    result: JourneyResult = field(repr=False)
    weeks: tuple[Moment, ...]
    flaps: Flaps
    reach: tuple[Reach, ...]
    against: Elsewhere | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: what ``doorstep journey preview --json`` prints."""
        told = self.result.to_dict()
        return {
            **{name: told[name] for name in ("journey", "data", "unit", "accounts")},
            "stages": [{"id": one["id"], "name": one["name"], "accounts": one["accounts"]} for one in told["stages"]],
            "weeks": [one.to_dict() for one in self.weeks],
            "flapping": _flaps_dict(self.flaps),
            "not_replayable": [
                {"trait": one.trait, "known_from": instant(one.since), "untimed": one.untimed, "words": one.words}
                for one in self.reach
            ],
            "against": None if self.against is None else _against_dict(self.against),
        }


def _flaps_dict(flaps: Flaps) -> dict[str, Any]:
    return {
        "within_seconds": flaps.within / 1e6,
        "trips": flaps.trips,
        "accounts": len(flaps.accounts),
        "stages": [{"from": one, "by": other, "count": count} for one, other, count in flaps.stages],
        "listed": [{"unit": unit, "trips": trips} for unit, trips in flaps.accounts[:MOST_LISTED]],
    }


def _against_dict(one: Elsewhere) -> dict[str, Any]:
    return {
        "journey": {"name": one.name, "hash": one.hash},
        "matrix": [{"before": before, "after": after, "count": count} for before, after, count in one.matrix],
        "changed": one.changed.num_rows,
        "listed": one.changed.slice(0, MOST_LISTED).to_pylist(),
        "flapping": _flaps_dict(one.flaps),
    }


def preview(
    journey: Journey | str | Path | Mapping[str, object],
    source: object,
    *,
    against: Journey | str | Path | Mapping[str, object] | None = None,
    weeks: int = 8,
    flap_within: int = WEEK,
    traits: object = None,
    until: Instant = None,
    columns: Mapping[str, str] | None = None,
    moves: object = None,
    timezone: str = "UTC",
    source_timezone: str = "UTC",
    memory: int | None = None,
    progress: Progress | None = None,
) -> Preview:
    """What the journey would make of past data; ``against``: the journey as it is now, or another draft. Other
    arguments as for `replay`. RunError ``other-unit`` when the two count different accounts.
    """
    new = journey if isinstance(journey, Journey) else load_journey(journey)
    old = None if against is None else against if isinstance(against, Journey) else load_journey(against)
    if old is not None and old.unit_columns != new.unit_columns:
        one, two = (", ".join(each.unit_columns) for each in (old, new))
        raise RunError("other-unit", f"{old.journey} counts by {one}, {new.journey} by {two}: no account is in both.")

    def replayed(definition: Journey) -> JourneyResult:
        return replay(
            definition,
            source,
            traits=traits,
            until=until,
            columns=columns,
            moves=moves,
            timezone=timezone,
            source_timezone=source_timezone,
            memory=memory,
            progress=progress,
        )

    result = replayed(new)
    beside = None
    if old is not None:
        before = replayed(old)
        beside = elsewhere(before, result, flaps_of(before, flap_within))
    return Preview(
        result,
        result.distribution("week", timezone).periods[-weeks:] if weeks else (),
        flaps_of(result, flap_within),
        _reach(new, source, traits, result, columns, source_timezone),
        beside,
    )


def flaps_of(result: JourneyResult, within: int) -> Flaps:
    """Who came back within so many microseconds."""
    visits = visits_of(result.walked)
    short = (visits.came == visits.went) & (visits.came != NOWHERE) & (visits.lasted(result.until) <= within)
    short &= visits.came != visits.stage
    flapping = visits.where(short)
    whose, trips = np.unique(flapping.account, return_counts=True)
    names = result.names_of(whose)
    ids = [stage.id for stage in result.journey.stages]
    pairs, counts = np.unique(flapping.came * len(ids) + flapping.stage, return_counts=True)
    stages = [
        (ids[pair // len(ids)], ids[pair % len(ids)], count)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)
    ]
    listed = sorted(zip(names, trips.tolist(), strict=True), key=lambda one: (-one[1], str(one[0])))
    return Flaps(within, len(flapping.account), tuple(listed), tuple(sorted(stages, key=lambda one: -one[2])))


def elsewhere(before: JourneyResult, after: JourneyResult, flaps: Flaps) -> Elsewhere:
    """Account by account, where two replays of the same source put it."""
    stands = [
        one.accounts.select(["unit", "stage"]).rename_columns(["unit", name])
        for one, name in ((before, "before"), (after, "after"))
    ]
    both = stands[0].join(stands[1], "unit", join_type="full outer")
    counted = both.group_by(["before", "after"]).aggregate([([], "count_all")]).to_pylist()
    order = [{stage.id: place for place, stage in enumerate(one.journey.stages)} for one in (before, after)]

    def place(one: dict[str, Any]) -> tuple[int, int]:
        return order[0].get(one["before"], -1), order[1].get(one["after"], -1)

    matrix = tuple((one["before"], one["after"], one["count_all"]) for one in sorted(counted, key=place))
    same = pc.fill_null(pc.equal(both.column("before"), both.column("after")), False)
    changed = both.filter(pc.invert(same)).sort_by("unit")
    return Elsewhere(before.journey.journey, before.hash, matrix, changed, flaps)


def _reach(
    journey: Journey,
    source: object,
    traits: object,
    result: JourneyResult,
    columns: Mapping[str, str] | None,
    source_timezone: str,
) -> tuple[Reach, ...]:
    """Of each trait that criteria look at and that is not known from the first birth on."""
    leaves = [leaf for place in range(len(journey.stages)) for leaf in leaves_of(criterion_of(journey, place))]
    names = {name for leaf in leaves if isinstance(leaf, Trait) for name in properties_of(leaf.condition)}
    if not names:
        return ()
    first = _first_birth(result.walked, result.until)
    with engine() as running:
        until = instant(result.until)
        opened = open_all(running, journey, source, traits, until, columns, None, "UTC", source_timezone)
        given = opened.traits
        assert given is not None
        found = []
        for name in sorted(names):
            present = " OR ".join(f"{place.sql} IS NOT NULL" for place in given.values[name]) or "false"
            statement = f"SELECT min(t), count(*) FILTER (t IS NULL) FROM {given.relation} WHERE ({present})"
            with reading("the traits"):
                since, untimed = running.connection.execute(statement).fetchall()[0]
            if untimed or since is None or since > first:
                found.append(Reach(name, since, bool(untimed)))
        return tuple(found)


def _first_birth(walked: Walked, until: int) -> int:
    born = walked.accounts[walked.accounts[:, 1] >= 0, 0]
    return int(born.min(initial=until))


__all__ = ["Elsewhere", "Flaps", "Preview", "Reach", "elsewhere", "flaps_of", "preview"]
