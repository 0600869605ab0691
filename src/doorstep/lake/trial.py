"""What an import would do, told without doing it."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from doorstep.lake.importing import write_rejects
from doorstep.lake.incoming import Incoming
from doorstep.lake.splitting import wanted
from doorstep.rows import reading

SHOWN: Final = 5
"""How many rejects are shown."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a source holds: rows, those that could be imported, our names → their columns, property → its types,
    reason → rows that could not be used, the first of these; first and last time in microseconds UTC.
    """

    rows: int
    usable: int
    columns: Mapping[str, str]
    properties: Mapping[str, tuple[str, ...]]
    rejected: Mapping[str, int]
    first_rejects: tuple[Mapping[str, Any], ...]
    first_time: int | None
    last_time: int | None
    notes: tuple[str, ...]


def trial(connection: duckdb.DuckDBPyConnection, incoming: Incoming) -> Trial:
    """Reads all rows as an import would. Rows that repeat, or are in a lake already, are not looked for."""
    with tempfile.TemporaryDirectory(prefix="doorstep-") as directory, reading(incoming.description):
        path = Path(directory, "rejects.jsonl")
        rejected = write_rejects(connection, incoming, path)
        first = _first(path)
        usable, earliest, latest = connection.execute(
            f"SELECT count(*), min({incoming.time.us}), max({incoming.time.us}) FROM {incoming.relation}"
            f" WHERE {incoming.usable}"
        ).fetchone() or (0, None, None)
        properties: dict[str, tuple[str, ...]] = {name: (value.kind,) for name, value in incoming.typed.items()}
        if incoming.json:
            objects = f"(SELECT {incoming.json} AS properties FROM {incoming.relation} WHERE {incoming.usable})"
            properties = _both(properties, [(name, (kind,)) for name, kind in wanted(connection, objects)])
    rows = usable + sum(rejected.values())
    return Trial(rows, usable, dict(incoming.names), properties, rejected, first, earliest, latest, incoming.notes)


def joined(trials: Sequence[Trial]) -> Trial:
    """Of several sources together."""
    columns: dict[str, str] = {}
    properties: dict[str, tuple[str, ...]] = {}
    for one in trials:
        columns = {**one.columns, **columns}
        properties = _both(properties, list(one.properties.items()))
    times = [time for one in trials for time in (one.first_time, one.last_time) if time is not None]
    return Trial(
        rows=sum(one.rows for one in trials),
        usable=sum(one.usable for one in trials),
        columns=columns,
        properties=properties,
        rejected=dict(sorted(sum((Counter(one.rejected) for one in trials), Counter()).items())),
        first_rejects=tuple(row for one in trials for row in one.first_rejects)[:SHOWN],
        first_time=min(times, default=None),
        last_time=max(times, default=None),
        notes=tuple(dict.fromkeys(note for one in trials for note in one.notes)),
    )


def _first(path: Path) -> tuple[Mapping[str, Any], ...]:
    with open(path, encoding="utf-8") as file:
        return tuple(json.loads(line) for _, line in zip(range(SHOWN), file, strict=False))


def _both(
    properties: Mapping[str, tuple[str, ...]], more: Sequence[tuple[str, tuple[str, ...]]]
) -> dict[str, tuple[str, ...]]:
    found = dict(properties)
    for name, kinds in more:
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), *kinds)))
    return found
