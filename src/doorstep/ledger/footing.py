"""Where the last cycle left every account, in the lake's own numbers: a file beside the lake, from which the next one
goes on. It is derived and disposable: one that is not exactly the last cycle's counts as none, and all is walked.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from doorstep.engines.grouping import arrow, in_one, whole_numbers
from doorstep.lake.place import Place

BORN, STAGE, ENTERED, HIGH, DUE = range(5)
NAMES: Final = ("born", "stage", "entered", "high", "due")
"""The columns of `Footing.lines`, as the kernel's; ``due`` knows of facts beyond the horizon, too."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Mark:
    """The cycle that a footing is of."""

    cycle: int
    horizon: int
    snapshot: int
    definition: str
    at: int

    def text(self) -> bytes:
        """What the file says of itself."""
        return json.dumps([self.cycle, self.horizon, self.snapshot, self.definition, self.at]).encode()


@dataclass(frozen=True, slots=True)
class Footing:
    """Accounts by their keys (an array a column), and beside each where it stands (`NAMES`) and how many rows each leaf
    of the plan lacks.
    """

    keys: tuple[pa.Array, ...]
    lines: Integers
    lacking: NDArray[np.int32]
    who: pa.Table | None = None
    """Who is who, as `who_is_who` tells it, where the journey stitches ids."""

    def table(self) -> pa.Table:
        """As a relation: ``u0``…, ``place`` (the number of the line), `NAMES`, and ``s0``… of the leaves."""
        columns: dict[str, pa.Array] = {f"u{number}": keys for number, keys in enumerate(self.keys)}
        columns["place"] = arrow(np.arange(len(self.lines), dtype=np.int64))
        columns |= {name: arrow(np.ascontiguousarray(self.lines[:, at])) for at, name in enumerate(NAMES)}
        leaves = range(self.lacking.shape[1])
        return pa.table(columns | {f"s{leaf}": arrow(np.ascontiguousarray(self.lacking[:, leaf])) for leaf in leaves})


def read(place: Place, journey: str, mark: Mark) -> Footing | None:
    """The footing of a cycle; None where there is none, or it is another's."""
    file = _file(place, journey, mark.cycle)
    table, who = _read(file, mark), _read(file.with_suffix(".who"), mark)
    if table is None:
        return None
    units = sum(name.startswith("u") for name in table.column_names)
    leaves = len(table.column_names) - units - len(NAMES)
    return Footing(
        tuple(in_one(table.column(f"u{number}")) for number in range(units)),
        np.column_stack([_numbers(table, name) for name in NAMES]),
        np.column_stack([np.zeros((table.num_rows, 0), np.int32), *(_numbers(table, f"s{n}") for n in range(leaves))]),
        who,
    )


def _read(path: Path, mark: Mark) -> pa.Table | None:
    try:
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
    except (OSError, pa.ArrowInvalid):
        return None
    return table if (table.schema.metadata or {}).get(b"mark") == mark.text() else None


def _numbers(table: pa.Table, name: str) -> NDArray[Any]:
    return whole_numbers(in_one(table.column(name)))


def write(place: Place, journey: str, mark: Mark, footing: Footing) -> None:
    """Keeps a footing, on disk when this returns, beside that of the cycle before."""
    file = _file(place, journey, mark.cycle)
    file.parent.mkdir(parents=True, exist_ok=True)
    if footing.who is not None:
        _write(file.with_suffix(".who"), mark, footing.who)
    _write(file, mark, footing.table().drop_columns(["place"]))


def _write(path: Path, mark: Mark, table: pa.Table) -> None:
    part = path.with_suffix(".part")
    table = table.replace_schema_metadata({b"mark": mark.text()})
    with open(part, "wb") as written:
        with pa.ipc.new_file(written, table.schema) as writer:
            writer.write_table(table)
        written.flush()
        os.fsync(written.fileno())
    part.rename(path)


def forget(place: Place, journey: str, cycle: int) -> None:
    """Removes the footings of all other cycles."""
    kept = _file(place, journey, cycle)
    for file in kept.parent.glob("*"):
        if file.stem != kept.stem:
            file.unlink(missing_ok=True)


def _file(place: Place, journey: str, cycle: int) -> Path:
    return place.directory / "footing" / journey / f"{cycle}.arrow"


__all__ = ["BORN", "DUE", "ENTERED", "HIGH", "NAMES", "STAGE", "Footing", "Mark", "forget", "read", "write"]
