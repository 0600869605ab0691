"""From the lake to histories: of every account, or of those for which what is new can mean something."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from doorstep.definitions.journey import Journey
from doorstep.engines.duckdb import Engine, Progress, engine
from doorstep.journeys.account import NEVER
from doorstep.journeys.given import Traits, open_moves
from doorstep.journeys.histories import InexactError, Stood, Walked
from doorstep.journeys.resuming import rows_that_reach
from doorstep.journeys.run import Opened, open_all, walk_opened
from doorstep.lake import LakeAt
from doorstep.lake.changes import has_snapshot, numbered, spelt
from doorstep.ledger.footing import DUE, Footing
from doorstep.ledger.records import Further, History, Move, Standing, Transition, Walk
from doorstep.ledger.touching import ANEW, FROM_THERE, TOUCHED, WHOLE, News, texts_of, touch, who_is_who

Key = tuple[str, ...]
"""An account as the lake's rows name it: ids by their numbers."""


def walk(
    journey: Journey,
    lake: LakeAt,
    until: int,
    moves: Sequence[Move],
    news: News | None = None,
    progress: Progress | None = None,
) -> Walk | None:
    """Histories up to ``until``: of all accounts, or what follows from ``news``. None when the lake no longer knows
    what changed since.
    """
    with engine(progress=progress) as running:
        opened = opened_at(running, journey, lake, until)
        notes = list(opened.notes)
        if moves:
            opened = replace(opened, moves=_moves(running, journey, moves, notes))
        if news is None:
            walked, later = walk_opened(opened), _later(opened, moves)
            names = _names(opened, [*_keys(walked.units), *later])
            footing = _footed(_empty(opened), walked, later)
            return Walk(_histories(journey, walked, later, names), {}, footing, True, walked.rows, len(names), notes)
        if news.since > lake.snapshot or not has_snapshot(running.connection, news.since):
            return None
        touch(opened, news, lake.snapshot)
        return _follow(opened, news, moves, notes)


def opened_at(running: Engine, journey: Journey, lake: LakeAt, until: int) -> Opened:
    """The lake's rows and traits up to ``until``; accounts that it has no numbers for are named by texts, wherever they
    come from.
    """
    opened = open_all(running, journey, lake, None, _moment(until), None, None, "UTC", "UTC")
    if opened.stitching is not None:
        return opened
    names = opened.query.journey.unit_columns
    units = [
        sql if opened.coded and opened.rows.is_coded(name) else f"CAST({sql} AS VARCHAR)"
        for name, sql in zip(names, opened.query.units, strict=True)
    ]
    return replace(opened, query=replace(opened.query, units=units))


def _follow(opened: Opened, news: News, moves: Sequence[Move], notes: list[str]) -> Walk:
    """Walks the accounts that were touched, those that can from where they stood."""
    journey, connection = opened.query.journey, opened.engine.connection
    footing = _passed_over(opened, news.footing)
    further: dict[str, Further] = {}
    rows = looked = 0
    if _count(opened.engine, f"kind = {FROM_THERE}"):
        some = rows_that_reach(opened.plan, opened.rows, news.horizon)
        begun = _narrowed(opened, f"kind = {FROM_THERE}", "place, born, stage, entered, high", news.horizon, some)
        try:
            walked = walk_opened(begun, plainly=False)
        except InexactError:
            connection.execute(f"UPDATE {TOUCHED} SET kind = {WHOLE} WHERE kind = {FROM_THERE}")
        else:
            later = _later(begun, moves)
            further = _further(opened, walked)
            footing = _footed(footing, walked, later)
            rows, looked = rows + walked.rows, looked + len(walked.accounts)
    histories: dict[str, History] = {}
    if _count(opened.engine, f"kind >= {ANEW}"):
        some = "true"
        if not _count(opened.engine, f"kind = {WHOLE}"):
            some = opened.rows.time_at_least(_least(opened.engine, "first"))
        nothing = "place, -1 AS born, -1 AS stage, -1 AS entered, -1 AS high"
        begun = _narrowed(opened, f"kind >= {ANEW}", nothing, news.horizon, some)
        walked, later = _placed(opened, walk_opened(begun)), _later(begun, moves)
        histories = _histories(journey, walked, later, _names(opened, _keys(walked.units)))
        footing = _footed(footing, walked, later)
        rows, looked = rows + walked.rows, looked + len(walked.accounts)
    return Walk(histories, further, footing, False, rows, looked, notes)


