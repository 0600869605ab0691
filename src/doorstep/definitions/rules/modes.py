"""What ``order: consecutive``, ``order: any`` and ``match: furthest`` leave out (semantics 3 and 7)."""

from __future__ import annotations

from doorstep.definitions.document import Path
from doorstep.definitions.funnel import Funnel, Reentry
from doorstep.definitions.rules.steps import pacing_of
from doorstep.definitions.rules.violation import Violation, Violations, alternatives, entries, first_required


def consecutive_takes_the_next_row(funnel: Funnel) -> Violations:
    """The next row is the step or it is not: nothing to choose, to wait for, or to walk apart."""
    if funnel.order != "consecutive":
        return
    yield from _no_pacing(funnel, "consecutive-order", "order: consecutive")
    yield from _no_branches(funnel, "consecutive-order", "order: consecutive")


def any_order_has_one_window(funnel: Funnel) -> Violations:
    """The funnel's window is the only limit, and any step may be the entry."""
    if funnel.order != "any":
        return
    code, mode = "any-order", "order: any"
    if funnel.window is None:
        message = "With `order: any` the funnel needs a `window`: it is what ends an attempt."
        yield Violation(code, message, ("window",), "Add one beside `order`, such as window: 7d.")
    if "entry" in funnel.model_fields_set and funnel.entry != "any_step":
        message = "With `order: any` an attempt may start at any step."
        yield Violation(code, message, ("entry",), "Leave `entry` out.", on_key=True)
    if funnel.ties == "forbid":
        yield _not_here(code, mode, ("ties",))
    if funnel.exclude_between:
        yield _not_here(code, mode, ("exclude_between",))
    yield from _no_optional(funnel, code, mode)
    for position, step in enumerate(funnel.steps):
        if step.window and position != first_required(funnel):
            yield _not_here(code, mode, ("steps", position, "window"))
    for _, _, path, alternative in alternatives(funnel):
        if alternative.window and not alternative.steps:
            yield _not_here(code, mode, (*path, "window"))
    yield from _no_pacing(funnel, code, mode)
    yield from _no_branches(funnel, code, mode)


def any_order_reenters_simply(funnel: Funnel) -> Violations:
    """Re-entry is ``never``, ``always`` or one of the short forms."""
    if funnel.order != "any" or isinstance(funnel.reentry, str):
        return
    if len(funnel.reentry) != 1 or not _is_short_form(funnel.reentry[0]):
        yield Violation(
            "any-order",
            "With `order: any` re-entry is one of the short forms.",
            ("reentry",),
            "Write never, always, after_completion, after_timeout or no_within_<duration>.",
        )


def furthest_has_no_attempts(funnel: Funnel) -> Violations:
    """Furthest match asks for the deepest rows there are; what shapes single attempts has no meaning in it."""
    if funnel.match != "furthest":
        return
    code, mode = "furthest-match", "match: furthest"
    if funnel.count != "unique":
        yield Violation(
            code, "With `match: furthest` units are counted, not attempts.", ("count",), "Write count: unique."
        )
    if funnel.order != "sequential":
        yield _not_here(code, mode, ("order",))
    if funnel.reentry != "never":
        yield _not_here(code, mode, ("reentry",))
    if funnel.exclude_between:
        yield _not_here(code, mode, ("exclude_between",))
    if entries(funnel) - {first_required(funnel)} and funnel.order != "any":
        yield Violation(code, "With `match: furthest` the entry is step 1.", ("entry",), "Leave `entry` out.")
    yield from _no_optional(funnel, code, mode)
    yield from _no_pacing(funnel, code, mode)
    if funnel.order == "sequential":
        yield from _no_branches(funnel, code, mode)
    yield from _no_named_windows(funnel, code)


def _no_named_windows(funnel: Funnel, code: str) -> Violations:
    holders: list[tuple[Path, tuple[str | None, ...]]] = [
        (("steps", position), tuple(window.step for window in step.window))
        for position, step in enumerate(funnel.steps)
    ]
    holders += [(path, tuple(window.step for window in one.window)) for _, _, path, one in alternatives(funnel)]
    for path, named in holders:
        for index, name in enumerate(named):
            if name is not None:
                message = "With `match: furthest` a window starts at the step before or at the entry."
                mend = "Write _after_prev or _after_entry, or use match: declared."
                yield Violation(code, message, (*path, "window", index), mend)


def _no_pacing(funnel: Funnel, code: str, mode: str) -> Violations:
    for position, step in enumerate(funnel.steps):
        if not step.optional and position != first_required(funnel):
            for key in pacing_of(step):
                yield _not_here(code, mode, ("steps", position, key))


def _no_branches(funnel: Funnel, code: str, mode: str) -> Violations:
    starts = entries(funnel) if funnel.order != "any" else frozenset()
    for position, _, path, alternative in alternatives(funnel):
        if alternative.steps and position not in starts:
            yield _not_here(code, mode, (*path, "steps"))


def _no_optional(funnel: Funnel, code: str, mode: str) -> Violations:
    for position, step in enumerate(funnel.steps):
        if step.optional and position > 0:
            yield Violation(
                code,
                f"With `{mode}` no step is optional.",
                ("steps", position, "optional"),
                "Make it required, or leave the step out.",
                on_key=True,
            )


def _not_here(code: str, mode: str, path: Path) -> Violation:
    key = path[-1]
    return Violation(code, f"With `{mode}` there is no `{key}`.", path, f"Leave `{key}` out.", on_key=True)


def _is_short_form(rule: Reentry) -> bool:
    given = rule.model_fields_set
    if given == {"no_within"}:
        return True
    return given == {"after"} and set(rule.after) in ({"completed"}, {"completed", "expired"})


RULES = (
    consecutive_takes_the_next_row,
    any_order_has_one_window,
    any_order_reenters_simply,
    furthest_has_no_attempts,
)
