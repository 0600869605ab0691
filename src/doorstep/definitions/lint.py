"""What looks wrong in a definition that is valid, and what its data can never meet: one small function a finding."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from doorstep.definitions.conditions import ALWAYS, All, Condition, Scalar, Test, scalar_key, tests_of
from doorstep.definitions.durations import format_duration
from doorstep.definitions.funnel import Funnel, Selector, Step
from doorstep.errors import Issue, Level, nearest


def lint(funnel: Funnel) -> tuple[Issue, ...]:
    """Findings that need no data: ``no-window``, ``unreachable-step``, ``same-as-previous``, ``excludes-own-step``,
    ``window-never-binds``, ``represent-no-effect``.
    """
    return tuple(issue for find in _FINDINGS for issue in find(funnel))


def against_data(
    funnel: Funnel, *, kinds: Mapping[str, str], events: Collection[str], columns: Collection[str]
) -> tuple[Issue, ...]:
    """Findings against data: ``unknown-event`` (a name that no row has), ``unknown-property`` (no such column; may lie
    in JSON only where ``columns`` names it), ``impossible-literal`` (an error: ``kinds`` tells what typed columns hold).
    """
    found: list[Issue] = []
    for path, selector in _selectors(funnel):
        found += _unknown_events(path, selector, events)
        for test in tests_of(selector.condition):
            if test.property not in columns:
                found.append(_unknown_property(path, test.property, columns))
            elif test.property in kinds:
                found += _impossible(path, test, kinds[test.property])
    return tuple(dict.fromkeys(found))


def _issue(code: str, level: Level, path: str, message: str, suggestion: str | None = None) -> Issue:
    return Issue(code, level, message, None, path, suggestion)


# -- without data --------------------------------------------------------------------------------------------------------


def _no_window(funnel: Funnel) -> Iterator[Issue]:
    if funnel.window is not None or funnel.order == "any":
        return
    for position in funnel.required[1:]:
        step = funnel.steps[position]
        own = step.window or (step.any_of and all(one.window or one.steps for one in step.any_of))
        if not own:
            message = (
                f"step {step.id} has no window, so it counts however late it comes, and no attempt ever expires there."
            )
            yield _issue("no-window", "warning", f"steps[{position}]", message, "Give it a window, or the funnel one.")


def _unreachable(funnel: Funnel) -> Iterator[Issue]:
    earliest = 0
    for position in funnel.required:
        step = funnel.steps[position]
        path = f"steps[{position}]"
        earliest += step.min_gap or 0
        for window in step.window:
            if window.anchor == "prev" and (step.min_gap or 0) > window.length:
                least = format_duration(step.min_gap or 0)
                yield _issue(
                    "unreachable-step",
                    "warning",
                    path,
                    f"step {step.id} must come at least {least} after the step before it and at most {window}: never.",
                )
            elif window.anchor == "entry" and earliest > window.length and funnel.entry == "step1_only":
                yield _issue(
                    "unreachable-step",
                    "warning",
                    path,
                    f"the gaps up to step {step.id} add up to {format_duration(earliest)}, more than {window} allows.",
                )
    for path, selector in _selectors(funnel):
        if path.startswith("steps") and _contradicts(selector.condition):
            yield _issue(
                "unreachable-step", "warning", path, "its filters contradict each other, so no row can pass them."
            )
        swallowed = next(
            (rule for rule in funnel.exclude if path.startswith("steps") and _covers(rule, selector)), None
        )
        if swallowed is not None:
            message = "`exclude` takes away every row that could match, so the step can never be reached."
            yield _issue("unreachable-step", "warning", path, message, "Narrow the exclusion.")


def _contradicts(condition: Condition) -> bool:
    """Whether two `in` tests of one property, all of which must hold, have no value in common."""
    parts = condition.of if isinstance(condition, All) else (condition,)
    allowed: dict[str, set[tuple[int, float, str]]] = {}
    for part in parts:
        if isinstance(part, Test) and part.operator == "in":
            keys = {scalar_key(value) for value in part.operand}
            allowed[part.property] = allowed.get(part.property, keys) & keys
            if not allowed[part.property]:
                return True
    return False


def _covers(one: Selector, other: Selector) -> bool:
    """Whether every row that ``other`` selects is selected by ``one``, as far as can be said for sure."""
    if not (one.any_event or (not other.any_event and set(other.event) <= set(one.event))):
        return False
    return one.condition in (ALWAYS, other.condition)


def _same_as_previous(funnel: Funnel) -> Iterator[Issue]:
    before: Step | None = None
    for position, step in enumerate(funnel.steps):
        if before is not None and _asks(before) == _asks(step):
            yield _issue(
                "same-as-previous",
                "warning",
                f"steps[{position}]",
                f"step {step.id} asks for the same rows as step {before.id}; one row never serves both, so a second is needed.",
            )
        before = step


def _asks(step: Step) -> tuple[object, ...]:
    parts: tuple[Selector, ...] = step.any_of or (step,)
    return tuple((part.event, part.condition, getattr(part, "steps", ())) for part in parts)


def _excludes_own(funnel: Funnel) -> Iterator[Issue]:
    own = [(path, selector) for path, selector in _selectors(funnel) if path.startswith("steps")]
    rules = [(f"exclude[{n}]", rule, own) for n, rule in enumerate(funnel.exclude)]
    rules += [(f"exclude_units[{n}]", rule, own) for n, rule in enumerate(funnel.exclude_units)]
    for number, between in enumerate(funnel.exclude_between):
        low, high = funnel.positions.get(str(between.after), 0), funnel.positions.get(str(between.before), 0)
        inside = [(path, one) for path, one in own if low <= int(path[6 : path.index("]")]) <= high]
        rules.append((f"exclude_between[{number}]", between, inside))
    for path, rule, steps in rules:
        named = sorted({name for _, one in steps for name in set(one.event) & set(rule.event) if not rule.any_event})
        for name in named:
            yield _issue(
                "excludes-own-step",
                "warning",
                path,
                f"it excludes `{name}`, which a step of the funnel asks for.",
                "Make sure that its filters leave the rows that the step needs.",
            )


def _never_binds(funnel: Funnel) -> Iterator[Issue]:
    for position, step in enumerate(funnel.steps):
        for window in step.window:
            if funnel.window is not None and window.anchor == "entry" and window.length >= funnel.window:
                message = (
                    f"{window} never binds: the funnel's window of {format_duration(funnel.window)} ends no later."
                )
                yield _issue("window-never-binds", "note", f"steps[{position}].window", message)


def _represent_idle(funnel: Funnel) -> Iterator[Issue]:
    if "represent" not in funnel.model_fields_set:
        return
    if funnel.count == "attempts":
        yield _issue("represent-no-effect", "note", "represent", "`represent` has no effect: every attempt counts.")
    elif funnel.reentry == "never" and not funnel.hold_constant:
        yield _issue("represent-no-effect", "note", "represent", "`represent` has no effect: a unit has one attempt.")


_FINDINGS: Final[tuple[Callable[[Funnel], Iterator[Issue]], ...]] = (
    _no_window,
    _unreachable,
    _same_as_previous,
    _excludes_own,
    _never_binds,
    _represent_idle,
)


# -- against data --------------------------------------------------------------------------------------------------------


def _selectors(funnel: Funnel) -> Iterator[tuple[str, Selector]]:
    """Every selector of the definition with its path."""
    for key in ("exclude", "exclude_units", "exclude_between"):
        for number, rule in enumerate(getattr(funnel, key)):
            yield f"{key}[{number}]", rule
    for number, entry in enumerate(() if isinstance(funnel.reentry, str) else funnel.reentry):
        if entry.event is not None:
            yield f"reentry[{number}].event", entry.event
    for position, step in enumerate(funnel.steps):
        if not step.any_of:
            yield f"steps[{position}]", step
        for way, one in enumerate(step.any_of):
            if not one.steps:
                yield f"steps[{position}].any_of[{way}]", one
            for place, sub in enumerate(one.steps):
                yield f"steps[{position}].any_of[{way}].steps[{place}]", sub


def _unknown_events(path: str, selector: Selector, events: Collection[str]) -> Iterator[Issue]:
    for name in () if selector.any_event else selector.event:
        if name not in events:
            near = nearest(name, events)
            mend = f"Did you mean `{near}`?" if near else None
            yield _issue("unknown-event", "warning", path, f"the data has no event `{name}`.", mend)


def _unknown_property(path: str, name: str, columns: Collection[str]) -> Issue:
    near = nearest(name, columns)
    mend = f"Did you mean `{near}`?" if near else None
    return _issue("unknown-property", "warning", path, f"the data has no column or property `{name}`.", mend)


_HOLDS: Final = {
    "text": "texts",
    "boolean": "true and false",
    "integer": "whole numbers",
    "number": "numbers",
    "time": "times",
}


def _impossible(path: str, test: Test, kind: str) -> Iterator[Issue]:
    if test.operator == "exists" or kind not in _HOLDS:
        return
    for literal in test.operand:
        if not _comparable(literal, kind):
            message = (
                f"`{test.property}` holds {_HOLDS[kind]}, which {literal!r} can never equal: types are not coerced."
            )
            yield _issue("impossible-literal", "error", path, message, "Write the literal in the column's own type.")


def _comparable(literal: Scalar, kind: str) -> bool:
    if isinstance(literal, bool):
        return kind == "boolean"
    if isinstance(literal, str):
        return kind in ("text", "time")
    return kind in ("integer", "number")
