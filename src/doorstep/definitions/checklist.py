"""The rules that a funnel must settle for its number to mean one thing: which are declared, and what a default means.

Most disagreements about a funnel's number come from rules that nobody wrote down. Each is listed here, in words that
name this funnel's own events and units.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from doorstep.definitions import step_words, walk_words, words
from doorstep.definitions.against_data import names_user
from doorstep.definitions.conditions import ALWAYS, tests_of
from doorstep.definitions.funnel import Funnel, SessionOf, Step
from doorstep.definitions.selectors import selectors, ways
from doorstep.definitions.words import capital, duration, listed

Topic = Literal[
    "actor and counting unit",
    "exact events",
    "windows between steps",
    "filters and exclusions",
    "dedupe",
    "entry",
    "re-entry",
    "optional and OR logic",
    "order and ties",
    "time zone and horizon",
]
State = Literal["declared", "defaulted"]
WHOLE: Final = "funnel"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: ``where`` is a step's id or ``funnel``; ``means`` says in full sentences what it means here."""

    topic: Topic
    where: str
    state: State
    means: str


def checklist(funnel: Funnel) -> tuple[Rule, ...]:
    """Every rule that bears on the counts, topic by topic; *declared* if the document gives it, even as the default."""
    return (
        *_unit(funnel),
        *_events(funnel),
        *_windows(funnel),
        *_filters(funnel),
        *_exclusions(funnel),
        *_dedupe(funnel),
        *_entry(funnel),
        *_reentry(funnel),
        *_logic(funnel),
        *_order(funnel),
        *_horizon(funnel),
    )


def _state(declared: object) -> State:
    return "declared" if declared else "defaulted"


def _given(funnel: Funnel, *keys: str) -> State:
    return _state(funnel.model_fields_set.intersection(keys))


def _label(step: Step) -> str:
    """A step by its events, for sentences: ```signup```, ```a` or `b```."""
    names = [words.events(part.event) for way in ways(step, "") for _, part in way]
    return listed(dict.fromkeys(names), "or")


# -- unit and events ----------------------------------------


def _unit(funnel: Funnel) -> Iterator[Rule]:
    topic: Topic = "actor and counting unit"
    unit = words.unit(funnel)
    if isinstance(funnel.count_by, SessionOf):
        means = (
            f"What is counted is {words.a(unit)}; a session ends when the next row is more than "
            f"{duration(funnel.count_by.gap)} away."
        )
    elif funnel.stitch is not None:
        means = f"What is counted is {words.a(unit)}."
    else:
        means = f"What is counted is {words.a(unit)}. Rows without one are left out."
    yield Rule(topic, WHOLE, "declared", means)
    yield from _devices(funnel)
    start = _label(funnel.steps[funnel.entry_positions[0]])
    if funnel.count == "unique":
        means = f"Each {unit} counts at most once, however many {start} rows it has."
    else:
        means = f"Each attempt counts, so {words.a(unit)} counts as often as it attempts."
    yield Rule(topic, WHOLE, _given(funnel, "count"), means)
    if funnel.count == "unique" and (funnel.reentry != "never" or funnel.hold_constant):
        means = {
            "best": f"Of several attempts, the one that got furthest stands for the {unit}; of equals, the earliest.",
            "first": f"Of several attempts, the one that started first stands for the {unit}, however far it got.",
            "last": f"Of several attempts, the one that started last stands for the {unit}, however far it got.",
        }[funnel.represent]
        yield Rule(topic, WHOLE, _given(funnel, "represent"), means)
    if funnel.hold_constant:
        held = words.columns(funnel.hold_constant)
        means = f"All rows of an attempt have the same {held}; rows without it are left out."
    else:
        means = (
            f"Nothing is held constant: any rows of {words.a(unit)} may make up an attempt, whatever they belong to."
        )
    yield Rule(topic, WHOLE, _given(funnel, "hold_constant"), means)


def _devices(funnel: Funnel) -> Iterator[Rule]:
    """How users are followed across devices, where it is users that are counted."""
    topic: Topic = "actor and counting unit"
    if funnel.stitch is not None:
        known, anonymous, *account = map(words.property_name, funnel.unit_columns)
        without = f"of no {account[0]}" if account else f"with neither {known} nor {anonymous}"
        means = f"{words.belonging(funnel.stitch, funnel.account)}. Rows {without} are left out."
        yield Rule(topic, WHOLE, "declared", means)
    elif user := next((name for name in funnel.unit_columns if names_user(name)), None):
        means = (
            f"Nothing says how devices are stitched to users: what somebody did while no {words.property_name(user)} "
            "was known, such as before a log-in or on another device, counts for nobody."
        )
        yield Rule(topic, WHOLE, "defaulted", means)


def _events(funnel: Funnel) -> Iterator[Rule]:
    for step in funnel.steps:
        given = all("event" in part.model_fields_set for way in ways(step, "") for _, part in way)
        exactly = "spelled exactly so, capitals included" if given else "since no event is named for some of its rows"
        means = f"{capital(_label(step))} counts, {exactly}."
        yield Rule("exact events", str(step.id), _state(given), means)
        if step.first_time:
            yield Rule("exact events", str(step.id), "declared", step_words.first_time(funnel, step))


