"""Rows from Arrow columns into the order the kernel wants: each unit's rows side by side, told apart exactly."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

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


def arrow(numbers: NDArray[Any]) -> pa.Array:
    """Numbers as Arrow sees them, without a copy (`pa.array` would import pandas, where there is one)."""
    return pa.Array.from_buffers(pa.from_numpy_dtype(numbers.dtype), len(numbers), [None, pa.py_buffer(numbers)])


def _code_one(column: pa.ChunkedArray) -> Coded:
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


def across(parts: Sequence[tuple[NDArray[np.int32], pa.Array]]) -> tuple[NDArray[np.int32], pa.Array]:
    """Numbers into each part's own values, as numbers into the values of all parts; -1 stays."""
    if len(parts) == 1:
        return parts[0]
    together = _code_one(pa.chunked_array([values for _, values in parts]))
    edges = np.cumsum([0, *(len(values) for _, values in parts)])
    found = [
        np.append(together.codes[low:high], np.int32(-1))[codes]
        for (codes, _), (low, high) in zip(parts, pairwise(edges), strict=True)
    ]
    return np.concatenate(found), together.values[0]


def combined(columns: Sequence[Coded]) -> Coded:
    """Several columns taken together, where nothing (-1) is a value like others: null."""
    codes = columns[0].codes.astype(np.int64) + 1
    distinct = np.unique(codes)
    chosen = [distinct - 1]
    codes = np.searchsorted(distinct, codes)
    for column in columns[1:]:
        room = len(column) + 1
        distinct, codes = np.unique(codes * room + (column.codes.astype(np.int64) + 1), return_inverse=True)
        chosen = [one[distinct // room] for one in chosen] + [distinct % room - 1]
    return Coded(
        codes.astype(np.int32),
        tuple(one.values[0].take(pa.array(at, mask=at < 0)) for one, at in zip(columns, chosen, strict=True)),
    )


def in_value_order(coded: Coded) -> Coded:
    """The same, numbered in the order of the values, column by column."""
    table = pa.table(list(coded.values), names=[str(number) for number in range(len(coded.values))])
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in table.column_names])
    rank = np.empty(len(order) + 1, np.int32)
    rank[order.to_numpy()] = np.arange(len(order))
    rank[-1] = -1
    return Coded(rank[coded.codes], tuple(values.take(order) for values in coded.values))


@dataclass(frozen=True, slots=True)
class Grouped:
    """Rows of dtype `ROW`, those of unit ``u`` at [starts[u], starts[u + 1]) in the order they came in; ``example`` is
    the place of one row of each unit, to read its values from. Rows without a unit are left out and counted.
    """

    rows: NDArray[np.void]
    starts: NDArray[np.int64]
    example: NDArray[np.int64]
    no_unit: int


PARTITION: Final = 1 << 14
"""About how many rows are grouped at a time: few enough to stay in a core's own cache."""

MOST_WORDS: Final = 5
"""Texts of fewer bytes than 8 x this are compared as so many integers; longer ones are numbered first."""


def by_unit(
    columns: Sequence[pa.ChunkedArray],
    time: NDArray[np.int64],
    word: NDArray[np.int64],
    stream: NDArray[np.int32] | None,
    threads: int,
) -> Grouped:
    """Groups rows by the values of ``columns``, exactly: a hash only says which rows to compare.

    Every value becomes a key of a few integers; keys are spread over partitions by a hash, and each partition is
    grouped by comparing whole keys, side by side in ``threads``.
    """
    keys = _keys(columns)
    count, held = len(time), np.zeros(1, np.int32) if stream is None else stream
    partitions = 1 << max(0, (count // PARTITION).bit_length())
    edges = np.linspace(0, count, threads + 1).astype(np.int64)
    chunks = range(threads)
    sizes = np.zeros((threads, partitions), np.int64)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda c: _measure(keys, edges[c], edges[c + 1], sizes[c]), chunks))
        ends = np.cumsum(sizes.T.reshape(-1)).reshape(partitions, threads)
        begins = np.ascontiguousarray((ends - sizes.T).T)
        kept = int(ends[-1, -1])
        spread, rows = np.empty(kept, ROW), np.empty(kept, ROW)
        spread_keys = np.empty((kept, keys.shape[1] - 1), np.int64)
        list(
            pool.map(
                lambda c: _spread(keys, edges[c], edges[c + 1], begins[c], time, word, held, spread_keys, spread),
                chunks,
            )
        )
        bounds = np.concatenate([[0], ends[:, -1]])
        cuts = np.searchsorted(bounds, np.linspace(0, kept, threads * 4 + 1)[1:-1])
        spans = pairwise([0, *(int(cut) for cut in cuts), partitions])
        parts = list(pool.map(lambda span: _gather(spread_keys, spread, bounds, span[0], span[1], rows), spans))
    starts = np.concatenate([*(part[0] for part in parts), [kept]])
    return Grouped(rows, starts, np.concatenate([part[1] for part in parts]), count - kept)


