"""What a rule finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from doorstep.definitions.document import Path, spell
from doorstep.definitions.funnel import Alternative, Funnel, Step
from doorstep.errors import Issue


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule. ``path`` is in the funnel, short forms unfolded; ``on_key``: the key itself should not be."""

    code: str
    message: str
    path: Path
    suggestion: str | None = None
    on_key: bool = False

    @property
    def issue(self) -> Issue:
        """The same without a place in a file."""
        return Issue(self.code, "error", self.message, None, spell(self.path), self.suggestion)


Violations = Iterator[Violation]


def alternatives(funnel: Funnel) -> Iterator[tuple[int, Step, Path, Alternative]]:
    """Every alternative with its step's position, its step, and its own path."""
    for position, step in enumerate(funnel.steps):
        for index, alternative in enumerate(step.any_of):
            yield position, step, ("steps", position, "any_of", index), alternative


def required_ids(funnel: Funnel) -> dict[str, int]:
    """Required steps' ids, as text → position."""
    return {str(funnel.steps[position].id): position for position in funnel.required}


def first_required(funnel: Funnel) -> int | None:
    """The position of the first required step, if there is any."""
    return funnel.required[0] if funnel.required else None


def entries(funnel: Funnel) -> frozenset[int]:
    """Positions at which an attempt may start; names that no step has are passed over."""
    if isinstance(funnel.entry, tuple) and funnel.order != "any":
        known = required_ids(funnel)
        return frozenset(known[str(one)] for one in funnel.entry if str(one) in known)
    return frozenset(funnel.entry_positions)


__all__ = ["Violation", "Violations", "alternatives", "entries", "first_required", "required_ids"]
