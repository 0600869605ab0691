"""What an example must say to test anything (semantics 9)."""

from __future__ import annotations

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.rules.violation import Violation, Violations


def examples_expect_something(funnel: Funnel) -> Violations:
    """An example whose expectation is empty passes whatever the definition does."""
    for number, example in enumerate(funnel.examples):
        if not example.expect.model_dump(exclude_none=True, exclude_defaults=True):
            yield Violation(
                "expects-nothing",
                "The example expects nothing, so it would pass whatever the funnel does.",
                ("examples", number, "expect"),
                "Say what must come: reached, status, counted, at or attempts.",
            )


RULES = (examples_expect_something,)
