"""Rows of a unit come together, and rows of two units never do, however alike their values are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorstep.engines.grouping import by_unit

TEXTS = st.one_of(st.sampled_from(["", "a", "a\0", "a\0\0", "é", "user-0000001", "x" * 39, "x" * 40]), st.text())
BYTES = st.integers(-128, 127)
WHOLE = st.integers(-(2**63), 2**63 - 1)


def grouped(columns: list[pa.ChunkedArray], threads: int) -> tuple[dict[Any, list[int]], int]:
    """The places of each unit's rows, by the unit's values; how many rows have none."""
    count = len(columns[0])
    times = np.arange(count, dtype=np.int64)
    found = by_unit(columns, times, times * 2, None, threads)
    units: dict[Any, list[int]] = {}
    for unit, example in enumerate(found.example.tolist()):
        rows = found.rows[found.starts[unit] : found.starts[unit + 1]]
        assert (rows["time"] == rows["place"]).all()
        assert (rows["word"] == 2 * rows["place"]).all()
        values = tuple(column[example].as_py() for column in columns)
        assert values not in units
        units[values] = rows["place"].tolist()
    return units, found.no_unit


def expected(columns: list[list[Any]]) -> tuple[dict[Any, list[int]], int]:
    units: dict[Any, list[int]] = {}
    lost = 0
    for place, values in enumerate(zip(*columns, strict=True)):
        if None in values:
            lost += 1
        else:
            units.setdefault(values, []).append(place)
    return units, lost


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from([1, 3]), st.integers(1, 3))
def test_rows_are_grouped_exactly(data: st.DataObject, threads: int, chunks: int) -> None:
    """By text of any length, by number, by both together; in the order in which the rows came."""
    columns: list[list[Any]] = []
    types = []
    count = data.draw(st.integers(0, 60))
    for _ in range(data.draw(st.integers(1, 2))):
        kind, values = data.draw(
            st.sampled_from([(pa.string(), TEXTS), (pa.large_string(), TEXTS), (pa.int64(), WHOLE), (pa.int8(), BYTES)])
        )
        pool = data.draw(st.lists(values, min_size=1, max_size=8))
        columns.append(data.draw(st.lists(st.sampled_from([*pool, None]), min_size=count, max_size=count)))
        types.append(kind)
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, count), min_size=chunks, max_size=chunks))), count]
    arrays = [
        pa.chunked_array([pa.array(column, kind)[a:b] for a, b in pairwise(cuts)], kind)
        for column, kind in zip(columns, types, strict=True)
    ]
    assert grouped(arrays, threads) == expected(columns)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_many_rows_are_spread_over_partitions(threads: int) -> None:
    """Enough rows for several partitions: still one group a unit."""
    values = [f"user-{number * 7919 % 5000}" for number in range(100_000)]
    assert grouped([pa.chunked_array([values])], threads) == expected([values])