# -- time ----------------------------------------


def _windows(funnel: Funnel) -> Iterator[Rule]:
    topic: Topic = "windows between steps"
    if funnel.order == "any":
        if funnel.window:
            means = f"All steps must come at most {duration(funnel.window)} after the attempt's first row."
            yield Rule(topic, WHOLE, "declared", means)
        return
    for position in funnel.required[1:]:
        step = funnel.steps[position]
        before = step_words.previous(funnel, position) or ""
        limits = step_words.until(funnel, position, before)
        branches = [one for one in step.any_of if one.window]
        if limits:
            means = f"{capital(_label(step))} counts {' and '.join(limits)} (both ends included)."
        elif branches:
            means = f"The ways through this step have limits of their own ({len(branches)} of {len(step.any_of)} do)."
        else:
            means = (
                f"No window: {_label(step)} counts however long after {before} it comes, even years, and an attempt "
                "that waits for it stays open and never expires."
            )
        yield Rule(topic, str(step.id), _state(limits or branches), means)
        if step.min_gap:
            means = f"{capital(_label(step))} sooner than {duration(step.min_gap)} after {before} is passed over."
            yield Rule(topic, str(step.id), "declared", means)


def _dedupe(funnel: Funnel) -> Iterator[Rule]:
    topic: Topic = "dedupe"
    if funnel.match == "furthest" or funnel.order == "any":
        yield Rule(topic, WHOLE, "declared", "No row is preferred to another: repeated events change no depth.")
        return
    for position in funnel.required[1:]:
        step = funnel.steps[position]
        which = step_words.which(funnel, position)
        means = f"If {_label(step)} comes several times in time, {which} is taken; the others do not count again."
        yield Rule(topic, str(step.id), _state("dedupe" in step.model_fields_set), means)


# -- filters and exclusions ----------------------------------------


def _filters(funnel: Funnel) -> Iterator[Rule]:
    topic: Topic = "filters and exclusions"
    for step in funnel.steps:
        parts = [part for way in ways(step, "") for _, part in way]
        if any(part.condition != ALWAYS for part in parts):
            yield Rule(topic, str(step.id), "declared", f"Only {words.step_rows(step)}.")
        else:
            means = f"No filters: every {_label(step)} counts, whatever its properties."
            yield Rule(topic, str(step.id), _state("filters" in step.model_fields_set), means)


def _exclusions(funnel: Funnel) -> Iterator[Rule]:
    topic: Topic = "filters and exclusions"
    unit = words.unit(funnel)
    yield Rule(topic, WHOLE, "defaulted", "Of rows that repeat a message_id only the earliest counts.")
    if funnel.exclude:
        means = f"These rows never count: {'; '.join(map(words.rows, funnel.exclude))}."
    else:
        means = "No rows are excluded beforehand."
    yield Rule(topic, WHOLE, _given(funnel, "exclude"), means)
    if funnel.exclude_units:
        rows = "; ".join(map(words.rows, funnel.exclude_units))
        means = f"{capital(words.a(unit))} with such a row vanishes whole: {rows}."
    else:
        means = f"No {unit} is left out for what it did or is."
    yield Rule(topic, WHOLE, _given(funnel, "exclude_units"), means)
    yield from _kinds_of_people(funnel)
    if funnel.exclude_between:
        means = " ".join(map(walk_words.exclusion, funnel.exclude_between))
    else:
        means = f"Nothing that happens between the steps takes {words.a(unit)} out."
    yield Rule(topic, WHOLE, _given(funnel, "exclude_between"), means)


PEOPLE: Final = {
    "staff": re.compile(r"staff|employee|internal|e_?mail|domain", re.I),
    "test users": re.compile(r"(?<![a-z])[Tt]est|[a-z]Test|(?<![a-z])(demo|sandbox|fake|dummy|qa|QA)(?![a-z])"),
    "bots": re.compile(r"(?<![a-z])[Bb]ots?(?![a-z])|[a-z]Bots?(?![a-z])|BOT|crawler|spider|synthetic|user_?agent"),
}
"""Kinds of people that most funnels leave out, and how properties that tell them apart are called."""


def _kinds_of_people(funnel: Funnel) -> Iterator[Rule]:
    """For staff, test users and bots: whether any filter sounds, by its property or value, as if it told them apart."""
    tests = [test for _, selector in selectors(funnel) for test in tests_of(selector.condition)]
    excluded = {name for rule in (*funnel.exclude, *funnel.exclude_units) for name in rule.event}
    for people, sounds in PEOPLE.items():
        telling = {name for name in excluded if sounds.search(name)} | {
            test.property for test in tests if any(sounds.search(str(one)) for one in (test.property, *test.operand))
        }
        if telling:
            shown = listed(map(words.property_name, sorted(telling)))
            means = f"{capital(people)}: filters look at {shown}; see there whether they are left out."
        else:
            means = f"{capital(people)} count like everybody else: no filter or exclusion looks for them."
        yield Rule("filters and exclusions", WHOLE, _state(telling), means)


