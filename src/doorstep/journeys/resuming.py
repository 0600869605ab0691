"""When an account's history can go on from where it stood, what must be read for that, and when news cannot matter.

At a horizon at which nothing is left to be done, an account's future follows from its stage, since when, its birth and
high water, the rows that are still in some window, and its traits; what a backward journey remembers beyond that (a
running grace, dwells as they were at entry) is not kept, so that such journeys are walked from nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from doorstep.engines.conditions import asks
from doorstep.journeys import plan as plan_words
from doorstep.journeys.account import NEVER
from doorstep.journeys.plan import DWELL, FEATURES, NUMBER, SUM, JourneyPlan
from doorstep.matching.plan import Question
from doorstep.rows import EventRows


def resumable(plan: JourneyPlan) -> bool:
    """Whether accounts without moves by hand may go on from where they stood."""
    dwells = any(leaf.kind == DWELL for leaf in plan.leaves)
    return not plan.backward or (plan.grace == 0 and not dwells)


def rows_that_reach(plan: JourneyPlan, rows: EventRows, at: int) -> str:
    """SQL: the row may still count for something after the instant ``at``."""
    reach = max((within for within in plan.windows if within < NEVER), default=0)
    ever = dict.fromkeys(plan.questions[one.question] for one in plan.counters if one.within == NEVER)
    return f"({' OR '.join([rows.time_at_least(at - reach + 1), *(asks(question, rows) for question in ever)])})"


def told_apart(plan: JourneyPlan) -> dict[int, tuple[Question, ...]]:
    """Leaf → the questions of which a row must meet one to bring it nearer to holding; leaves that rows alone can bring
    about, in journeys in which nothing comes to hold because something leaves a window.
    """
    found: dict[int, tuple[Question, ...]] = {}
    for number, leaf in enumerate(plan.leaves if plan.only_rises else ()):
        if leaf.kind == NUMBER and plan.counters[leaf.first].kind != SUM:
            found[number] = (plan.questions[plan.counters[leaf.first].question],)
        elif leaf.kind == FEATURES:
            used = plan.used[leaf.first : leaf.last]
            found[number] = tuple(dict.fromkeys(plan.questions[plan.counters[one].question] for one in used))
    return found


def reachable(plan: JourneyPlan, enough: Callable[[int], str], stage: str) -> str:
    """SQL: some stage above ``stage`` may be reached; ``enough``: SQL of whether a leaf of `told_apart` may hold."""
    known = told_apart(plan)
    if not plan.only_rises:
        return "true"
    ways = [
        f"({stage} < {place} AND {_may_hold(plan, place, known, enough)})" for place in range(1, len(plan.programs))
    ]
    return f"({' OR '.join(ways) or 'false'})"


def _may_hold(plan: JourneyPlan, stage: int, known: Container[int], enough: Callable[[int], str]) -> str:
    """The stage's program, read with every claim true that is not known to be false, and every negation, too."""
    stack: list[str] = []
    for operation, number in plan.programs[stage]:
        match operation:
            case plan_words.PUSH:
                stack.append(enough(number) if number in known else "true")
            case plan_words.NOT:
                stack[-1] = "true"
            case _:
                parts = [stack.pop() for _ in range(number)]
                both = operation == plan_words.AND
                stack.append(f"({(' AND ' if both else ' OR ').join(parts)})" if parts else str(both).lower())
    return stack[-1]


__all__ = ["reachable", "resumable", "rows_that_reach", "told_apart"]
