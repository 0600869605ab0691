"""How late a step may be: ``7d_after_prev`` (or just ``7d``), ``24h_after_entry``, ``2d_after_step_<id>``.

Semantics 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from doorstep.definitions.durations import PATTERN, format_duration, parse_positive_duration
from doorstep.definitions.quoting import quoted

PREV: Final = "prev"
ENTRY: Final = "entry"


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``length`` microseconds after ``anchor``, both ends included.

    ``anchor`` is ``"prev"``, ``"entry"`` or ``"step_<id>"``.
    """

    length: int
    anchor: str = PREV

    @property
    def step(self) -> str | None:
        """The id of the step it is anchored to, as text, or None for the previous step and the entry."""
        return self.anchor.removeprefix("step_") if self.anchor.startswith("step_") else None

    def __str__(self) -> str:
        return f"{format_duration(self.length)}_after_{self.anchor}"


_WINDOW: Final = re.compile(r"(?P<length>[^_]+)(?:_after_(?P<anchor>prev|entry|step_.+))?")


def _parse(text: object) -> Window:
    if isinstance(text, Window):
        return text
    found = _WINDOW.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise PydanticCustomError(
            "window",
            "{text} is not a window. Write a duration, with _after_prev (the default), _after_entry or "
            "_after_step_<id> behind it: 24h, 7d_after_entry, 2d_after_step_1.",
            {"text": quoted(text)},
        )
    return Window(parse_positive_duration(found["length"]), found["anchor"] or PREV)


def _parse_all(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


_PATTERN_SCHEMA = {"type": "string", "pattern": f"^{PATTERN}(_after_(prev|entry|step_.+))?$"}

Windows = Annotated[
    tuple[Annotated[Window, BeforeValidator(_parse)], ...],
    BeforeValidator(_parse_all),
    WithJsonSchema({"anyOf": [_PATTERN_SCHEMA, {"type": "array", "items": _PATTERN_SCHEMA}]}),
]
"""One window or a list of them; all must hold."""
