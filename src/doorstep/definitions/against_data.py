"""A definition held against what is known of the data: event names, properties, and the types of columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from doorstep.definitions import words
from doorstep.definitions.conditions import Scalar, Test, tests_of
from doorstep.definitions.funnel import Funnel, Selector
from doorstep.definitions.selectors import selectors
from doorstep.errors import Issue, nearest

_TIME: Final = re.compile(r"\s*\d{4}-?\d\d")
_KINDS: Final = {
    "text": "texts",
    "number": "numbers",
    "integer": "whole numbers",
    "boolean": "true and false",
    "time": "times",
}
_ORDERS: Final = frozenset({"gt", "gte", "lt", "lte"})
_EQUALITY: Final = frozenset({"in", "not_in"})


def against_data(
    funnel: Funnel, *, kinds: Mapping[str, str], events: Collection[str], columns: Collection[str]
) -> tuple[Issue, ...]:
    """Names that the data lacks (warnings) and literals that a typed column can never equal (errors, semantics 2).

    ``events``: every event name in the data; ``columns``: every column and property known to be there; ``kinds``: the
    type of a property: ``text``, ``number``, ``integer``, ``boolean``, ``time``, or ``json`` (anything). An empty
    ``events`` or ``columns`` means that nothing is known of them, and nothing is found.
    """
    known = {*columns, *kinds} if columns else frozenset[str]()
    found = list(_held_issues(funnel, known)) if known else []
    for path, selector in selectors(funnel):
        if events:
            found += _event_issues(path, selector, events)
        for test in tests_of(selector.condition):
            if known and test.property not in known and not test.property.startswith(words.TRAIT):
                found.append(_unknown_property(f"{path}.filters", test.property, known))
            elif kind := kinds.get(test.property):
                found += _literal_issues(path, test, kind)
    return tuple(dict.fromkeys(found))


USERS: Final = ("user_id", "userid", "distinct_id", "uid")
"""Names under which columns hold the ids of known users, best first; capitals do not matter."""


def names_user(column: str) -> bool:
    """Whether a column sounds as if it held users, who may also act while nobody knows who they are."""
    return column.casefold() in USERS


def unstitched(funnel: Funnel, *, anonymous: str, rows: int) -> Issue:
    """`unstitched-devices`: ``rows`` rows have no user but an id in the column ``anonymous``, and count for nobody."""
    user = next(name for name in funnel.unit_columns if names_user(name))
    number = f"{rows:,} rows have" if rows != 1 else "1 row has"
    message = (
        f"Users are counted across devices, but nothing says how they are stitched: {number} no {words.code(user)} but "
        f"{words.a(anonymous)}, and no such row counts for anybody."
    )
    mend = f"Write count_by: {{stitch: {{known: {user}, anonymous: {anonymous}}}}} if they are the same people's."
    return Issue("unstitched-devices", "warning", message, None, "count_by", mend)


def _event_issues(path: str, selector: Selector, events: Collection[str]) -> Iterator[Issue]:
    for name in selector.event:
        if not selector.any_event and name not in events:
            message = f"No row in the data is named {words.code(name)}."
            yield Issue("unknown-event", "warning", message, None, f"{path}.event", _did_you_mean(name, events))


def _unknown_property(path: str, name: str, known: Collection[str]) -> Issue:
    message = f"The data has no property {words.code(name)}, so it is missing from every row."
    return Issue("unknown-property", "warning", message, None, path, _did_you_mean(name, known))


def _held_issues(funnel: Funnel, known: Collection[str]) -> Iterator[Issue]:
    """``hold_constant`` only: a run refuses a unit that the data lacks, and says so itself."""
    yield from (_unknown_property("hold_constant", name, known) for name in funnel.hold_constant if name not in known)


def _did_you_mean(name: str, known: Collection[str]) -> str | None:
    same = [one for one in known if one.lower() == name.lower()]
    near = same[0] if same else nearest(name, known)
    return f"Did you mean {words.code(near)}?" if near else None


def _literal_issues(path: str, test: Test, kind: str) -> Iterator[Issue]:
    if test.operator == "exists" or kind not in _KINDS:
        return
    for value in test.operand:
        if not _can_meet(test, value, kind):
            relation = "equal" if test.operator in _EQUALITY else "be compared with"
            message = f"{words.code(test.property)} holds {_KINDS[kind]}, which can never {relation} {_spelled(value)}."
            yield Issue("impossible-literal", "error", message, None, f"{path}.filters", _mend(value, kind))


def _can_meet(test: Test, value: Scalar, kind: str) -> bool:
    """Whether a value of this kind can equal the literal, or be compared with it as the operator asks."""
    if test.operator not in _EQUALITY | _ORDERS:
        return kind == "text"
    match kind:
        case "text":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "time":
            return isinstance(value, str) and bool(_TIME.match(value))
        case "integer" if test.operator in _EQUALITY:
            return not isinstance(value, str | bool) and value == int(value)
        case _:
            return not isinstance(value, str | bool)


def _spelled(value: Scalar) -> str:
    if isinstance(value, bool):
        return f"the boolean {words.literal(value)}"
    return f"the text {value!r}" if isinstance(value, str) else f"the number {words.literal(value)}"


def _mend(value: Scalar, kind: str) -> str | None:
    """How the same value would be written with the right type, where that is plain."""
    match kind:
        case "text":
            return f'Write it as a text: "{words.literal(value)}".' if not isinstance(value, str) else None
        case "boolean" if str(value).lower() in {"true", "false", "0", "1"}:
            return f"Write {'true' if str(value).lower() in {'true', '1'} else 'false'}, without quotes."
        case "number" | "integer" if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
            return f"Write {value}, without quotes."
        case "time":
            return "Write an ISO 8601 time as a text: 2026-03-09T10:00:00Z."
        case _:
            return None


__all__ = ["against_data", "names_user", "unstitched"]
