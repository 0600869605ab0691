"""The walk, compiled: the rules of `reference` over flat arrays, one unit after another.

`layout` is a plan as one record, `state` the other records; `rows` puts rows in order and finds them, `attempt`,
`stream`, `furthest` and `unit` walk, `columns` takes apart what comes out. `attempts_of` and `by_column` are the only
entrances. A property test holds the walk equal to `reference`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from doorstep.matching.kernel.columns import put_by_column
from doorstep.matching.kernel.rows import sort_by_value
from doorstep.matching.kernel.state import ROW, WALK, Rows
from doorstep.matching.kernel.unit import walk_units
from doorstep.matching.reference import Bounds

Walker = Callable[..., tuple[NDArray[np.int32], int, int]]


def _compiled_for(sources: str) -> tuple[Walker, Callable[..., None]]:
    @njit(nogil=True, cache=True)
    def columns(table, rows, offset, unit, entered_at, ended_at, small, flags, at, branch):  # type: ignore[no-untyped-def]
        assert len(sources) > 0
        put_by_column(table, rows, offset, unit, entered_at, ended_at, small, flags, at, branch)

    @njit(nogil=True, cache=True)
    def entrance(plan, walk, rows, starts, first, last, first_time, codes):  # type: ignore[no-untyped-def]
        assert len(sources) > 0
        if codes.shape[1]:
            for unit in range(first, last):
                sort_by_value(rows, starts[unit], starts[unit + 1], codes)
        return walk_units(plan[0], walk[0], rows, starts, first, last, first_time)

    return entrance, columns


def _digest() -> str:
    """numba's cache notices changes of the file that a function stands in, not of those it calls; but it does notice
    a closed-over value. So each entrance closes over a digest of all that it is made of.
    """
    here = Path(__file__).parent
    files = [*sorted(here.glob("*.py")), here.parent / "plan.py"]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


_walker, by_column = _compiled_for(_digest())
"""``by_column``: the table of attempts into columns; see `doorstep.matching.attempts.from_table`."""


def attempts_of(
    plan: NDArray[np.void],
    rows: Rows,
    starts: NDArray[np.int64],
    units: tuple[int, int],
    bounds: Bounds,
    *,
    first_time: bool = False,
    codes: NDArray[np.int32] | None = None,
) -> tuple[NDArray[np.int32], int, int]:
    """The attempts of the units [units[0], units[1]).

    ``plan`` is `layout.lay_out` of a plan. ``rows`` (dtype `ROW`) holds the rows of unit ``u``, all those left by
    `exclude` up to the horizon that meet any question, at [starts[u], starts[u + 1]), in any order; they are put in
    order in place, without the GIL, and may be walked by several threads for disjoint units. Returns the table of
    attempts (columns: see `state`; rows are named by their new index), how many units or sessions were walked, and
    how many of them `exclude_units` made vanish.

    Rows alike in time and word cannot be told apart by a definition. Where something beside it can, ``codes`` (by
    place, a column for each such thing) says which of them is taken first.
    """
    walk = np.zeros(1, WALK)
    walk["since"], walk["until"], walk["as_of"] = bounds.since, bounds.until, bounds.as_of
    return _walker(
        plan, walk, rows, starts, units[0], units[1], first_time, np.empty((0, 0), np.int32) if codes is None else codes
    )


__all__ = ["ROW", "attempts_of", "by_column"]
