"""How much a definition may ask of each row: what it matches are the bits of one 64-bit word."""

from __future__ import annotations

from typing import Final

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.rules.violation import Violation, Violations

MOST_CONDITIONS: Final = 64


def conditions_fit_in_a_word(funnel: Funnel) -> Violations:
    """Steps, exclusions, re-entry events, alternatives and their sub-steps are one condition each."""
    total = conditions_of(funnel)
    if total > MOST_CONDITIONS:
        yield Violation(
            "too-many-conditions",
            f"The funnel asks {total} conditions of each row (steps, exclusions, re-entry events, alternatives, "
            f"sub-steps); at most {MOST_CONDITIONS} are possible.",
            ("steps",),
            "List several events in one `event` in place of alternatives, or cut the funnel in two.",
        )


def conditions_of(funnel: Funnel) -> int:
    """How many conditions the funnel asks of each row."""
    rules = funnel.reentry if isinstance(funnel.reentry, tuple) else ()
    return (
        len(funnel.steps)
        + sum(max(1, len(alternative.steps)) for step in funnel.steps for alternative in step.any_of)
        + sum(step.first_time is True for step in funnel.steps)
        + len(funnel.exclude_between)
        + sum(rule.event is not None for rule in rules)
        + bool(funnel.exclude_units)
    )


RULES = (conditions_fit_in_a_word,)
