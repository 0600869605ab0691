"""The way from one definition to another, clause by clause: every definition that lies between the two."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from doorstep.definitions.alignment import align
from doorstep.definitions.difference import Change, difference
from doorstep.definitions.filters import Model
from doorstep.definitions.funnel import Alternative, Funnel, Step, StepId, SubStep
from doorstep.definitions.rules import broken_rules
from doorstep.definitions.windows import Window

MOVED: Final = "steps"
"""The clause of steps that only stand elsewhere."""

Key = tuple[str, int]
"""A step: ``("before", position)``, or ``("after", position)`` of one that only the later definition has."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause in which the definitions differ (``exclude``, ``steps[1].window``), and how, in words."""

    name: str
    says: str


class Between:
    """All definitions that have some clauses of ``before`` and the others of ``after``."""

    def __init__(self, before: Funnel, after: Funnel) -> None:
        """Finds the differing clauses, in the order in which `difference` tells them."""
        self.before = before
        alignment = align(before, after)
        self.pairs: Mapping[int, int] = alignment.pairs
        self._come = [there for there in range(len(after.steps)) if there not in set(self.pairs.values())]
        self.after = _renamed(after, _names(before, after, self.pairs))
        told: dict[tuple[str, str], list[Change]] = {}
        for change in difference(before, after):
            if change.moves_count:
                told.setdefault(self._kind(change), []).append(change)
        self._kinds = tuple(told)
        self.clauses = tuple(
            Clause(MOVED if kind == "moved" else changes[0].clause, "; ".join(one.message for one in changes))
            for (kind, _), changes in told.items()
        )

    def _kind(self, change: Change) -> tuple[str, str]:
        """(what sort of change, where)."""
        name, _, field = change.clause.partition("].")
        if not name.startswith("steps["):
            return "whole", change.clause
        place = name.removeprefix("steps[").removesuffix("]")
        if field:
            return "field", f"{place}.{field}"
        if change.message.startswith(f"{_label(self.before.steps, place)} removed"):
            return "gone", place
        return ("come", place) if int(place) in self._come else ("moved", "")

    def having(self, chosen: Collection[int]) -> Funnel | None:
        """The definition before with these clauses (by index) as they are after; None where it is not a valid one."""
        kinds = [self._kinds[one] for one in sorted(chosen)]
        gone = {int(place) for kind, place in kinds if kind == "gone"}
        come = {int(place) for kind, place in kinds if kind == "come"}
        steps = [self._step(key, kinds) for key in self._order(gone, come, ("moved", "") in kinds)]
        if not steps:
            return None
        names = {name for kind, name in kinds if kind == "whole"}
        moves = any(kind in {"gone", "come"} or name.endswith(".optional") for kind, name in kinds)
        if ("order" in names or moves) and ("whole", "entry") not in self._kinds:
            names.add("entry")  # not told apart from the order, or the steps, that give it its meaning
        whole: dict[str, Any] = {name: getattr(self.after, name) for name in names}
        made = _fresh(_changed(self.before, {**whole, "examples": ()}, self.after), tuple(steps))
        return None if broken_rules(made) else made

    def _order(self, gone: Collection[int], come: Collection[int], moved: bool) -> list[Key]:
        there = dict(self.pairs)
        paired = sorted(there, key=lambda one: there[one]) if moved else sorted(there)
        order: list[Key] = [("before", one) for one in paired]
        for place in range(len(self.before.steps)):
            if place not in there and place not in gone:
                _insert(order, ("before", place), [("before", one) for one in reversed(range(place))])
        known: dict[int, Key] = {after: ("before", before) for before, after in there.items()}
        known |= {one: ("after", one) for one in self._come}
        for place in sorted(come):
            _insert(order, ("after", place), [known[one] for one in reversed(range(place))])
        return order

    def _step(self, key: Key, kinds: Iterable[tuple[str, str]]) -> Step:
        where, place = key
        if where == "after":
            return self.after.steps[place]
        step = self.before.steps[place]
        if place not in self.pairs:
            return step
        other = self.after.steps[self.pairs[place]]
        changes: dict[str, Any] = {}
        for kind, named in kinds:
            at, _, field = named.partition(".")
            if kind == "field" and int(at) == self.pairs[place]:
                changes[field] = getattr(other, field)
                if field == "event" and bool(other.any_of) != bool(step.any_of):
                    changes |= {"filters": other.filters, "any_of": other.any_of}
        return _changed(step, changes, other)


