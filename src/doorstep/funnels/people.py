"""People: who reached a step, dropped out before it, may still come, or was excluded, with their times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from doorstep.definitions.funnel import Funnel
from doorstep.errors import RunError, nearest
from doorstep.funnels.figures import clocks_of, reached_of
from doorstep.funnels.table import timestamps, unit_names
from doorstep.matching.attempts import NEVER_REACHED, STATUSES, Attempts, Flags

if TYPE_CHECKING:
    from doorstep.funnels.result import FunnelResult

Outcome = Literal["reached", "dropped", "open", "excluded"]

AT_A_TIME: Final = 50_000
"""Rows of one batch."""


class AnyValue:
    """Stands for no choice of a value, since None is one."""

    def __repr__(self) -> str:
        return "ANY"


ANY: Final = AnyValue()


def step_position(funnel: Funnel, step: object) -> int:
    """The position of the step with this id (None: the last required one). RunError ``no-such-step``."""
    if step is None:
        return funnel.required[-1]
    if str(step) not in funnel.positions:
        near = nearest(str(step), funnel.positions)
        mend = f"Did you mean {near}?" if near else f"Its steps are {', '.join(funnel.positions)}."
        raise RunError("no-such-step", f"{funnel.funnel} has no step {step!r}. {mend}")
    return funnel.positions[str(step)]


def with_outcome(funnel: Funnel, attempts: Attempts, position: int, outcome: Outcome) -> Flags:
    """Which attempts have this outcome at the step.

    ``reached``: it counts there; ``dropped`` and ``open``: it counts at the required step before, not here, and is
    settled or may still come; ``excluded``: an exclusion ended it there, whether that leaves it counted or not.
    """
    if outcome not in get_args(Outcome):
        raise RunError("bad-outcome", f"{outcome!r} is no outcome. It may be {', '.join(get_args(Outcome))}.")
    reached = reached_of(funnel, attempts)
    here = reached[:, position]
    before = [required for required in funnel.required if required < position]
    came = reached[:, before[-1]] if before else np.zeros(len(attempts), bool)
    is_open = attempts.status == STATUSES.index("open")
    excluded = attempts.status == STATUSES.index("excluded")
    match outcome:
        case "reached":
            found = attempts.counted & here
        case "dropped":
            found = attempts.counted & came & ~here & ~is_open
        case "open":
            found = attempts.counted & came & ~here & is_open
        case "excluded":
            found = excluded & _passed_by_then(funnel, attempts, before[-1:])
            found &= ~_passed_by_then(funnel, attempts, [position])
    return np.asarray(found, np.bool_)


def _passed_by_then(funnel: Funnel, attempts: Attempts, positions: list[int]) -> Flags:
    """Whether the step was reached before the attempt ended; of no step false."""
    if not positions:
        return np.zeros(len(attempts), bool)
    reached = attempts.at[:, positions[0]] != NEVER_REACHED
    if positions[0] not in funnel.required:
        return np.asarray(reached & (attempts.at[:, positions[0]] <= attempts.ended_at))
    clocks = clocks_of(funnel, attempts)[:, funnel.required.index(positions[0])]
    return np.asarray(reached & (clocks <= attempts.ended_at))


def with_value(result: FunnelResult, attempts: Attempts, value: object) -> Flags:
    """Which attempts have this value of the breakdown (None: none). RunError ``no-such-value`` when nobody has it."""
    matched = result.matched
    if not matched.group_values:
        raise RunError("no-such-value", "nothing is broken down, so that no value can be chosen. Give a breakdown.")
    if value is None and len(matched.group_values) == 1:
        known = matched.group_values[0]
        empty = np.append(known.is_null().to_numpy(zero_copy_only=False), True)
        return np.asarray(empty[attempts.group], np.bool_)
    wanted = value if isinstance(value, tuple) else (value,)
    if len(wanted) != len(matched.group_values):
        raise RunError("no-such-value", f"{value!r} is not one value for each of {result.breakdown_by}.")
    same = np.ones(len(matched.group_values[0]) + 1, np.bool_)
    same[-1] = False
    for values, one in zip(matched.group_values, wanted, strict=True):
        same[:-1] &= _equal(values, one)
    found: Flags = same[attempts.group]
    if not found.any():
        near = nearest(str(value), [str(one) for one, _ in result.breakdown])
        mend = f" Did you mean {near}?" if near else ""
        raise RunError("no-such-value", f"no attempt has the value {value!r} of {result.breakdown_by}.{mend}")
    return found


def _equal(values: pa.Array, wanted: object) -> NDArray[np.bool_]:
    """A value as it is, or as it is written."""
    if wanted is None:
        return np.asarray(values.is_null().to_numpy(zero_copy_only=False))
    text = str(wanted).lower() if isinstance(wanted, bool) else str(wanted)
    same = pc.fill_null(pc.equal(pc.cast(values, pa.string()), text), False)
    return np.asarray(same.to_numpy(zero_copy_only=False))


def people_batches(
    result: FunnelResult, step: object, outcome: Outcome, breakdown_value: object
) -> Iterator[pa.RecordBatch]:
    """See `FunnelResult.people`; at least one batch, so that there is a schema."""
    funnel, matched = result.funnel, result.matched
    position = step_position(funnel, step)
    chosen = with_outcome(funnel, matched.attempts, position, outcome)
    if breakdown_value is not ANY:
        chosen &= with_value(result, matched.attempts, breakdown_value)
    order = _by_entry(result, np.flatnonzero(chosen))
    for begin in range(0, max(len(order), 1), AT_A_TIME):
        yield _batch(result, matched.attempts.where(order[begin : begin + AT_A_TIME]))


def _by_entry(result: FunnelResult, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """By entry, and of one instant by name: an order that depends on nothing else."""
    entered = result.matched.attempts.entered_at[places]
    places = places[np.argsort(entered, kind="stable")]
    entered = result.matched.attempts.entered_at[places]
    tied = np.zeros(len(places), bool)
    same = entered[1:] == entered[:-1]
    tied[1:] |= same
    tied[:-1] |= same
    at = np.flatnonzero(tied)
    if len(at):
        names = unit_names(result.funnel, result.matched, result.matched.attempts.where(places[at]))
        table = pa.table({"entered": entered[at], "unit": names, "session": result.matched.attempts.stream[places[at]]})
        keys = [("entered", "ascending"), ("unit", "ascending"), ("session", "ascending")]
        places[at] = places[at][pc.sort_indices(table, sort_keys=keys).to_numpy()]
    return places


def _batch(result: FunnelResult, attempts: Attempts) -> pa.RecordBatch:
    columns: dict[str, Any] = {
        "unit": unit_names(result.funnel, result.matched, attempts),
        "entered_at": timestamps(attempts.entered_at),
    }
    for position, step in enumerate(result.funnel.steps):
        columns[f"at_{step.id}"] = timestamps(attempts.at[:, position])
    columns["status"] = pa.array(STATUSES).take(pa.array(attempts.status))
    if result.matched.group_values:
        columns["value"] = _values(result, attempts)
    return pa.RecordBatch.from_pydict(columns)


def _values(result: FunnelResult, attempts: Attempts) -> pa.Array:
    """The value of one breakdown in its own type; of several a list of texts."""
    at = pa.array(attempts.group, mask=attempts.group < 0)
    columns = [values.take(at) for values in result.matched.group_values]
    if len(columns) == 1:
        return columns[0]
    texts = [pc.cast(column, pa.string()).to_pylist() for column in columns]
    return pa.array([list(row) for row in zip(*texts, strict=True)], pa.list_(pa.string()))


def people_table(result: FunnelResult, step: object, outcome: Outcome, breakdown_value: object) -> pa.Table:
    """See `FunnelResult.people`."""
    return pa.Table.from_batches(list(people_batches(result, step, outcome, breakdown_value)))


__all__ = ["ANY", "Outcome", "people_batches", "people_table", "step_position", "with_outcome", "with_value"]
