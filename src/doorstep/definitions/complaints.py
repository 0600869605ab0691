"""Pydantic's findings in this project's words: one a place, each with a stable code and the mend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from doorstep.definitions.document import Path
from doorstep.definitions.filters import Filters, Operators
from doorstep.definitions.funnel import ExampleEvent, Funnel
from doorstep.definitions.journey import ExampleTraits
from doorstep.definitions.quoting import cut, quoted
from doorstep.definitions.rules.violation import Violation
from doorstep.errors import nearest

OWN: Final = {
    "duration": "bad-duration",
    "window": "bad-window",
    "event": "bad-event",
    "step_id": "bad-step-id",
    "stage_id": "bad-stage-id",
    "expression": "bad-expression",
    "literal": "bad-literal",
    "empty": "empty-test",
    "reentry": "bad-reentry",
    "entry": "bad-entry",
    "first_time": "bad-choice",
    "stitch": "bad-stitch",
    "share": "bad-share",
    "clock": "bad-time-of-day",
    "zone": "bad-timezone",
    "one_of": "not-one-key",
}
"""Types of the errors that the models raise themselves, whose messages are already for people → code."""

CODES: Final = {
    **OWN,
    "extra_forbidden": "unknown-key",
    "missing": "missing-key",
    "literal_error": "bad-choice",
    "string_pattern_mismatch": "bad-name",
    "string_too_short": "empty-text",
    "string_too_long": "bad-name",
    "too_short": "empty-list",
    "greater_than_equal": "bad-number",
}
"""Error type → code; every other is a `wrong-type`."""

TAKES: Final = {
    "count_by": "a column's name, a list of names, {session_of: user_id, gap: 30m}, "
    "{stitch: {known: …, anonymous: …}}, or {account_of: {stitch: {…}}}",
    "session_of": "a column's name, a list of names, {stitch: {known: …, anonymous: …}}, "
    "or {account_of: {stitch: {…}}}",
    "account_of": "stitched ids, such as {stitch: {known: user_id, anonymous: anonymous_id}}",
    "stitch": "two columns, such as {known: user_id, anonymous: anonymous_id}",
    "hold_constant": "a property's name or a list of names",
    "entry": "step1_only, any_step, or a list of step ids",
    "reentry": "never, always, after_completion, after_timeout, no_within_<duration>, an object or a list of objects",
    "steps": "a list of steps, each a mapping such as {id: 1, event: signup}",
    "any_of": "a list of alternatives, each a mapping such as {event: signup}",
    "exclude": "a list of mappings with `event` or `filters`",
    "exclude_units": "a list of mappings with `event` or `filters`",
    "exclude_between": "a list of mappings with `after`, `before` and `event`",
    "filters": "a mapping from properties to tests, such as {country: [US, CA]}",
    "all": "a list of filters",
    "any": "a list of filters",
    "not": "filters",
    "between": "a list of two values, the least and the greatest",
    "in": "a list of values",
    "not_in": "a list of values",
    "gt": "a number or a text",
    "gte": "a number or a text",
    "lt": "a number or a text",
    "lte": "a number or a text",
    "after": "completed, expired and excluded, one or a list of them",
    "tags": "a list of texts",
    "optional": "true or false",
    "interrupt": "true or false",
    "exists": "true or false",
    "semantics": "1",
    "examples": "a list of examples, each with `name`, `events` and `expect`",
    "events": "a list of rows, each with `at` and `event`",
    "expect": "a mapping such as {reached: 2, status: completed}",
    "attempts": "a list of mappings such as {reached: 2, status: completed}",
    "reached": "a whole number",
    "counted": "a whole number",
    "stages": "a list of 1 to 200 stages, each a mapping such as {id: activated, criteria: {did: project_created}}",
    "criteria": "a mapping such as {count: {event: login, at_least: 3, in_last: 7d}}",
    "did": "an event's name, a list of names, or a mapping such as {event: login, in_last: 7d}",
    "did_not": "an event's name, a list of names, or a mapping such as {event: login, in_last: 7d}",
    "count": "a mapping such as {event: login, at_least: 3, in_last: 7d}",
    "sum": "a mapping such as {event: paid, property: amount, at_least: 100}",
    "distinct": "a mapping such as {property: user_id, at_least: 3}",
    "feature": "a feature's name, or a mapping such as {name: reports, in_last: 7d}",
    "features": "a mapping",
    "trait": "filters on traits, such as {plan: pro}",
    "movement": "a mapping such as {backward: true, grace: 3d}",
    "backward": "true or false",
    "skip": "true or false",
    "traits": "a list of mappings such as {at: 1d, plan: pro}",
    "moves": "a list of mappings such as {at: 1d, to: activated}",
    "transitions": "a list of mappings such as {to: activated, at: 1d}",
    "at_least": "a number",
    "at_most": "a number",
    "exactly": "a number",
    "when": "a mapping with the change, such as {entered: {journey: lives, stage: engaged}}",
    "where": "conditions, such as {stage: {journey: lives, is: engaged}}",
    "trigger": "a mapping with one trigger, such as {signal: fell-back}",
    "actions": "a list of actions, each a mapping such as {slack: {to: ops, text: …}}",
    "only_if": "conditions, such as {stage: {journey: lives, is: engaged}}",
    "if": "conditions, such as {stage: {journey: lives, is: engaged}}",
    "entered": "a mapping such as {journey: lives, stage: engaged}",
    "left": "a mapping such as {journey: lives, stage: engaged}",
    "skipped": "a mapping such as {journey: lives, stage: engaged}",
    "moved_back": "a mapping such as {journey: lives, from: engaged}",
    "stuck": "a mapping such as {journey: lives, stage: onboarding, at_least: 14d}",
    "stage": "a mapping such as {journey: lives, is: engaged}; where a journey is named beside it, a stage",
    "high_water": "a mapping such as {journey: lives, at_least: engaged}",
    "conversion": "a mapping such as {funnel: signup, over: 7d, below: 0.3}",
    "drift": "a mapping such as {funnel: signup}",
    "quiet_hours": "a mapping such as {from: 22:00, to: 07:00, timezone: Europe/Berlin}",
    "announce": "a mapping such as {to: ops, as: digest}, or a list of them",
    "schedule": "a mapping such as {at: 09:00, on: [monday]}",
    "transition": "a mapping such as {journey: lives, from: engaged, moved: back}",
    "webhook": "a mapping such as {to: crm}",
    "slack": "a mapping such as {to: ops, text: …}",
    "email": "a mapping such as {to: mail, subject: …, text: …}",
    "task": "a mapping such as {title: …, owner: …}",
    "set_trait": "a mapping from traits to values",
    "digest": "true or false",
    "sample": "a whole number",
}
"""Key → what may stand behind it, for values of a wrong type. A key that is not here takes a text."""


def complaints(
    errors: Iterable[ErrorDetails], value: Mapping[str, object], root: type[BaseModel] = Funnel
) -> tuple[Violation, ...]:
    """What is wrong with ``value``, once a place: of a union's many complaints the one that says most is kept."""
    found = [(settle(error["loc"], value, missing=error["type"] == "missing"), error) for error in errors]
    holders = {path[:length] for path, _ in found for length in range(len(path))}
    places: dict[Path, list[ErrorDetails]] = {}
    for path, error in found:
        if path not in holders:
            places.setdefault(path, []).append(error)
    told = [_violation(path, _most_telling(several), root) for path, several in places.items()]
    renamed = {(one.path[:-1], one.suggestion) for one in told if one.code == "unknown-key"}
    return tuple(
        one
        for one in told
        if one.code != "missing-key" or (one.path[:-1], f"Did you mean `{one.path[-1]}`?") not in renamed
    )


