"""Parquet that can be read column by column as it stands: no cast, no nesting, no row to leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from doorstep.rows import quoting
from doorstep.rows.shape import Shape
from doorstep.rows.values import Kind

if TYPE_CHECKING:
    import polars as pl

MOST_FILES: Final = 64
"""Footers are looked at one by one; more files than this are left to DuckDB."""

_READ_ALIKE: Final[dict[Kind, frozenset[str]]] = {
    "text": frozenset({"String"}),
    "boolean": frozenset({"Boolean"}),
    "integer": frozenset({"Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32"}),
}
"""Types of which polars and DuckDB read the same values from a file, by the kind of value that they are to us."""


@dataclass(frozen=True, slots=True)
class PlainFiles:
    """Where things are in files of one schema: names of top-level columns. ``time`` holds microseconds in UTC, never
    null; ``event`` texts, never null or empty; ``columns`` tells where each needed name is.
    """

    paths: tuple[str, ...]
    event: str
    time: str
    time_type: pl.DataType
    columns: Mapping[str, str]


def plain_files(paths: tuple[str, ...], shape: Shape) -> PlainFiles | None:
    """The files as plain columns, if all that the run needs of them is; ``shape`` has no unusable row."""
    if not paths or len(paths) > MOST_FILES or any("=" in path for path in paths):
        return None
    import polars as pl  # noqa: PLC0415 - takes a tenth of a second, which only Parquet is worth

    schemas = [pl.read_parquet_schema(path) for path in paths]
    theirs = {quoting.identifier(name): name for name in schemas[0]}
    event, time = theirs.get(shape.event), theirs.get(shape.time.raw)
    if event is None or time is None or any(schema != schemas[0] for schema in schemas):
        return None
    columns = {}
    for name, found in shape.values.items():
        column = theirs.get(found[0].sql) if len(found) == 1 else None
        if column is None or str(schemas[0][column]) not in _READ_ALIKE.get(found[0].kind, frozenset()):
            return None
        columns[name] = column
    of_time = schemas[0][time]
    zones = ("UTC", None) if shape.time.zone == "UTC" else ("UTC",)
    if of_time not in [pl.Datetime("us", zone) for zone in zones] or schemas[0][event] != pl.String:
        return None
    return PlainFiles(paths, event, time, of_time, columns)
