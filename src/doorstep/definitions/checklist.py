"""Every rule that a count depends on: what a definition declares, what it leaves to a default, and what that means.

Two analysts disagree where one of them did not say something; this list leaves nothing unsaid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from doorstep.definitions.conditions import properties_of
from doorstep.definitions.durations import format_duration
from doorstep.definitions.funnel import Funnel, Selector, SessionOf, Step
from doorstep.definitions.words import listed
from doorstep.definitions.words import rows as rows_words
from doorstep.definitions.words import unit as unit_words

State = Literal["declared", "defaulted"]

_TELLTALES: Final = {
    "staff": ("staff", "internal", "employee", "company"),
    "test users": ("test", "sandbox", "demo", "fake"),
    "bots": ("bot", "robot", "crawler", "spider"),
}
"""Parts of property names by which people mark rows that should not count."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its topic, ``where`` it stands (``funnel`` or a step's id), whether it is declared, and in plain words
    what it means for this funnel.
    """

    topic: str
    where: str
    state: State
    means: str


def checklist(funnel: Funnel) -> tuple[Rule, ...]:
    """The rules of a funnel, topic by topic."""
    parts = (_unit, _events, _windows, _exclusions, _dedupe, _entry, _reentry, _optional, _order)
    return tuple(rule for part in parts for rule in part(funnel))


def _state(declared: bool) -> State:
    return "declared" if declared else "defaulted"


def _given(funnel: Funnel, key: str) -> State:
    return _state(key in funnel.model_fields_set)


def _unit(funnel: Funnel) -> Iterator[Rule]:
    topic = "actor and counting unit"
    unit = unit_words(funnel)
    yield Rule(
        topic, "funnel", "declared", f"What is counted is the {unit}; rows without one are left out and counted."
    )
    counts = (
        f"Each {unit} counts at most once, by one of its attempts."
        if funnel.count == "unique"
        else f"Every attempt counts that no exclusion drops; one {unit} may count several times."
    )
    yield Rule(topic, "funnel", _given(funnel, "count"), counts)
    if funnel.count == "unique" and (funnel.reentry != "never" or funnel.hold_constant):
        chosen = {
            "best": "the one that reached the most required steps, then the earliest entry",
            "first": "the one that started first, however far it came",
            "last": "the one that started last, however far it came",
        }[funnel.represent]
        yield Rule(
            topic, "funnel", _given(funnel, "represent"), f"Of several attempts of one {unit} {chosen} stands for it."
        )
    if funnel.hold_constant:
        held = listed(funnel.hold_constant)
        means = f"All steps of an attempt have the same {held}; rows without it are left out and counted."
    else:
        means = f"Steps of one attempt need share nothing but the {unit}: another order or another session will do."
    if isinstance(funnel.count_by, SessionOf):
        gap = format_duration(funnel.count_by.gap)
        means += f" A session ends after a silence of more than {gap}; every row left by `exclude` is activity."
    yield Rule(topic, "funnel", _given(funnel, "hold_constant"), means)


def _events(funnel: Funnel) -> Iterator[Rule]:
    for step in funnel.steps:
        ways = [rows_words(part) for one in step.any_of for part in (one.steps or (one,))] or [rows_words(step)]
        declared = _state(bool(step.any_of) or "event" in step.model_fields_set)
        means = f"Rows of {listed(ways, 'or')}; names match exactly, capitals included."
        if step.first_time:
            means += " Only the unit's first ever such row."
        yield Rule("exact events", str(step.id), declared, means)


def _windows(funnel: Funnel) -> Iterator[Rule]:
    topic = "windows between steps"
    if funnel.window is not None:
        means = f"Every step comes at most {format_duration(funnel.window)} after the entry, that instant included."
    else:
        means = "The funnel as a whole has no limit: an attempt may take as long as its steps' own windows let it."
    yield Rule(topic, "funnel", _given(funnel, "window"), means)
    for position in funnel.required[1:] if funnel.order != "any" else ():
        step = funnel.steps[position]
        if step.window:
            means = f"At most {listed(map(_window, step.window))}; the last instant is included."
        elif funnel.window is not None:
            means = "No window of its own; the funnel's window bounds it."
        else:
            means = f"No limit: `{step.label}` counts even years after the step before it."
        if step.min_gap:
            means += f" Not sooner than {format_duration(step.min_gap)} after the step before."
        if step.out_of_order:
            means += f" It may also have come up to {format_duration(step.out_of_order)} before the step before it."
        yield Rule(topic, str(step.id), _state("window" in step.model_fields_set), means)


def _window(window: object) -> str:
    length, _, anchor = str(window).partition("_after_")
    return f"{length} after {'the step before' if anchor == 'prev' else anchor.replace('step_', 'step ')}"


def _exclusions(funnel: Funnel) -> Iterator[Rule]:
    topic = "filters and exclusions"
    selectors = (*funnel.exclude, *funnel.exclude_units)
    if funnel.exclude:
        means = f"Never counted, as if they did not exist: {listed(map(rows_words, funnel.exclude))}."
    else:
        means = "Every row counts, whoever made it."
    yield Rule(topic, "funnel", _given(funnel, "exclude"), means)
    for who, marks in _TELLTALES.items():
        if not any(_looks_at(selector, marks) for selector in selectors):
            yield Rule(
                topic, "funnel", "defaulted", f"No exclusion looks at {who}, so {who} count like everybody else."
            )
    if funnel.exclude_units:
        means = f"Vanishes whole, whenever it had one of: {listed(map(rows_words, funnel.exclude_units), 'or')}."
        yield Rule(topic, "funnel", "declared", means)
    for rule in funnel.exclude_between:
        effect = "drops the attempt" if rule.effect == "drop" else "ends the attempt, which counts up to it"
        means = f"{rows_words(rule)} between steps {rule.after} and {rule.before} {effect}."
        yield Rule(topic, "funnel", "declared", means)
    if not funnel.exclude_between:
        yield Rule(topic, "funnel", "defaulted", "Whatever happens between two steps, the attempt goes on.")


def _looks_at(selector: Selector, marks: tuple[str, ...]) -> bool:
    names = [*properties_of(selector.condition), *selector.event]
    return any(mark in name.casefold() for name in names for mark in marks)


def _dedupe(funnel: Funnel) -> Iterator[Rule]:
    chosen = {"first": "the earliest", "last": "the latest", "nearest": "the one nearest to the step before"}
    for position in funnel.required[1:] if funnel.match == "declared" and funnel.order != "any" else ():
        step = funnel.steps[position]
        if not any(one.steps for one in step.any_of):
            means = f"Of several rows in time {chosen[step.dedupe]} is taken; it serves no other step."
            yield Rule("dedupe", str(step.id), _state("dedupe" in step.model_fields_set), means)


def _entry(funnel: Funnel) -> Iterator[Rule]:
    names = listed((f"`{funnel.steps[position].label}`" for position in funnel.entry_positions), "or")
    means = f"An attempt starts at {names}, the earliest in the range of the run."
    if len(funnel.entry_positions) > 1:
        means += " Steps before the one it starts at are neither reached nor counted."
    yield Rule("entry", "funnel", _given(funnel, "entry"), means)


def _reentry(funnel: Funnel) -> Iterator[Rule]:
    unit = unit_words(funnel)
    entry = listed((f"`{funnel.steps[position].label}`" for position in funnel.entry_positions), "or")
    if funnel.reentry == "never":
        means = f"Each {unit} has one attempt, from its first {entry}; later ones start nothing."
        if funnel.match == "furthest":
            means = f"Each {unit} is judged once, by the furthest that any choice of its rows gets."
    elif funnel.reentry == "always":
        means = f"Every {entry} starts an attempt of its own; attempts may overlap and share rows."
    else:
        means = f"A later {entry} starts another attempt when {listed(map(_condition, funnel.reentry), 'or')}."
    yield Rule("re-entry", "funnel", _given(funnel, "reentry"), means)


def _condition(rule: object) -> str:
    fields = {name: getattr(rule, name) for name in rule.model_fields_set}  # type: ignore[attr-defined]
    found = []
    for name, value in fields.items():
        match name:
            case "after":
                found.append(f"the previous one was {listed(value, 'or')}")
            case "no_within":
                found.append(f"it comes {format_duration(value)} or more after the previous entry")
            case "inactive":
                found.append(f"no row matched a step in the {format_duration(value)} before")
            case "event":
                found.append(f"{rows_words(value)} came since the previous entry")
            case "below_step":
                found.append(f"the previous one reached no step from {value} on")
            case "interrupt" if value:
                found.append("also while one is active, which it cuts short")
    return listed(found) or "the previous one has ended"


def _optional(funnel: Funnel) -> Iterator[Rule]:
    topic = "optional and OR logic"
    plain = True
    for step in funnel.steps:
        if step.optional:
            plain = False
            yield Rule(topic, str(step.id), "declared", "May happen here; whether it does changes no other step.")
        if step.any_of:
            plain = False
            yield Rule(topic, str(step.id), "declared", f"Passed by any of {len(step.any_of)} ways; {_ways(step)}.")
    if plain:
        yield Rule(topic, "funnel", "defaulted", "Every step is required, and there is one way to pass each.")


def _ways(step: Step) -> str:
    return "the earliest wins, on a draw the first declared; reports split the step by way"


def _order(funnel: Funnel) -> Iterator[Rule]:
    topic = "order and ties"
    means = {
        "sequential": "Steps come in the order listed; other events may lie between.",
        "consecutive": "Steps come in the order listed, and no row of any event may lie between.",
        "any": "Steps may come in any order; what counts is how many were filled.",
    }[funnel.order]
    yield Rule(topic, "funnel", _given(funnel, "order"), means)
    ties = "may have" if funnel.ties == "allow" else "may not have"
    yield Rule(topic, "funnel", _given(funnel, "ties"), f"The next step {ties} the same time as the one before.")
    matching = (
        "The declared walk: from the entry on, each step takes its row as its rules say."
        if funnel.match == "declared"
        else "The furthest that any choice of rows gets, as window functions count."
    )
    yield Rule(topic, "funnel", _given(funnel, "match"), matching)
