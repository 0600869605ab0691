"""Rows from Arrow columns into the order the kernel wants: each unit's rows side by side, told apart exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from doorstep.matching.kernel import ROW


@dataclass(frozen=True, slots=True)
class Coded:
    """Values numbered: ``codes[i]`` is the index of row i's value in ``values`` (an array for each column), -1 where
    any column is null.
    """

    codes: NDArray[np.int32]
    values: tuple[pa.Array, ...]

    def __len__(self) -> int:
        return len(self.values[0])


def code(columns: Sequence[pa.ChunkedArray]) -> Coded:
    """Numbers the distinct values of one column, or of several taken together. Equal means equal: no hash decides."""
    first = _code_one(columns[0])
    for column in columns[1:]:
        first = _pair(first, _code_one(column))
    return first


def whole_numbers(array: pa.Array) -> NDArray[Any]:
    """An integer array without nulls as numpy sees it (`Array.to_numpy` would import pandas, where there is one)."""
    return np.from_dlpack(array) if len(array) else np.empty(0, array.type.to_pandas_dtype())


def _dense(column: pa.ChunkedArray) -> Coded | None:
    """Integers that lie close together, such as the numbers that a lake gives: no hashing; None for all others."""
    if not len(column) or column.null_count:
        return None
    numbers = whole_numbers(pa.concat_arrays(column.chunks))
    low, high = int(numbers.min()), int(numbers.max())
    if high - low >= 2 * len(numbers):
        return None
    present = np.zeros(high - low + 1, np.int32)
    offsets = numbers - low if low else numbers
    present[offsets] = 1
    values = np.flatnonzero(present) + low
    rank = np.cumsum(present, dtype=np.int32) - np.int32(1)
    return Coded(rank[offsets], (pa.array(values, pa.int64()).cast(column.type),))


def _code_one(column: pa.ChunkedArray) -> Coded:
    if pa.types.is_integer(column.type) and (dense := _dense(column)) is not None:
        return dense
    encoded = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    whole = encoded.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], column.type).dictionary_encode()
    indices = whole.indices
    codes = whole_numbers(indices.fill_null(-1) if indices.null_count else indices)
    return Coded(codes.astype(np.int32, copy=False), (whole.dictionary,))


def _pair(one: Coded, other: Coded) -> Coded:
    both = one.codes.astype(np.int64) * (len(other) + 1) + other.codes
    both[(one.codes < 0) | (other.codes < 0)] = -1
    distinct, codes = np.unique(both, return_inverse=True)
    if len(distinct) and distinct[0] == -1:
        distinct, codes = distinct[1:], codes - 1
    left, right = distinct // (len(other) + 1), distinct % (len(other) + 1)
    return Coded(
        codes.astype(np.int32),
        tuple([v.take(pa.array(left)) for v in one.values] + [v.take(pa.array(right)) for v in other.values]),
    )


def in_value_order(coded: Coded) -> Coded:
    """The same, numbered in the order of the values, column by column."""
    table = pa.table(list(coded.values), names=[str(number) for number in range(len(coded.values))])
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in table.column_names])
    rank = np.empty(len(order) + 1, np.int32)
    rank[order.to_numpy()] = np.arange(len(order))
    rank[-1] = -1
    return Coded(rank[coded.codes], tuple(values.take(order) for values in coded.values))


def by_unit(
    units: Coded, time: NDArray[np.int64], word: NDArray[np.int64], stream: NDArray[np.int32] | None
) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """(rows of dtype `ROW` with each unit's side by side, where each unit begins). Rows without a unit are left out;
    rows of a unit keep their order.
    """
    starts = np.zeros(len(units) + 1, np.int64)
    codes: Any = units.codes
    _count(codes, starts)
    rows = np.empty(int(starts[-1]), ROW)
    _scatter(codes, starts[:-1].copy(), time, word, np.zeros(1, np.int32) if stream is None else stream, rows)
    return rows, starts


@njit(cache=True, nogil=True)
def _count(codes: Any, starts: Any) -> None:
    for i in range(len(codes)):
        if codes[i] >= 0:
            starts[codes[i] + 1] += 1
    for i in range(1, len(starts)):
        starts[i] += starts[i - 1]


@njit(cache=True, nogil=True)
def _scatter(codes: Any, following: Any, time: Any, word: Any, stream: Any, rows: Any) -> None:
    streams = len(stream) == len(codes)
    for i in range(len(codes)):
        unit = codes[i]
        if unit >= 0:
            row = rows[following[unit]]
            following[unit] += 1
            row.time, row.word, row.place = time[i], word[i], i
            row.stream = stream[i] if streams else 0
            row.used = 0
