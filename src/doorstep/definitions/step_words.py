"""One step of a funnel in words: when a row may come to serve it, which of several does, and by which ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from doorstep.definitions import words
from doorstep.definitions.funnel import Alternative, Funnel, Selector, Step, SubStep
from doorstep.definitions.words import duration

START: Final = "the attempt's first row"


def previous(funnel: Funnel, position: int) -> str | None:
    """The required step before the one at ``position``: ``step 1``; None for the first."""
    before = [one for one in funnel.required if one < position]
    return words.step(funnel.steps[before[-1]]) if before else None


def when(funnel: Funnel, position: int) -> str:
    """When a row may come to serve the step at ``position``; empty for the first required step (semantics 3)."""
    before = previous(funnel, position)
    if before is None or funnel.order == "any":
        return ""
    return ", ".join([_from(funnel, position, before), *(until(funnel, position, before) or ["with no time limit"])])


def _from(funnel: Funnel, position: int, before: str) -> str:
    step = funnel.steps[position]
    if step.optional:
        return _between(funnel, position, before)
    if step.min_gap:
        return f"at least {duration(step.min_gap)} after {before}"
    if step.out_of_order:
        floor = funnel.required.index(position) - 2
        bound = f" but not before {words.step(funnel.steps[funnel.required[floor]])}" if floor >= 0 else ""
        if bound and len(funnel.entry_positions) > 1:
            bound += " (in attempts that reached it)"
        after = "strictly after" if funnel.ties == "forbid" else "at or after"
        return f"{after} {before}, or up to {duration(step.out_of_order)} before it{bound}"
    return f"later than {before}" if funnel.ties == "forbid" else f"at or after {before}"


def _between(funnel: Funnel, position: int, before: str) -> str:
    later = [one for one in funnel.required if one > position]
    if not later:
        return f"at or after {before}"
    after = words.step(funnel.steps[later[0]])
    return f"from {before} to {after}, both included (if {after} is not reached, to its deadline)"


def until(funnel: Funnel, position: int, before: str) -> list[str]:
    """The limits on how late the step may come, one phrase each."""
    latest_entry = min(max(funnel.entry_positions), position)
    limits = []
    for one in funnel.steps[position].window:
        skippable = one.step is not None and funnel.positions.get(one.step, 0) < latest_entry
        limits.append(words.window(one, before, skippable=skippable))
    if funnel.window:
        limits.append(f"at most {duration(funnel.window)} after {START}")
    return limits


def which(funnel: Funnel, position: int) -> str:
    """Which of several rows that would do is taken; empty where no such choice is made."""
    step, before = funnel.steps[position], previous(funnel, position)
    if before is None or funnel.match == "furthest" or funnel.order == "any":
        return ""
    return "the earliest that no required step uses" if step.optional else _dedupe(step, before)


def _dedupe(step: Step | SubStep, before: str) -> str:
    match step.dedupe:
        case "first":
            return "the earliest"
        case "last":
            return "the latest"
        case "nearest":
            return f"the one nearest in time to the row of {before} (of two as near, the later)"


def choice(funnel: Funnel, step: Step) -> Iterator[str]:
    """How one of several ways is chosen (semantics 3, *any_of*)."""
    if any(one.steps for one in step.any_of):
        yield (
            "That pick is made among the ways of a single event; it competes with each way of several events, which "
            "is passed at its last row, and the one passed earliest counts (on a draw the first listed)."
        )
    yield "A row that fits several ways counts as the first of them."
    if all(one.window for one in step.any_of) and not step.optional:
        yield "The deadline of the step is never later than the latest limit given below."


def way(funnel: Funnel, step: Step, number: int) -> str:
    """The ``number``-th way (from 1) through an ``any_of`` step."""
    one = step.any_of[number - 1]
    before = previous(funnel, funnel.positions[str(step.id)]) or START
    name = f"way {number}" + (f" ({one.name})" if one.name else "")
    if one.steps:
        return f"{name}: {walk(funnel, one, before)}"
    return f"{name}: " + ", ".join([words.rows(one), *(words.window(limit, before) for limit in one.window)])


def walk(funnel: Funnel, one: Alternative, before: str) -> str:
    """A way of several events: ``first `a`, at or after step 1, the earliest; then …``."""
    parts = [
        _sub_step(funnel, one, place, f"row {place} of this way" if place else before)
        for place in range(len(one.steps))
    ]
    return f"in this order: {'; then '.join(parts)}"


def _sub_step(funnel: Funnel, one: Alternative, place: int, before: str) -> str:
    sub = one.steps[place]
    siblings = {f"step_{earlier.id}": number for number, earlier in enumerate(one.steps[:place], start=1)}
    parts = [words.rows(sub) + (f" ({sub.name})" if sub.name else "")]
    if sub.min_gap:
        parts.append(f"at least {duration(sub.min_gap)} after {before}")
    else:
        parts.append(f"{'later than' if funnel.ties == 'forbid' else 'at or after'} {before}")
    for limit in sub.window:
        if limit.anchor in siblings:
            parts.append(f"at most {duration(limit.length)} after row {siblings[limit.anchor]} of this way")
        else:
            parts.append(words.window(limit, before))
    return ", ".join([*parts, f"{_dedupe(sub, before)} of several"])


def first_time(funnel: Funnel, step: Step) -> str:
    """What ``first_time`` asks of a step's row."""
    unit = words.unit(funnel)
    early = "rows before the date range are looked at too"
    if step.first_time == "matching":
        return f"Only the first ever such row of the {unit} can serve it; {early}."
    selectors: list[Selector] = (
        [part for one in step.any_of for part in (one.steps or (one,))] if step.any_of else [step]
    )
    names = sorted({name for selector in selectors for name in selector.event})
    events = words.events(["*"] if "*" in names else names)
    return (
        f"Only the {unit}'s first ever row of {events}, whatever its properties, can serve it, and only if it is one "
        f"of the rows asked for; {early}."
    )
