"""Attempts by the column: what every engine hands on, and all that figures are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from doorstep.matching.kernel import layout, state

Integers = NDArray[np.int64]
Small = NDArray[np.int32]
Flags = NDArray[np.bool_]

NEVER_REACHED: Final = state.UNREACHED
"""Stands in `Attempts.at` where a step was not reached."""

STATUSES: Final = layout.STATUSES


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
        return Attempts(*(getattr(self, name)[mask] for name in self.__slots__))


def joined(parts: Sequence[Attempts]) -> Attempts:
    """All parts, one after another; at least one."""
    return Attempts(*(np.concatenate([getattr(part, name) for part in parts]) for name in Attempts.__slots__))


def from_table(
    table: NDArray[np.int32], rows: NDArray[np.void], steps: int, ranks: int, group: Small | None, offset: int
) -> Attempts:
    """The kernel's table (columns: `kernel.state`) with the rows it names. ``group`` is by place; units count from
    ``offset``.
    """
    taken = table[:, state.STEP_ROWS : state.STEP_ROWS + steps]
    entry = table[:, state.ENTRY]
    high, low = table[:, state.ENDED_HIGH].astype(np.int64), table[:, state.ENDED_LOW]
    return Attempts(
        unit=table[:, state.UNIT].astype(np.int64) + offset,
        session=table[:, state.SESSION].copy(),
        stream=table[:, state.STREAM].copy(),
        entered_at=rows["time"][entry],
        entry_rank=table[:, state.ENTRY_RANK].copy(),
        status=table[:, state.STATUS].copy(),
        reached=table[:, state.REACHED].copy(),
        dropped=table[:, state.DROPPED] == 1,
        counted=table[:, state.COUNTED] == 1,
        at=np.where(taken >= 0, rows["time"][taken], NEVER_REACHED),
        branch=table[:, state.STEP_ROWS + steps : state.STEP_ROWS + steps + ranks].copy(),
        group=np.full(len(table), -1, np.int32) if group is None else group[rows["place"][entry]],
        ended_at=np.where(high < 0, NEVER_REACHED, rows["time"][entry] + (high << 31) + low),
    )
