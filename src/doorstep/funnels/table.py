"""Attempts as a table that people can read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from doorstep.definitions.funnel import Funnel, SessionOf
from doorstep.engines.duckdb import Matched
from doorstep.matching.attempts import NEVER_REACHED, STATUSES, Attempts


def attempts_table(funnel: Funnel, matched: Matched) -> pa.Table:
    """See `FunnelResult.attempts`."""
    attempts = matched.attempts
    ids = [step.id for step in funnel.steps]
    numeric = all(isinstance(one, int) for one in ids)
    entry_ids = pa.array([ids[position] if numeric else str(ids[position]) for position in funnel.required])
    columns: dict[str, Any] = {
        "unit": unit_names(funnel, matched),
        "attempt": pa.array(np.zeros(len(attempts), np.int64)),
        "entered_at": timestamps(attempts.entered_at),
        "entry_step": entry_ids.take(pa.array(attempts.entry_rank)),
        "status": pa.array(STATUSES).take(pa.array(attempts.status)),
        "reached": pa.array(attempts.reached.astype(np.int64)),
        "counted": pa.array(attempts.counted),
        "dropped": pa.array(attempts.dropped),
    }
    for position, step in enumerate(ids):
        columns[f"at_{step}"] = timestamps(attempts.at[:, position])
    for rank, position in enumerate(funnel.required):
        if funnel.steps[position].any_of:
            taken = attempts.branch[:, rank]
            columns[f"branch_{ids[position]}"] = pa.array(taken, mask=taken < 0)
    for name, values in zip(funnel.hold_constant, matched.streams, strict=True):
        columns[f"held_{name}"] = values.take(pa.array(attempts.stream))
    table = pa.table(columns)
    keys = ["unit", "entered_at", *(f"held_{name}" for name in funnel.hold_constant)]
    table = table.sort_by([(key, "ascending") for key in keys])
    return table.set_column(1, "attempt", pa.array(_numbered(table.column("unit"))))


def _numbered(units: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """1, 2, … within each run of equal values."""
    codes = units.dictionary_encode().combine_chunks()
    indices = (codes if isinstance(codes, pa.DictionaryArray) else codes.chunk(0)).indices.to_numpy()
    starts = np.flatnonzero(np.r_[True, indices[1:] != indices[:-1]]) if len(indices) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(indices)])
    return np.arange(len(indices), dtype=np.int64) - np.repeat(starts, lengths) + 1


def timestamps(microseconds: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
    """Microseconds since 1970 UTC as Arrow's timestamps; null where a step was not reached."""
    return pa.array(microseconds, pa.int64(), mask=microseconds == NEVER_REACHED).cast(pa.timestamp("us", tz="UTC"))


def unit_names(funnel: Funnel, matched: Matched, attempts: Attempts | None = None) -> pa.Array:
    """The unit of each attempt (of some of them) as it is named."""
    chosen = matched.attempts if attempts is None else attempts
    numbers = pa.array(chosen.unit)
    columns = [spell(values.take(numbers)) for spell, values in zip(matched.spell, matched.unit_values, strict=True)]
    return units_named(funnel, columns, chosen.session)


def units_named(funnel: Funnel, columns: Sequence[pa.Array], sessions: np.ndarray[Any, Any]) -> pa.Array:
    """A unit as it is named: its value; of several columns their JSON list; of a session the unit and its number."""
    if len(columns) == 1 and not isinstance(funnel.count_by, SessionOf):
        return columns[0]
    if len(columns) == 1:
        names = [str(value) for value in columns[0].to_pylist()]
    else:
        names = [json.dumps(values) for values in zip(*(column.to_pylist() for column in columns), strict=True)]
    if isinstance(funnel.count_by, SessionOf):
        names = [f"{name}#{session}" for name, session in zip(names, sessions.tolist(), strict=True)]
    return pa.array(names, pa.string())
