"""What two definitions say differently, clause by clause, in words.

A change can move a count, or it is one of words alone. There is a change that can move a count exactly when the
definitions' hashes differ, and a change of words exactly when their text hashes do and it can be told apart from steps
that only stand elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from doorstep.definitions.alignment import Alignment, align, same_places
from doorstep.definitions.canonical_words import NONE, Spoken
from doorstep.definitions.funnel import Funnel, Step
from doorstep.definitions.identity import canonical, definition_hash, text_hash
from doorstep.definitions.journey import Journey
from doorstep.definitions.quoting import quoted


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: the clause it is in (``exclude``, ``steps[1].window``), a sentence, and what it bears on."""

    clause: str
    message: str
    moves_count: bool

    def __str__(self) -> str:
        return self.message


def difference(before: Funnel, after: Funnel) -> tuple[Change, ...]:
    """Every change of a funnel, those that can move a count first; empty when both hashes are equal."""
    same = definition_hash(before) == definition_hash(after)
    steps = same_places(before) if same else align(before, after)
    changes = [] if same else list(_Counting(before, after, steps).changes())
    if text_hash(before) != text_hash(after):
        changes += _wording(before, after, steps)
    return tuple(changes)


# -- what can move a count ----------------------------------------


class _Counting:
    """The two canonical forms side by side; in ``new`` steps are numbered as the definition before numbers them."""

    def __init__(self, before: Funnel, after: Funnel, steps: Alignment) -> None:
        self.steps = steps
        self.before, self.after = before, after
        self.old: dict[str, Any] = dict(canonical(before))
        self.raw: dict[str, Any] = dict(canonical(after))
        self.new: dict[str, Any] = _renumbered(self.raw, steps.numbers(len(after.steps)))
        self.was = Spoken(tuple(str(step.id) for step in before.steps))
        self.now = Spoken(tuple(str(step.id) for step in after.steps))

    def changes(self) -> Iterator[Change]:
        for key in dict.fromkeys([*self.old, *self.raw]):
            if key == "steps":
                yield from self.of_steps()
            elif key == "entry":
                yield from self.entry()
            elif key in {"exclude", "exclude_units"}:
                yield from self.of_list(key, key, (self.old, self.new, self.raw), Spoken.rows, _same_events)
            elif key == "reentry":
                yield from self.reentry()
            elif key == "exclude_between":
                yield from self.exclusions()
            elif not equal(self.old.get(key), self.new.get(key)):
                yield self.change(key, key, Spoken.value, (self.old.get(key), self.raw.get(key)), key)

    def change(
        self, clause: str, label: str, say: Callable[..., str], parts: tuple[Any, Any], *arguments: object
    ) -> Change:
        """``label was -> now``. Where both read alike, an id names another step than before."""
        was, now = (say(who, *arguments, part) for who, part in zip((self.was, self.now), parts, strict=True))
        another = ", which is another step now" if was == now else ""
        return Change(clause, f"{label} {was} -> {now}{another}", True)

    def entry(self) -> Iterator[Change]:
        """Where attempts may start; not told when the same rule only names steps that came, went or turned optional."""
        by_list = not isinstance(self.before.entry, str) or not isinstance(self.after.entry, str)
        declared = by_list or self.before.entry != self.after.entry
        differs = sorted(self.old["entry"]) != sorted(self.new["entry"])
        if differs and declared and not (self.before.order == self.after.order == "any"):
            yield self.change("entry", "entry", Spoken.entry, (self.old["entry"], self.raw["entry"]))

    def of_list(
        self,
        clause: str,
        label: str,
        holders: tuple[Any, Any, Any],
        say: Callable[[Spoken, Any], str],
        alike: Callable[[Any, Any], bool],
        order_decides: str | None = None,
    ) -> Iterator[Change]:
        """What a list lost, gained and says otherwise; ``holders`` hold it before, after as renumbered, and after."""
        old, new, raw = (holder[clause.rpartition(".")[2]] for holder in holders)
        gone, come = leftovers(old, new)
        for one in gone:
            two = next((at for at in come if alike(old[one], new[at])), None)
            if two is None:
                yield Change(clause, f"{label} removed: {say(self.was, old[one])}", True)
            else:
                come.remove(two)
                yield self.change(clause, f"{label} changed:", say, (old[one], raw[two]))
        yield from (Change(clause, f"{label} added: {say(self.now, raw[at])}", True) for at in come)
        if order_decides and not (gone or come or equal(old, new)):
            yield Change(clause, f"{label}: the order is another, which decides {order_decides}", True)

    def reentry(self) -> Iterator[Change]:
        old, new, raw = self.old["reentry"], self.new["reentry"], self.raw["reentry"]
        if isinstance(old, str) or isinstance(new, str):
            if not equal(old, new):
                yield self.change("reentry", "reentry", _reentry, (old, raw))
        elif len(old) == len(new) == 1:
            for key in dict.fromkeys([*old[0], *new[0]]):
                if not equal(old[0].get(key), new[0].get(key)):
                    parts = old[0].get(key), raw[0].get(key)
                    yield self.change("reentry", f"reentry: {key}", Spoken.reentry_field, parts, key)
        else:
            yield from self.of_list("reentry", "reentry rule", (self.old, self.new, self.raw), Spoken.reentry, _never)

    def exclusions(self) -> Iterator[Change]:
        holders, decides = (self.old, self.new, self.raw), "between rows of equal time"
        yield from self.of_list("exclude_between", "exclude_between", holders, _exclusion, _same_events, decides)

    # -- steps

    def of_steps(self) -> Iterator[Change]:
        old, new, raw = self.old["steps"], self.new["steps"], self.raw["steps"]
        for place, step in enumerate(old):
            if place not in self.steps.pairs:
                yield Change(f"steps[{place}]", f"step {self.was.ids[place]} removed: {self.was.step(step)}", True)
                continue
            there = self.steps.pairs[place]
            label = _label(self.before.steps[place], self.after.steps[there])
            if place in self.steps.moved:
                message = f"{label}: moved from place {place + 1} to place {there + 1}"
                yield Change(f"steps[{there}]", message, True)
            yield from self.of_step(f"steps[{there}]", label, (step, new[there], raw[there]))
        for there in sorted({*range(len(raw))} - {*self.steps.pairs.values()}):
            yield Change(f"steps[{there}]", f"step {self.now.ids[there]} added: {self.now.step(raw[there])}", True)

    def of_step(self, clause: str, label: str, holders: tuple[Any, Any, Any]) -> Iterator[Change]:
        old, new, raw = holders
        told = {"any_of", "filters"}
        if ("any_of" in old) != ("any_of" in new):
            told.add("event")
            yield self.change(f"{clause}.event", f"{label}: rows", _step_rows, (old, raw))
        elif "any_of" in old:
            yield from self.of_list(f"{clause}.any_of", f"{label}: way", holders, Spoken.way, _same_events, "a draw")
        else:
            yield from self.filters(f"{clause}.filters", f"{label}: filter", old["filters"], new["filters"])
        for key in dict.fromkeys([*old, *new]):
            if key not in told and not equal(old.get(key), new.get(key)):
                say, arguments = _SAID.get(key, (Spoken.field, (key,)))
                parts = old.get(key), raw.get(key)
                yield self.change(f"{clause}.{key}", f"{label}: {key}", say, parts, *arguments)

    def filters(self, clause: str, label: str, old: Any, new: Any) -> Iterator[Change]:
        """Conditions that must all hold, one by one; they name no steps."""
        was, now = {"filters": _conjuncts(old)}, {"filters": _conjuncts(new)}
        yield from self.of_list(clause, label, (was, now, now), Spoken.filters, _same_property)


