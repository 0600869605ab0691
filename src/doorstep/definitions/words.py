"""Phrases of plain English for the parts of a definition: durations, values, conditions, rows, windows, units.

`prose`, `checklist` and `lint` speak with them, so that one thing is called by one name everywhere. Two conditions
that can tell rows apart never read alike: texts that could be taken for anything else are quoted, groups have brackets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from doorstep.definitions.conditions import All, AnyOf, Condition, Not, Scalar, Test, properties_of
from doorstep.definitions.durations import MICROSECONDS
from doorstep.definitions.funnel import Funnel, Selector, SessionOf, Step, StepId, Stitch
from doorstep.definitions.windows import ENTRY, PREV, Window

DASH: Final = "—"
TRAIT: Final = "unit."
_UNITS: Final = (("day", "d"), ("hour", "h"), ("minute", "m"), ("second", "s"))
_PLAIN: Final = re.compile(r"[^\W\d][\w$]*(?:[.:/-][\w$]+)*")
_OUR_WORDS: Final = frozenset(
    {"true", "false", "null", "yes", "no", "on", "off", "none", "neither", "nor", "and", "or", "not", "is"}
    | {"present", "missing", "nan", "inf", "infinity", "a", "an", "the", "from", "to", "where"}
)


def duration(microseconds: int) -> str:
    """A length of time in words; below two days in hours, since a day is exactly 24 of them: ``36 hours``."""
    parts, rest = [], microseconds
    for name, unit in _UNITS:
        if name == "day" and rest < 2 * MICROSECONDS["d"]:
            continue
        count, rest = divmod(rest, MICROSECONDS[unit])
        if count:
            parts.append(f"{count} {name}" if count == 1 else f"{count} {name}s")
    return listed(parts) if parts else "0 seconds"


def listed(items: Iterable[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *before, end = items
    return f"{', '.join(before)} {last} {end}" if before else end


Line = tuple[int, str]
"""How deep in a list it stands (0: a paragraph, 1: a point, 2: a point under a point), and the words."""


def said(paragraph: str) -> Line:
    """A paragraph."""
    return 0, paragraph


def point(words: str, depth: int = 1) -> Line:
    """A point of a list; ``depth`` 2 for a point under a point."""
    return depth, words


def capital(sentence: str) -> str:
    """The same with its first letter large."""
    return sentence[:1].upper() + sentence[1:]


def code(name: str) -> str:
    """A name as it is in the data, set apart from the sentence around it."""
    shown = json.dumps(name, ensure_ascii=False)[1:-1].replace('\\"', '"') if not name.isprintable() else name
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def property_name(name: str) -> str:
    """A property; a trait of the unit says whose it is and as of when."""
    if name.startswith(TRAIT) and len(name) > len(TRAIT):
        return f"the unit's trait {property_name(name.removeprefix(TRAIT))} (as of that time)"
    return name if _PLAIN.fullmatch(name) and name.lower() not in _OUR_WORDS else code(name)


def literal(value: Scalar) -> str:
    """A value such that its type can be told: ``US``, ``10``, ``true``, ``the text "10"``, ``"two words"``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        quoted = json.dumps(value, ensure_ascii=False)
        if value.lower() in {"true", "false", "null", "nan", "inf", "infinity"} or _is_number(value):
            return f"the text {quoted}"
        return value if _PLAIN.fullmatch(value) and value.lower() not in _OUR_WORDS else quoted
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# -- conditions ----------------------------------------

_NUMBERS: Final = {"gt": "more than", "gte": "at least", "lt": "less than", "lte": "at most"}
_TEXTS: Final = {"gt": "after", "gte": "at or after", "lt": "before", "lte": "at or before"}
_PATTERNS: Final = {
    "contains": "contains the text",
    "starts_with": "starts with the text",
    "ends_with": "ends with the text",
    "matches": "has a match of the regular expression",
}


