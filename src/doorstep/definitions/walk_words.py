"""How rows are matched to steps, what spoils an attempt, and when a unit may start again, in words."""

from __future__ import annotations

from collections.abc import Iterator

from doorstep.definitions import words
from doorstep.definitions.funnel import ExcludeBetween, Funnel, Reentry
from doorstep.definitions.words import Line, capital, duration, listed, point, said

# -- matching (semantics 1, 3, 7) ----------------------------------------


def matching(funnel: Funnel) -> Iterator[Line]:
    """Order, ties, and what a row may serve (semantics 1 and 3)."""
    match funnel.order:
        case "sequential":
            yield said(
                "Required steps are taken in the order listed; any other rows may come between. An attempt stops "
                "before the first step for which no row will do."
            )
        case "consecutive":
            yield said(
                "Required steps are taken in the order listed, and no other row of any event (but for those excluded "
                "above) may lie strictly between two of them. The row that breaks an attempt may itself start the next."
            )
        case "any":
            yield from _any_order(funnel)
    if funnel.ties == "forbid":
        yield said("A step's row must be strictly later than the step before it (where it may not come before it).")
    elif funnel.order != "any":
        yield said("A step's row may have the same time as the step before it.")
    yield said(
        "Rows of equal time have no order between them; where one of them must be chosen, it is the one that matches "
        "the lowest listed step."
    )
    if funnel.reentry == "always":
        yield said("A row serves at most one step of an attempt.")
    else:
        yield said("A row serves at most one step of one attempt.")
    if late := [words.step(step) for step in funnel.steps if step.out_of_order]:
        yield said(
            f"Where the row of {listed(late, 'or')} came before the step that precedes it, the time of that preceding "
            "step is taken for both: limits of later steps run from it."
        )
    yield from _both_ends(funnel)


def _any_order(funnel: Funnel) -> Iterator[Line]:
    within = f"at most {duration(funnel.window)} after its first row" if funnel.window else "at any time after it"
    kind = "attempts" if funnel.count == "attempts" else f"{words.unit(funnel)} values"
    yield said(
        f"Steps may come in any order, {within}: each row, in order of time, fills the lowest listed step that it "
        "matches and that is not filled yet."
    )
    yield said(
        f"The count of the step listed as number k is the number of {kind} with at least k steps filled, "
        "whichever steps they are."
    )


def _both_ends(funnel: Funnel) -> Iterator[Line]:
    limited = (step.window or step.min_gap or step.out_of_order or step.any_of for step in funnel.steps)
    if funnel.window or any(limited):
        yield said("Limits include both ends: exactly 7 days is at most 7 days. A day is exactly 24 hours.")


def furthest(funnel: Funnel) -> Iterator[Line]:
    """What `match: furthest` looks for (semantics 7)."""
    yield said(
        f"{capital(words.a(words.stream(funnel)))} gets as far as any choice of its rows allows: "
        "to the largest k for which different "
        "rows match the first k steps, in order of time, the first of them in the date range, with every limit kept. "
        "No rule prefers one row to another on the way."
    )
    if funnel.ties == "forbid":
        yield said("Each of these rows must be strictly later than the one before it.")
    else:
        yield said("These rows may have the same time.")
    yield from _both_ends(funnel)


# -- exclusions between steps and re-entry (semantics 5, 6) ----------------------------------------


def exclusions(funnel: Funnel) -> Iterator[Line]:
    """What must not come between steps (semantics 5)."""
    if not funnel.exclude_between:
        yield said("Nothing: no row between two steps spoils an attempt.")
        return
    yield from (point(exclusion(rule)) for rule in funnel.exclude_between)
    yield said(
        "Only rows that the attempt did not use for a step are looked at. Where the later step is not reached, they "
        "are looked for up to and including the deadline of the first missing step. Of several the earliest ends the "
        "attempt, and if any one of them drops it, it is dropped."
    )


def exclusion(rule: ExcludeBetween) -> str:
    """One exclusion between two steps, as a sentence."""
    match rule.effect:
        case "drop":
            effect = "the attempt is dropped: it counts nowhere, not even for the steps it had reached."
        case "stop":
            effect = "the attempt is stopped: it counts only for the steps it had reached by then."
    return (
        f"If {words.rows(rule)} lies strictly between {words.step(rule.after)} and {words.step(rule.before)}, {effect}"
    )


def reentry(funnel: Funnel) -> Iterator[Line]:
    """When a unit may start again (semantics 6)."""
    stream, rules = words.stream(funnel), funnel.reentry
    if rules == "never":
        yield said(f"Never: each {stream} gets one attempt, from its first entry row; later entry rows are ignored.")
    elif rules == "always":
        yield said(
            "Always: every entry row starts an attempt of its own, also while others are running, and one row may "
            "serve several attempts."
        )
    elif not isinstance(rules, str):
        yield said(
            "After an attempt has ended, the next entry row that is allowed and that no attempt has used starts "
            "another. It comes at or after that end (strictly after the deadline, where a deadline ended it). "
            f"It is allowed if {'all' if len(rules) == 1 else 'all under any one'} of these points hold:"
        )
        for number, rule in enumerate(rules, start=1):
            if len(rules) > 1:
                yield point(f"Rule {number}:")
            depth = 1 if len(rules) == 1 else 2
            yield from (point(f"{capital(asked)}.", depth) for asked in reentry_points(rule))


def reentry_points(rule: Reentry) -> Iterator[str]:
    """What one object of re-entry asks, point by point; all must hold."""
    endings = listed(dict.fromkeys(rule.after), "or") + (" (in any way, that is)" if len(set(rule.after)) == 3 else "")
    yield (
        f"if the previous attempt has ended, it ended as {endings}"
        if rule.interrupt
        else (f"the previous attempt ended as {endings}")
    )
    if rule.no_within:
        yield f"the row is at least {duration(rule.no_within)} after the previous attempt's first row"
    if rule.inactive:
        length = duration(rule.inactive)
        yield (
            f"no row of any step, optional ones too, came in the {length} before the row "
            f"(from exactly {length} before, up to but not at its own time)"
        )
    if rule.event:
        yield f"{words.rows(rule.event)} came after the previous attempt's first row and not after this row"
    if rule.below_step is not None:
        step = words.step(rule.below_step)
        yield f"the previous attempt reached neither {step} nor any later step, even before an exclusion cut it"
    if rule.interrupt:
        yield (
            "the previous attempt need not have ended: a row strictly later than its first row, and that it does not "
            "use, cuts it short while it runs. It is then judged by the rows before that row alone: it is "
            "interrupted, unless they complete or exclude it"
        )
