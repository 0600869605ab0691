"""The runs of one data file: from its index, or made and put there; those of a small file are kept in memory."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from doorstep.lake.index import DataFile, Index
from doorstep.lake.tables import IDENTITIES
from doorstep.rows import Value
from doorstep.rows.runs import Coded

SMALL: Final = 4 << 20
"""Data files of fewer bytes are read anew by each process, and have no index: most of them are soon put together."""

MOST_VALUES: Final = 10_000
"""A property of more different values in one run is not coded: SQL judges its rows sooner."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a property may stand: SQL over ``columns`` (name → SQL type), to be tried in turn."""

    values: tuple[Value, ...]
    columns: Mapping[str, str]

    @property
    def said(self) -> str:
        """SQL (VARCHAR) of the value and which of the places it stands at; NULL for none."""
        cases = " ".join(
            f"WHEN {place.sql} IS NOT NULL THEN '{number}:' || CAST({place.sql} AS VARCHAR)"
            for number, place in enumerate(self.values)
        )
        return f"CASE {cases} END"

    def value(self, said: str | None) -> object:
        """The value that was said so, as conditions compare it. ValueError or OverflowError for what Python has not."""
        if said is None:
            return None
        number, _, text = said.partition(":")
        match self.values[int(number)].kind:
            case "text":
                return text
            case "boolean":
                return text == "true"
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "time":
                return _EPOCH + timedelta(microseconds=int(text))
            case "json":
                found: object = json.loads(text)
                if isinstance(found, str):
                    found.encode()  # half a surrogate pair is for SQL to judge
                return found


@dataclass(frozen=True, slots=True)
class FileRun:
    """The rows of one event in one file, by unit, then time; equal ones as they stand in the file."""

    units: NDArray[np.int32]
    times: NDArray[np.int64]


@dataclass(slots=True)
class FileRuns:
    """What is known of one data file, for as long as it is of use. Safe to use from several threads."""

    file: DataFile
    index: Index
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    _runs: dict[tuple[int, str], FileRun | None] = field(default_factory=dict)
    _coded: dict[tuple[int, str, str], Coded | None] = field(default_factory=dict)
    _whole: pa.Table | None = None

    @property
    def small(self) -> bool:
        """Whether the file has no index."""
        return self.file.size < SMALL

    def run(self, event: int, unit: str) -> FileRun | None:
        """The rows of an event (its number) by a unit (an identity column); None when they cannot be had."""
        with self._mutex:
            key = (event, unit)
            if key not in self._runs:
                self._runs[key] = self._run(event, unit)
            return self._runs[key]

    def coded(self, event: int, unit: str, places: Places) -> Coded | None:
        """A property of each row of a run; None when it has too many values or some that Python cannot judge."""
        with self._mutex:
            key = (event, unit, places.said)
            if key not in self._coded:
                self._coded[key] = self._code(event, unit, places)
            return self._coded[key]

    def _run(self, event: int, unit: str) -> FileRun | None:
        name = f"e{event}-{unit}"
        found = None if self.small else self.index.run(self.file, name)
        if found is not None:
            return FileRun(*found)
        table = self._rows(event, [unit, "time"])
        if table is None:
            return None
        units, times = _numbers(table, unit, np.int32), _numbers(table, "time", np.int64)
        order = _order(units, times)
        if order is not None:
            units, times = units[order], times[order]
        if self.small or not len(units):
            return FileRun(_frozen(units), _frozen(times))
        return self._kept(name, units, times)

    def _kept(self, name: str, units: NDArray[np.int32], times: NDArray[np.int64]) -> FileRun | None:
        if not self.index.keep_run(self.file, name, units, times):
            return None
        found = self.index.run(self.file, name)
        return None if found is None else FileRun(*found)

    def _code(self, event: int, unit: str, places: Places) -> Coded | None:
        name = f"e{event}-{unit}-{hashlib.blake2b(places.said.encode(), digest_size=8).hexdigest()}"
        found = None if self.small else self.index.column(self.file, name)
        if found is None:
            made = self._said(event, unit, places)
            if made is None:
                return None
            found = made
            if not self.small:
                found = self.index.column(self.file, name) if self.index.keep_column(self.file, name, *made) else None
        if found is None or not found[1]:
            return None
        try:
            return Coded(found[0], tuple(places.value(one) for one in found[1]))
        except (ValueError, OverflowError):
            return None

    def _said(self, event: int, unit: str, places: Places) -> tuple[NDArray[np.uint16], list[str | None]] | None:
        """Codes in the order of the run, and the texts that they stand for; no texts when these are too many."""
        table = self._rows(event, [unit, "time", *places.columns])
        if table is None:
            return None
        absent = "".join(
            f", NULL::{kind} AS {name}" for name, kind in places.columns.items() if name not in table.column_names
        )
        with duckdb.connect() as connection:
            connection.register("found", table)
            try:
                said = connection.execute(f"SELECT {places.said} AS said FROM (SELECT *{absent} FROM found)")
                texts = _one(said.to_arrow_table().column("said"))
            except duckdb.Error:
                return None
        encoded = texts.dictionary_encode()
        if len(encoded.dictionary) >= MOST_VALUES:
            return _frozen(np.zeros(0, np.uint16)), []
        codes = np.zeros(len(texts), np.uint16)
        if len(texts):
            codes += np.from_dlpack(encoded.indices.fill_null(-1)).astype(np.uint16) + np.uint16(1)
        order = _order(_numbers(table, unit, np.int32), _numbers(table, "time", np.int64))
        return _frozen(codes if order is None else codes[order]), [None, *encoded.dictionary.to_pylist()]

    def _rows(self, event: int, columns: Sequence[str]) -> pa.Table | None:
        """These columns of the event's rows, as they stand in the file, as far as it has them."""
        try:
            if self._whole is not None and all(name in self._whole.column_names for name in columns):
                table = self._whole
            else:
                table = self._read(event, columns)
            return table.filter(pc.equal(table.column("event"), event))
        except (OSError, pa.ArrowException):
            return None  # DuckDB will say what is wrong with the file

    def _read(self, event: int, columns: Sequence[str]) -> pa.Table:
        with pq.ParquetFile(self.file.path) as file:
            if self.small and set(columns) <= {*IDENTITIES, "time"}:
                self._whole = file.read([*IDENTITIES, "time", "event"])
                return self._whole
            there = [name for name in ("event", *columns) if name in file.schema_arrow.names]
            return file.read_row_groups(_groups(file, event), there)


def _groups(file: pq.ParquetFile, event: int) -> list[int]:
    """The row groups in which the event may occur."""
    column = file.schema_arrow.names.index("event")
    found = []
    for group in range(file.metadata.num_row_groups):
        said = file.metadata.row_group(group).column(column).statistics
        if said is None or not said.has_min_max or said.min <= event <= said.max:
            found.append(group)
    return found


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _numbers(table: pa.Table, name: str, kind: type[np.integer[Any]]) -> NDArray[Any]:
    """A column of whole numbers, 0 where it is null."""
    if not table.num_rows:
        return np.zeros(0, kind)
    return np.from_dlpack(_one(table.column(name)).fill_null(0)).astype(kind)


def _order(units: NDArray[np.int32], times: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """By unit, then time, then place; None where rows lie so already."""
    later = (units[1:] > units[:-1]) | ((units[1:] == units[:-1]) & (times[1:] >= times[:-1]))
    return None if later.all() else np.lexsort((times, units))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array