def _passed_over(opened: Opened, footing: Footing) -> Footing:
    """The footing, with what the accounts that need not be walked have come nearer to."""
    leaves = footing.lacking.shape[1]
    came = "".join(f", coalesce(n{leaf}, 0)::BIGINT AS n{leaf}" for leaf in range(leaves))
    table = opened.engine.connection.execute(
        f"SELECT place, coalesce(future, {NEVER}) AS future{came} FROM {TOUCHED} WHERE kind = 0 AND place >= 0"
    ).to_arrow_table()
    if not table.num_rows:
        return Footing(footing.keys, footing.lines.copy(), footing.lacking.copy(), who_is_who(opened))

    def numbers(name: str) -> NDArray[np.int64]:
        return np.array(table.column(name).to_numpy(), np.int64)

    places, lines, lacking = numbers("place"), footing.lines.copy(), footing.lacking.copy()
    lines[places, DUE] = np.minimum(lines[places, DUE], numbers("future"))
    for leaf in range(leaves):
        lacking[places, leaf] = np.maximum(0, lacking[places, leaf] - numbers(f"n{leaf}"))
    return Footing(footing.keys, lines, lacking, who_is_who(opened))


def _footed(footing: Footing, walked: Walked, later: Mapping[Key, int]) -> Footing:
    """The footing, with where the walked accounts stand now."""
    lines = walked.accounts.copy()
    if later:
        number = {key: place for place, key in enumerate(_keys(walked.units))}
        unborn = [key for key in later if key not in number]
        for key, due in later.items():
            if key in number:
                lines[number[key], DUE] = min(lines[number[key], DUE], due)
    else:
        unborn = []
    lacking = walked.lacking
    if lacking is None:
        lacking = np.zeros((len(lines), footing.lacking.shape[1]), np.int32)
    places = np.full(len(lines), -1, np.int64) if walked.places is None else walked.places
    known, fresh = places >= 0, np.flatnonzero(places < 0)
    footing.lines[places[known]], footing.lacking[places[known]] = lines[known], lacking[known]
    more = [[NEVER, -1, -1, -1, later[key]] for key in unborn]
    keys = tuple(
        pa.concat_arrays(
            [
                old,
                units.take(pa.array(fresh)).cast(old.type),
                pa.array([key[column] for key in unborn], pa.string()).cast(old.type),
            ]
        )
        for column, (old, units) in enumerate(zip(footing.keys, walked.units, strict=True))
    )
    return Footing(
        keys,
        np.concatenate([footing.lines, lines[fresh], np.array(more, np.int64).reshape(-1, 5)]),
        np.concatenate([footing.lacking, lacking[fresh], np.zeros((len(unborn), footing.lacking.shape[1]), np.int32)]),
        footing.who,
    )


def _empty(opened: Opened) -> Footing:
    """The footing of nobody."""
    names = opened.query.journey.unit_columns
    coded = [opened.coded and opened.rows.is_coded(name) for name in names]
    keys = tuple(pa.array([], pa.int32() if one else pa.string()) for one in coded)
    nothing = np.zeros((0, 5), np.int64), np.zeros((0, len(opened.plan.leaves)), np.int32)
    return Footing(keys, *nothing, who_is_who(opened))


