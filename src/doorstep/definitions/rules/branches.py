"""Where alternatives may have windows and steps of their own (semantics 3, *any_of*)."""

from __future__ import annotations

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.rules.steps import pacing_of
from doorstep.definitions.rules.violation import Violation, Violations, alternatives, entries


def steps_stand_alone(funnel: Funnel) -> Violations:
    """An alternative is an event, or ``steps``; windows of a walk stand on its sub-steps."""
    for _, _, path, alternative in alternatives(funnel):
        for key in ("event", "filters", "window"):
            if alternative.steps and key in alternative.model_fields_set:
                message = f"`steps` takes the place of `{key}`; an alternative has one or the other."
                yield Violation(
                    "steps-and-event", message, (*path, key), f"Move `{key}` to the sub-steps.", on_key=True
                )
        if "steps" in alternative.model_fields_set and not alternative.steps:
            message = "`steps` is empty, so nothing could take this alternative."
            yield Violation("empty-list", message, (*path, "steps"), "List at least one sub-step.")


def entry_steps_are_plain(funnel: Funnel) -> Violations:
    """Where an attempt starts there is no previous clock for a window or a sub-walk to start from."""
    starts = entries(funnel)
    for position, step, path, alternative in alternatives(funnel):
        if position not in starts or funnel.order == "any":
            continue
        for key, given in (("steps", bool(alternative.steps)), ("window", bool(alternative.window))):
            if given:
                message = f"An attempt may start at step {step.id}, so its alternatives have no `{key}`."
                mend = "Leave it out, or do not let attempts enter here."
                yield Violation("entry-alternative", message, (*path, key), mend, on_key=True)


def pace_stands_on_sub_steps(funnel: Funnel) -> Violations:
    """With ``steps`` among the alternatives, ``min_gap`` and ``out_of_order`` are the sub-steps' business.

    ``dedupe`` may stay: it picks among the rows of single-event alternatives.
    """
    for position, step in enumerate(funnel.steps):
        if step.optional or not any(alternative.steps for alternative in step.any_of):
            continue
        for key in pacing_of(step):
            if key != "dedupe":
                message = f"A step with `steps` among its alternatives has no `{key}`: it would not say of which row."
                mend = f"Put `{key}` on the sub-steps." if key == "min_gap" else f"Leave `{key}` out."
                yield Violation("branch-pace", message, ("steps", position, key), mend, on_key=True)


RULES = (steps_stand_alone, entry_steps_are_plain, pace_stands_on_sub_steps)
