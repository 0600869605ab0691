"""The sound part of a document that has faults, so that rules between keys are judged in the same reading.

What is left out could make a rule complain that would not otherwise: `beside_the_faults` drops such findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from doorstep.definitions.document import Path
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.rules import Violation, broken_rules

_NEEDED: Final[Mapping[str, object]] = {"funnel": "funnel", "count_by": "user_id"}
_DECISIVE: Final = frozenset({"id", "optional"})
"""Keys of a step without which nothing can be said about the others."""


def beside_the_faults(value: Mapping[str, object], faults: Sequence[Violation]) -> tuple[Violation, ...]:
    """Broken rules in what is left of a document when the faults are cut out; none when too little is left."""
    funnel = _sound_part(value, [_cut_for(fault) for fault in faults])
    if funnel is None:
        return ()
    gone = [place for fault in faults for place in _places(fault)]
    return tuple(one for one in broken_rules(funnel) if not any(_touch(one.path, place) for place in gone))


def _cut_for(fault: Violation) -> Path:
    """A whole key of the funnel, or of one of its steps: list items are not cut out singly, that would move others."""
    return fault.path[:3] if fault.path[0] == "steps" else fault.path[:1]


def _sound_part(value: Mapping[str, object], cuts: Iterable[Path]) -> Funnel | None:
    sound = {**_NEEDED, **value}
    steps = sound.get("steps")
    if not isinstance(steps, list):
        return None
    steps = [dict(step) if isinstance(step, dict) else step for step in steps]
    sound["steps"] = steps
    for cut in cuts:
        match cut:
            case (str(key),) if key != "steps":
                sound.pop(key, None)
                sound |= {needed: default for needed, default in _NEEDED.items() if needed == key}
            case (_, int(index), str(key)) if key not in _DECISIVE:
                steps[index].pop(key, None)
            case _:
                return None
    try:
        return Funnel.model_validate(sound)
    except ValidationError:
        return None


def _places(fault: Violation) -> Iterable[Path]:
    """Where the fault is, and where the key would be that was meant."""
    yield _cut_for(fault)
    if fault.code == "unknown-key" and fault.suggestion and "`" in fault.suggestion:
        yield (*fault.path[:-1], fault.suggestion.split("`")[1])


def _touch(one: Path, other: Path) -> bool:
    return one[: len(other)] == other or other[: len(one)] == one


__all__ = ["beside_the_faults"]
