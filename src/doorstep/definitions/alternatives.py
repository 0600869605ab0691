"""What else an analyst could have meant: for each rule of a definition the other valid ways to settle it.

Every alternative is a whole definition that differs from the given one in that rule alone. A rule that the document
leaves to its default is an open question; one that it declares is settled, and is asked about only by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from doorstep.definitions.checklist import PEOPLE, WHOLE, State
from doorstep.definitions.durations import MICROSECONDS
from doorstep.definitions.filters import Filters
from doorstep.definitions.funnel import Funnel, Reentry, Selector, SessionOf, Step, Stitch, StitchOf
from doorstep.definitions.identity import definition_hash
from doorstep.definitions.rules import broken_rules
from doorstep.definitions.windows import PREV, Window
from doorstep.definitions.words import duration

Topic = Literal[
    "unit",
    "stitching",
    "count",
    "represent",
    "hold_constant",
    "people",
    "exclude",
    "exclude_units",
    "exclude_between",
    "filters",
    "first_time",
    "window",
    "min_gap",
    "out_of_order",
    "dedupe",
    "entry",
    "reentry",
    "order",
    "ties",
    "match",
]
"""The rules that can be asked about, as the keys of a document; `people` is whether staff, test users and bots count,
`stitching` whether users are followed across devices."""

TOPICS: Final[tuple[str, ...]] = get_args(Topic)
UNITS: Final = ("user_id", "account_id", "session_id")
ANONYMOUS: Final = "anonymous_id"
DAY: Final = MICROSECONDS["d"]
GUESSES: Final = (DAY, 7 * DAY, 30 * DAY)
"""What people most often mean by a window that they did not write down."""


BY_NAME_ALONE: Final = frozenset({"order"})
"""Consecutive steps are broken by any row, so that every row has to be read: tried when it is asked for."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way to settle a rule: in a few words, and as the definition that it gives."""

    says: str
    funnel: Funnel


