"""Which account a unit belongs to at a time: that of the latest membership at or before it, if that names only one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from doorstep.stitching.identity_map import EVER_AFTER, IdentityMap, Membership, Refusal
from doorstep.stitching.links import Joined


def memberships_of(members: Iterable[Joined], users: IdentityMap) -> tuple[tuple[Membership, ...], tuple[Refusal, ...]]:
    """Intervals of each unit, and the times at which two accounts were named at once: from there to the next
    membership the unit has none. Before its first membership a unit has none either.
    """
    said: dict[str, set[tuple[int, str]]] = {}
    for one in members:
        unit = users.unit_of(one.user_id, one.anonymous_id, one.time)
        if unit is not None:
            said.setdefault(unit, set()).add((one.time, one.account_id))
    found: list[Membership] = []
    doubtful: list[Refusal] = []
    for unit in sorted(said):
        turns: list[tuple[int, str | None]] = []
        for time, links in groupby(sorted(said[unit]), key=itemgetter(0)):
            accounts = [account for _, account in links]
            account = accounts[0] if len(accounts) == 1 else None
            doubtful += refused_members([(time, unit, accounts)])
            if not turns or turns[-1][1] != account:
                turns.append((time, account))
        ends = [time for time, _ in turns[1:]] + [EVER_AFTER]
        found += [
            Membership(unit, start, end, account)
            for (start, account), end in zip(turns, ends, strict=True)
            if account is not None
        ]
    return tuple(found), tuple(doubtful)


def refused_members(found: Iterable[tuple[int, str, Sequence[str]]]) -> Iterator[Refusal]:
    """Of accounts, in order, that a unit was said to join at one time, all but the first."""
    for time, unit, (first, *others) in found:
        for other in others:
            message = f"{unit} joined {first} and {other} at the same time; it has no account until it joins one."
            yield Refusal(time, "two-accounts", (unit, other), message)