def _label(steps: tuple[Step, ...], place: str) -> str:
    return f"step {steps[int(place)].id}" if int(place) < len(steps) else "none"


def _insert(order: list[Key], key: Key, before: Iterable[Key]) -> None:
    """Puts the key behind the first of ``before`` that is there, or at the front."""
    place = next((order.index(one) + 1 for one in before if one in order), 0)
    order.insert(place, key)


AnyModel = TypeVar("AnyModel", bound=Model)


def _changed(model: AnyModel, changes: Mapping[str, Any], like: Model) -> AnyModel:
    """A copy that declares what ``like`` declares of the changed keys: a default that is written out is another thing
    to rules than one that is not.
    """
    made = model.model_copy(update=dict(changes))
    declared = (model.model_fields_set - set(changes)) | (like.model_fields_set & set(changes))
    object.__setattr__(made, "__pydantic_fields_set__", set(declared))
    return made


def _fresh(funnel: Funnel, steps: tuple[Step, ...]) -> Funnel:
    """A copy with these steps, that has counted none yet: their positions are kept once they were asked for."""
    made = funnel.model_copy(update={"steps": steps})
    for kept in ("required", "positions"):
        made.__dict__.pop(kept, None)
    return made


# -- the same steps under the same ids ----------------------------------------


def _names(before: Funnel, after: Funnel, pairs: Mapping[int, int]) -> dict[str, StepId]:
    """Id after, as text → the id of the step before that it is, or one that no step before has."""
    taken = {str(step.id) for step in (*before.steps, *after.steps)}
    known = {there: here for here, there in pairs.items()}
    names: dict[str, StepId] = {}
    for place, step in enumerate(after.steps):
        if place in known:
            names[str(step.id)] = before.steps[known[place]].id
        elif str(step.id) in {str(one.id) for one in before.steps}:
            fresh = next(name for number in range(len(taken) + 1) if (name := f"{step.id}.{number}"[-64:]) not in taken)
            taken.add(fresh)
            names[str(step.id)] = fresh
    return names


def _renamed(funnel: Funnel, names: Mapping[str, StepId]) -> Funnel:
    def new(one: StepId) -> StepId:
        return names.get(str(one), one)

    def windows(given: tuple[Window, ...], own: Collection[str] = ()) -> tuple[Window, ...]:
        return tuple(
            one if one.step is None or one.step in own else Window(one.length, f"step_{new(one.step)}") for one in given
        )

    def sub(one: SubStep, own: Collection[str]) -> SubStep:
        return _changed(one, {"window": windows(one.window, own)}, one)

    def way(one: Alternative) -> Alternative:
        own = {str(inner.id) for inner in one.steps if inner.id is not None}
        subs = tuple(sub(inner, own) for inner in one.steps)
        return _changed(one, {"window": windows(one.window), "steps": subs}, one)

    def step(one: Step) -> Step:
        ways = tuple(way(inner) for inner in one.any_of)
        return _changed(one, {"id": new(one.id), "window": windows(one.window), "any_of": ways}, one)

    changes: dict[str, Any] = {}
    if not isinstance(funnel.entry, str):
        changes["entry"] = tuple(new(one) for one in funnel.entry)
    if not isinstance(funnel.reentry, str):
        changes["reentry"] = tuple(
            one if one.below_step is None else _changed(one, {"below_step": new(one.below_step)}, one)
            for one in funnel.reentry
        )
    changes["exclude_between"] = tuple(
        _changed(one, {"after": new(one.after), "before": new(one.before)}, one) for one in funnel.exclude_between
    )
    return _fresh(_changed(funnel, changes, funnel), tuple(step(one) for one in funnel.steps))


__all__ = ["Between", "Clause"]
