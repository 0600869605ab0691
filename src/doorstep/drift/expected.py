"""What definitions suppose of the rows: which events they name, which properties they look at, and at which steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from doorstep.definitions.conditions import Condition, properties_of, tests_of
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.selectors import selectors

_STEP = re.compile(r"steps\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Use:
    """A place in a definition that relies on an event and perhaps on a property of it; ``literals`` it compares with,
    as texts; ``unit``: the property is what is counted.
    """

    funnel: str
    place: str
    event: str
    property: str | None = None
    literals: tuple[str, ...] = ()
    unit: bool = False


def uses(funnels: Sequence[Funnel]) -> tuple[Use, ...]:
    """Every event that is named, every property looked at on it, and the unit's columns on every step's events.

    A rule about any event, such as an exclusion of staff, is held against the events of the steps.
    """
    return tuple(dict.fromkeys(use for funnel in funnels for use in _uses(funnel)))


def _uses(funnel: Funnel) -> Iterator[Use]:
    found = tuple(selectors(funnel))
    named = dict.fromkeys(
        name for path, one in found if path.startswith("steps") and not one.any_event for name in one.event
    )
    for path, selector in found:
        place = _place(funnel, path)
        for event in named if selector.any_event else selector.event:
            if not selector.any_event:
                yield Use(funnel.funnel, place, event)
            for name in sorted(properties_of(selector.condition)):
                yield Use(funnel.funnel, place, event, name, _literals(selector.condition, name))
            if place.startswith("step "):
                for name in (*funnel.unit_columns, *funnel.hold_constant):
                    yield Use(funnel.funnel, place, event, name, unit=True)


def _place(funnel: Funnel, path: str) -> str:
    found = _STEP.match(path)
    return f"step {funnel.steps[int(found[1])].id}" if found else path.partition(".")[0]


def _literals(condition: Condition, name: str) -> tuple[str, ...]:
    literals = [
        str(one).lower() if isinstance(one, bool) else str(one)
        for test in tests_of(condition)
        if test.property == name and test.operator in ("in", "not_in")
        for one in test.operand
    ]
    return tuple(dict.fromkeys(literals))
