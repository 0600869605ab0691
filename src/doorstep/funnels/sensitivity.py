"""Which open rule of a definition matters here: the figures under each other way to settle it (semantics 8)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from doorstep.definitions.alternatives import (
    ANONYMOUS,
    TOPICS,
    UNITS,
    Known,
    OpenRule,
    open_rules,
    people_among,
)
from doorstep.definitions.funnel import Funnel, SessionOf
from doorstep.definitions.identity import canonical, definition_hash
from doorstep.definitions.words import listed
from doorstep.engines.duckdb import Engine, Progress
from doorstep.engines.several import Asked, Batch, batches, needs_of_all
from doorstep.errors import RunError, nearest
from doorstep.funnels.bounds import Instant
from doorstep.funnels.counts import Counts, Integers, completed_units, counts_of, nothing
from doorstep.funnels.notebook import Shown
from doorstep.funnels.opening import Given, Opened, Scope, Span, defined, opened
from doorstep.funnels.result import percent
from doorstep.rows import EventRows, Needs
from doorstep.rows.names import match_names

LOOKED_FOR: Final = frozenset({*UNITS, ANONYMOUS})
"""Columns that other analysts may count by."""

ALL: Final = "all"
"""Names every topic."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What one alternative gives. ``gained`` and ``lost``: units that complete now and did not, and the other way round
    (None where it counts other units); ``funnel`` is the altered definition.
    """

    says: str
    funnel: Funnel
    counts: Counts
    gained: int | None
    lost: int | None


@dataclass(frozen=True, slots=True)
class RuleEffect:
    """A rule and what its alternatives give, those that move the conversion furthest first. ``spread``: between the
    least and the greatest conversion, that of the definition itself included; None where nothing can be compared.
    """

    topic: str
    where: str
    state: str
    says: str
    tried: tuple[Tried, ...]
    spread: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Sensitivity(Shown):
    """Rules by how far they move the final conversion, furthest first. ``settled``: topics that the definition
    declares, which were not tried because nobody named them.
    """

    funnel: Funnel
    hash: str
    counts: Counts
    rules: tuple[RuleEffect, ...]
    settled: tuple[str, ...]
    span: Span

    def to_dict(self) -> dict[str, Any]:
        """What ``doorstep sensitivity --json`` prints."""
        return {
            "funnel": {"name": self.funnel.funnel, "hash": self.hash, "semantics": self.funnel.semantics},
            "data": asdict(self.span),
            **counts_told(self.funnel, self.counts),
            "rules": [
                {
                    "topic": rule.topic,
                    "where": rule.where,
                    "state": rule.state,
                    "says": rule.says,
                    "spread": rule.spread,
                    "sentence": rule.sentence,
                    "alternatives": [
                        {
                            "says": one.says,
                            "hash": definition_hash(one.funnel),
                            "shift": _shift(one.counts, self.counts),
                            "gained": one.gained,
                            "lost": one.lost,
                            **counts_told(one.funnel, one.counts),
                        }
                        for one in rule.tried
                    ],
                }
                for rule in self.rules
            ],
            "settled": list(self.settled),
        }


def counts_told(funnel: Funnel, counts: Counts) -> dict[str, Any]:
    """Counts as JSON says them."""
    return {
        "entered": counts.entered,
        "completed": counts.completed,
        "conversion": counts.conversion,
        "open": counts.open,
        "steps": [
            {"id": step.id, "name": step.label, "count": count}
            for step, count in zip(funnel.steps, counts.steps, strict=True)
        ],
    }


def sensitivity(
    funnel: Given,
    source: object,
    *,
    rules: Collection[str] = (),
    since: Instant = None,
    until: Instant = None,
    as_of: Instant = None,
    timezone: str = "UTC",
    first_time: bool = False,
    columns: Mapping[str, str] | None = None,
    source_timezone: str = "UTC",
    memory: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Counts ``funnel`` under every other valid way to settle each rule that it leaves to its default, and each rule
    of the topics in ``rules`` (``window``, ``dedupe``, …; ``all``); see `alternatives.TOPICS`.

    The rows are read once for all of them, but where an alternative needs other rows. Each figure equals that of `run`
    with the altered definition, over the same bounds. Other arguments are those of `run`. Raises DefinitionError,
    SourceError or RunError.
    """
    scope = Scope(since, until, as_of, timezone, first_time, columns, source_timezone, memory, threads, progress)
    definition = defined(funnel)
    named = _named(rules)
    base = Asked.of(definition)
    found: list[OpenRule] = []

    def wanted(_running: Engine, rows: EventRows) -> Needs:
        found.extend(open_rules(definition, _known(rows, scope.columns or {}), named))
        return _needs(base, found)

    with opened(source, _needs(base, ()), scope, wanted) as open_:
        kept = [rule for rule in found if rule.topic != "people" or _yes_or_no(open_.rows, rule.where)]
        asked = [base, *(Asked.of(one.funnel) for rule in kept for one in rule.alternatives)]
        open_.refuse_impossible(asked[:1])
        totals = _walk(open_, asked)
    everything = open_rules(definition, Known(frozenset(UNITS)), TOPICS)
    tried = {*named, *(rule.topic for rule in kept)}
    return Sensitivity(
        funnel=definition,
        hash=definition_hash(definition),
        counts=totals[0].counts,
        rules=_ranked(kept, totals),
        settled=tuple(dict.fromkeys(rule.topic for rule in everything if rule.topic not in tried)),
        span=open_.span,
    )


