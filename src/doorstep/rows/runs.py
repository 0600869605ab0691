"""Events that lie sorted: the rows of each event by unit, then time, in arrays that a store keeps beside its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from doorstep.rows.facts import Facts
from doorstep.rows.needs import Needs
from doorstep.rows.values import Kind


@dataclass(frozen=True, slots=True)
class Coded:
    """A property of few values: ``values[codes[i]]`` is that of row i, None where it has none."""

    codes: NDArray[np.uint16]
    values: tuple[Any, ...]


class Run(Protocol):
    """Some rows of one event, by unit, then time."""

    @property
    def units(self) -> NDArray[np.int32]:
        """The number of each row's unit, ascending; 0 where it has none. Read-only."""
        ...

    @property
    def times(self) -> NDArray[np.int64]:
        """Microseconds UTC, ascending within a unit. Read-only."""
        ...

    def coded(self, name: str) -> Coded | None:
        """A property of `Needs` of each row; None when it has too many values, or stands where runs do not reach."""
        ...


class EventRuns(Protocol):
    """The events of a store at a snapshot, each once, as runs."""

    @property
    def description(self) -> str:
        """What this is, for people."""
        ...

    @property
    def snapshot(self) -> int:
        """Which state of the store this is."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of everything that some row has."""
        ...

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """What the first place of each property holds, where that is of one type."""
        ...

    def facts(self) -> Facts:
        """What the source is like as a whole."""
        ...

    def of(self, event: str) -> tuple[Run, ...] | None:
        """All rows of an event; None when they cannot be had as runs."""
        ...

    @property
    def spell(self) -> Callable[[pa.Array], pa.Array]:
        """From numbers of units to their texts."""
        ...


@runtime_checkable
class Indexed(Protocol):
    """A store that may have its rows as runs."""

    def open_runs(self, needs: Needs) -> EventRuns | None:
        """The rows as runs, where that is all that the run needs of them; None: ask for rows."""
        ...


def open_runs(source: object, needs: Needs) -> EventRuns | None:
    """The rows of ``source`` as runs, if it is a store that has them so."""
    return source.open_runs(needs) if isinstance(source, Indexed) else None
