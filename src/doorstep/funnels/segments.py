"""Segments: some units by name, beside everyone: those that a filter describes at the entry, or those of a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from doorstep.definitions.conditions import Condition
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.reading import load
from doorstep.engines.duckdb import Matched
from doorstep.engines.lookups import MOST_SEGMENTS
from doorstep.errors import DefinitionError, RunError
from doorstep.funnels.figures import Figures, figures_of
from doorstep.funnels.spelling import figures_dict
from doorstep.funnels.table import unit_names
from doorstep.matching.attempts import Attempts


@dataclass(frozen=True, slots=True)
class UnitList:
    """Units by name, as in the ``unit`` column of attempts; ``described`` says whose list it is."""

    units: Sequence[str] | pa.Array = field(repr=False)
    described: str = "a list"


Given = Mapping[str, object] | UnitList | Iterable[str]
"""Filters (semantics 2) on the entry row's properties and the unit's traits as of then; or units by name."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A name with what it means: a condition on the entry row, or the names of units."""

    name: str
    condition: Condition | None = None
    units: pa.Array | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """The figures of the attempts whose entries are in a segment. Segments may overlap."""

    name: str
    figures: Figures

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"name": self.name, **figures_dict(self.figures)}


EMPTY: Final = "no entry is in the segment {name}."


def segments_of(given: Mapping[str, Given] | None) -> tuple[Segment, ...]:
    """Each by name. RunError ``bad-segment`` for what is neither filters nor a list of units."""
    found = tuple(_segment(name, one) for name, one in (given or {}).items())
    if len(found) > MOST_SEGMENTS:
        raise RunError("bad-segment", f"{len(found)} segments are more than can be compared; give {MOST_SEGMENTS}.")
    return found


def _segment(name: str, given: Given) -> Segment:
    if isinstance(given, Mapping):
        try:
            document = {"funnel": "segment", "count_by": "user_id", "steps": [{"event": "*", "filters": dict(given)}]}
            return Segment(name, condition=load(document).steps[0].condition)
        except DefinitionError as error:
            told = " ".join(issue.message for issue in error.issues)
            raise RunError("bad-segment", f"the segment {name!r} is no filter: {told}") from None
    units = given.units if isinstance(given, UnitList) else given
    if isinstance(units, pa.Array | pa.ChunkedArray):
        return Segment(name, units=units.cast(pa.string()))
    if isinstance(units, str) or not isinstance(units, Iterable):
        raise RunError(
            "bad-segment",
            f"the segment {name!r} is {units!r:.80}. Give filters, such as {{'plan': 'pro'}}, or a list of units.",
        )
    return Segment(name, units=pa.array([str(unit) for unit in units], pa.string()))


def segment_figures(
    funnel: Funnel, matched: Matched, counted: Attempts, segments: Sequence[Segment]
) -> tuple[SegmentFigures, ...]:
    """Figures of each segment, in the order given."""
    bits = matched.segments[matched.attempts.counted]
    names = (
        unit_names(funnel, matched, counted).cast(pa.string())
        if any(one.units is not None for one in segments)
        else None
    )
    found = []
    bit = 0
    for one in segments:
        if one.units is None:
            inside = (bits >> bit & 1).astype(np.bool_)
            bit += 1
        else:
            inside = pc.is_in(names, value_set=one.units).to_numpy(zero_copy_only=False)
        found.append(SegmentFigures(one.name, figures_of(funnel, counted.where(inside))))
    return tuple(found)


__all__ = ["EMPTY", "Given", "Segment", "SegmentFigures", "UnitList", "segment_figures", "segments_of"]
