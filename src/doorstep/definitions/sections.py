"""Every rule of a funnel, in sections that each answer one question a reader has. `prose` lays them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from doorstep.definitions import step_words, walk_words, words
from doorstep.definitions.conditions import tests_of
from doorstep.definitions.funnel import Funnel, Selector, SessionOf
from doorstep.definitions.words import Line, capital, duration, listed, point, said


@dataclass(frozen=True, slots=True)
class Section:
    """One question about a definition, answered."""

    title: str
    lines: tuple[Line, ...]


def sections(funnel: Funnel) -> tuple[Section, ...]:
    """What the definition says, defaults too (semantics 1-8)."""
    if funnel.match == "furthest":
        middle = [("How rows are matched to steps", walk_words.furthest(funnel))]
    else:
        middle = [
            ("How rows are matched to steps", walk_words.matching(funnel)),
            ("What must not happen between steps", walk_words.exclusions(funnel)),
            ("Starting again", walk_words.reentry(funnel)),
        ]
    told = [
        ("Who is counted", _counting(funnel)),
        ("Which rows count", _rows(funnel)),
        ("Where an attempt starts", _entry(funnel)),
        ("The steps", _steps(funnel)),
        *middle,
        ("How an attempt ends", _endings(funnel)),
        ("Left to each run", _run(funnel)),
    ]
    return tuple(Section(name, tuple(lines)) for name, lines in told)


# -- who and which rows (semantics 1, 8) ----------------------------------------


def _counting(funnel: Funnel) -> Iterator[Line]:
    unit, stitch = words.unit(funnel), funnel.stitch
    if stitch is not None:
        yield said(f"{words.belonging(stitch, funnel.account)}.")
    if isinstance(funnel.count_by, SessionOf):
        yield said(
            f"Activity is cut into sessions: a new one starts when more than {duration(funnel.count_by.gap)} have "
            f"passed since the previous row of the same {words.actor(funnel)}. Every row that is not "
            "excluded below is activity, whatever its event, also before the date range of the run."
        )
    if funnel.count == "unique":
        yield said(f"Each {unit} counts at most once, by one attempt: {_represent(funnel)}")
        if funnel.order != "any":
            yield said(f"The count of a step is the number of {unit} values whose attempt reached it.")
    else:
        yield said(f"Every attempt counts, so one {unit} counts as often as it attempts.")
        if funnel.represent != "best":
            yield said(f"No attempt stands for others, so `represent: {funnel.represent}` plays no part.")
        if funnel.order != "any":
            yield said("The count of a step is the number of attempts that reached it.")
    yield said(f"Rows {_without_unit(funnel)} are left out, and their number is reported.")
    if funnel.hold_constant:
        yield said(
            f"An attempt stays within one value of {words.columns(funnel.hold_constant)}: the rows of each {unit} are "
            f"matched separately for each value, and those in which {_any_of(funnel.hold_constant)} is missing are "
            "left out, and their number is reported."
        )


def _without_unit(funnel: Funnel) -> str:
    if funnel.account is not None:
        return f"that belong to no {words.property_name(funnel.account)}"
    if funnel.stitch is not None:
        return f"in which both {listed(map(words.property_name, funnel.unit_columns))} are missing"
    return f"in which {_any_of(funnel.unit_columns)} is missing"


def _any_of(columns: tuple[str, ...]) -> str:
    return listed(map(words.property_name, columns), "or")


def _represent(funnel: Funnel) -> str:
    match funnel.represent:
        case "best":
            rule = "the one that reached the most required steps and, among equals, started first."
        case "first":
            rule = "the one that started first."
        case "last":
            rule = "the one that started last."
    if funnel.hold_constant:
        return f"{rule} A draw goes to the value of {words.columns(funnel.hold_constant)} that sorts first."
    if funnel.reentry == "never":
        return f"{rule} (Under the rules below {words.a(words.unit(funnel))} has only one.)"
    return rule


def _rows(funnel: Funnel) -> Iterator[Line]:
    unit = words.unit(funnel)
    yield said(
        "Rows without a time or an event name are rejected, and their number is reported. "
        "Of rows with the same message_id only the earliest counts."
    )
    yield said("These rows never count, for anything:" if funnel.exclude else "No other rows are excluded.")
    yield from (point(f"{words.rows(one)}.") for one in funnel.exclude)
    if funnel.exclude_units:
        yield said(
            f"{capital(words.a(unit))} vanishes whole if any row of it, at any time the data covers, is one of these:"
        )
        yield from (point(f"{words.rows(one)}.") for one in funnel.exclude_units)
    else:
        yield said(f"No {unit} is left out for what it did.")
    if _has_tests(funnel):
        yield said(
            'Values are compared with their type: the text "1", the number 1 and true are three values. '
            'A property that is missing or null passes no test but "is missing or null".'
        )


def _has_tests(funnel: Funnel) -> bool:
    ways = [one for step in funnel.steps for one in step.any_of]
    told: list[Selector] = [*funnel.steps, *ways, *(sub for one in ways for sub in one.steps)]
    told += [*funnel.exclude, *funnel.exclude_units, *funnel.exclude_between]
    if not isinstance(funnel.reentry, str):
        told += [rule.event for rule in funnel.reentry if rule.event]
    return any(tests_of(selector.condition) for selector in told)


# -- entry and steps (semantics 2, 3, 4) ----------------------------------------


def _entry(funnel: Funnel) -> Iterator[Line]:
    entries = [funnel.steps[position] for position in funnel.entry_positions]
    names = listed((words.step(step) for step in entries), "or")
    if len(entries) == 1:
        yield said(f"An attempt starts at a row of {names}: {words.step_rows(entries[0])}.")
    else:
        yield said(f"An attempt starts at a row of {names}; a row of several of them starts at the first of these.")
    if funnel.order != "any" and funnel.entry_positions[-1] > funnel.required[0]:
        yield said("Steps before the one at which an attempt started are not reached and not counted for it.")
    if funnel.match == "declared":
        yield said(
            f"The first attempt of each {words.stream(funnel)} starts at its earliest such row in the date range of "
            "the run; rows before the range are not seen."
        )


def _steps(funnel: Funnel) -> Iterator[Line]:
    for position, step in enumerate(funnel.steps):
        yield point(" ".join(_step(funnel, position)))
        yield from (
            point(f"{step_words.way(funnel, step, number + 1)}.", depth=2) for number in range(len(step.any_of))
        )


def _step(funnel: Funnel, position: int) -> Iterator[str]:
    step = funnel.steps[position]
    name = f" ({step.name})" if step.name else ""
    what = "any one of the ways below" if step.any_of else words.rows(step)
    yield f"{capital(words.step(step))}{name}{', optional' if step.optional else ''}: {what}."
    if when := step_words.when(funnel, position):
        yield f"{capital(when)}."
    if which := step_words.which(funnel, position):
        yield f"Of several such rows {which} is taken."
    if step.any_of:
        yield from step_words.choice(funnel, step)
    if step.first_time:
        yield step_words.first_time(funnel, step)
    if step.optional:
        yield "Attempts go on without it, and it changes no other step's time."


# -- endings and the run (semantics 1, 3, 8) ----------------------------------------


def _endings(funnel: Funnel) -> Iterator[Line]:
    needed = "all steps" if funnel.order == "any" else "every required step from the one at which it started"
    yield said(
        f"It is completed when it has reached {needed}, expired when the data goes on past the deadline of the step "
        "it misses, and open until then. Rates are given with and without the attempts that are still open."
    )


def _run(funnel: Funnel) -> Iterator[Line]:
    yield said(
        "The date range: an attempt counts if its first row lies in it, the start included and the end not; its later "
        "steps may come after the range. The horizon of the data, by default its last row. The time zone in which "
        "dates are read, by default UTC."
    )
    yield said(f"A run may also keep only each {words.unit(funnel)} whose first ever entry row lies in the range.")


__all__ = ["Section", "sections"]
