"""Steps that are named must exist, be required, and stand where the naming makes sense (semantics 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from doorstep.definitions.document import Path
from doorstep.definitions.funnel import ExpectedAttempt, Funnel, SessionOf
from doorstep.definitions.quoting import cut
from doorstep.definitions.rules.violation import Violation, Violations, alternatives, required_ids
from doorstep.definitions.windows import Window
from doorstep.errors import nearest


def ids_are_unique(funnel: Funnel) -> Violations:
    """Ids are compared as text, so ``1`` and ``"1"`` are one id."""
    first: dict[str, int] = {}
    for position, step in enumerate(funnel.steps):
        before = first.setdefault(str(step.id), position)
        if before == position:
            continue
        message = f"Step number {position + 1} has the id `{step.id}`, as step number {before + 1} has."
        mend = "Give each step an id of its own; a step without one has its position for an id."
        yield Violation("duplicate-step", message, ("steps", position, "id"), mend)


def stitched_columns_differ(funnel: Funnel) -> Violations:
    """One column cannot say both who is known and who is not."""
    stitch, account = funnel.stitch, funnel.account
    if stitch is None:
        return
    path: Path = ("count_by", "session_of") if isinstance(funnel.count_by, SessionOf) else ("count_by",)
    if stitch.known == stitch.anonymous:
        of: Path = (*path, "stitch") if account is None else (*path, "account_of", "stitch")
        message = f"`known` and `anonymous` name the same column, `{cut(stitch.known)}`, so nothing is stitched."
        yield Violation("stitch-one-column", message, (*of, "anonymous"), "Name the column of devices or visitors.")
    if account in (stitch.known, stitch.anonymous):
        message = f"`account` names a column of users, `{cut(account)}`, so nobody could have an account."
        yield Violation("account-one-column", message, (*path, "account"), "Name the column of accounts.")


def entry_steps_exist(funnel: Funnel) -> Violations:
    """``entry`` names required steps, at least one."""
    if not isinstance(funnel.entry, tuple):
        return
    if not funnel.entry:
        yield Violation(
            "bad-entry",
            "`entry` names no step, so nothing could ever start.",
            ("entry",),
            "Write step1_only, any_step, or a list of step ids.",
        )
    for index, step_id in enumerate(funnel.entry):
        yield from _named(funnel, str(step_id), ("entry", index))


def exclusions_span_two_steps(funnel: Funnel) -> Violations:
    """``after`` and ``before`` name required steps, in this order."""
    known = required_ids(funnel)
    for index, rule in enumerate(funnel.exclude_between):
        path = ("exclude_between", index)
        yield from _named(funnel, str(rule.after), (*path, "after"))
        yield from _named(funnel, str(rule.before), (*path, "before"))
        after, before = known.get(str(rule.after)), known.get(str(rule.before))
        if after is not None and before is not None and after >= before:
            yield Violation(
                "exclusion-order",
                f"Step {rule.after} does not come before step {rule.before}, so nothing lies between them.",
                (*path, "before"),
                "Let `after` name the earlier step." if after > before else "Name two different steps.",
            )


def reentry_steps_exist(funnel: Funnel) -> Violations:
    """``below_step`` names a required step."""
    for index, rule in enumerate(funnel.reentry if isinstance(funnel.reentry, tuple) else ()):
        if rule.below_step is not None:
            yield from _named(funnel, str(rule.below_step), ("reentry", index, "below_step"))


def examples_name_steps(funnel: Funnel) -> Violations:
    """What an example expects ``at`` a step is of a step that there is, optional ones too."""
    for index, example in enumerate(funnel.examples):
        attempts = example.expect.attempts or ()
        expected: list[tuple[ExpectedAttempt, Path]] = [(example.expect, ())]
        expected += [(attempt, ("attempts", number)) for number, attempt in enumerate(attempts)]
        for attempt, place in expected:
            for step_id in attempt.at or {}:
                if step_id not in funnel.positions:
                    path = ("examples", index, "expect", *place, "at", step_id)
                    yield _unknown(step_id, path, list(funnel.positions), on_key=True)


def windows_name_earlier_steps(funnel: Funnel) -> Violations:
    """A step's windows, and its alternatives', may start only at a required step before it."""
    for position, step in enumerate(funnel.steps):
        yield from _windows(funnel, position, step.window, ("steps", position))
    for position, _, path, alternative in alternatives(funnel):
        if not alternative.steps:
            yield from _windows(funnel, position, alternative.window, path)


def branch_windows_name_earlier_steps(funnel: Funnel) -> Violations:
    """A sub-step's windows may also start at an earlier sub-step of its branch."""
    for position, _, path, alternative in alternatives(funnel):
        before: list[str] = []
        every = {str(sub.id) for sub in alternative.steps if sub.id is not None}
        for index, sub in enumerate(alternative.steps):
            later = every - set(before)
            yield from _windows(funnel, position, sub.window, (*path, "steps", index), before, later)
            if sub.id is not None:
                before.append(str(sub.id))


