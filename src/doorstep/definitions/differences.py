"""What two definitions of one kind say differently."""

from __future__ import annotations

from doorstep.definitions.difference import Change
from doorstep.definitions.difference import difference as funnel_difference
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.journey import Journey
from doorstep.definitions.journey_difference import journey_difference
from doorstep.errors import DefinitionError, Issue


def difference(before: Funnel | Journey, after: Funnel | Journey) -> tuple[Change, ...]:
    """Every change, those that can move a count or an account first. DefinitionError ``other-kind`` for a funnel beside
    a journey.
    """
    if isinstance(before, Funnel) and isinstance(after, Funnel):
        return funnel_difference(before, after)
    if isinstance(before, Journey) and isinstance(after, Journey):
        return journey_difference(before, after)
    message = "A funnel and a journey cannot be compared clause by clause."
    raise DefinitionError([Issue("other-kind", "error", message, None, "", "Name two of one kind.")])


__all__ = ["difference"]