def condition(of: Condition) -> str:
    """A condition in words: ``country is CA or US``; ``(a) or (b)``; always true reads ``anything``."""
    match of:
        case Test():
            return _test(of)
        case Not():
            holds = _holds_when_missing(of.of)
            return f"not ({condition(of.of)})" + (f" {DASH} also holds when {holds}" if holds else "")
        case All():
            return " and ".join(_merged(of.of)) if of.of else "anything"
        case AnyOf():
            return " or ".join(f"({condition(part)})" for part in of.of) if of.of else "nothing"


def _merged(parts: Sequence[Condition]) -> Iterable[str]:
    """The parts of a conjunction, ``from 1 to 5`` for a lower and an upper bound that stand together."""
    if len(parts) == 1:
        yield condition(parts[0])
        return
    rest = list(parts)
    while rest:
        part = rest.pop(0)
        if rest and (both := _between(part, rest[0])):
            rest.pop(0)
            yield both
        else:
            yield _test(part) if isinstance(part, Test) and _is_simple(part) else f"({condition(part)})"


def _is_simple(test: Test) -> bool:
    return test.operator != "in" or len(test.operand) == 1


def _between(low: Condition, high: Condition) -> str | None:
    match low, high:
        case (
            Test(property=name, operator="gte", operand=(start,)),
            Test(property=same, operator="lte", operand=(end,)),
        ) if name == same and isinstance(start, str) == isinstance(end, str):
            kind = " in the order of texts" if isinstance(start, str) else ""
            return f"{property_name(name)} is from {literal(start)} to {literal(end)}{kind} (both included)"
    return None


def _test(test: Test) -> str:
    name, values = property_name(test.property), [literal(value) for value in test.operand]
    match test.operator:
        case "in":
            return f"{name} is {listed(values, 'or')}"
        case "not_in" if len(values) == 1:
            return f"{name} is not {values[0]} (and is present)"
        case "not_in":
            return f"{name} is none of {listed(values, 'or')} (and is present)"
        case "gt" | "gte" | "lt" | "lte":
            if isinstance(test.operand[0], str):
                return f"{name} comes {_TEXTS[test.operator]} {values[0]} in the order of texts"
            return f"{name} is {_NUMBERS[test.operator]} {values[0]}"
        case "contains" | "starts_with" | "ends_with" | "matches":
            return f"{name} {_PATTERNS[test.operator]} {json.dumps(test.operand[0], ensure_ascii=False)}"
        case "exists":
            return f"{name} is present" if test.operand == (True,) else f"{name} is missing or null"


def _holds_when_missing(of: Condition) -> str | None:
    """Which missing properties make ``of`` false whatever the others are, in words."""
    names = sorted(properties_of(of))
    alone = [name for name in names if _truth(of, frozenset({name})) is False]
    if alone:
        return f"{listed(map(property_name, alone), 'or')} is missing"
    if len(names) > 1 and _truth(of, frozenset(names)) is False:
        return f"{listed(map(property_name, names))} are {'both' if len(names) == 2 else 'all'} missing"
    return None


def _truth(of: Condition, missing: frozenset[str]) -> bool | None:
    """True, false, or None for unknown, when all that is known is that these properties are missing."""
    match of:
        case Test():
            return None if of.property not in missing else of.operator == "exists" and of.operand == (False,)
        case Not():
            inner = _truth(of.of, missing)
            return None if inner is None else not inner
        case All():
            parts = [_truth(part, missing) for part in of.of]
            return False if False in parts else None if None in parts else True
        case AnyOf():
            parts = [_truth(part, missing) for part in of.of]
            return True if True in parts else None if None in parts else False


# -- rows, steps, windows, units ----------------------------------------


def events(names: Sequence[str]) -> str:
    """Event names: ```a` or `b```, ``any event``."""
    return "any event" if tuple(names) == ("*",) else listed(map(code, names), "or")


def where(of: Condition) -> str:
    """`` where country is US``, or nothing where every row will do."""
    return "" if of == All(()) else f" where {condition(of)}"


