"""From the ledger to tables for other tools: in the lake, in files, in another database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import ColumnElement, select

from doorstep.lake import Lake
from doorstep.lake.stages import CURRENT, TRANSITIONS
from doorstep.ledger.ledger import Ledger
from doorstep.registry import JourneyAccountRow, JourneyRow, JourneyTransitionRow

_TIME = pa.timestamp("us", tz="UTC")
_TEXT, _WHOLE = pa.string(), pa.int64()
SCHEMAS: Mapping[str, pa.Schema] = {
    CURRENT: pa.schema(
        [
            *(("journey", _TEXT), ("account", _TEXT), ("stage", _TEXT), ("high_water", _TEXT), ("since", _TIME)),
            *(("born_at", _TIME), ("cycle", _WHOLE), ("updated_at", _TIME)),
        ]
    ),
    TRANSITIONS: pa.schema(
        [
            *(("seq", _WHOLE), ("transition_id", _TEXT), ("journey", _TEXT), ("account", _TEXT), ("to_stage", _TEXT)),
            *(("entry", _WHOLE), ("change", _TEXT), ("from_stage", _TEXT), ("skipped", pa.list_(_TEXT))),
            *(
                ("occurred_at", _TIME),
                ("detected_at", _TIME),
                ("cause", _TEXT),
                ("version", _WHOLE),
                ("evidence", _TEXT),
            ),
            ("updated_at", _TIME),
        ]
    ),
}


def hand_on(lake: Lake, ledger: Ledger) -> None:
    """Brings the lake's tables to what the ledger says. What was not handed on before, whyever, is now."""
    reached = lake.stages_reached()
    current, transitions = [], []
    with ledger.database.reading() as session:
        for name, cycle in session.execute(select(JourneyRow.name, JourneyRow.cycle)).all():
            last, shown = reached.get(name, (0, 0))
            if cycle:
                transitions.append(transitions_of(ledger, name, after=last))
                current.append(current_of(ledger, name, after=shown))
    tables = [
        pa.concat_tables([SCHEMAS[kind].empty_table(), *some])
        for kind, some in ((CURRENT, current), (TRANSITIONS, transitions))
    ]
    if any(one.num_rows for one in tables):
        lake.put_stages(*tables)


def current_of(ledger: Ledger, journey: str, *, after: int = 0) -> pa.Table:
    """Accounts whose standing is of a cycle later than ``after``; ``stage`` is null for one that is in none."""
    row = JourneyAccountRow
    names = ("journey", "account", "stage", "high_water", "since", "born_at", "cycle", "updated_at")
    return _table(ledger, CURRENT, row, names, [row.journey == journey, row.cycle > after], row.account)


def transitions_of(ledger: Ledger, journey: str, *, after: int = 0) -> pa.Table:
    """Lines of transitions with a later ``seq``, in its order."""
    row = JourneyTransitionRow
    names = [name for name in SCHEMAS[TRANSITIONS].names if name != "updated_at"]
    return _table(ledger, TRANSITIONS, row, names, [row.journey == journey, row.seq > after], row.seq)


def _table(
    ledger: Ledger, kind: str, row: Any, names: Sequence[str], where: Sequence[ColumnElement[bool]], order: Any
) -> pa.Table:
    query = select(*(getattr(row, name) for name in names)).where(*where).order_by(order)
    with ledger.database.reading() as session:
        lines = session.execute(query).all()
    columns: dict[str, list[Any]] = {name: [line[place] for line in lines] for place, name in enumerate(names)}
    if "skipped" in columns:
        columns["skipped"] = [json.loads(one) for one in columns["skipped"]]
        columns["updated_at"] = columns["detected_at"]
    return pa.table(columns, schema=SCHEMAS[kind])


__all__ = ["SCHEMAS", "current_of", "hand_on", "transitions_of"]
