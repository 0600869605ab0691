"""One account's life as it is known: rows, traits, moves by hand, and what follows from them alone (semantics 10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from doorstep.definitions.conditions import Condition
from doorstep.matching.conditions import holds
from doorstep.rows.needs import TRAIT
from doorstep.rows.times import instant, microseconds

NEVER: Final = 1 << 62
"""Later than any time, and far enough below the 64-bit edge that sums with durations stay inside it."""

CREATED_AT: Final = "created_at"


@dataclass(frozen=True, slots=True)
class Row:
    """One event of the account."""

    time: int
    event: str
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TraitsSet:
    """Traits set at once; ``time`` None: since birth. Null values leave a trait as it was."""

    time: int | None
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Move:
    """A move by hand to the stage at position ``to``."""

    time: int
    to: int
    by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """``rows`` are those left by `exclude`, up to the horizon; ``traits`` and ``moves`` in the order they came."""

    rows: Sequence[Row] = ()
    traits: Sequence[TraitsSet] = ()
    moves: Sequence[Move] = ()

    def until(self, horizon: int) -> Account:
        """What of it can be seen at a horizon."""
        return Account(
            sorted((row for row in self.rows if row.time <= horizon), key=lambda row: row.time),
            [one for one in self.traits if one.time is None or one.time <= horizon],
            sorted((move for move in self.moves if move.time <= horizon), key=lambda move: move.time),
        )


def born_at(account: Account) -> int:
    """The first instant with a row, or with a known `created_at` that has come; `NEVER` when there is none."""
    first = min((row.time for row in account.rows), default=NEVER)
    known = _in_order(account, -NEVER, CREATED_AT)
    ends = [*(time for time, _ in known[1:]), NEVER]
    for (time, value), end in zip(known, ends, strict=False):
        created = time_of(value)
        if created is not None and max(time, created) < end:
            return min(first, max(time, created))
    return first


def trait_history(account: Account, birth: int, name: str) -> list[tuple[int, object]]:
    """(since when, value) of one trait, as it came to hold; a value without a time holds since birth."""
    return _in_order(account, birth, name)


def _in_order(account: Account, birth: int, name: str) -> list[tuple[int, object]]:
    """Of equal times the last one counts: a timed value beats one without a time, then the later in the source. A
    `created_at` that is no time is as good as null.
    """
    found = [
        (birth if one.time is None else one.time, one.time is not None, number, one.values[name])
        for number, one in enumerate(account.traits)
        if one.values.get(name) is not None and (name != CREATED_AT or time_of(one.values[name]) is not None)
    ]
    last = {time: value for time, _, _, value in sorted(found, key=lambda one: one[:3])}
    return sorted(last.items(), key=lambda one: one[0])


def time_of(value: object) -> int | None:
    """A `created_at` as microseconds: a whole number of them, or an ISO text; None for what is no time."""
    if isinstance(value, str):
        return instant(value)
    if isinstance(value, date):
        return microseconds(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return None
    return int(value)


@dataclass(frozen=True, slots=True)
class Traits:
    """An account's traits, and what they were at any instant since birth."""

    histories: Mapping[str, Sequence[tuple[int, object]]]

    @classmethod
    def of(cls, account: Account, birth: int) -> Traits:
        """Those of an account that was born at ``birth``."""
        names = dict.fromkeys(name for one in account.traits for name in one.values)
        return cls({name: trait_history(account, birth, name) for name in names})

    def at(self, time: int) -> dict[str, object]:
        """Trait → its value at an instant; traits that were never set are not in it."""
        found = {}
        for name, history in self.histories.items():
            for since, value in history:
                if since <= time:
                    found[name] = value
        return found

    def created_at(self, time: int) -> int | None:
        """`created_at` as known at an instant."""
        known = [value for since, value in self.histories.get(CREATED_AT, ()) if since <= time]
        return time_of(known[-1]) if known else None

    def beside(self, row: Row) -> Row:
        """The row with its account's traits as they were at its time, under names such as ``unit.plan``."""
        return replace(row, properties={**row.properties, **{f"{TRAIT}{k}": v for k, v in self.at(row.time).items()}})

    def meet(self, condition: Condition, time: int) -> bool:
        """Whether the traits meet the condition at an instant."""
        return holds(condition, self.at(time))

    def instants(self) -> Iterator[int]:
        """When any trait was set."""
        for history in self.histories.values():
            yield from (since for since, _ in history)


__all__ = ["CREATED_AT", "NEVER", "Account", "Move", "Row", "Traits", "TraitsSet", "born_at", "time_of"]
