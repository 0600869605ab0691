"""Every place in a funnel that chooses rows, with its path in the document."""

from __future__ import annotations

from collections.abc import Iterator

from doorstep.definitions.funnel import Funnel, Selector, Step


def selectors(funnel: Funnel) -> Iterator[tuple[str, Selector]]:
    """Steps (or the ways through them), exclusions and re-entry events, in document order."""
    for key, rules in (("exclude", funnel.exclude), ("exclude_units", funnel.exclude_units)):
        yield from ((f"{key}[{index}]", rule) for index, rule in enumerate(rules))
    if not isinstance(funnel.reentry, str):
        for index, rule in enumerate(funnel.reentry):
            if rule.event is not None:
                yield f"{reentry_path(funnel, index)}.event", rule.event
    for position, step in enumerate(funnel.steps):
        for way in ways(step, f"steps[{position}]"):
            yield from way
    yield from ((f"exclude_between[{index}]", rule) for index, rule in enumerate(funnel.exclude_between))


def ways(step: Step, path: str) -> Iterator[list[tuple[str, Selector]]]:
    """The ways through a step, each the list of the rows that it takes."""
    if not step.any_of:
        yield [(path, step)]
    for index, one in enumerate(step.any_of):
        place = f"{path}.any_of[{index}]"
        if one.steps:
            yield [(f"{place}.steps[{number}]", sub) for number, sub in enumerate(one.steps)]
        else:
            yield [(place, one)]


def reentry_path(funnel: Funnel, index: int) -> str:
    """The path of one object of re-entry; a single one is nearly always written without a list."""
    return "reentry" if len(funnel.reentry) == 1 else f"reentry[{index}]"


__all__ = ["reentry_path", "selectors", "ways"]
