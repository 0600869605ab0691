"""Steps, and ways through a step, that no row can ever reach, with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from doorstep.definitions import words
from doorstep.definitions.funnel import Funnel, Selector, Step
from doorstep.definitions.possible import can_hold, implies, is_swallowed
from doorstep.definitions.selectors import ways
from doorstep.definitions.windows import ENTRY, PREV, Window
from doorstep.definitions.words import capital, duration
from doorstep.errors import Issue


def unreachable_steps(funnel: Funnel) -> Iterator[Issue]:
    """`unreachable-step` and `unreachable-branch`. Steps behind an unreachable one are not listed again."""
    for position, step in enumerate(funnel.steps):
        path = f"steps[{position}]"
        dead = [(way[0][0], reason) for way in ways(step, path) if (reason := _dead_way(funnel, step, way))]
        reason = _out_of_time(funnel, position) or _first_row_is_taken(funnel, position)
        if len(dead) == max(1, len(step.any_of)):
            reason = dead[0][1]
        if reason:
            message = f"{capital(words.step(step))} can never be reached: {reason}."
            yield Issue("unreachable-step", "warning", message, None, path, "Change the step, or leave it out.")
            continue
        for place, why in dead:
            message = f"This way through {words.step(step)} can never be taken: {why}."
            yield Issue("unreachable-branch", "warning", message, None, place, "Change it, or leave it out.")


# -- rows ----------------------------------------


def _dead_way(funnel: Funnel, step: Step, way: list[tuple[str, Selector]]) -> str | None:
    return next((reason for _, selector in way if (reason := _no_rows(funnel, selector))), None) or _hurried(step, way)


def _no_rows(funnel: Funnel, selector: Selector) -> str | None:
    """Why no row is left for a selector, if none is."""
    if not can_hold(selector.condition):
        return f"no row can be {words.rows(selector)}, since its filters contradict each other"
    for key, rules in (("exclude", funnel.exclude), ("exclude_units", funnel.exclude_units)):
        if is_swallowed(selector, rules):
            return f"`{key}` takes away every row that is {words.rows(selector)}"
    if is_swallowed(selector, [*funnel.exclude, *funnel.exclude_units]):
        return f"`exclude` and `exclude_units` together take away every row that is {words.rows(selector)}"
    return None


def _first_row_is_taken(funnel: Funnel, position: int) -> str | None:
    """Where a step must be strictly later, a unit's first row of an event cannot come after another row of it."""
    step = funnel.steps[position]
    if not step.first_time or step.any_of or step.optional or step.out_of_order:
        return None
    if funnel.ties == "allow" and not step.min_gap:
        return None
    for earlier in funnel.required:
        other = funnel.steps[earlier]
        if max(funnel.entry_positions) <= earlier < position and not other.any_of and _is_among(other, step):
            return (
                f"it takes only the first ever row of {words.events(step.event)}, and {words.step(other)}, which comes "
                "strictly before it, takes one too"
            )
    return None


def _is_among(other: Step, step: Step) -> bool:
    """Whether every row of ``other`` is one among which ``step`` looks for the first."""
    names = step.any_event or (not other.any_event and set(other.event) <= set(step.event))
    return names and (step.first_time is True or implies(other.condition, step.condition))


# -- time ----------------------------------------


def _out_of_time(funnel: Funnel, position: int) -> str | None:
    """Why every row would come too late, wherever the attempt starts."""
    entries = [entry for entry in funnel.entry_positions if entry < position]
    if not entries or position in funnel.entry_positions or funnel.order == "any":
        return None
    reasons = [_too_late(funnel, position, entry) for entry in entries]
    return reasons[0] if all(reasons) else None


def _too_late(funnel: Funnel, position: int, entry: int) -> str | None:
    step = funnel.steps[position]
    limits = [*step.window, *([Window(funnel.window, ENTRY)] if funnel.window else [])]
    for window in limits:
        start = _anchor(funnel, position, entry, window)
        if start < entry:
            continue
        soonest = sum(funnel.steps[one].min_gap or 0 for one in funnel.required if start < one <= position)
        soonest -= step.out_of_order or 0
        if soonest > window.length:
            after = words.step(funnel.steps[start])
            return (
                f"the `min_gap` of steps puts it at least {duration(soonest)} after {after}, "
                f"and it may come at most {duration(window.length)} after that"
            )
    return None


def _anchor(funnel: Funnel, position: int, entry: int, window: Window) -> int:
    """The position of the step from which a window runs, in an attempt that started at ``entry``."""
    if window.anchor == ENTRY:
        return entry
    if window.anchor == PREV:
        return max(one for one in funnel.required if one < position)
    return funnel.positions[str(window.step)]


def _hurried(step: Step, way: list[tuple[str, Selector]]) -> str | None:
    """Why the rows of a way of several events cannot all come in time, if they cannot."""
    subs = next((one.steps for one in step.any_of if one.steps and any(one.steps[0] is part for _, part in way)), ())
    for sub in subs:
        for window in sub.window:
            if window.anchor == PREV and (sub.min_gap or 0) > window.length:
                return f"the `min_gap` of {words.rows(sub)} is longer than its window"
    total = sum(sub.min_gap or 0 for sub in subs)
    for window in step.window:
        if window.anchor == PREV and total > window.length:
            return f"the `min_gap` of its rows, {duration(total)} together, is longer than the window of the step"
    return None


__all__ = ["unreachable_steps"]