def settle(loc: Iterable[str | int], value: object, *, missing: bool = False) -> Path:
    """``loc`` without the parts that name a branch of a union rather than a place in ``value``."""
    parts = tuple(loc)
    last = parts[-1:] if missing else ()
    path: list[str | int] = []
    for part in parts[: len(parts) - len(last)]:
        inside = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
        if part not in inside:
            continue
        value = inside[part]
        path.append(part)
    return (*path, *last)


def known_keys(path: Path, root: type[BaseModel] = Funnel) -> list[str]:
    """The keys that may stand in the mapping at ``path``; empty where any key may."""
    models = _models_at(path, root)
    if Filters in models or ExampleEvent in models or ExampleTraits in models:
        return []
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})


def _models_at(path: Path, root: type[BaseModel]) -> set[type[BaseModel]]:
    models: set[type[BaseModel]] = {root}
    for part in path:
        if isinstance(part, int):
            continue
        inner: set[type[BaseModel]] = set()
        for model in models:
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            if part in fields:
                inner |= set(_models_in(fields[part].annotation))
            elif model is Filters:
                inner.add(Operators)
        models = inner
    return models


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    inner = get_args(annotation)
    for one in inner[:1] if get_origin(annotation) is Annotated else inner:
        yield from _models_in(one)


def _most_telling(errors: list[ErrorDetails]) -> ErrorDetails:
    """The models' own words first, then what is known to be short of, then types."""
    return min(errors, key=lambda error: (error["type"] not in OWN, error["type"] not in CODES))