def _placed(opened: Opened, walked: Walked) -> Walked:
    """What the reference walked, with places, and with those of the touched that have nothing left."""
    if walked.places is not None:
        return walked
    keys = ", ".join(f"CAST({column} AS VARCHAR)" for column in opened.query.unit_columns)
    found = opened.engine.connection.execute(f"SELECT {keys}, place FROM {TOUCHED} WHERE kind >= {ANEW}").fetchall()
    places = {tuple(key): int(place) for *key, place in found}
    known = _keys(walked.units)
    gone = [key for key in places if key not in set(known)]
    units = tuple(
        pa.concat_arrays([units.cast(pa.string()), pa.array([key[column] for key in gone], pa.string())])
        for column, units in enumerate(walked.units)
    )
    nothing = np.tile(np.array([NEVER, -1, -1, -1, NEVER], np.int64), (len(gone), 1))
    return replace(
        walked,
        units=units,
        accounts=np.concatenate([walked.accounts, nothing]),
        places=np.array([places[key] for key in [*known, *gone]], np.int64),
    )


def _further(opened: Opened, walked: Walked) -> dict[str, Further]:
    """Accounts that moved on, by name: where they stand, and the transitions that are new."""
    stages = [stage.id for stage in opened.query.journey.stages]
    moved = np.unique(walked.lines[:, 0])
    units = [column.take(pa.array(moved)) for column in walked.units]
    names = _names(opened, _keys(units))
    ordered = walked.lines[np.argsort(walked.lines[:, 0], kind="stable")]
    cuts = np.searchsorted(ordered[:, 0], [*moved.tolist(), len(walked.accounts)])
    return {
        names[key]: Further(
            _standing(stages, walked.accounts[number].tolist()),
            _transitions(stages, ordered[cuts[at] : cuts[at + 1]].tolist()),
        )
        for at, (key, number) in enumerate(zip(_keys(units), moved.tolist(), strict=True))
    }


