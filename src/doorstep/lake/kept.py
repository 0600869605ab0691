"""What an open lake keeps between runs: its snapshots' files and names, none of which ever changes, and their runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from doorstep.lake import tables
from doorstep.lake.attach import CONFIG, again, attach, attached, gone, storing
from doorstep.lake.index import DataFile, Index
from doorstep.lake.objects import is_remote
from doorstep.lake.place import Place
from doorstep.lake.reading import CANONICAL, CatalogFacts, Known, from_catalog, known_at, speller
from doorstep.lake.runs import FileRuns, Places
from doorstep.rows import Facts, Kind, Needs
from doorstep.rows.facts import Count
from doorstep.rows.needs import TRAIT
from doorstep.rows.runs import Coded

MOST_FILES: Final = 256
"""A state of more data files than this is left to DuckDB, until it is compacted."""

_STATES: Final = 8
"""How many snapshots are kept at a time."""

_Stamp = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _State:
    """A snapshot whose rows can be had as runs, one for each data file."""

    known: Known
    facts: Facts
    runs: tuple[FileRuns, ...]


class Kept:
    """Safe to use from several threads. Each `open` asks the catalog whether anything is new."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._index = Index(place.index)
        self._mutex = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._states: dict[int, tuple[_Stamp, _State | None]] = {}
        self._runs: dict[str, FileRuns] = {}

    def close(self) -> None:
        """Gives back everything; it may be used again."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._states, self._runs = {}, {}

    def open(self, snapshot: int | None, needs: Needs) -> LakeRuns | None:
        """The events at a snapshot, or the latest ones, as runs; None where runs cannot tell all that is needed.
        RunError ``snapshot-gone``.
        """
        unit = needs.units[0] if len(needs.units) == 1 else ""
        if needs.hold or unit not in tables.IDENTITIES or is_remote(self._place.data):
            return None
        if any(name.startswith(TRAIT) for name in needs.names):
            return None
        with self._mutex, storing(self._place):
            found = again(partial(self._at, snapshot))
        if found is None:
            return None
        number, state = found
        places: dict[str, Places] = {}
        for name in needs.properties:
            columns = state.known.columns_of(name)
            if columns is None:
                return None
            places[name] = Places(state.known.places(name), columns)
        return LakeRuns(number, self._place, state, unit, places)

    def _at(self, snapshot: int | None) -> tuple[int, _State] | None:
        """(the snapshot, its state); None where its rows cannot be had as runs."""
        connection = self._connected()
        stamp, number, there = self._look(connection, snapshot)
        if not there:
            raise gone(number, self._place)
        stamped, state = self._states.get(number, (None, None))
        if stamped != stamp:
            state = self._read(connection, number, latest=number == stamp[0])
            if self._look(connection, number)[0] != stamp:
                return None  # somebody wrote meanwhile; the next run will see
            self._states[number] = (stamp, state)
            while len(self._states) > _STATES:
                self._states.pop(next(iter(self._states)))
            of_use = {one.file.path.name for _, kept in self._states.values() if kept for one in kept.runs}
            self._runs = {name: runs for name, runs in self._runs.items() if name in of_use}
        return None if state is None else (number, state)

    def _look(self, connection: duckdb.DuckDBPyConnection, snapshot: int | None) -> tuple[_Stamp, int, bool]:
        """(what changes whenever the files of any snapshot do, the snapshot, whether there is such)."""
        kind = self._place.catalog.partition(":")[0]
        wanted = "(SELECT max(snapshot_id) FROM ducklake_snapshot)" if snapshot is None else str(snapshot)
        found = connection.execute(
            f"SELECT * FROM {kind}_query('__ducklake_metadata_lake', 'SELECT "
            "(SELECT max(snapshot_id) FROM ducklake_snapshot) AS latest,"
            " (SELECT count(*) FROM ducklake_data_file) AS files,"
            " (SELECT max(data_file_id) FROM ducklake_data_file) AS last_file,"
            " (SELECT count(*) FROM ducklake_delete_file) AS deletes,"
            f" {wanted} AS wanted,"
            f" (SELECT count(*) FROM ducklake_snapshot WHERE snapshot_id = {wanted}) AS there')"
        ).fetchone()
        assert found is not None
        return found[:4], int(found[4]), bool(found[5])

    def _read(self, connection: duckdb.DuckDBPyConnection, snapshot: int, *, latest: bool) -> _State | None:
        facts = from_catalog(connection, snapshot)
        if facts is None:
            return None
        if latest:
            return self._state(connection, facts)
        with attached(self._place, snapshot) as past:
            return self._state(past, facts)

    def _state(self, connection: duckdb.DuckDBPyConnection, facts: CatalogFacts) -> _State | None:
        """Of the connection's lake, as that sees it."""
        listed = connection.execute(
            "SELECT data_file, data_file_size_bytes, delete_file FROM ducklake_list_files('lake', 'events')"
        ).fetchall()
        files = [DataFile(Path(path), size) for path, size, _ in listed]
        if len(files) > MOST_FILES or any(deleted for _, _, deleted in listed) or not all(map(_whole, files)):
            return None
        known = known_at(connection, facts.any_rest)
        runs = tuple(self._runs.setdefault(one.path.name, FileRuns(one, self._index)) for one in files)
        return _State(known, Count(facts.rows, 0, 0, 0, 0, facts.last, facts.first).facts(), runs)

    def _connected(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            connection = duckdb.connect(config=CONFIG)
            try:
                attach(connection, self._place)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _whole(file: DataFile) -> bool:
    try:
        return file.path.stat().st_size == file.size
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class LakeRun:
    """A run, and the places of properties at a snapshot."""

    units: NDArray[np.int32]
    times: NDArray[np.int64]
    _coded: Callable[[Places], Coded | None]
    _places: Mapping[str, Places]

    def coded(self, name: str) -> Coded | None:
        """See `doorstep.rows.runs.Run`."""
        return self._coded(self._places[name])


@dataclass(frozen=True, slots=True)
class LakeRuns:
    """The events of a lake at a snapshot, as runs (`doorstep.rows.runs.EventRuns`)."""

    snapshot: int
    _place: Place
    _state: _State
    _unit: str
    _places: Mapping[str, Places]

    @property
    def description(self) -> str:
        """What this is, for people."""
        return f"the lake {self._place.directory}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of everything that some row has."""
        return (*CANONICAL, *self._state.known.columns)

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """What the first place of each property holds, where that is of one type."""
        first = {name: found.values[0].kind for name, found in self._places.items() if found.values}
        return {name: kind for name, kind in first.items() if kind != "json"}

    @property
    def spell(self) -> Callable[[pa.Array], pa.Array]:
        """From numbers of units to their texts."""
        return speller(self._place, tables.IDENTITIES[self._unit])

    def facts(self) -> Facts:
        """What the lake is like as a whole."""
        return self._state.facts

    def of(self, event: str) -> tuple[LakeRun, ...] | None:
        """See `doorstep.rows.runs.EventRuns`."""
        code = self._state.known.events.get(event)
        if code is None:
            return ()
        found = []
        for file in self._state.runs:
            run = file.run(code, self._unit)
            if run is None:
                return None
            found.append(LakeRun(run.units, run.times, partial(file.coded, code, self._unit), self._places))
        return tuple(found)
