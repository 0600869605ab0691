"""Which step of one definition is which step of another, when steps were added, removed, moved or renamed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.identity import canonical

_ELSEWHERE: Final = 1_000
"""Numbers from here on stand for steps that the other definition does not have."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """``pairs``: position before → position after. ``moved``: those of them whose order is another."""

    pairs: Mapping[int, int]
    moved: frozenset[int]

    def numbers(self, steps: int) -> Mapping[int, int]:
        """Position after → the number by which the definition before knows the step."""
        known = {after: before for before, after in self.pairs.items()}
        return {position: known.get(position, _ELSEWHERE + position) for position in range(steps)}


def same_places(funnel: Funnel) -> Alignment:
    """Every step is itself."""
    return Alignment({position: position for position in range(len(funnel.steps))}, frozenset())


def align(before: Funnel, after: Funnel) -> Alignment:
    """The steps that are most alike, in order; then, of those left over, the ones that only stand elsewhere."""
    old, new = _steps(before), _steps(after)
    alike = [[_likeness(one, two) for two in new] for one in old]
    pairs = _in_order(alike)
    moved: dict[int, int] = {}
    for place, one in enumerate(old):
        taken = {*pairs.values(), *moved.values()}
        elsewhere = [at for at, two in enumerate(new) if at not in taken and two.rows == one.rows]
        if place not in pairs and elsewhere:
            moved[place] = elsewhere[0]
    return Alignment(dict(sorted({**pairs, **moved}.items())), frozenset(moved))


@dataclass(frozen=True, slots=True)
class _Step:
    """What a step is known by; ``rows`` and ``rules`` are canonical, without references to other steps."""

    place: int
    id: str
    name: str | None
    events: frozenset[str]
    rows: str
    rules: str


def _steps(funnel: Funnel) -> list[_Step]:
    form: Any = canonical(funnel)["steps"]
    return [_step(place, step.id, step.name, form[place]) for place, step in enumerate(funnel.steps)]


def _step(place: int, step_id: object, name: str | None, form: Mapping[str, Any]) -> _Step:
    rows = {key: form[key] for key in ("event", "filters", "any_of") if key in form}
    window = {anchor: length for anchor, length in form["window"].items() if not anchor.startswith("step:")}
    rules = {**form, "window": window}
    return _Step(place, str(step_id), name, frozenset(_events(form)), json.dumps(rows), json.dumps(rules))


def _events(form: Mapping[str, Any]) -> Sequence[str]:
    inner = [*form.get("any_of", ()), *form.get("steps", ())]
    return [*form.get("event", ()), *(name for one in inner for name in _events(one))]


def _likeness(one: _Step, two: _Step) -> int:
    """Above all what rows they take, then what they are called, then where they stand."""
    if one.rules == two.rules:
        rows = 100
    elif one.rows == two.rows:
        rows = 60
    else:
        rows = 30 if one.events & two.events else 0
    name = 5 if one.name is not None and one.name == two.name else 0
    return rows + name + (5 if one.id == two.id else 0) + (one.place == two.place)


def _in_order(alike: Sequence[Sequence[int]]) -> dict[int, int]:
    """The pairs, in order on both sides, whose likeness is greatest in sum; those not at all alike stay alone."""
    rows, columns = len(alike), len(alike[0])
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            best[i][j] = max(alike[i][j] + best[i + 1][j + 1], best[i + 1][j], best[i][j + 1])
    pairs, i, j = {}, 0, 0
    while i < rows and j < columns:
        if alike[i][j] and best[i][j] == alike[i][j] + best[i + 1][j + 1]:
            pairs[i] = j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


__all__ = ["Alignment", "align", "same_places"]