def _moment(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def _count(running: Engine, where: str) -> int:
    found = running.connection.execute(f"SELECT count(*) FROM {TOUCHED} WHERE {where}").fetchone()
    return 0 if found is None else int(found[0])


def _least(running: Engine, column: str) -> int:
    found = running.connection.execute(f"SELECT min({column}) FROM {TOUCHED} WHERE kind >= {ANEW}").fetchone()
    return -NEVER if found is None or found[0] is None else int(found[0])


def _narrowed(opened: Opened, where: str, stood: str, at: int, some: str) -> Opened:
    """The same, of some of the touched accounts alone."""
    columns = opened.query.unit_columns
    keys = ", ".join(f"CAST({column} AS VARCHAR)" for column in columns)
    touched = f"SELECT {', '.join(columns)} FROM {TOUCHED} WHERE {where}"
    query = replace(opened.query, only=touched, some=some)

    def mine(relation: str) -> str:
        return f"(SELECT * FROM {relation} WHERE ({keys}) IN (SELECT {keys} FROM {TOUCHED} WHERE {where}))"

    traits = opened.traits and Traits(mine(opened.traits.relation), opened.traits.values)
    begun = Stood(f"(SELECT {', '.join(columns)}, {stood} FROM {TOUCHED} WHERE {where})", at)
    return replace(opened, query=query, traits=traits, moves=opened.moves and mine(opened.moves), stood=begun)


def _moves(running: Engine, journey: Journey, moves: Sequence[Move], notes: list[str]) -> str:
    """Moves under the lake's numbers; those to stages that this version does not have are left out."""
    columns, positions = journey.unit_columns, journey.positions
    known = [one for one in moves if one.to_stage in positions]
    if len(known) < len(moves):
        notes.append(f"{len(moves) - len(known)} moves by hand lead to stages that this version does not have.")
    texts = texts_of(columns, [one.account for one in known]).append_column(
        "move", pa.array(range(len(known)), pa.int64())
    )
    running.connection.register("doorstep_moves", texts)
    named = "FROM doorstep_moves" if journey.stitch is not None else numbered(columns, "doorstep_moves")
    found = running.connection.execute(f"{named} ORDER BY move").fetchall()
    rows = [
        {
            **{name: str(value) for name, value in zip(columns, key, strict=True)},
            "at": known[number].at,
            "to": known[number].to_stage,
        }
        for *key, number in found
    ]
    empty = pa.table(
        {
            **{name: pa.array([], pa.string()) for name in columns},
            "at": pa.array([], pa.int64()),
            "to": pa.array([], pa.string()),
        }
    )
    return open_moves(running.connection, rows or empty, columns, positions, {})


def _later(opened: Opened, moves: Sequence[Move]) -> dict[Key, int]:
    """When the first fact beyond the horizon comes, of each account to look at that has one."""
    query, connection = opened.query, opened.engine.connection
    parts = []
    last = opened.rows.facts().last_time
    if last is not None and last > query.until:
        units = ", ".join(f"CAST({sql} AS VARCHAR) AS u{number}" for number, sql in enumerate(query.units))
        parts.append(f"SELECT {units}, {opened.rows.time} AS t FROM {opened.rows.relation} WHERE {query.mine}")
    keys = ", ".join(f"CAST({column} AS VARCHAR) AS {column}" for column in query.unit_columns)
    if opened.traits is not None:
        parts.append(f"SELECT {keys}, t FROM {opened.traits.relation}")
    if opened.moves is not None:
        parts.append(f"SELECT {keys}, t FROM {opened.moves}")
    if not parts:
        return {}
    columns = ", ".join(query.unit_columns)
    found = connection.execute(
        f"SELECT {columns}, min(t) FROM ({' UNION ALL '.join(parts)}) WHERE t > {query.until} GROUP BY {columns}"
    ).fetchall()
    return {tuple(key): int(time) for *key, time in found if None not in key}


def _keys(units: Sequence[pa.Array]) -> list[Key]:
    return list(zip(*(column.cast(pa.string()).to_pylist() for column in units), strict=True))


def _names(opened: Opened, keys: Iterable[Key]) -> dict[Key, str]:
    """What accounts are called: an id's text; of several columns their JSON list."""
    wanted = list(dict.fromkeys(keys))
    connection, columns = opened.engine.connection, opened.query.journey.unit_columns
    spelled = []
    for number, name in enumerate(columns):
        values = pa.array([key[number] for key in wanted], pa.string())
        if opened.coded and opened.rows.is_coded(name):
            numbers = pa.table({"code": values.cast(pa.int32()), "place": pa.array(range(len(values)), pa.int64())})
            connection.register("doorstep_numbers", numbers)
            values = connection.execute(spelt(name, "doorstep_numbers")).to_arrow_table().column("id")
        spelled.append(values.to_pylist())
    named = spelled[0] if len(columns) == 1 else [json.dumps(values) for values in zip(*spelled, strict=True)]
    return dict(zip(wanted, named, strict=True))


def _histories(
    journey: Journey, walked: Walked, later: Mapping[Key, int], names: Mapping[Key, str]
) -> dict[str, History]:
    """By name; an account that has nothing up to the horizon is not born."""
    stages = [stage.id for stage in journey.stages]
    found = {names[key]: History() for key in later}
    ordered = walked.lines[np.argsort(walked.lines[:, 0], kind="stable")]
    cuts = np.searchsorted(ordered[:, 0], np.arange(len(walked.accounts) + 1)).tolist()
    lines, accounts = ordered.tolist(), walked.accounts.tolist()
    for number, key in enumerate(_keys(walked.units)):
        own = lines[cuts[number] : cuts[number + 1]]
        found[names[key]] = History(_standing(stages, accounts[number]), _transitions(stages, own))
    return found


def _standing(stages: Sequence[str], line: Sequence[int]) -> Standing:
    born, stage, since, high, _ = line
    return Standing() if stage < 0 else Standing(stages[stage], stages[high] if high >= 0 else None, since, born)


def _transitions(stages: Sequence[str], lines: Sequence[Sequence[Any]]) -> tuple[Transition, ...]:
    """``entry`` counts from the first of the lines."""
    entries: dict[int, int] = {}
    found = []
    for _, old, new, skips, time, manual in lines:
        entries[new] = entries.get(new, 0) + 1
        skipped = tuple(stages[old + 1 : new]) if skips else ()
        found.append(Transition(stages[new], entries[new], stages[old], skipped, time, bool(manual)))
    return tuple(found)


__all__ = ["opened_at", "walk"]
