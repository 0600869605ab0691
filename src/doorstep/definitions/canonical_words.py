"""Parts of the canonical form (see `identity`) in words: the language's own spellings, and rows as the prose says them.

Everything is said from the canonical form, so that what the hash takes for one is never said in two ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from doorstep.definitions import words
from doorstep.definitions.conditions import ALWAYS, All, AnyOf, Condition, Not, Test
from doorstep.definitions.durations import format_duration

NONE: Final = "none"
_LENGTHS: Final = frozenset({"window", "gap", "min_gap", "out_of_order", "no_within", "inactive"})
_ROWS: Final = frozenset({"event", "filters", "any_of", "steps"})
_ENDINGS: Final = 3


@dataclass(frozen=True, slots=True)
class Spoken:
    """Says parts of one definition's canonical form; ``ids`` are its steps' ids, by position."""

    ids: tuple[str, ...]

    def value(self, key: str, value: Any) -> str:
        """Any part, by the key it stands under; ``none`` for what is not declared."""
        if value is None or value in ([], {}):
            return NONE
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int) and key in _LENGTHS:
            return format_duration(value)
        if isinstance(value, list):
            told = ", ".join(self.value(key, one) for one in value)
            return told if len(value) == 1 else f"[{told}]"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{name}: {self.value(name, one)}' for name, one in value.items())}}}"
        return str(value)

    def rows(self, selector: Mapping[str, Any]) -> str:
        """The rows of a selector: ```signup` where country is CA or US``."""
        return words.events(selector["event"]) + words.where(condition_of(selector["filters"]))

    def filters(self, condition: Any) -> str:
        """A condition, ``none`` for one that every row meets."""
        found = condition_of(condition)
        return NONE if found == ALWAYS else words.condition(found)

    def window(self, windows: Mapping[str, int]) -> str:
        """Windows as a document writes them: ``7d, 14d_after_entry``."""
        return ", ".join(self._windows(windows)) or NONE

    def _windows(self, windows: Mapping[str, int]) -> Iterator[str]:
        for anchor, length in sorted(windows.items(), key=lambda one: (one[0] != "prev", one[0])):
            kind, _, place = anchor.partition(":")
            if kind == "step":
                after = f"_after_step_{self.ids[int(place)]}"
            elif kind == "sub":
                after = f"_after_row_{int(place) + 1}_of_this_way"
            else:
                after = "" if anchor == "prev" else f"_after_{anchor}"
            yield f"{format_duration(length)}{after}"

    def step(self, step: Mapping[str, Any]) -> str:
        """A whole step: its rows, then whatever is not a default."""
        told = " or ".join(map(self.way, step["any_of"])) if "any_of" in step else self.rows(step)
        return ", ".join([told, *self._rules(step)])

    def way(self, way: Mapping[str, Any]) -> str:
        """One alternative of an `any_of` step, in brackets where it is a walk."""
        if "steps" in way:
            return f"({' then '.join(map(self.step, way['steps']))})"
        return ", ".join([self.rows(way), *self._rules(way)])

    def _rules(self, holder: Mapping[str, Any]) -> Iterator[str]:
        for key, value in holder.items():
            if key in _ROWS or value is None or value is False or value in ({}, "first"):
                continue
            yield "optional" if key == "optional" else f"{key} {self.field(key, value)}"

    def field(self, key: str, value: Any) -> str:
        """The value of a step's rule."""
        return self.window(value) if isinstance(value, dict) else self.value(key, value)

    def entry(self, positions: Sequence[int]) -> str:
        """The steps an attempt may start at, by id."""
        return words.listed([f"step {self.ids[position]}" for position in positions], "or")

    def reentry(self, rule: Mapping[str, Any]) -> str:
        """One object of re-entry, without what is a default: ``{no_within: 7d}``; ``{}`` when all is."""
        told = {key: value for key, value in rule.items() if value is not None and value is not False}
        if len(told["after"]) == _ENDINGS and len(told) > 1:
            del told["after"]
        return f"{{{', '.join(f'{key}: {self.reentry_field(key, value)}' for key, value in told.items())}}}"

    def reentry_field(self, key: str, value: Any) -> str:
        """The value of one key of an object of re-entry."""
        if key == "event" and value is not None:
            return self.rows(value)
        return self.ids[value] if key == "below_step" and value is not None else self.value(key, value)

    def exclusion(self, rule: Mapping[str, Any]) -> str:
        """A row that must not come between two steps, without what it does."""
        return f"{self.rows(rule)} between step {self.ids[rule['after']]} and step {self.ids[rule['before']]}"


def condition_of(canonical: Any) -> Condition:
    """The condition that has this canonical form."""
    if isinstance(canonical, list):
        name, operator, operand = canonical
        return Test(name, operator, tuple(operand))
    [(group, inner)] = canonical.items()
    if group == "not":
        return Not(condition_of(inner))
    parts = tuple(map(condition_of, inner))
    return All(parts) if group == "all" else AnyOf(parts)


__all__ = ["NONE", "Spoken", "condition_of"]
