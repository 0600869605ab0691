"""What is looked up beside the walk: values of properties at rows of an attempt, or as the unit's rows had them before.

A row carries its place through the kernel, so its values need no second reading. A touch may lie in a row that no step
matches, so touches are read on their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from doorstep.definitions.conditions import Condition, properties_of
from doorstep.engines.conditions import asks
from doorstep.engines.grouping import arrow, code
from doorstep.engines.stitching import unit_identities
from doorstep.matching.attempts import Attempts
from doorstep.matching.kernel import state
from doorstep.matching.plan import Plan, Question
from doorstep.rows.shape import fresh_name

if TYPE_CHECKING:
    from doorstep.engines.duckdb import Engine
    from doorstep.engines.query import Query

Codes = NDArray[np.int32]

MOST_SEGMENTS: Final = 62
"""Which segments a row is in is a number of so many bits."""


@dataclass(frozen=True, slots=True)
class Look:
    """One value of each attempt: ``of`` a property, at the row of a step (its position) or where the word says."""

    of: str
    at: int | Literal["entry", "last", "first_touch", "last_touch"] = "entry"

    @property
    def touches(self) -> bool:
        """Whether the value comes from any of the unit's rows."""
        return self.at in ("first_touch", "last_touch")


@dataclass(frozen=True, slots=True)
class Lookups:
    """``looks``: values to break attempts down by; ``segments``: conditions to ask of entry rows."""

    looks: tuple[Look, ...] = ()
    segments: tuple[Condition, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The properties whose values are carried with the rows."""
        return tuple(dict.fromkeys(one.of for one in self.looks if not one.touches))

    @property
    def properties(self) -> frozenset[str]:
        """What the segments look at."""
        return frozenset[str]().union(*(properties_of(one) for one in self.segments))


@dataclass(frozen=True, slots=True)
class Looked:
    """For each attempt the number of each look's value in ``values`` (-1: none), and the bits of its segments."""

    codes: Codes
    segments: NDArray[np.int64]


def look_up(
    table: NDArray[np.int32], rows: NDArray[np.void], plan: Plan, lookups: Lookups, codes: Codes, masks: pa.Array | None
) -> Looked:
    """For the kernel's table of attempts. ``codes``: by place, a column for each of `Lookups.columns`, then one for the
    numbers of ``masks`` if there are segments.
    """
    found = np.full((len(table), len(lookups.looks)), -1, np.int32)
    for number, look in enumerate(lookups.looks):
        if not look.touches:
            row = _row(table, rows, plan, look)
            column = codes[:, lookups.columns.index(look.of)]
            found[:, number] = np.where(row >= 0, column[rows["place"][row]], -1)
    segments = np.zeros(len(table), np.int64)
    if masks is not None and len(table):
        segments = masks.to_numpy(zero_copy_only=False)[codes[rows["place"][table[:, state.ENTRY]], -1]]
    return Looked(found, segments)


def _row(table: NDArray[np.int32], rows: NDArray[np.void], plan: Plan, look: Look) -> NDArray[np.int32]:
    """The row of each attempt at which the property is read; -1 for none."""
    if look.at == "entry":
        return table[:, state.ENTRY]
    if isinstance(look.at, int):
        return table[:, state.STEP_ROWS + look.at]
    taken = table[:, [state.STEP_ROWS + step.position for step in plan.required]]
    if plan.order == "any":
        reached = np.where(taken >= 0, rows["time"][taken], np.iinfo(np.int64).min)
    else:
        reached = np.where(taken >= 0, np.arange(taken.shape[1]), -1)
    last = taken.shape[1] - 1 - np.argmax(reached[:, ::-1], axis=1)
    found: NDArray[np.int32] = taken[np.arange(len(taken)), last]
    return found


def touched(
    engine: Engine, query: Query, attempts: Attempts, units: Sequence[pa.Array], look: Look
) -> tuple[Codes, pa.Array]:
    """(the number of each attempt's touch, the values): the first or the last non-empty value that a row of the unit
    had at or before the entry, whatever its event; of rows of equal time the least value.
    """
    rows = query.rows
    names = [f"u{number}" for number in range(len(units))]
    identities = [rows.identity(name) for name in unit_identities(query.funnel)]
    excluded = [asks(Question(one.event, one.condition), rows) for one in query.funnel.exclude]
    entries, touches = fresh_name("entries"), fresh_name("touches")
    numbers = pa.array(attempts.unit)
    columns = {name: values.take(numbers) for name, values in zip(names, units, strict=True)}
    columns |= {"entry": arrow(np.ascontiguousarray(attempts.entered_at))}
    columns |= {"place": arrow(np.arange(len(attempts), dtype=np.int64))}
    keys = ", ".join(names)
    selects = ", ".join(f"{sql} AS {name}" for sql, name in zip(identities, names, strict=True))
    visible = " AND ".join([rows.time_at_most(query.bounds.as_of), *(f"NOT {one}" for one in excluded)])
    inner = (
        f"SELECT {selects}, {rows.time} AS time, {rows.identity(look.of)} AS value FROM {rows.relation} WHERE {visible}"
    )
    engine.connection.register(entries, pa.table(columns))
    try:
        same = " AND ".join(f"e.{name} = t.{name}" for name in names)
        engine.execute(
            f"CREATE TEMP TABLE {touches} AS SELECT {keys}, time, min(value) AS value FROM ({inner})"
            f" WHERE value IS NOT NULL AND CAST(value AS VARCHAR) <> ''"
            f" AND ({keys}) IN (SELECT ({keys}) FROM {entries}) GROUP BY {keys}, time",
            "reading touches",
        )
        if look.at == "last_touch":
            joined = f"{entries} AS e ASOF LEFT JOIN {touches} AS t ON {same} AND e.entry >= t.time"
        else:
            firsts = f"(SELECT {keys}, min(time) AS time, arg_min(value, time) AS value FROM {touches} GROUP BY {keys})"
            joined = f"{entries} AS e LEFT JOIN {firsts} AS t ON {same} AND e.entry >= t.time"
        statement = f"SELECT t.value AS value FROM {joined} ORDER BY e.place"
        found = engine.execute(statement, "reading touches").to_arrow_table().column("value")
        engine.execute(f"DROP TABLE {touches}", "reading touches")
    finally:
        engine.connection.unregister(entries)
    coded = code([found])
    return coded.codes, coded.values[0]
