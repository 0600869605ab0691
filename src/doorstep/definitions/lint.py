"""What looks wrong in a valid definition: one small function a rule, each finding with a stable code.

A *warning* says that a part of the definition cannot do what it seems to be there for, or that a count depends on
something the author may not have meant; a *note* says what is easily overlooked. What the data shows is in
`against_data`; what is not valid at all in `rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal

from doorstep.definitions import unreachable, words
from doorstep.definitions.against_data import against_data
from doorstep.definitions.funnel import Funnel, Reentry, Selector, Step
from doorstep.definitions.possible import can_hold, is_swallowed, may_share_row
from doorstep.definitions.selectors import reentry_path, selectors, ways
from doorstep.definitions.windows import Window
from doorstep.definitions.words import capital, duration
from doorstep.errors import Issue

Rule = Callable[[Funnel], Iterator[Issue]]


def lint(funnel: Funnel) -> tuple[Issue, ...]:
    """Every finding of every rule, in the order of the rules; the funnel must be valid."""
    return tuple(dict.fromkeys(issue for rule in RULES for issue in rule(funnel)))


def _issue(rule: str, level: Literal["warning", "note"], path: str, message: str, mend: str | None = None) -> Issue:
    return Issue(rule, level, message, None, path, mend)


def _at(position: int) -> str:
    return f"steps[{position}]"


# -- limits of time ----------------------------------------


def steps_have_a_window(funnel: Funnel) -> Iterator[Issue]:
    """`no-window`: nothing says how late a required step may come."""
    if funnel.window or funnel.order == "any":
        return
    for position in funnel.required[1:]:
        step = funnel.steps[position]
        if step.window or (step.any_of and all(one.window for one in step.any_of)):
            continue
        message = (
            f"{capital(words.step(step))} ({words.step_rows(step)}) has no window: it counts however late it comes, "
            "an attempt that waits for it never expires, and counts of past weeks go on growing."
        )
        mend = "Add one to the step (window: 7d), or one for the whole funnel."
        yield _issue("no-window", "warning", _at(position), message, mend)


def windows_bind(funnel: Funnel) -> Iterator[Issue]:
    """`window-never-binds`: another limit always comes first."""
    for position, step in enumerate(funnel.steps):
        holders = [(_at(position), step.window)]
        holders += [(f"{_at(position)}.any_of[{index}]", one.window) for index, one in enumerate(step.any_of)]
        for path, given in holders:
            for window in given:
                if (by := _tighter(funnel, given, window)) is not None:
                    message = f"The window {window} of {words.step(step)} never decides anything: {by} ends no later."
                    yield _issue("window-never-binds", "note", path, message, "Shorten it, or leave it out.")


def _tighter(funnel: Funnel, given: tuple[Window, ...], window: Window) -> str | None:
    """What ends no later than ``window`` whatever the rows, in words. Every clock is at or after the entry's."""
    if funnel.window and window.length >= funnel.window:
        return f"the funnel's own window ({duration(funnel.window)} after the attempt's first row)"
    same = [one for one in given if one.anchor == window.anchor and one.length < window.length]
    return f"its other window {same[0]}" if same else None


def last_has_a_limit(funnel: Funnel) -> Iterator[Issue]:
    """`last-without-window`: the latest of all rows there will ever be."""
    for position in funnel.required[1:]:
        step = funnel.steps[position]
        if step.dedupe == "last" and not (funnel.window or step.window):
            message = (
                f"{capital(words.step(step))} takes the latest row and has no window, so it takes the last one in the "
                "data: its times change as data comes in, and rows of later steps that came before it do not count."
            )
            yield _issue("last-without-window", "warning", _at(position), message, "Add a window, or dedupe: first.")


# -- steps that resemble each other ----------------------------------------