def _violation(path: Path, error: ErrorDetails, root: type[BaseModel]) -> Violation:
    kind = error["type"]
    code = CODES.get(kind, "wrong-type")
    if kind in OWN:
        return _in_own_words(code, path, error)
    name, given = _name(path), quoted(error["input"])
    match code:
        case "unknown-key":
            return _unknown_key(path, root)
        case "missing-key" if isinstance(path[-1], int):
            return Violation("wrong-type", f"`{name}` takes {_takes(name)}.", path[:-1])
        case "missing-key":
            return Violation(code, f"`{path[-1]}` is missing from {_holder(path[:-1], root)}.", path, _give(path))
        case "bad-choice":
            choices = str(error.get("ctx", {}).get("expected", "")).replace("'", "")
            near = nearest(str(error["input"]), choices.replace(" or ", ", ").split(", "))
            offer = f"Did you mean {near}?" if near else f"Write {choices}."
            return Violation(code, f"{given} is not a choice for `{name}`.", path, offer)
        case "bad-name":
            rule = "Use lower-case letters, digits, `-` and `_`, at most 100, beginning with a letter or a digit."
            return Violation(code, f"{given} cannot name {_holder((), root)}.", path, rule)
        case "empty-text":
            return Violation(code, f"`{name}` holds an empty text.", path, f"Write {_takes(name)}.")
        case "empty-list":
            return Violation(code, f"`{name}` is {_extent(error)}.", path, f"It takes {_takes(name)}.")
        case "bad-number":
            return Violation(code, f"`{name}` cannot be negative.", path)
        case _ if error["type"] == "too_long":
            return Violation(code, f"`{name}` has {len(error['input']):,} entries.", path, f"It takes {_takes(name)}.")
        case _:
            was, takes = describe_value(error["input"]), _takes(name)
            if root is not Funnel and not {"filters", "trait", "exclude"} & set(path):
                takes = takes.replace("filters", "criteria")
            if isinstance(path[-1], int):
                return Violation("wrong-type", f"`{name}` takes {takes}; this one is {was}.", path)
            listed = isinstance(error["input"], dict) and takes.startswith("a list")
            mend = "Put a dash before it, or brackets around it." if listed else None
            return Violation("wrong-type", f"`{name}` takes {takes}, not {was}.", path, mend)


def _in_own_words(code: str, path: Path, error: ErrorDetails) -> Violation:
    """The first sentence says what is wrong and the rest is the mend; a quoted text may hold full stops itself."""
    text = error["msg"]
    end = text.find(". ", len(str(error.get("ctx", {}).get("text", "")))) if error["type"] != "expression" else -1
    message, mend = (text, "") if end < 0 else (text[:end], text[end + 2 :])
    return Violation(code, _sentence(message), path, _nearer(error) or mend or None)


def _unknown_key(path: Path, root: type[BaseModel]) -> Violation:
    key, known = str(path[-1]), known_keys(path[:-1], root)
    if path[:-1] == () and root is Funnel:
        known = sorted({*known, "optional_between"})
    near = nearest(key, known)
    mend = f"Did you mean `{near}`?" if near else f"The keys here are {', '.join(known)}." if known else None
    what = "an operator for" if "starts_with" in known else "a key of"
    message = f"`{cut(key)}` is not {what} {_holder(path[:-1], root)}."
    return Violation("unknown-key", message, path, mend, on_key=True)


def _name(path: Path) -> str:
    """The key that a place belongs to."""
    return next((part for part in reversed(path) if isinstance(part, str)), "the document")


def _holder(path: Path, root: type[BaseModel] = Funnel) -> str:
    """What the mapping at ``path`` is."""
    if not path:
        return f"a {root.__name__.lower()}"
    key = _name(path)
    return {"steps": "a step", "stages": "a stage", "any_of": "an alternative", "exclude": "an exclusion"}.get(
        key, f"`{cut(key)}`"
    )


def _give(path: Path) -> str | None:
    key = str(path[-1])
    return {
        "count_by": "Say what is counted, such as count_by: user_id.",
        "steps": "List the steps under `steps`.",
        "stages": "List the stages under `stages`, the lowest first.",
        "property": "Name the property, such as property: amount.",
        "known": "Name the column of users who are known, such as known: user_id.",
        "anonymous": "Name the column of devices or visitors, such as anonymous: anonymous_id.",
    }.get(key)


def _takes(name: str) -> str:
    return TAKES.get(name, "a text")


def _extent(error: ErrorDetails) -> str:
    return "empty" if not error["input"] else "too short"


def _nearer(error: ErrorDetails) -> str | None:
    """For a misspelt word among words: the word that was meant."""
    text, kind = error["input"], error["type"]
    if not isinstance(text, str):
        return None
    words: tuple[str, ...] = ()
    if kind == "reentry":
        words = ("never", "always", "after_completion", "after_timeout")
    elif kind == "entry":
        words = ("step1_only", "any_step")
    elif kind == "window" and "_" in text:
        length = text.partition("_")[0]
        words = (f"{length}_after_prev", f"{length}_after_entry")
    near = nearest(text, words)
    return f"Did you mean {near}?" if near else None


def _sentence(message: str) -> str:
    text = message.rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def describe_value(value: object) -> str:
    """What a value is, in words: ``the number 3``, ``a list``."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {cut(str(value))}"
        case str():
            return f"the text {quoted(value)}"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping"


__all__ = ["CODES", "complaints", "describe_value", "known_keys", "settle"]