def _named(rules: Collection[str]) -> frozenset[str]:
    """RunError ``unknown-rule`` for a topic that there is not."""
    given = (rules,) if isinstance(rules, str) else tuple(rules)
    for name in given:
        if name not in {*TOPICS, ALL}:
            near = nearest(str(name), {*TOPICS, ALL})
            mend = f"Did you mean {near!r}?" if near else f"Name some of {', '.join(TOPICS)}, or all."
            raise RunError("unknown-rule", f"there is no rule {name!r}. {mend}")
    return frozenset(TOPICS if ALL in given else given)


def _known(rows: EventRows, columns: Mapping[str, str]) -> Known:
    ours = {*match_names(rows.columns, columns, rows.description).theirs, *rows.columns}
    return Known(frozenset(ours & LOOKED_FOR), people_among([name for name in rows.columns if name not in LOOKED_FOR]))


def _yes_or_no(rows: EventRows, name: str) -> bool:
    """Whether some place of the property holds nothing else, so that it can equal true."""
    return any(place.kind == "boolean" for place in rows.values(name))


def _needs(base: Asked, rules: Sequence[OpenRule]) -> Needs:
    return needs_of_all([base, *(Asked.of(one.funnel) for rule in rules for one in rule.alternatives)])


@dataclass(slots=True)
class _Total:
    """What is added up of one definition; flips are None where its units are not those of the definition given."""

    counts: Counts
    gained: int | None = 0
    lost: int | None = 0


def _walk(open_: Opened, asked: Sequence[Asked]) -> list[_Total]:
    """Every definition over every unit; each is held against the first one."""
    totals = [_Total(nothing(one.funnel)) for one in asked]
    told = open_.scope.progress
    done = 0
    for batch in batches(open_.engine, open_.rows, asked, open_.bounds, first_time=open_.scope.first_time):
        base = _walked(batch, asked, 0) if 0 in batch.members else None
        if base is not None and batch.reading == 0:
            totals[0].counts += base[0]
        for member in (one for one in batch.members if one):
            done += 1
            if told is not None:
                told("trying alternatives", min(1.0, done / len(asked)))
            counts, completed = _walked(batch, asked, member)
            total = totals[member]
            total.counts += counts
            if base is None or not same_sessions(asked[0].funnel, asked[member].funnel):
                total.gained = total.lost = None
            else:
                both = len(np.intersect1d(base[1], completed, assume_unique=True))
                total.gained = (total.gained or 0) + len(completed) - both
                total.lost = (total.lost or 0) + len(base[1]) - both
    return totals


def _walked(batch: Batch, asked: Sequence[Asked], member: int) -> tuple[Counts, Integers]:
    funnel = asked[member].funnel
    attempts = batch.walk(member)
    counted = attempts.where(attempts.counted)
    return counts_of(funnel, counted), completed_units(funnel, counted)


def same_sessions(one: Funnel, two: Funnel) -> bool:
    """Whether both count by the same unit, sessions made of the same rows, where they are that."""
    sessions = isinstance(one.count_by, SessionOf)
    return canonical(one)["count_by"] == canonical(two)["count_by"] and not (
        sessions and canonical(one)["exclude"] != canonical(two)["exclude"]
    )


# -- in words ----------------------------------------


def _ranked(rules: Sequence[OpenRule], totals: Sequence[_Total]) -> tuple[RuleEffect, ...]:
    """Those that move the conversion furthest first; of equals, those that make most units flip."""
    base, rest = totals[0].counts, list(totals[1:])
    effects = []
    for rule in rules:
        tried = []
        for one in rule.alternatives:
            total = rest.pop(0)
            tried.append(Tried(one.says, one.funnel, total.counts, total.gained, total.lost))
        tried.sort(key=lambda one: -abs(_shift(one.counts, base) or 0.0))
        shares = [share for share in (base.conversion, *(one.counts.conversion for one in tried)) if share is not None]
        spread = max(shares) - min(shares) if len(shares) > 1 else None
        effects.append(
            RuleEffect(rule.topic, rule.where, rule.state, rule.says, tuple(tried), spread, _sentence(base, tried))
        )
    return tuple(sorted(effects, key=lambda one: (-(one.spread or 0.0), -_flips(one))))


def _flips(effect: RuleEffect) -> int:
    return max((one.gained or 0) + (one.lost or 0) for one in effect.tried)


def _shift(counts: Counts, base: Counts) -> float | None:
    """How much more of those who entered complete; None where nobody entered."""
    one, other = counts.conversion, base.conversion
    return None if one is None or other is None else one - other


def _sentence(base: Counts, tried: Sequence[Tried]) -> str:
    shown = list(dict.fromkeys(percent(counts.conversion) for counts in (base, *(one.counts for one in tried))))
    if len(shown) == 1:
        moved = {one.counts.entered for one in tried} | {one.counts.completed for one in tried}
        if moved <= {base.entered, base.completed}:
            return f"However this rule is settled, the answer is {shown[0]}."
        return f"However this rule is settled, the answer is {shown[0]}; the counts differ."
    return f"If two analysts disagree on this rule, the answer is {listed(shown, 'or')}."
