"""What a document may leave out or say in short (semantics 2), written out before the models see it.

`written_out` gives every step an id, puts the steps of ``optional_between`` in their places, and names the funnel.
Forms that are short for a single value (``no_within_7d``, a bare duration, one event for a list) are the models' own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from doorstep.definitions.document import Path
from doorstep.definitions.funnel import MOST_STEPS
from doorstep.definitions.rules.violation import Violation
from doorstep.errors import nearest

OPTIONAL_BETWEEN: Final = "optional_between"
_PLACE: Final = ("after", "before")
_NOT_ID: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_NOT_SLUG: Final = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class WrittenOut:
    """A document without short forms; ``origins[i]`` is where ``steps[i]`` stands in the document as written."""

    value: dict[str, object]
    origins: tuple[Path, ...]
    violations: tuple[Violation, ...]

    def origin(self, path: Path) -> Path:
        """A path in ``value`` as a path in the document."""
        if len(path) > 1 and path[0] == "steps" and isinstance(path[1], int) and path[1] < len(self.origins):
            return (*self.origins[path[1]], *path[2:])
        return path


def slug(name: str) -> str:
    """A funnel's name made of any text: lower case, with dashes for what a slug cannot hold."""
    return _NOT_SLUG.sub("-", name.lower()).strip("-_")[:100] or "funnel"


def written_out(value: Mapping[str, object], name: str) -> WrittenOut:
    """The document with nothing left to the position of things; ``name`` is taken when it has no ``funnel``."""
    document = {"funnel": slug(name), **value}
    between = document.pop(OPTIONAL_BETWEEN, [])
    steps = document.get("steps")
    if not isinstance(steps, list):
        return WrittenOut(document, (), ())
    folding = _Folding(steps)
    folding.fold(between)
    if len(folding.placed) > MOST_STEPS:
        message = f"The funnel has {len(folding.placed):,} steps; at most {MOST_STEPS} are possible."
        folding.violations.append(
            Violation("too-many-steps", message, ("steps",), "Cut it in two, or leave steps out.")
        )
    document["steps"] = [step for step, _ in folding.placed]
    return WrittenOut(document, tuple(origin for _, origin in folding.placed), tuple(folding.violations))


class _Folding:
    """The list of steps as it grows."""

    def __init__(self, steps: list[object]) -> None:
        self.violations: list[Violation] = []
        self.placed: list[tuple[object, Path]] = [
            ({"id": index + 1, **step} if isinstance(step, dict) else step, ("steps", index))
            for index, step in enumerate(steps)
        ]

    def fold(self, items: object) -> None:
        if not isinstance(items, list):
            message = "`optional_between` is a list of optional steps, each with `after`, `before` and `event`."
            self.violations.append(Violation("wrong-type", message, (OPTIONAL_BETWEEN,)))
            return
        for index, item in enumerate(items):
            path: Path = (OPTIONAL_BETWEEN, index)
            if isinstance(item, dict):
                step = {key: part for key, part in item.items() if key not in _PLACE}
                step = {"id": self.free_id(item), **step, "optional": item.get("optional", True)}
                self.placed.insert(self.place(item, path), (step, path))
                if step["optional"] is not True:
                    message = "A step of `optional_between` is optional."
                    self.violations.append(
                        Violation("wrong-type", message, (*path, "optional"), "Leave `optional` out.")
                    )
            else:
                self.placed.append((item, path))

    def free_id(self, item: Mapping[str, object]) -> str:
        """The step's event for an id, with a number behind it when another step has it already."""
        event = item.get("event")
        first = event[0] if isinstance(event, list) and event else event
        base = _NOT_ID.sub("_", str(first)).strip("_.-")[:50] if isinstance(first, str) else ""
        base, taken, count = base or "optional", self.ids(), 1
        free = base
        while free in taken:
            count += 1
            free = f"{base}_{count}"
        return free

    def ids(self) -> set[str]:
        return {str(step.get("id")) for step, _ in self.placed if isinstance(step, dict)}

    def required(self) -> dict[str, int]:
        """Required steps' ids → index among the placed."""
        return {
            str(step.get("id")): index
            for index, (step, _) in enumerate(self.placed)
            if isinstance(step, dict) and step.get("optional") is not True
        }

    def place(self, item: Mapping[str, object], path: Path) -> int:
        """Where to insert: right before the step ``before``, behind optional steps that already stand there."""
        required = self.required()
        bounds: dict[str, int] = {}
        for key in _PLACE:
            named = item.get(key)
            if named is None:
                self.violations.append(self.missing(key, path))
            elif str(named) not in required:
                self.violations.append(self.unknown(str(named), required, (*path, key)))
            else:
                bounds[key] = required[str(named)]
        if len(bounds) < len(_PLACE):
            return len(self.placed)
        between = [index for index in required.values() if bounds["after"] < index < bounds["before"]]
        if bounds["after"] >= bounds["before"] or between:
            message = f"Steps {item['after']} and {item['before']} do not follow each other."
            mend = "An optional step stands between two required steps with no other required step between them."
            self.violations.append(Violation("not-neighbours", message, (*path, "before"), mend))
            return len(self.placed)
        return bounds["before"]

    def missing(self, key: str, path: Path) -> Violation:
        message = f"`{key}` is missing: it says which step the optional one comes {key}."
        return Violation("missing-key", message, (*path, key))

    def unknown(self, named: str, required: Mapping[str, int], path: Path) -> Violation:
        near = nearest(named, required)
        mend = f"Did you mean {near}?" if near else f"The required steps are {', '.join(required) or 'none'}."
        if named in self.ids():
            message = f"Step {named} is optional; only required steps can be named here."
            return Violation("optional-step-named", message, path, mend)
        return Violation("unknown-step", f"No step has the id `{named}`.", path, mend)


__all__ = ["OPTIONAL_BETWEEN", "WrittenOut", "slug", "written_out"]
