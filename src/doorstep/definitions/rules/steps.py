"""What a step may carry, by where it stands (semantics 2 and 3)."""

from __future__ import annotations

from doorstep.definitions.conditions import ALWAYS
from doorstep.definitions.document import Path
from doorstep.definitions.funnel import Funnel, Selector, Step
from doorstep.definitions.rules.violation import Violation, Violations, alternatives, first_required


def pacing_of(step: Step) -> tuple[str, ...]:
    """Which keys of the step say how its row is chosen after the previous step."""
    keys = (
        ("min_gap", step.min_gap is not None),
        ("out_of_order", step.out_of_order is not None),
        ("dedupe", step.dedupe != "first"),
    )
    return tuple(key for key, given in keys if given)


def first_step_starts_the_clock(funnel: Funnel) -> Violations:
    """Nothing comes before the first required step: it has no window, no pace, and takes every entry row."""
    first = first_required(funnel)
    if first is None:
        return
    step = funnel.steps[first]
    for key in (*(("window",) if step.window else ()), *pacing_of(step)):
        mend = "Which entry rows start attempts is said by `reentry`." if key == "dedupe" else f"Leave `{key}` out."
        message = f"The first required step starts the clock, so it has no `{key}`."
        yield Violation("first-step", message, ("steps", first, key), mend, on_key=True)


def some_step_is_required(funnel: Funnel) -> Violations:
    """An optional step may not come first."""
    if funnel.steps[0].optional:
        yield Violation(
            "optional-first",
            "The first step is optional; an attempt must start at a required one.",
            ("steps", 0, "optional"),
            "Put a required step before it.",
            on_key=True,
        )


def gap_or_out_of_order(funnel: Funnel) -> Violations:
    """``min_gap`` says not before, ``out_of_order`` says even before: never both."""
    for position, step in enumerate(funnel.steps):
        if step.min_gap is not None and step.out_of_order is not None:
            yield Violation(
                "min-gap-out-of-order",
                "`min_gap` and `out_of_order` contradict each other.",
                ("steps", position, "out_of_order"),
                "Keep one of them.",
                on_key=True,
            )


def optional_steps_gate_nothing(funnel: Funnel) -> Violations:
    """An optional step shows its earliest row: there is nothing to choose or to wait for."""
    for position, step in enumerate(funnel.steps):
        if not step.optional or position == 0:
            continue
        for key in pacing_of(step):
            message = f"An optional step has no `{key}`: its earliest row is shown."
            yield Violation("optional-step", message, ("steps", position, key), f"Leave `{key}` out.", on_key=True)
        if any(alternative.steps for alternative in step.any_of):
            yield Violation(
                "optional-step",
                "An optional step has no alternatives of several steps: it is one row that may happen.",
                ("steps", position, "any_of"),
                "Name single events, or make the step required.",
                on_key=True,
            )


def any_of_stands_alone(funnel: Funnel) -> Violations:
    """``any_of`` takes the place of ``event`` and ``filters``; an empty one says nothing."""
    for position, step in enumerate(funnel.steps):
        for key in ("event", "filters"):
            if step.any_of and key in step.model_fields_set:
                message = f"`any_of` takes the place of `{key}`; a step has one or the other."
                mend = f"Move `{key}` into the alternatives."
                yield Violation("any-of-and-event", message, ("steps", position, key), mend, on_key=True)
        if "any_of" in step.model_fields_set and not step.any_of:
            message = "`any_of` is empty, so nothing could pass this step."
            yield Violation("empty-list", message, ("steps", position, "any_of"), "List at least one alternative.")


def every_selector_says_something(funnel: Funnel) -> Violations:
    """Rows are chosen by an event, by filters, or both; every row at all is written ``event: "*"``."""
    for position, step in enumerate(funnel.steps):
        if not step.any_of and "any_of" not in step.model_fields_set:
            yield from _says_something(step, ("steps", position), "step", ", or `any_of`")
    for _, _, path, alternative in alternatives(funnel):
        if not alternative.steps and "steps" not in alternative.model_fields_set:
            yield from _says_something(alternative, path, "alternative", ", or `steps`")
        for index, sub in enumerate(alternative.steps):
            yield from _says_something(sub, (*path, "steps", index), "sub-step")
    for key, selectors in (
        ("exclude", funnel.exclude),
        ("exclude_units", funnel.exclude_units),
        ("exclude_between", funnel.exclude_between),
    ):
        for index, selector in enumerate(selectors):
            yield from _says_something(selector, (key, index), "exclusion")
    for index, rule in enumerate(funnel.reentry if isinstance(funnel.reentry, tuple) else ()):
        if rule.event is not None:
            yield from _says_something(rule.event, ("reentry", index, "event"), "re-entry event")


def _says_something(selector: Selector, path: Path, what: str, others: str = "") -> Violations:
    if "event" not in selector.model_fields_set and selector.condition == ALWAYS:
        article = "An" if what[0] in "aeiou" else "A"
        message = f"{article} {what} must say which rows it means: `event`, `filters`{others}."
        yield Violation("missing-key", message, path, 'Write event: "*" to mean every row.')


RULES = (
    some_step_is_required,
    first_step_starts_the_clock,
    gap_or_out_of_order,
    optional_steps_gate_nothing,
    any_of_stands_alone,
    every_selector_says_something,
)
