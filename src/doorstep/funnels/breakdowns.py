"""Breakdowns: what attempts are told apart by, and the figures of each value (docs/answers.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from doorstep.definitions.funnel import Funnel
from doorstep.engines.duckdb import Matched
from doorstep.engines.lookups import Look
from doorstep.errors import RunError, nearest
from doorstep.funnels.figures import Figures, figures_of
from doorstep.matching.attempts import Attempts

MOST_GROUPS: Final = 1_000
"""How many values a breakdown shows at most; more is a mistake of property, and nothing anyone could read."""

STEP: Final = "step:"
PLACES: Final = ("entry", "last", "first_touch", "last_touch")


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Attempts by the values of ``property`` (a trait: ``unit.plan``), read ``at``:

    ``entry``: the entry row; ``step:ID``: the row of that step; ``last``: the row of the last step reached;
    ``first_touch`` and ``last_touch``: the first and last non-empty value that any of the unit's rows had by the entry.
    """

    property: str
    at: str = "entry"

    def __str__(self) -> str:
        return self.property if self.at == "entry" and "@" not in self.property else f"{self.property}@{self.at}"

    def look(self, funnel: Funnel) -> Look:
        """The same for an engine; RunError ``bad-breakdown`` for a place that is none."""
        step = self.at.removeprefix(STEP)
        if self.at.startswith(STEP) and step in funnel.positions:
            return Look(self.property, funnel.positions[step])
        for place in PLACES:
            if self.at == place:
                return Look(self.property, place)
        known = [*PLACES, *(f"{STEP}{one}" for one in funnel.positions)]
        near = nearest(self.at, known)
        mend = f"Did you mean {near}?" if near else f"It may be {', '.join(known)}."
        raise RunError("bad-breakdown", f"{self.at!r} is no place at which {self.property} could be read. {mend}")


def breakdown_of(given: str | Breakdown, funnel: Funnel) -> Breakdown:
    """``platform``, ``platform@last``, ``platform@step:paid`` or, short, ``platform@paid``: what follows the last ``@``
    is the place. RunError ``bad-breakdown``.
    """
    if isinstance(given, Breakdown):
        return given
    name, at_sign, place = given.rpartition("@")
    if not at_sign:
        name, place = given, "entry"
    elif place not in PLACES and place in funnel.positions:
        place = f"{STEP}{place}"
    if not name:
        raise RunError("bad-breakdown", f"the breakdown {given!r} names no property. Write platform or platform@last.")
    return Breakdown(name, place)


def breakdowns_of(given: str | Breakdown | Sequence[str | Breakdown] | None, funnel: Funnel) -> tuple[Breakdown, ...]:
    """One breakdown, or several taken together."""
    if given is None:
        return ()
    several = (given,) if isinstance(given, str | Breakdown) else tuple(given)
    if not all(isinstance(one, str | Breakdown) for one in several):
        raise RunError("bad-breakdown", f"a breakdown is a text or a Breakdown, or a list of them, not {given!r}.")
    return tuple(breakdown_of(one, funnel) for one in several)


@dataclass(frozen=True, slots=True)
class Other:
    """In the place of a value: all ``values`` that are not among the most entered, together."""

    values: int

    def __str__(self) -> str:
        return f"other ({self.values:,} {'value' if self.values == 1 else 'values'})"


Groups = tuple[tuple[object, Figures], ...]
"""(value, figures): None where there is no value, a tuple for several breakdowns, `Other` for the rest."""


def groups_of(funnel: Funnel, matched: Matched, counted: Attempts, by: Sequence[Breakdown], top: int | None) -> Groups:
    """The figures of each value, most entered first. With ``top`` only so many values, and the rest as `Other`; those
    without a value are neither. RunError ``too-many-values``, ``bad-top``.
    """
    if top is not None and not 1 <= top <= MOST_GROUPS:
        raise RunError("bad-top", f"top is {top}. Show at least 1 value and at most {MOST_GROUPS:,}.")
    order = np.argsort(counted.group, kind="stable")
    numbers, starts, entered = np.unique(counted.group[order], return_index=True, return_counts=True)
    missing = _missing(matched, numbers)
    values = int((~missing).sum())
    if top is None and values > MOST_GROUPS:
        raise RunError(
            "too-many-values",
            f"{', '.join(map(str, by))} has {values:,} values among the entries; a breakdown shows at most "
            f"{MOST_GROUPS:,}. Show the most entered ones with --top 20 (top=20), or break down by another property.",
        )
    shown = missing.copy()
    shown[_most_entered(matched, numbers, entered, ~missing, values if top is None else top)] = True
    places = np.split(order, starts[1:])
    told = dict(zip(numbers[shown].tolist(), values_of(matched, numbers[shown]), strict=True))
    found: list[tuple[object, Figures]] = [
        (told[int(number)], figures_of(funnel, counted.where(places[index])))
        for index, number in enumerate(numbers)
        if shown[index]
    ]
    found.sort(key=lambda one: (-one[1].entered, one[0] is None, str(one[0])))
    if shown.all():
        return tuple(found)
    rest = np.concatenate([places[index] for index in np.flatnonzero(~shown)])
    return (*found, (Other(int((~shown).sum())), figures_of(funnel, counted.where(rest))))


def values_of(matched: Matched, groups: NDArray[np.int32]) -> list[object]:
    """The values of these groups; of several breakdowns tuples."""
    at = pa.array(groups, mask=groups < 0)
    columns = [values.take(at).to_pylist() for values in matched.group_values]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def _missing(matched: Matched, groups: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether the group has no value (of any breakdown)."""
    at = pa.array(groups, mask=groups < 0)
    absent = np.ones(len(groups), np.bool_)
    for values in matched.group_values:
        absent &= values.take(at).is_null().to_numpy(zero_copy_only=False)
    return absent


def _most_entered(
    matched: Matched, groups: NDArray[np.int32], entered: NDArray[np.int64], among: NDArray[np.bool_], most: int
) -> NDArray[np.int64]:
    """The places of the ``most`` groups with most entries; of equally many those whose values come first as texts."""
    candidates = np.flatnonzero(among)
    if len(candidates) <= most:
        return candidates
    least = np.partition(entered[candidates], len(candidates) - most)[len(candidates) - most]
    sure = candidates[entered[candidates] > least]
    tied = candidates[entered[candidates] == least]
    at = pa.array(groups[tied], mask=groups[tied] < 0)
    texts = [pc.cast(values.take(at), pa.string()) for values in matched.group_values]
    table = pa.table(texts, names=[str(number) for number in range(len(texts))])
    first = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in table.column_names])
    return np.concatenate([sure, tied[first.to_numpy()[: most - len(sure)]]])


def notes_of(by: Sequence[Breakdown], groups: Groups, columns: Iterable[str]) -> tuple[str, ...]:
    """What to say when no attempt has a value of a property, which is most often a slip of the pen."""
    known = tuple(columns)
    found = []
    for number, one in enumerate(by):
        values = [value[number] if isinstance(value, tuple) else value for value, _ in groups]
        if values and all(value is None for value in values):
            near = None if one.property in known else nearest(one.property, known)
            who = "no entry has" if one.at == "entry" else f"nobody has (at {one.at})"
            found.append(f"{who} a value of {one.property}." + (f" Did you mean {near}?" if near else ""))
    return tuple(found)


__all__ = ["Breakdown", "Groups", "Other", "breakdowns_of", "groups_of", "notes_of", "values_of"]
