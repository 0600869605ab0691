"""Attempts by the column: what every engine hands on, and all that figures are made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from doorstep.matching import kernel
from doorstep.matching.kernel import layout, state

Integers = NDArray[np.int64]
Small = NDArray[np.int32]
Flags = NDArray[np.bool_]

NEVER_REACHED: Final = state.UNREACHED
"""Stands in `Attempts.at` where a step was not reached."""

STATUSES: Final = layout.STATUSES
MANY: Final = 100_000
"""Attempts from which on threads are worth their start."""

Given = TypeVar("Given")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Attempts:
    """n attempts; every array has n entries along its first axis. Times are microseconds since 1970, UTC.

    ``unit`` and ``stream`` number the unit and its `hold_constant` values; ``session`` counts from 1 (0: units are no
    sessions). ``status`` indexes `STATUSES`. ``at`` (n x N) is the time of each step's row, by position, as far as it
    counts; ``branch`` (n x R) the alternative taken at each required step, -1 for none. ``ended_at`` is when it was
    decided (`NEVER_REACHED` while it is open). ``group`` numbers the value of the breakdown (-1: it has none, or
    none was asked for).
    """

    unit: Integers
    session: Small
    stream: Small
    entered_at: Integers
    entry_rank: Small
    status: Small
    reached: Small
    dropped: Flags
    counted: Flags
    at: Integers
    branch: Small
    group: Small
    ended_at: Integers

    def __len__(self) -> int:
        return len(self.unit)

    def where(self, mask: Flags | Integers) -> Attempts:
        """Those for which the mask is true, or those at these indexes."""
        if mask.dtype == np.bool_ and mask.all():
            return self
        return Attempts(*(getattr(self, name)[mask] for name in self.__slots__))

    def with_units(self, unit: Integers) -> Attempts:
        """The same, their units numbered so."""
        return replace(self, unit=unit)


def joined(parts: Sequence[Attempts]) -> Attempts:
    """All parts, one after another; at least one. Column by column, side by side: most of it is touching new memory."""
    columns = [[getattr(part, name) for part in parts] for name in Attempts.__slots__]
    return Attempts(*side_by_side(_one_after_another, columns, sum(map(len, parts))))


def side_by_side(work: Callable[[Given], Done], given: Sequence[Given], attempts: int) -> list[Done]:
    """The work on each of these, in threads where it goes over many attempts; numpy lets go of the GIL meanwhile."""
    if attempts < MANY:
        return list(map(work, given))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, given))


def _one_after_another(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Tables stay column by column, which is how figures read them."""
    return np.concatenate([array.T for array in arrays], axis=arrays[0].ndim - 1).T


def from_table(
    table: NDArray[np.int32], rows: NDArray[np.void], steps: int, ranks: int, group: Small | None, offset: int
) -> Attempts:
    """The kernel's table (columns: `kernel.state`) with the rows it names. ``group`` is by place; units count from
    ``offset``.
    """
    count = len(table)
    unit, entered_at, ended_at = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    small, branch = np.empty((5, count), np.int32), np.empty((ranks, count), np.int32)
    flags, at = np.empty((2, count), np.bool_), np.empty((steps, count), np.int64)
    kernel.by_column(table, rows, offset, unit, entered_at, ended_at, small, flags, at, branch)
    entry = table[:, state.ENTRY]
    return Attempts(
        unit=unit,
        session=small[0],
        stream=small[1],
        entered_at=entered_at,
        entry_rank=small[2],
        status=small[3],
        reached=small[4],
        dropped=flags[0],
        counted=flags[1],
        at=at.T,
        branch=branch.T,
        group=np.full(count, -1, np.int32) if group is None else group[rows["place"][entry]],
        ended_at=ended_at,
    )