def rows(selector: Selector) -> str:
    """The rows of a selector: ```signup` where country is CA or US``."""
    return events(selector.event) + where(selector.condition)


def step(which: Step | StepId) -> str:
    """What to call a step inside a sentence: ``step 2``."""
    return f"step {which.id if isinstance(which, Step) else which}"


def step_rows(of: Step) -> str:
    """The rows of a step, branches and all: ```a` or (`b` then `c`)``."""
    if not of.any_of:
        return rows(of)
    ways = [f"({' then '.join(map(rows, one.steps))})" if one.steps else rows(one) for one in of.any_of]
    return ", or ".join(ways)


def window(of: Window, previous: str, *, skippable: bool = False) -> str:
    """``at most 7 days after step 1``. ``skippable``: some attempts do not reach the named step."""
    match of.anchor:
        case anchor if anchor == PREV:
            after = previous
        case anchor if anchor == ENTRY:
            after = "the attempt's first row"
        case _:
            after = f"step {of.step}" + (" (in attempts that reached it)" if skippable else "")
    return f"at most {duration(of.length)} after {after}"


def unit(funnel: Funnel) -> str:
    """What is counted, as a noun: ``user_id``, ``combination of account_id and user_id``, ``stitched user_id``,
    ``account_id``, ``session of user_id``.
    """
    noun = actor(funnel)
    return f"session of {noun}" if isinstance(funnel.count_by, SessionOf) else noun


def actor(funnel: Funnel) -> str:
    """Whose rows belong together, as a noun: the unit, or what has sessions."""
    if funnel.account is not None:
        return property_name(funnel.account)
    stitch = funnel.stitch
    return columns(funnel.unit_columns) if stitch is None else f"stitched {property_name(stitch.known)}"


def belonging(stitch: Stitch, of: str | None) -> str:
    """Whose a row is where ids are stitched, as sentences: who its user is, then which account that is ``of``."""
    if of is None:
        return stitching(stitch)
    account, user = property_name(of), f"stitched {property_name(stitch.known)}"
    told = (stitch.known, stitch.anonymous, of) == ("user_id", "anonymous_id", "account_id")
    lake = ". Over a lake, group calls count as such rows" if told else ""
    return (
        f"{stitching(stitch)}. A row with {a(account)} belongs to that {account}. A row without one belongs to the "
        f"{account} in the latest row at or before its time that has both {a(account)} and the same {user}; before the "
        f"first such row it belongs to no {account}, nor does it from where rows of one time name two until a later "
        f"row names one{lake}"
    )


def stitching(stitch: Stitch) -> str:
    """Whose a row is, as sentences."""
    told = (stitch.known, stitch.anonymous) == ("user_id", "anonymous_id")
    lake = ". Over a lake, identify and alias calls say whose a row is, too" if told else ""
    known, anonymous = property_name(stitch.known), property_name(stitch.anonymous)
    return (
        f"A row with {a(known)} belongs to that {known}. A row without one belongs to the {known} that first came in "
        f"one row with its {anonymous}, even when it is earlier than that row; from the first row in which another "
        f"{known} comes with the same {anonymous} on, rows without one belong to that other. "
        f"{capital(a(anonymous))} that never comes with {a(known)} counts by itself. Rows that are excluded, or later "
        f"than the horizon, say nothing about this{lake}"
    )


def a(noun: str) -> str:
    """With its article: ``a user_id``, ``an account_id``."""
    return f"an {noun}" if noun[:1].lower() in "aeio" else f"a {noun}"


def columns(names: Sequence[str]) -> str:
    """Columns whose values name something together: ``user_id``, ``combination of account_id and user_id``."""
    shown = [property_name(name) for name in names]
    return shown[0] if len(shown) == 1 else f"combination of {listed(shown)}"


def stream(funnel: Funnel) -> str:
    """What is walked on its own: the unit, or the unit within one value of ``hold_constant``."""
    held = funnel.hold_constant
    return f"{unit(funnel)} and value of {columns(held)}" if held else unit(funnel)