def steps_differ_from_the_one_before(funnel: Funnel) -> Iterator[Issue]:
    """`same-as-previous`: a second row of the same kind is asked for."""
    for position, before in _with_required_before(funnel):
        step, other = funnel.steps[position], funnel.steps[before]
        if _same_rows(step, other):
            message = (
                f"{capital(words.step(step))} asks for the same rows as {words.step(other)}: {words.step_rows(step)}. "
                f"One row never serves both, so a second one is needed for {words.step(step)}."
            )
            mend = "Change its event or filters, or leave it out, unless a repetition is what you count."
            yield _issue("same-as-previous", "warning", _at(position), message, mend)


def _with_required_before(funnel: Funnel) -> Iterator[tuple[int, int]]:
    for position in range(len(funnel.steps)):
        if before := [one for one in funnel.required if one < position]:
            yield position, before[-1]


def _same_rows(one: Step, other: Step) -> bool:
    return _rows_of(one) == _rows_of(other)


def _rows_of(step: Step) -> list[list[tuple[object, object]]]:
    return [[(part.event, part.condition) for _, part in way] for way in ways(step, "")]


def steps_share_no_rows(funnel: Funnel) -> Iterator[Issue]:
    """`overlapping-steps`: a row may be one of several required steps, and serves one."""
    before = dict(_with_required_before(funnel))
    for place, position in enumerate(funnel.required):
        step = funnel.steps[position]
        for earlier in funnel.required[:place]:
            other = funnel.steps[earlier]
            repeated = before[position] == earlier and _same_rows(step, other)
            if not repeated and any(may_share_row(one, two) for one in _parts(step) for two in _parts(other)):
                message = (
                    f"A row may be one of {words.step(other)} and of {words.step(step)}; it serves only one of them in "
                    "an attempt, so an attempt that reaches both has two rows."
                )
                yield _issue("overlapping-steps", "note", _at(position), message)


def _parts(step: Step) -> list[Selector]:
    return [part for way in ways(step, "") for _, part in way]


# -- exclusions ----------------------------------------


def exclusions_leave_the_steps(funnel: Funnel) -> Iterator[Issue]:
    """`excludes-own-step`: an exclusion names the event of a step, and takes some of its rows away."""
    kinds: tuple[tuple[str, tuple[Selector, ...], str], ...] = (
        ("exclude", funnel.exclude, "such a row never counts for the step"),
        ("exclude_units", funnel.exclude_units, f"{words.a(words.unit(funnel))} with such a row vanishes whole"),
    )
    for key, rules, effect in kinds:
        for index, rule in enumerate(rules):
            for step in funnel.steps:
                if _takes_some(rule, step):
                    yield _own_step(f"{key}[{index}]", key, rule, step, effect)


def _takes_some(rule: Selector, step: Step) -> bool:
    """Some rows of the step, and not all of them (that is `unreachable-step`)."""
    parts = [part for part in _parts(step) if not is_swallowed(part, [rule])]
    return not rule.any_event and any(not part.any_event and may_share_row(rule, part) for part in parts)


def _own_step(path: str, key: str, rule: Selector, step: Step, effect: str) -> Issue:
    message = (
        f"`{key}` names rows that {words.step(step)} counts: a row may be both {words.rows(rule)} and "
        f"{words.step_rows(step)}; {effect}."
    )
    mend = f"If that is not meant, let the filters of one rule out the rows of the other ({words.step(step)})."
    return _issue("excludes-own-step", "warning", path, message, mend)


def exclusions_between_leave_the_steps(funnel: Funnel) -> Iterator[Issue]:
    """`excludes-own-step`: a repetition of a step, between the steps where the exclusion stands, excludes."""
    for index, rule in enumerate(funnel.exclude_between):
        first, last = (funnel.positions[str(one)] for one in (rule.after, rule.before))
        effect = "dropped" if rule.effect == "drop" else "stopped"
        for position in range(first, last + 1):
            step = funnel.steps[position]
            parts = [part for part in _parts(step) if not part.any_event]
            if not rule.any_event and any(may_share_row(rule, part) for part in parts):
                where = f"between {words.step(rule.after)} and {words.step(rule.before)}"
                effects = f"a row {where} that the attempt does not use, such as a repetition, has it {effect}"
                yield _own_step(f"exclude_between[{index}]", "exclude_between", rule, step, effects)


