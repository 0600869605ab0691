"""What segments, signals and workflows must satisfy beyond the types of their keys: one small function a rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from doorstep.definitions import templates
from doorstep.definitions.document import Path
from doorstep.definitions.journey import FeatureProperty
from doorstep.definitions.journey_rules import unbounded, unknown_features
from doorstep.definitions.membership import Membership
from doorstep.definitions.rules.violation import Violation, Violations
from doorstep.definitions.segment import Segment
from doorstep.definitions.signal import Signal
from doorstep.definitions.workflow import Action, Workflow

Automation = Segment | Signal | Workflow
Catalogue = FeatureProperty | Mapping[str, object]


def broken_automation_rules(of: Automation) -> tuple[Violation, ...]:
    """Every violation of every rule, rule by rule."""
    match of:
        case Segment():
            return (*_conditions(of.criteria, ("criteria",), of.features), *_itself(of))
        case Signal():
            return (*_conditions(of.where, ("where",), of.features), *_conversion(of), *_accounts(of), *_told(of))
        case Workflow():
            return (*_conditions(of.where, ("where",), of.features), *_actions(of))


def memberships(of: Automation) -> Iterator[tuple[Path, Membership]]:
    """Every mapping of conditions, however deep, with its path."""
    match of:
        case Segment():
            yield from _within(("criteria",), of.criteria)
        case Signal():
            yield from _within(("where",), of.where)
        case Workflow():
            yield from _within(("where",), of.where)
            for number, action in enumerate(of.actions):
                yield from _within(("actions", number, "if"), action.if_)
                yield from _within(("actions", number, "only_if"), action.only_if)


def _within(path: Path, of: Membership | None) -> Iterator[tuple[Path, Membership]]:
    if of is None:
        return
    yield path, of
    for key, group in (("all", of.all_), ("any", of.any_)):
        for index, one in enumerate(group or ()):
            yield from _within((*path, key, index), one)
    yield from _within((*path, "not"), of.not_)


def _conditions(of: Membership | None, path: Path, features: Catalogue) -> Violations:
    for place, one in _within(path, of):
        yield from unbounded(place, one)
        yield from unknown_features(place, one, features)


def _itself(of: Segment) -> Violations:
    """A segment is not made of itself."""
    for path, one in memberships(of):
        if one.segment == of.segment:
            message = f"The segment `{of.segment}` is made of itself."
            yield Violation("segment-cycle", message, (*path, "segment"), "Name another segment, or say what holds.")


def _conversion(of: Signal) -> Violations:
    """A conversion needs a bound."""
    found = of.when.conversion
    if found is not None and found.below is None and found.down_by is None:
        message = "A `conversion` needs `below` or `down_by`."
        yield Violation("no-bound", message, ("when", "conversion"), "Add one, such as below: 0.3 or down_by: 0.2.")


def _accounts(of: Signal) -> Violations:
    """What is about no account has no conditions on one."""
    if of.when.kind in {"conversion", "drift"} and of.where is not None:
        message = f"`where` asks about an account, but `{of.when.kind}` is about a funnel."
        yield Violation("no-account", message, ("where",), "Leave `where` out.", on_key=True)


def signal_variables(of: Signal) -> tuple[str, ...]:
    """The variables that a signal's own texts may show."""
    account = () if of.when.kind in {"conversion", "drift"} else templates.ACCOUNT
    moved = templates.TRANSITION if of.when.kind in {"entered", "left", "skipped", "moved_back"} else ()
    return (*account, *templates.SIGNAL, *moved, "now")


def variables(of: Workflow) -> tuple[str, ...]:
    """The variables that a workflow's texts may show, by what sets it off."""
    more = {
        "signal": (*templates.SIGNAL, *templates.TRANSITION),
        "transition": templates.TRANSITION,
        "entered_segment": templates.SEGMENT,
        "schedule": (),
    }[of.trigger.kind]
    return (*templates.ACCOUNT, *more, *templates.WORKFLOW)


def _told(of: Signal) -> Violations:
    for number, one in enumerate(of.announce):
        if one.text is not None:
            yield from _text(one.text, ("announce", number, "text"), signal_variables(of))


def _actions(of: Workflow) -> Violations:
    known = variables(of)
    for number, action in enumerate(of.actions):
        path: Path = ("actions", number)
        for key, condition in (("if", action.if_), ("only_if", action.only_if)):
            yield from _conditions(condition, (*path, key), of.features)
        for place, text in texts(action):
            yield from _text(text, (*path, *place), known)


def texts(action: Action) -> Iterator[tuple[Path, str]]:
    """Every template of an action, with its path in it."""
    kind = action.kind
    match kind:
        case "add_tag" | "remove_tag":
            yield (kind,), getattr(action, kind)
        case "set_trait":
            yield from (
                ((kind, name), value) for name, value in (action.set_trait or {}).items() if isinstance(value, str)
            )
        case "webhook" if action.webhook is not None and action.webhook.body is not None:
            yield from _inside(action.webhook.body, (kind, "body"))
        case "slack" | "email" | "task":
            held = getattr(action, kind)
            for name in ("title", "subject", "address", "text", "owner"):
                value = getattr(held, name, None)
                if value is not None:
                    yield (kind, name), value
        case _:
            return


def _inside(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _inside(part, (*path, key))
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _inside(part, (*path, index))


def _text(text: str, path: Path, known: tuple[str, ...]) -> Violations:
    for code, message, mend in templates.faults(text, known):
        yield Violation(code, message, path, mend)


__all__ = ["Automation", "broken_automation_rules", "memberships", "signal_variables", "texts", "variables"]