# -- entry and re-entry ----------------------------------------


def _entry(funnel: Funnel) -> Iterator[Rule]:
    entries = [funnel.steps[position] for position in funnel.entry_positions]
    labels = listed((f"{_label(step)} ({words.step(step)})" for step in entries), "or")
    if len(entries) == 1:
        means = f"An attempt starts at {labels} and nowhere else: who does not come by it is not counted at all."
    elif funnel.order == "any":
        means = f"An attempt starts at whichever comes first: {labels}."
    else:
        means = f"An attempt starts at {labels}; steps before the one it starts at are not counted for it."
    yield Rule("entry", WHOLE, _given(funnel, "entry"), means)


def _reentry(funnel: Funnel) -> Iterator[Rule]:
    stream = words.stream(funnel)
    start = listed((_label(funnel.steps[position]) for position in funnel.entry_positions), "or")
    if funnel.match == "furthest":
        means = f"There are no attempts to repeat: each {stream} counts as far as any choice of its rows gets."
    elif funnel.reentry == "never":
        means = f"Each {stream} has one attempt, from its first {start}; later ones start nothing."
    elif funnel.reentry == "always":
        means = f"Every {start} starts an attempt of its own, also while others are running."
    else:
        ways_back = [", and ".join(walk_words.reentry_points(rule)) for rule in funnel.reentry]
        means = f"After an attempt, a later {start} starts another if {'; or if '.join(ways_back)}."
    yield Rule("re-entry", WHOLE, _given(funnel, "reentry"), means)


# -- logic, order, horizon ----------------------------------------


def _logic(funnel: Funnel) -> Iterator[Rule]:
    topic: Topic = "optional and OR logic"
    for position, step in enumerate(funnel.steps):
        if step.optional:
            means = f"{capital(_label(step))} may come {step_words.when(funnel, position)}; nobody is lost without it."
            yield Rule(topic, str(step.id), "declared", means)
        if step.any_of:
            means = f"Any one of {len(step.any_of)} ways is enough: {words.step_rows(step)}."
            yield Rule(topic, str(step.id), "declared", means)
        elif len(step.event) > 1:
            yield Rule(topic, str(step.id), "declared", f"Any one of these events is enough: {_label(step)}.")
    plain = [step for step in funnel.steps if not (step.optional or step.any_of or len(step.event) > 1)]
    if len(plain) == len(funnel.steps):
        means = f"Every step is required, and each has one event: {listed(map(_label, plain))}."
        yield Rule(topic, WHOLE, "defaulted", means)


def _order(funnel: Funnel) -> Iterator[Rule]:
    topic: Topic = "order and ties"
    match funnel.order:
        case "sequential":
            means = "Steps count only in the order listed; anything may happen between them."
            if len(funnel.required) > 1:
                one, two = (funnel.steps[position] for position in funnel.required[:2])
                means += f" {capital(_label(two))} before {_label(one)} does not count."
        case "consecutive":
            means = "Steps count only in the order listed, with no row of any other event strictly between them."
        case "any":
            means = "Steps count in any order; the count of step k is of those who did at least k of them."
    late = [step for step in funnel.steps if step.out_of_order]
    if funnel.order == "sequential" and late:
        means = "Steps count only in the order listed, but for those that may come early; anything may happen between."
    yield Rule(topic, WHOLE, _given(funnel, "order"), means)
    for step in late:
        before = step_words.previous(funnel, funnel.positions[str(step.id)])
        early = f"up to {duration(step.out_of_order or 0)} before {before}"
        means = f"{capital(_label(step))} also counts when it comes {early}."
        yield Rule(topic, str(step.id), "declared", means)
    if funnel.order != "any":
        tie = "counts as after it" if funnel.ties == "allow" else "does not count: it must be strictly later"
        yield Rule(topic, WHOLE, _given(funnel, "ties"), f"A row at the very time of the step before {tie}.")
    if funnel.match == "furthest":
        means = "A count is of who could get that far by any choice of rows, not by the rows that come first."
    else:
        means = "A count is of who got that far by the rules as declared: each step takes its row and goes on from it."
    yield Rule(topic, WHOLE, _given(funnel, "match"), means)


def _horizon(funnel: Funnel) -> Iterator[Rule]:
    topic: Topic = "time zone and horizon"
    start = listed((_label(funnel.steps[position]) for position in funnel.entry_positions), "or")
    means = (
        f"A run says which range of dates {start} must fall in to start an attempt (default: all), and later steps may "
        "fall after it. Dates are days of UTC, unless a run names another time zone."
    )
    yield Rule(topic, WHOLE, "defaulted", means)
    means = (
        "The data is taken to end at its last row, unless a run says `as_of`: an attempt whose deadline lies later is "
        "open, not lost. A day in a window is exactly 24 hours."
    )
    yield Rule(topic, WHOLE, "defaulted", means)


__all__ = ["PEOPLE", "WHOLE", "Rule", "State", "Topic", "checklist"]