_SAID: Final[Mapping[str, tuple[Callable[..., str], tuple[str, ...]]]] = {
    "event": (lambda _who, names: _events(names), ()),
    "window": (Spoken.window, ()),
}


def _events(names: Sequence[str]) -> str:
    return Spoken(()).rows({"event": names, "filters": {"all": []}})


def _step_rows(who: Spoken, step: Mapping[str, Any]) -> str:
    return who.step({key: step[key] for key in ("event", "filters", "any_of") if key in step})


def _reentry(who: Spoken, rules: Any) -> str:
    return rules if isinstance(rules, str) else ", or ".join(map(who.reentry, rules))


def _exclusion(who: Spoken, rule: Mapping[str, Any]) -> str:
    return f"{who.exclusion(rule)} (effect {rule['effect']})"


def _same_events(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether two rows-choosing parts are versions of one; walks of a way are, as are selectors of the same events."""
    return equal(one.get("event"), two.get("event")) if "event" in one else "steps" in two


def _conjuncts(condition: Any) -> list[Any]:
    """What must all hold."""
    return list(condition["all"]) if isinstance(condition, dict) and "all" in condition else [condition]


def _same_property(one: Any, two: Any) -> bool:
    """Whether two conditions are tests of one property."""
    return isinstance(one, list) and isinstance(two, list) and equal(one[0], two[0])


def _never(_one: object, _two: object) -> bool:
    return False


def leftovers(old: Sequence[Any], new: Sequence[Any]) -> tuple[list[int], list[int]]:
    """Indices of what is only in the one and only in the other, repeated parts counted."""
    come = list(range(len(new)))
    gone = []
    for index, part in enumerate(old):
        same = next((at for at in come if equal(part, new[at])), None)
        if same is None:
            gone.append(index)
        else:
            come.remove(same)
    return gone, come


def _renumbered(part: Any, numbers: Mapping[int, int], key: str = "") -> Any:
    """A canonical part with other numbers for its steps."""
    if isinstance(part, dict):
        return {_anchor(name, numbers): _renumbered(one, numbers, name) for name, one in part.items()}
    if isinstance(part, list):
        return [numbers[one] if key == "entry" else _renumbered(one, numbers) for one in part]
    return numbers[part] if key in {"after", "before", "below_step"} and part is not None else part


def _anchor(name: str, numbers: Mapping[int, int]) -> str:
    kind, _, place = name.partition(":")
    return f"step:{numbers[int(place)]}" if kind == "step" and place else name


def _label(before: Step, after: Step) -> str:
    now = "" if str(before.id) == str(after.id) else f" (now {after.id})"
    return f"step {before.id}{now}"


# -- words alone ----------------------------------------


def _wording(before: Funnel, after: Funnel, steps: Alignment) -> Iterator[Change]:
    for key, name in (("funnel", "name"), ("title", "title"), ("description", "description"), ("owner", "owner")):
        yield from said(key, name, getattr(before, key), getattr(after, key))
    yield from said("tags", "tags", list(before.tags), list(after.tags))
    for place, there in steps.pairs.items():
        old, new = before.steps[place], after.steps[there]
        label, clause = _label(old, new), f"steps[{there}]"
        if not (place != there and str(old.id) == str(place + 1) and str(new.id) == str(there + 1)):
            yield from said(f"{clause}.id", f"step {old.id}: id", str(old.id), str(new.id))
        yield from said(f"{clause}.name", f"{label}: name", old.name, new.name)
        if len(old.any_of) == len(new.any_of) and not equal(_ways(old), _ways(new)):
            yield Change(f"{clause}.any_of", f"{label}: names in its ways changed", False)
    yield from examples(before, after)


def said(clause: str, label: str, old: object, new: object) -> Iterator[Change]:
    """A change of words, if there is one."""
    if not equal(old, new):
        was, now = (NONE if one is None else quoted(one) for one in (old, new))
        yield Change(clause, f"{label} changed" if was == now else f"{label} {was} -> {now}", False)


def _ways(step: Step) -> list[Any]:
    return [
        [one.name, [[None if sub.id is None else str(sub.id), sub.name] for sub in one.steps]] for one in step.any_of
    ]


def examples(before: Funnel | Journey, after: Funnel | Journey) -> Iterator[Change]:
    """What became of the definitions' own examples."""
    old, new = (
        [one.model_dump(mode="json", exclude_defaults=True) for one in definition.examples]
        for definition in (before, after)
    )
    gone, come = leftovers(old, new)
    for one in gone:
        name = old[one]["name"]
        two = next((at for at in come if new[at]["name"] == name), None)
        if two is not None:
            come.remove(two)
        yield Change("examples", f"example {quoted(name)} {'removed' if two is None else 'changed'}", False)
    yield from (Change("examples", f"example {quoted(new[at]['name'])} added", False) for at in come)
    if not (gone or come or equal(old, new)):
        yield Change("examples", "examples: the order is another", False)


def equal(one: object, two: object) -> bool:
    """As JSON, so that ``true`` and 1 are two."""
    return json_of(one) == json_of(two)


def json_of(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


__all__ = ["Change", "difference", "equal", "examples", "leftovers", "said"]
