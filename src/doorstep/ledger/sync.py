"""A cycle: what is new in the lake brings every history from the last horizon to the next (semantics 10, *Sync*)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from doorstep.engines.duckdb import Progress
from doorstep.errors import DoorstepError, StoreError
from doorstep.lake import Lake
from doorstep.ledger.handing_on import hand_on
from doorstep.ledger.ledger import Ledger
from doorstep.ledger.life import activate
from doorstep.ledger.records import (
    Cause,
    Change,
    Head,
    History,
    Hook,
    Standing,
    Stored,
    Synced,
    Transition,
    Walk,
    transition_id,
)
from doorstep.ledger.walking import News, walk

log: Final = logging.getLogger("doorstep.ledger")

WAIT: Final = 60.0
"""Seconds to wait for another sync of the same lake."""


def sync(
    lake: Lake,
    ledger: Ledger,
    at: int,
    *,
    names: Iterable[str] | None = None,
    wait: float = WAIT,
    progress: Progress | None = None,
    hooks: Sequence[Hook] = (),
) -> tuple[Synced, ...]:
    """Brings active journeys (``names``: these alone) to ``at``, less each one's lag, and hands what is new on to the
    lake's tables. Each journey is one transaction, in which ``hooks`` have a part: killed anywhere and run again, it
    comes to the same. One that fails is told with its ``failure`` and keeps the others from nothing. StoreError
    ``sync-busy``; RegistryError.
    """
    with _alone(lake, wait):
        lake.settle(wait=wait)
        heads = ledger.heads() if names is None else tuple(ledger.head(name) for name in names)
        found = []
        for head in heads:
            if head.state == "active":
                found.append(_told(lake, ledger, head, at, progress, hooks))
        hand_on(lake, ledger)
        return tuple(found)


def take_effect(
    lake: Lake,
    ledger: Ledger,
    name: str,
    at: int,
    *,
    by: str,
    version: int | None = None,
    lag: int | None = None,
    announce_within: int | None = None,
    progress: Progress | None = None,
    hooks: Sequence[Hook] = (),
) -> tuple[Synced, ...]:
    """Activates a version (default: the last one) and syncs. What an active journey's old version has to say up to
    ``at`` is written before, so that what the new one says otherwise is known to be its doing.
    """
    if ledger.head(name).state == "active":
        before = sync(lake, ledger, at, names=[name], progress=progress, hooks=hooks)
        if before[0].failure is not None:
            log.warning("the version before could not be synced once more: %s", before[0].failure)
    activate(ledger, name, by=by, at=at, version=version, lag=lag, announce_within=announce_within)
    return sync(lake, ledger, at, names=[name], progress=progress, hooks=hooks)


@contextmanager
def _alone(lake: Lake, wait: float) -> Iterator[None]:
    with lake.place.locked("sync", wait=wait) as had:
        if not had:
            where = lake.place.directory
            raise StoreError("sync-busy", f"another process is syncing the journeys of {where}. Try again later.")
        yield


def _told(lake: Lake, ledger: Ledger, head: Head, at: int, progress: Progress | None, hooks: Sequence[Hook]) -> Synced:
    try:
        return _sync_one(lake, ledger, head, at, progress, hooks)
    except DoorstepError as error:
        return Synced(head.name, head.horizon, failure=f"{error.code}: {error.message}")


def _sync_one(
    lake: Lake, ledger: Ledger, head: Head, at: int, progress: Progress | None, hooks: Sequence[Hook]
) -> Synced:
    until = at - head.lag
    if head.horizon is not None and until < head.horizon:
        note = "the clock is behind the last sync: nothing was done. History is never shortened."
        return Synced(head.name, head.horizon, notes=(note,))
    snapshot = lake.snapshot().id
    moves = ledger.moves(head.name)
    whole = _why_whole(head)
    found = None
    if whole is None:
        moved = [one.account for one in moves if one.id > head.synced_move]
        news = News(head.snapshot, [*dict.fromkeys([*ledger.due(head.name, until), *moved])])
        found = walk(head.journey, lake.at(snapshot), until, moves, news, progress)
        if found is None:
            whole = f"the lake no longer knows snapshot {head.snapshot}, which the last sync saw"
    if found is None:
        found = walk(head.journey, lake.at(snapshot), until, moves, News(None), progress)
        assert found is not None
    change = _Changes(head, at)
    change.look(ledger, found)
    last_move = max((one.id for one in moves), default=0)
    ledger.write(
        head, change.standings, change.lines, horizon=until, snapshot=snapshot, move=last_move, at=at, hooks=hooks
    )
    return Synced(
        head.name,
        until,
        change.looked,
        found.rows,
        change.count("added"),
        change.count("changed"),
        change.count("retracted"),
        whole,
        tuple(found.notes),
    )


def _why_whole(head: Head) -> str | None:
    if head.snapshot is None or head.horizon is None:
        return "it is the first sync"
    if head.synced_version != head.version:
        return f"version {head.version} is new"
    return None


class _Changes:
    """What a walk says otherwise than the ledger."""

    def __init__(self, head: Head, at: int) -> None:
        self._head, self._at = head, at
        self._anew = head.synced_version is not None and head.synced_version != head.version
        self.standings: dict[str, tuple[Standing, int]] = {}
        self.lines: list[dict[str, Any]] = []
        self.looked = 0

    def count(self, change: Change) -> int:
        """How many lines of a kind there are."""
        return sum(one["change"] == change for one in self.lines)

    def look(self, ledger: Ledger, found: Walk) -> None:
        """Compares each account that was walked, and those that should have been and are not there any more."""
        accounts = None if found.whole else list(found.histories)
        if accounts == []:
            return
        known, told = (
            ledger.standings(self._head.name, accounts),
            ledger.transitions(self._head.name, accounts),
        )
        every = dict.fromkeys([*found.histories, *known, *told] if found.whole else found.histories)
        self.looked = len(every)
        for account in sorted(every):
            history = found.histories.get(account, History())
            self._stand(account, history.standing, known.get(account))
            self._compare(account, history.transitions, told.get(account, {}))

    def _stand(self, account: str, now: Standing, known: tuple[Standing, int] | None) -> None:
        """A standing that readers are shown anew is of this cycle."""
        before, cycle = (Standing(), 0) if known is None else known
        if now != before:
            self.standings[account] = now, cycle if now.shown == before.shown else self._head.cycle + 1

    def _compare(self, account: str, transitions: Sequence[Transition], told: Mapping[tuple[str, int], Stored]) -> None:
        now = {one.identity: one for one in transitions}
        for identity, one in now.items():
            known = told.get(identity)
            if known is None or known.retracted:
                cause = self._cause(one.occurred_at, one.manual)
                why = self._silent(one, cause, announced=known is not None and known.announced)
                self._line(account, "added", one, cause, why)
            elif known.transition != one:
                cause = self._cause(min(one.occurred_at, known.transition.occurred_at), False)
                self._line(account, "changed", one, cause, "it was known before")
        for identity, stored in told.items():
            if identity not in now and not stored.retracted:
                cause = self._cause(stored.transition.occurred_at, False)
                self._line(account, "retracted", stored.transition, cause, "it is retracted")

    def _cause(self, since: int, manual: bool) -> Cause:
        """Why the ledger says something new about ``since``. What was told up to the last horizon changes only by
        another definition, or by what came late.
        """
        if self._anew and self._head.horizon is not None and since <= self._head.horizon:
            return "definition change"
        if manual:
            return "manual"
        return "criteria" if self._head.horizon is None or since > self._head.horizon else "late data"

    def _silent(self, one: Transition, cause: Cause, *, announced: bool) -> str:
        """Why a transition is not announced; nothing where it is."""
        head = self._head
        if announced:
            return "it was announced before"
        if cause == "definition change":
            return "a new version found it"
        if one.occurred_at < max(head.active_since or 0, head.activated_at or 0):
            return "it occurred before the activation"
        return "it occurred too long ago" if self._at - one.occurred_at > head.announce_within else ""

    def _line(self, account: str, change: Change, one: Transition, cause: Cause, silent: str) -> None:
        self.lines.append(
            {
                "transition_id": transition_id(self._head.name, account, one.to_stage, one.entry),
                "journey": self._head.name,
                "account": account,
                "to_stage": one.to_stage,
                "entry": one.entry,
                "change": change,
                "from_stage": one.from_stage,
                "skipped": json.dumps(one.skipped),
                "occurred_at": one.occurred_at,
                "manual": one.manual,
                "detected_at": self._at,
                "cause": cause,
                "version": self._head.version,
                "announce": not silent,
                "announce_why": silent,
            }
        )


__all__ = ["WAIT", "sync", "take_effect"]
