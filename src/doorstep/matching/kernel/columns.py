"""The table of attempts, taken apart into columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from doorstep.matching.kernel.state import (
    COUNTED,
    DROPPED,
    ENDED_HIGH,
    ENDED_LOW,
    ENTRY,
    ENTRY_RANK,
    REACHED,
    SESSION,
    STATUS,
    STEP_ROWS,
    STREAM,
    UNIT,
    UNREACHED,
    RowNumbers,
    Rows,
    compiled,
)


@compiled
def put_by_column(
    table: RowNumbers,
    rows: Rows,
    offset: int,
    unit: NDArray[Any],
    entered_at: NDArray[Any],
    ended_at: NDArray[Any],
    small: NDArray[Any],
    flags: NDArray[Any],
    at: NDArray[Any],
    branch: NDArray[Any],
) -> None:
    """Fills ``unit`` (counted from ``offset``), ``entered_at``, ``ended_at``, ``small`` (session, stream, entry rank,
    status, reached), ``flags`` (dropped, counted), and the times and branches of each step (steps x attempts).
    """
    steps, ranks = len(at), len(branch)
    for i in range(len(table)):
        line = table[i]
        unit[i] = line[UNIT] + offset
        entered_at[i] = rows[line[ENTRY]].time
        lasted = (np.int64(line[ENDED_HIGH]) << 31) + line[ENDED_LOW]
        ended_at[i] = entered_at[i] + lasted if line[ENDED_HIGH] >= 0 else UNREACHED
        small[0, i], small[1, i] = line[SESSION], line[STREAM]
        small[2, i], small[3, i], small[4, i] = line[ENTRY_RANK], line[STATUS], line[REACHED]
        flags[0, i], flags[1, i] = line[DROPPED] == 1, line[COUNTED] == 1
        for step in range(steps):
            row = line[STEP_ROWS + step]
            at[step, i] = rows[row].time if row >= 0 else UNREACHED
        for rank in range(ranks):
            branch[rank, i] = line[STEP_ROWS + steps + rank]
