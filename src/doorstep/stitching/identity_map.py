"""The map that links amount to: frozen, and named by what it holds."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple

import pyarrow as pa

from doorstep.stitching.units import anonymous_unit, known_unit

EVER_BEFORE: Final = -(1 << 62)
EVER_AFTER: Final = 1 << 62
"""Where an interval has no beginning, or no end: outside of all times that events have."""

Reason = Literal["itself", "two-users", "cycle", "chain", "taken", "same-time", "two-accounts"]


class Interval(NamedTuple):
    """Rows with ``anonymous_id`` and without a user are ``user_id``'s when ``from_us <= time < until_us``."""

    anonymous_id: str
    from_us: int
    until_us: int
    user_id: str


class Name(NamedTuple):
    """``user_id`` is another name for ``kept``, at all times."""

    user_id: str
    kept: str


class Membership(NamedTuple):
    """The unit belongs to ``account_id`` when ``from_us <= time < until_us``."""

    unit: str
    from_us: int
    until_us: int
    account_id: str


class Refusal(NamedTuple):
    """A link that the map does not follow. ``ids`` are those that it wanted to join, in order."""

    time: int
    reason: Reason
    ids: tuple[str, str]
    message: str


@dataclass(frozen=True)
class IdentityMap:
    """Who is who. ``number`` is the caller's; everything is sorted, intervals of one id never overlap."""

    number: int
    intervals: tuple[Interval, ...]
    names: tuple[Name, ...]
    memberships: tuple[Membership, ...]
    refused: tuple[Refusal, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of everything that can move a row from one unit or account to another."""
        return digest_of({name: _sum(lines) for name, lines in self._parts.items()})

    @property
    def version(self) -> str:
        """``3-0f1e2d3c4b5a``: the caller's number, and the beginning of the digest."""
        return version_of(self.number, self.digest)

    def user_of(self, anonymous_id: str, time: int) -> str | None:
        """The user whose a row with this anonymous id and no user is; None while nobody is known."""
        return _at(self._users, anonymous_id, time)

    def kept(self, user_id: str) -> str:
        """The name under which the user counts."""
        return self._names.get(user_id, user_id)

    def unit_of(self, user_id: str | None, anonymous_id: str | None, time: int) -> str | None:
        """The name of the unit that a row belongs to (see `units`); None when it has neither id, or both are empty."""
        if user_id:
            return known_unit(self.kept(user_id))
        if not anonymous_id:
            return None
        user = self.user_of(anonymous_id, time)
        return anonymous_unit(anonymous_id) if user is None else known_unit(user)

    def account_of(self, unit: str | None, time: int) -> str | None:
        """The account of a row that names none; None before the first membership and while two are named at once."""
        return None if unit is None else _at(self._accounts, unit, time)

    def tables(self) -> dict[str, pa.Table]:
        """``intervals``, ``names`` and ``memberships`` with the columns of `Interval`, `Name` and `Membership`."""
        return {
            "intervals": _table(Interval, self.intervals),
            "names": _table(Name, self.names),
            "memberships": _table(Membership, self.memberships),
        }

    @property
    def _parts(self) -> Mapping[str, Iterable[str]]:
        """A line for each row of each table; a length keeps two ids apart (`doorstep.stitching.sql.sums`)."""
        return {
            "intervals": (_line(*one) for one in self.intervals),
            "names": (f"{_bytes(user_id)}:{user_id}{kept}" for user_id, kept in self.names),
            "memberships": (_line(*one) for one in self.memberships),
        }

    @cached_property
    def _users(self) -> Mapping[str, tuple[list[int], list[tuple[int, str]]]]:
        return _by_id(self.intervals)

    @cached_property
    def _accounts(self) -> Mapping[str, tuple[list[int], list[tuple[int, str]]]]:
        return _by_id(self.memberships)

    @cached_property
    def _names(self) -> Mapping[str, str]:
        return dict(self.names)


def version_of(number: int, digest: str) -> str:
    """``3-0f1e2d3c4b5a``: how a map is named."""
    return f"{number}-{digest[:12]}"


def digest_of(sums: Mapping[str, tuple[int, int]]) -> str:
    """The digest of a map: of how many rows each of its tables has, and the exclusive or of their MD5 sums. The rows
    of a table differ from each other, so that neither order nor engine shows in it; an empty table may be left out.
    """
    whole = "".join(f"{name} {rows} {mixed:032x}\n" for name, (rows, mixed) in sorted(sums.items()) if rows)
    return hashlib.sha256(whole.encode()).hexdigest()


def _sum(lines: Iterable[str]) -> tuple[int, int]:
    rows = mixed = 0
    for line in lines:
        rows += 1
        mixed ^= int.from_bytes(hashlib.md5(line.encode(), usedforsecurity=False).digest(), "little")
    return rows, mixed


def _line(one: str, from_us: int, until_us: int, leads_to: str) -> str:
    return f"{_bytes(one)}:{one}{from_us}:{until_us}:{leads_to}"


def _bytes(one: str) -> int:
    return len(one.encode())


Spans = Mapping[str, tuple[list[int], list[tuple[int, str]]]]
"""Id → when its intervals begin, and for each of them its end and what it leads to."""


def _by_id(intervals: Iterable[Interval | Membership]) -> Spans:
    found: dict[str, tuple[list[int], list[tuple[int, str]]]] = {}
    for one, from_us, until_us, leads_to in intervals:
        starts, ends = found.setdefault(one, ([], []))
        starts.append(from_us)
        ends.append((until_us, leads_to))
    return found


def _at(spans: Spans, one: str, time: int) -> str | None:
    starts, ends = spans.get(one, ([], []))
    place = bisect_right(starts, time) - 1
    if place < 0 or time >= ends[place][0]:
        return None
    return ends[place][1]


def _table(kind: type[Interval | Name | Membership], lines: Iterable[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*lines, strict=True)) or [()] * len(kind._fields)
    types = [pa.int64() if name.endswith("_us") else pa.string() for name in kind._fields]
    arrays = [pa.array(values, type_) for values, type_ in zip(columns, types, strict=True)]
    return pa.table(arrays, names=list(kind._fields))
