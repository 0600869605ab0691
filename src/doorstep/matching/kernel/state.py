"""The other records the kernel works on: rows, the attempt at hand, and the table of attempts found.

In compiled code a record is one pointer, so a function takes ``plan`` (`layout.LAYOUT`), ``walk`` (`WALK`) and
``rows`` (an array of `ROW`) instead of forty scalars.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from doorstep.matching.plan import MOST_QUESTIONS

Record: TypeAlias = Any
"""A numpy record inside compiled code, its fields those of the dtype named in the function's text."""

Rows: TypeAlias = Any
"""An array of `ROW`."""

RowNumbers: TypeAlias = NDArray[np.integer[Any]]

compiled = njit(nogil=True)
"""Compiled on first use, into whatever calls it; only the entrance is kept on disk (see `unit`)."""

UNREACHED: Final = -(1 << 62)
"""The clock of a step that was not reached."""

ROW: Final = np.dtype(
    [
        ("time", "i8"),  # microseconds
        ("word", "i8"),  # bit n: the row meets question n
        ("place", "i8"),  # where the row stood in what the caller handed in
        ("stream", "i4"),  # number of its hold_constant values, in their order; -1: null
        ("used", "i4"),  # stamp of the attempt that uses it; 0: none
    ]
)

_MANY: Final = MOST_QUESTIONS

WALK: Final = np.dtype(
    [
        ("since", "i8"),
        ("until", "i8"),
        ("as_of", "i8"),
        ("first", "i8"),  # the rows that the walk may see: [first, end)
        ("end", "i8"),
        ("stamp", "i8"),  # number of the attempt in its stream, from 1
        ("entry", "i8"),  # its entry row
        ("entry_time", "i8"),
        ("entry_rank", "i8"),
        ("status", "i8"),
        ("ended", "i8"),
        ("reached", "i8"),  # required steps that count
        ("dropped", "i8"),
        ("broken", "i8"),  # a row between ended a consecutive attempt
        ("highest", "i8"),  # rank of the last step reached, in the whole walk
        ("own_rows", "i8"),  # how many rows it used
        ("own", "i8", (_MANY,)),  # those rows
        ("step_row", "i8", (_MANY,)),  # position -> row; -1: none
        ("clock", "i8", (_MANY,)),  # rank -> time or UNREACHED
        ("branch", "i8", (_MANY,)),  # rank -> alternative taken; -1: none
        ("sub_row", "i8", (_MANY,)),  # rows of the branch being tried
        ("event_seen", "i8", (_MANY,)),  # re-entry rule -> its event has come since the entry
        ("first_row", "i8", (_MANY,)),  # first_time step -> the one row that may match it
        ("last_time", "i8", (_MANY,)),  # furthest: rank -> last instant that ends a chain of so many steps
        ("last_entry", "i8", (_MANY,)),  # ... and the latest entry of such a chain
        ("list_start", "i8", (_MANY + 1,)),  # bit -> where its rows begin in `lists`
        ("listed", "i8"),  # whether `lists` holds the stream's rows by bit
    ]
)
"""One attempt while it is walked, and room to work in; the next attempt overwrites it."""

UNIT, SESSION, STREAM, ENTRY, ENTRY_RANK, STATUS, REACHED, DROPPED, COUNTED, ENDED_HIGH, ENDED_LOW, STEP_ROWS = range(
    12
)
"""Columns of the table of attempts (int32). ``ENDED_HIGH`` x 2^31 + ``ENDED_LOW`` is how long after its entry it ended,
in microseconds; -1 and -1 while it is open. From ``STEP_ROWS`` on: the row of each step by position, then the branch
taken at each required step by rank; -1 for none. ``SESSION`` counts from 1 and is 0 where units are not sessions."""
