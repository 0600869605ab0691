"""What a funnel must satisfy beyond the types of its keys: one small function a rule (semantics 2-7).

`broken_rules` runs them all and stops at none. Every function in ``RULES`` takes a `Funnel` whose parts have the
right types and yields what it finds; none relies on another having passed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.rules import branches, examples, limits, modes, names, steps
from doorstep.definitions.rules.violation import Violation, Violations

Rule = Callable[[Funnel], Violations]

RULES: Final[tuple[Rule, ...]] = (
    *names.RULES,
    *steps.RULES,
    *branches.RULES,
    *modes.RULES,
    *limits.RULES,
    *examples.RULES,
)


def broken_rules(funnel: Funnel) -> tuple[Violation, ...]:
    """Every violation of every rule, rule by rule."""
    return tuple(violation for rule in RULES for violation in rule(funnel))


__all__ = ["RULES", "Rule", "Violation", "broken_rules"]