@dataclass(frozen=True, slots=True)
class OpenRule:
    """A rule, where it stands (a step's id, a property of people, or ``funnel``), how it is settled, and how else it
    could be.
    """

    topic: Topic
    where: str
    state: State
    says: str
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What the data has: ``columns`` among `UNITS` and `ANONYMOUS`, and ``people``: properties that are true of rows of
    staff, test users or bots.
    """

    columns: frozenset[str] = frozenset()
    people: tuple[str, ...] = ()


def open_rules(funnel: Funnel, known: Known, named: Collection[str] = ()) -> tuple[OpenRule, ...]:
    """The rules left to their defaults, and those of the topics ``named``, that can be settled in another valid way."""
    return tuple(
        rule
        for rule in _rules(funnel, known)
        if rule.alternatives
        and (rule.topic in named or (rule.state == "defaulted" and rule.topic not in BY_NAME_ALONE))
    )


def people_among(names: Collection[str]) -> tuple[str, ...]:
    """Those of the names that sound as if they told staff, test users or bots apart."""
    return tuple(sorted(name for name in names if any(sounds.search(name) for sounds in PEOPLE.values())))


def _rules(funnel: Funnel, known: Known) -> Iterator[OpenRule]:
    whole = _Maker(funnel)
    yield from _units(whole, known)
    yield from _counting(whole)
    yield from _who_counts(whole, known)
    for position in range(len(funnel.steps)):
        yield from _of_step(whole, position)
    yield from _walking(whole)


class _Maker:
    """Makes alternatives; keeps those that are valid and not the definition itself, each once."""

    def __init__(self, funnel: Funnel) -> None:
        self.funnel = funnel
        self.own = definition_hash(funnel)

    def rule(self, topic: Topic, says: str, *options: tuple[str, Any], key: str | None = None) -> OpenRule:
        """A rule of the whole funnel; each option: words, and the value of ``key``."""
        name = key or topic
        ways = [(words, self.funnel.model_copy(update={name: value})) for words, value in options]
        return self._made(topic, WHOLE, "declared" if name in self.funnel.model_fields_set else "defaulted", says, ways)

    def step_rule(self, topic: Topic, position: int, says: str, *options: tuple[str, Any]) -> OpenRule:
        """A rule of one step."""
        step = self.funnel.steps[position]
        ways = [(words, self.with_step(position, **{topic: value})) for words, value in options]
        state: State = "declared" if topic in step.model_fields_set else "defaulted"
        return self._made(topic, str(step.id), state, says, ways)

    def with_step(self, position: int, **changes: Any) -> Funnel:
        """The funnel with one step changed."""
        steps = list(self.funnel.steps)
        steps[position] = steps[position].model_copy(update=changes)
        return self.funnel.model_copy(update={"steps": tuple(steps)})

    def given(self, topic: Topic, state: State, says: str, *ways: tuple[str, Funnel], where: str = WHOLE) -> OpenRule:
        """A rule whose alternatives are made elsewhere."""
        return self._made(topic, where, state, says, ways)

    def _made(self, topic: Topic, where: str, state: State, says: str, ways: Any) -> OpenRule:
        found: dict[str, Alternative] = {}
        for words, funnel in ways:
            bare = funnel.model_copy(update={"examples": ()})
            name = definition_hash(bare)
            if name != self.own and not broken_rules(bare):
                found.setdefault(name, Alternative(words, bare))
        return OpenRule(topic, where, state, says, tuple(found.values()))


# -- who is counted ----------------------------------------


def _units(make: _Maker, known: Known) -> Iterator[OpenRule]:
    funnel = make.funnel
    options: list[tuple[str, Any]] = [(f"count by {name}", (name,)) for name in UNITS if name in known.columns]
    if isinstance(funnel.count_by, SessionOf):
        options.append(("not cut into sessions", funnel.count_by.session_of))
    yield make.rule("unit", f"count by {_unit(funnel)}", *options, key="count_by")
    if funnel.stitch is None and funnel.unit_columns == (UNITS[0],) and ANONYMOUS in known.columns:
        stitch = StitchOf(stitch=Stitch(known=UNITS[0], anonymous=ANONYMOUS))
        unit = funnel.count_by
        other = unit.model_copy(update={"session_of": stitch}) if isinstance(unit, SessionOf) else stitch
        way = funnel.model_copy(update={"count_by": other})
        says = f"rows without {UNITS[0]} count for nobody"
        yield make.given("stitching", "defaulted", says, (f"{ANONYMOUS} stitched to {UNITS[0]}", way))


def _unit(funnel: Funnel) -> str:
    names = " and ".join(funnel.unit_columns)
    names = names if funnel.stitch is None else f"{names}, stitched"
    return f"session of {names}" if isinstance(funnel.count_by, SessionOf) else names


def _counting(make: _Maker) -> Iterator[OpenRule]:
    funnel = make.funnel
    both: dict[str, str] = {"unique": "each unit once", "attempts": "every attempt"}
    yield make.rule("count", both[funnel.count], *((words, value) for value, words in both.items()))
    if funnel.count == "unique" and (funnel.reentry != "never" or funnel.hold_constant):
        stands = {
            "best": "the attempt that got furthest",
            "first": "the first attempt",
            "last": "the last attempt",
        }
        yield make.rule("represent", stands[funnel.represent], *((words, value) for value, words in stands.items()))
    if funnel.hold_constant:
        yield make.rule("hold_constant", f"{', '.join(funnel.hold_constant)} held", ("nothing held constant", ()))


def _who_counts(make: _Maker, known: Known) -> Iterator[OpenRule]:
    funnel = make.funnel
    told = {name for rule in (*funnel.exclude, *funnel.exclude_units) for name in _names(rule)}
    for name in known.people:
        if name not in told:
            rule = Selector(filters=Filters.model_validate({name: True}))
            way = funnel.model_copy(update={"exclude": (*funnel.exclude, rule)})
            says = f"rows with {name} count"
            yield make.given("people", "defaulted", says, (f"rows with {name} excluded", way), where=name)
    for key in ("exclude", "exclude_units", "exclude_between"):
        rules: tuple[Selector, ...] = getattr(funnel, key)
        if not rules:
            continue
        options: list[tuple[str, Any]] = [(f"no {key} at all", ())]
        if len(rules) > 1:
            options += [(f"without {_shown(one)}", tuple(two for two in rules if two is not one)) for one in rules]
        if key == "exclude_between":
            other = {"drop": "stop", "stop": "drop"}
            turned = tuple(one.model_copy(update={"effect": other[one.effect]}) for one in funnel.exclude_between)
            options.append(("effect the other way", turned))
        yield make.rule(key, f"{'; '.join(map(_shown, rules))}", *options)


def _names(rule: Selector) -> set[str]:
    from doorstep.definitions.conditions import properties_of  # noqa: PLC0415 - one use

    return set(properties_of(rule.condition))


def _shown(rule: Selector) -> str:
    events = "any event" if rule.any_event else " or ".join(rule.event)
    names = sorted(_names(rule))
    return f"{events} by {', '.join(names)}" if names else events


# -- steps ----------------------------------------


def _of_step(make: _Maker, position: int) -> Iterator[OpenRule]:
    funnel = make.funnel
    step = funnel.steps[position]
    walked = funnel.match != "furthest" and funnel.order != "any"
    if step.filters.condition != Filters().condition and not step.any_of:
        yield make.step_rule("filters", position, f"only with its filters on {_shown(step)}", ("no filters", Filters()))
    if step.first_time:
        yield make.step_rule("first_time", position, "only the first ever row", ("any row", False))
    if position == funnel.required[0] and funnel.order != "any":
        return
    if not step.optional and funnel.order != "any":
        yield _window(make, position, step)
    if step.optional or not walked:
        return
    yield make.step_rule("dedupe", position, _TAKEN[step.dedupe], *((words, value) for value, words in _TAKEN.items()))
    if step.min_gap:
        yield make.step_rule("min_gap", position, f"not sooner than {duration(step.min_gap)}", ("however soon", None))
    if step.out_of_order:
        says = f"may come {duration(step.out_of_order)} early"
        yield make.step_rule("out_of_order", position, says, ("only after the step before", None))


_TAKEN: Final = {
    "first": "the first of several rows",
    "last": "the last of several rows",
    "nearest": "the nearest of several rows",
}


def _window(make: _Maker, position: int, step: Step) -> OpenRule:
    if not step.window:
        options = [(f"at most {duration(length)} after the step before", (Window(length, PREV),)) for length in GUESSES]
        return make.step_rule("window", position, "no window", *options)
    says = " and ".join(map(str, step.window))
    return make.step_rule(
        "window",
        position,
        says.replace("_", " "),
        ("windows halved", _scaled(step.window, lambda length: max(1, length // 2))),
        ("windows doubled", _scaled(step.window, lambda length: length * 2)),
        ("no window", ()),
    )


def _scaled(windows: tuple[Window, ...], by: Callable[[int], int]) -> tuple[Window, ...]:
    return tuple(Window(by(one.length), one.anchor) for one in windows)


# -- the walk ----------------------------------------


def _walking(make: _Maker) -> Iterator[OpenRule]:
    funnel = make.funnel
    if funnel.window:
        says = f"all within {duration(funnel.window)} of the entry"
        options: list[tuple[str, Any]] = [
            ("window halved", max(1, funnel.window // 2)),
            ("window doubled", funnel.window * 2),
            ("no window", None),
        ]
        yield make.rule("window", says, *options)
    if funnel.order != "any" and len(funnel.required) > 1:
        entries = "step 1 only" if len(funnel.entry_positions) == 1 else "at several steps"
        yield make.rule("entry", entries, ("at the first step only", "step1_only"), ("at any step", "any_step"))
    if funnel.match != "furthest":
        yield make.rule("reentry", _reentry_words(funnel), *((words, value) for words, value in _REENTRY))
    if len(funnel.required) > 1:
        orders = {"sequential": "in order", "consecutive": "in order, nothing between", "any": "in any order"}
        others = [(words, value) for value, words in orders.items()]
        yield make.rule("order", orders[funnel.order], *others)
        if funnel.order != "any":
            both = {"allow": "the same time is late enough", "forbid": "strictly later"}
            yield make.rule("ties", both[funnel.ties], *((words, value) for value, words in both.items()))
        matched = {"declared": "each step takes its row", "furthest": "as far as any choice of rows gets"}
        yield make.rule("match", matched[funnel.match], *((words, value) for value, words in matched.items()))


_REENTRY: Final[tuple[tuple[str, Any], ...]] = (
    ("never", "never"),
    ("always", "always"),
    ("after completion", (Reentry(after=("completed",)),)),
    ("after completion or timeout", (Reentry(after=("completed", "expired")),)),
    ("not within 7d", (Reentry.model_validate({"no_within": "7d"}),)),
)


def _reentry_words(funnel: Funnel) -> str:
    known = {str(value): words for words, value in _REENTRY}
    return known.get(str(funnel.reentry), "by rules of its own")


__all__ = ["ANONYMOUS", "TOPICS", "UNITS", "Alternative", "Known", "OpenRule", "open_rules", "people_among"]
