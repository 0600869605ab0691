"""What a run gives back: figures, the attempts they are made of, and how the data stood."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from doorstep.definitions.funnel import Funnel, SessionOf
from doorstep.engines.duckdb import Matched
from doorstep.funnels.figures import Figures, StepFigures
from doorstep.matching.attempts import NEVER_REACHED, STATUSES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(microseconds: int | None) -> str | None:
    """ISO 8601 in UTC, microseconds only where there are any; None stays None."""
    if microseconds is None:
        return None
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")


def json_value(value: object) -> object:
    """A value of the data as JSON can say it: numbers that are none as texts (``"NaN"``, ``"-Infinity"``), times as
    ISO 8601 in UTC, decimals as numbers; what else JSON has no form for, as its text.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return json_value(float(value))
    if isinstance(value, Mapping):
        return {str(key): json_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


@dataclass(frozen=True, slots=True)
class Data:
    """What was read. ``rejected``: reason → rows that could not be used; bounds are microseconds UTC; ``snapshot``: of
    a lake, None for all else.
    """

    description: str
    rows: int
    matched: int
    units: int
    since: int | None
    until: int | None
    as_of: int
    rejected: Mapping[str, int]
    notes: tuple[str, ...]
    snapshot: int | None = None


@dataclass(frozen=True)
class FunnelResult:
    """The answer of one run: ``steps`` and ``figures`` to read, ``attempts`` to look behind them."""

    funnel: Funnel
    hash: str
    figures: Figures
    data: Data
    breakdown: tuple[tuple[object, Figures], ...]
    breakdown_by: str | None
    matched: Matched

    @property
    def steps(self) -> tuple[StepFigures, ...]:
        """The figures of each step, in order."""
        return self.figures.steps

    @property
    def unit(self) -> str:
        """What is counted, in a word."""
        funnel, stitch = self.funnel, self.funnel.stitch
        of = ", ".join(funnel.unit_columns) if stitch is None else f"stitched {stitch.known}"
        return f"session of {of}" if isinstance(funnel.count_by, SessionOf) else of

    @cached_property
    def attempts(self) -> pa.Table:
        """Every attempt, dropped ones too, by unit and entry: ``unit, attempt, entered_at, entry_step, status, reached,
        counted, dropped``, then ``at_<id>`` for each step, the branch taken at each `any_of` step, and the values that
        were held constant.
        """
        return attempts_table(self.funnel, self.matched)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of a run: what ``doorstep run --json`` prints."""
        data = self.data
        return {
            "funnel": {"name": self.funnel.funnel, "hash": self.hash, "semantics": self.funnel.semantics},
            "data": {
                "rows": data.rows,
                "matched": data.matched,
                "units": data.units,
                "since": instant(data.since),
                "until": instant(data.until),
                "as_of": instant(data.as_of),
                "rejected": dict(data.rejected),
                "notes": list(data.notes),
                **({} if data.snapshot is None else {"snapshot": data.snapshot}),
            },
            "unit": self.unit,
            "count": self.funnel.count,
            **_figures(self.figures),
            "breakdown": [
                {"property": self.breakdown_by, "value": json_value(value), **_figures(figures)}
                for value, figures in self.breakdown
            ],
        }

    def _repr_html_(self) -> str:
        """A table with bars, for notebooks."""
        lines = []
        for step in self.steps:
            share = step.from_start or 0.0
            bar = (
                '<div style="background:#dbe4ff;width:160px"><div style="background:#4263eb;height:12px;'
                f'width:{share * 160:.0f}px"></div></div>'
            )
            cells = [
                html.escape(str(step.name)) + (" (optional)" if step.optional else ""),
                bar,
                f"{step.count:,}",
                percent(step.from_start),
                percent(step.from_previous),
            ]
            lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        head = "".join(f"<th>{name}</th>" for name in ("step", "", "count", "of entered", "of previous"))
        title = html.escape(self.funnel.title or self.funnel.funnel)
        return f"<table><caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def percent(share: float | None) -> str:
    """``41.3 %``; a dash for a ratio over zero."""
    return "–" if share is None else f"{share * 100:.1f} %"


def _figures(figures: Figures) -> dict[str, Any]:
    found = asdict(figures)
    for step in found["steps"]:
        step["branches"] = list(step["branches"])
        step["from_entry_seconds"] = step.pop("from_entry")
    found["steps"] = list(found["steps"])
    return found


def attempts_table(funnel: Funnel, matched: Matched) -> pa.Table:
    """See `FunnelResult.attempts`."""
    attempts = matched.attempts
    ids = [step.id for step in funnel.steps]
    numeric = all(isinstance(one, int) for one in ids)
    entry_ids = pa.array([ids[position] if numeric else str(ids[position]) for position in funnel.required])
    columns: dict[str, Any] = {
        "unit": _units(funnel, matched),
        "attempt": pa.array(np.zeros(len(attempts), np.int64)),
        "entered_at": _timestamps(attempts.entered_at),
        "entry_step": entry_ids.take(pa.array(attempts.entry_rank)),
        "status": pa.array(STATUSES).take(pa.array(attempts.status)),
        "reached": pa.array(attempts.reached.astype(np.int64)),
        "counted": pa.array(attempts.counted),
        "dropped": pa.array(attempts.dropped),
    }
    for position, step in enumerate(ids):
        columns[f"at_{step}"] = _timestamps(attempts.at[:, position])
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


def _timestamps(microseconds: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
    return pa.array(microseconds, pa.int64(), mask=microseconds == NEVER_REACHED).cast(pa.timestamp("us", tz="UTC"))


def _units(funnel: Funnel, matched: Matched) -> pa.Array:
    numbers = pa.array(matched.attempts.unit)
    columns = [values.take(numbers) for values in matched.units]
    return units_named(funnel, columns, matched.attempts.session)


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
