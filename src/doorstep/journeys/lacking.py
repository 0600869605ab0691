"""What accounts still lack for the next stage, many at a time: one look at each, without walking its life again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from doorstep.definitions.journey import Journey
from doorstep.engines.duckdb import engine
from doorstep.funnels.bounds import Instant
from doorstep.funnels.result import instant
from doorstep.journeys.account import NEVER, Account, born_at
from doorstep.journeys.explain import Telling, values_of
from doorstep.journeys.lives import lives_of
from doorstep.journeys.reference import History, State, walk
from doorstep.journeys.result import JourneyResult
from doorstep.journeys.run import open_all
from doorstep.journeys.visits import ranked
from doorstep.rows.times import microseconds


@dataclass(frozen=True, slots=True)
class Next:
    """The next ranked stage of an account and how each criterion of it stands, ``✗`` or ``✓`` in front; ``stage`` None:
    there is none further on.
    """

    stage: str | None
    points: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Those that do not hold, in words alone."""
        return tuple(one.removeprefix("✗ ") for one in self.points if one.startswith("✗"))


def lacking(
    result: JourneyResult,
    source: object,
    units: Sequence[object],
    *,
    traits: object = None,
    columns: Mapping[str, str] | None = None,
    moves: object = None,
    source_timezone: str = "UTC",
) -> dict[object, Next]:
    """What each of these accounts of a replay lacks for its next stage at the replay's horizon; ``source`` and what is
    beside it are those of the replay.
    """
    journey = result.journey
    chosen = result.accounts.filter(
        pc.is_in(result.accounts.column("unit"), pa.array(units, result.accounts.schema.field("unit").type))
    )
    stands = {line["unit"]: line for line in chosen.to_pylist()}
    until: Instant = instant(result.until)
    named = {values_of(journey, str(unit)): unit for unit in units}
    with engine() as running:
        opened = open_all(running, journey, source, traits, until, columns, moves, "UTC", source_timezone, spelt=True)
        lives = lives_of(running, opened.query, opened.traits, opened.moves, list(named))
    found: dict[object, Next] = {}
    for values, account in lives.items():
        unit = named[values]
        if unit in stands:
            stage, since = journey.positions[stands[unit]["stage"]], microseconds(stands[unit]["since"])
            found[unit] = _next(journey, account, stage, since, result.until)
    return found


def _next(journey: Journey, account: Account, stage: int, since: int, until: int) -> Next:
    after = next((place for place in ranked(journey) if place > stage), None)
    if after is None:
        return Next(None, ())
    seen = account.until(until)
    if seen.moves:
        history = walk(journey, account, until)
    else:  # where the kernel has put it; without moves by hand nothing else bears on what is open to it
        history = History(born_at(seen), (), None, State(stage, since, free=set(range(len(journey.stages)))), NEVER)
    if history is None:
        return Next(None, ())
    lacks = next(one for one in Telling(journey, seen, history).later(until) if one.stage == journey.stages[after].id)
    return Next(lacks.stage, lacks.points)


__all__ = ["Next", "lacking"]