def selectors_can_match(funnel: Funnel) -> Iterator[Issue]:
    """`never-matches`: filters that contradict themselves, outside steps."""
    for path, selector in selectors(funnel):
        if not path.startswith("steps") and not can_hold(selector.condition):
            message = f"No row can ever be {words.rows(selector)}: the filters contradict each other."
            yield _issue("never-matches", "warning", path, message, "Change the filters, or leave the rule out.")


# -- keys without effect ----------------------------------------


def reentry_matters(funnel: Funnel) -> Iterator[Issue]:
    """`reentry-no-effect`: another attempt is allowed, and can never count; or never is."""
    if isinstance(funnel.reentry, tuple):
        for index, rule in enumerate(funnel.reentry):
            if reason := _never_allows(funnel, rule):
                message = f"This re-entry rule never allows an attempt: {reason}."
                yield _issue("reentry-no-effect", "warning", reentry_path(funnel, index), message, "Change or drop it.")
    cuts = isinstance(funnel.reentry, tuple) and any(rule.interrupt for rule in funnel.reentry)
    drops = any(rule.effect == "drop" for rule in funnel.exclude_between)
    first = funnel.count == "unique" and funnel.represent == "first"
    if funnel.reentry != "never" and first and not cuts and not drops:
        message = (
            f"Each {words.unit(funnel)} counts once, by the attempt that started first, so that another attempt is "
            "allowed changes no count."
        )
        mend = "Write count: attempts, represent: best, or reentry: never."
        yield _issue("reentry-no-effect", "warning", "reentry", message, mend)


def _never_allows(funnel: Funnel, rule: Reentry) -> str | None:
    if rule.interrupt:
        return None
    after = set(rule.after)
    if rule.below_step is not None:
        if funnel.positions[str(rule.below_step)] <= funnel.entry_positions[0]:
            return f"every attempt reaches {words.step(rule.below_step)} or a later step when it starts"
        if after == {"completed"}:
            return f"an attempt that is completed has reached {words.step(rule.below_step)} or a later step"
    if after == {"excluded"} and not funnel.exclude_between:
        return "it asks that an attempt ended as excluded, and nothing between steps excludes any"
    return None


def represent_matters(funnel: Funnel) -> Iterator[Issue]:
    """`represent-no-effect`: there is nothing to choose from."""
    if funnel.represent == "best":
        return
    if funnel.count == "attempts":
        reason = "every attempt counts, so none stands for a unit"
    elif funnel.reentry == "never" and not funnel.hold_constant:
        reason = f"each {words.unit(funnel)} has one attempt only, since there is no re-entry"
    else:
        return
    message = f"`represent: {funnel.represent}` changes no count: {reason}."
    yield _issue("represent-no-effect", "note", "represent", message, "Leave it out.")


def nearest_has_two_sides(funnel: Funnel) -> Iterator[Issue]:
    """`dedupe-no-effect`: of rows that are all later than the step before, the nearest is the earliest."""
    for position in funnel.required[1:]:
        step = funnel.steps[position]
        if step.dedupe == "nearest" and not step.out_of_order:
            message = (
                f"{capital(words.step(step))} takes only rows that are not before the step that precedes it, of which "
                "the nearest is the earliest: `dedupe: nearest` does the same as `first`."
            )
            mend = "Leave it out, or add out_of_order."
            yield _issue("dedupe-no-effect", "note", _at(position), message, mend)


RULES: Final[tuple[Rule, ...]] = (
    unreachable.unreachable_steps,
    steps_have_a_window,
    windows_bind,
    last_has_a_limit,
    steps_differ_from_the_one_before,
    steps_share_no_rows,
    exclusions_leave_the_steps,
    exclusions_between_leave_the_steps,
    selectors_can_match,
    reentry_matters,
    represent_matters,
    nearest_has_two_sides,
)

__all__ = ["RULES", "against_data", "lint"]