def _keys(columns: Sequence[pa.ChunkedArray]) -> NDArray[np.int64]:
    """(n x k + 1): the k integers that a row's unit is equal in, and before them 1 where it has a unit, else 0."""
    column = columns[0]
    if len(columns) == 1 and pa.types.is_integer(column.type) and not pa.types.is_uint64(column.type):
        whole = in_one(column).cast(pa.int64())
        keys = np.empty((len(whole), 2), np.int64)
        keys[:, 0] = _valid(whole)
        keys[:, 1] = whole_numbers(whole.fill_null(0))
        return keys
    if len(columns) == 1 and (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        whole = in_one(column)
        offsets, data = _bytes_of(whole)
        longest = int(np.diff(offsets).max(initial=0))
        if longest < 8 * MOST_WORDS:
            keys = np.empty((len(whole), longest // 8 + 2), np.int64)
            _pack(offsets, data, _valid(whole), keys)
            return keys
    codes = code(columns).codes
    return np.stack([codes >= 0, codes], axis=1).astype(np.int64)


def in_one(column: pa.ChunkedArray) -> pa.Array:
    """A column's chunks as one array."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _valid(array: pa.Array) -> NDArray[np.bool_]:
    if array.null_count == 0:
        return np.ones(len(array), np.bool_)
    valid: NDArray[np.bool_] = array.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _bytes_of(texts: pa.Array) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """(where each text begins and the last ends, the bytes of all)."""
    _, offsets, data = texts.buffers()
    size = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    if offsets is None or len(texts) == 0:
        return np.zeros(1, size), np.zeros(0, np.uint8)
    begins = np.frombuffer(offsets, size)[texts.offset : texts.offset + len(texts) + 1]
    return begins, np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)


@njit(cache=True, nogil=True)
def _pack(offsets: Any, data: Any, valid: Any, keys: Any) -> None:
    """A text's bytes, eight to an integer, with its length in the last one's last byte: equal keys are equal texts."""
    words = keys.shape[1] - 1
    for i in range(len(keys)):
        keys[i, 0] = valid[i]
        begin, end = offsets[i], offsets[i + 1]
        at = begin
        for j in range(words):
            packed = np.int64(0)
            for shift in range(8):
                if at < end:
                    packed |= np.int64(data[at]) << np.int64(8 * shift)
                    at += 1
            keys[i, j + 1] = packed
        keys[i, words] ^= np.int64(end - begin) << np.int64(56)


@njit(inline="always")
def _mix(keys: Any, i: Any, first: Any) -> Any:
    """A hash of the key: a multiplication and a shift for each integer of it."""
    hashed = np.uint64(0)
    for j in range(first, keys.shape[1]):
        hashed = (hashed ^ np.uint64(keys[i, j])) * np.uint64(0x9E3779B97F4A7C15)
        hashed ^= hashed >> np.uint64(29)
    return hashed * np.uint64(0xBF58476D1CE4E5B9)


@njit(cache=True, nogil=True)
def _measure(keys: Any, first: Any, last: Any, sizes: Any) -> None:
    """How many rows of [first, last) go to each partition."""
    mask = np.uint64(len(sizes) - 1)
    for i in range(first, last):
        if keys[i, 0]:
            sizes[(_mix(keys, i, 1) >> np.uint64(40)) & mask] += 1


@njit(cache=True, nogil=True)
def _spread(
    keys: Any, first: Any, last: Any, begins: Any, time: Any, word: Any, stream: Any, spread_keys: Any, spread: Any
) -> None:
    """Puts the rows [first, last) into their partitions, each from its place in ``begins`` on."""
    mask = np.uint64(len(begins) - 1)
    streams = len(stream) == len(time)
    for i in range(first, last):
        if keys[i, 0]:
            partition = (_mix(keys, i, 1) >> np.uint64(40)) & mask
            at = begins[partition]
            begins[partition] += 1
            for j in range(spread_keys.shape[1]):
                spread_keys[at, j] = keys[i, j + 1]
            row = spread[at]
            row.time, row.word, row.place, row.used = time[i], word[i], i, 0
            row.stream = stream[i] if streams else 0


@njit(cache=True, nogil=True)
def _gather(keys: Any, spread: Any, bounds: Any, first: Any, last: Any, rows: Any) -> Any:
    """Groups the partitions [first, last) into ``rows``: (where each unit begins, the place of one of its rows)."""
    most = 1
    for partition in range(first, last):
        most = max(most, bounds[partition + 1] - bounds[partition])
    room = 4
    while room < 2 * most:
        room *= 2
    table, group_of = np.empty(room, np.int32), np.empty(most, np.int32)
    chosen, sizes = np.empty(most, np.int64), np.empty(most, np.int64)
    starts = np.empty(bounds[last] - bounds[first], np.int64)
    example = np.empty(len(starts), np.int64)
    found = 0
    for partition in range(first, last):
        begin, end = bounds[partition], bounds[partition + 1]
        groups = _number(keys, begin, end, table, group_of, chosen, sizes)
        following = begin
        for group in range(groups):
            starts[found], example[found] = following, spread[chosen[group]].place
            found += 1
            following += sizes[group]
            sizes[group] = following - sizes[group]
        for i in range(begin, end):
            group = group_of[i - begin]
            rows[sizes[group]] = spread[i]
            sizes[group] += 1
    return starts[:found].copy(), example[:found].copy()


@njit(cache=True, nogil=True)
def _number(keys: Any, begin: Any, end: Any, table: Any, group_of: Any, chosen: Any, sizes: Any) -> Any:
    """Numbers the distinct keys of [begin, end), by an open hash table; how many there are."""
    mask = 3
    while mask + 1 < 2 * (end - begin):
        mask = 2 * mask + 1
    table[: mask + 1] = -1
    groups = 0
    for i in range(begin, end):
        slot = np.int64(_mix(keys, i, 0) & np.uint64(mask))
        while True:
            group = table[slot]
            if group < 0:
                table[slot] = group = groups
                chosen[groups], sizes[groups] = i, 0
                groups += 1
                break
            same = True
            for j in range(keys.shape[1]):
                same = same and keys[chosen[group], j] == keys[i, j]
            if same:
                break
            slot = (slot + 1) & mask
        group_of[i - begin] = group
        sizes[group] += 1
    return groups