def branch_ids_are_unique(funnel: Funnel) -> Violations:
    """A sub-step's id is not that of another in its branch, nor of a step: a window could not tell them apart."""
    for _, _, path, alternative in alternatives(funnel):
        times = Counter(str(sub.id) for sub in alternative.steps if sub.id is not None)
        for index, sub in enumerate(alternative.steps):
            if sub.id is None:
                continue
            here = (*path, "steps", index, "id")
            if str(sub.id) in funnel.positions:
                message = f"The id `{sub.id}` is already that of a step of the funnel."
                yield Violation("duplicate-step", message, here, "Give the sub-step an id of its own.")
            elif times[str(sub.id)] > 1:
                times[str(sub.id)] = -times[str(sub.id)]
            elif times[str(sub.id)] < 0:
                message = f"The id `{sub.id}` is already that of a sub-step of this branch."
                yield Violation("duplicate-step", message, here, "Give each sub-step an id of its own.")


def _windows(
    funnel: Funnel,
    position: int,
    windows: Sequence[Window],
    holder: Path,
    siblings: Sequence[str] = (),
    later: Iterable[str] = (),
) -> Violations:
    known = required_ids(funnel)
    for index, window in enumerate(windows):
        name, path = window.step, (*holder, "window", index)
        if name is None or name in siblings:
            continue
        if name in later or (name in known and known[name] >= position):
            yield Violation(
                "window-not-earlier",
                f"The window {window} starts at step {name}, which does not come before the step it is on.",
                path,
                "A window starts at an earlier required step, at the step before (prev), or at the entry.",
            )
        else:
            earlier = [one for one, at in known.items() if at < position]
            yield from _named(funnel, name, path, [*siblings, *earlier])


def _named(funnel: Funnel, step_id: str, path: Path, choices: Sequence[str] | None = None) -> Violations:
    known = required_ids(funnel)
    if step_id in known:
        return
    if step_id in funnel.positions:
        yield Violation(
            "optional-step-named",
            f"Step {step_id} is optional; only required steps can be named here.",
            path,
            "Name a required step, or make that one required.",
        )
        return
    yield _unknown(step_id, path, list(known) if choices is None else list(choices))


def _unknown(step_id: str, path: Path, offered: Sequence[str], *, on_key: bool = False) -> Violation:
    near = nearest(step_id, offered)
    mend = f"Did you mean {near}?" if near else f"The steps that can be named: {', '.join(offered) or 'none'}."
    return Violation("unknown-step", f"No step has the id `{cut(step_id)}`.", path, mend, on_key)


RULES = (
    ids_are_unique,
    stitched_columns_differ,
    entry_steps_exist,
    exclusions_span_two_steps,
    reentry_steps_exist,
    examples_name_steps,
    windows_name_earlier_steps,
    branch_windows_name_earlier_steps,
    branch_ids_are_unique,
)
