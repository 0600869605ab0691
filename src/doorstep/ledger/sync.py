"""A cycle: what is new in the lake brings every history from the last horizon to the next (semantics 10, *Sync*)."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from doorstep.engines.duckdb import Progress
from doorstep.errors import DoorstepError, StoreError
from doorstep.lake import Lake
from doorstep.ledger import footing
from doorstep.ledger.footing import Mark
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
from doorstep.ledger.touching import News
from doorstep.ledger.walking import walk
from doorstep.ledger.witnessing import MOST, Found, witness

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
    if any(one.name == name and one.state == "active" for one in ledger.heads()):
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
    known = None if whole else footing.read(lake.place, head.name, _mark(head))
    found = None
    if whole is None and known is None:
        whole = "the file of where the last sync left off is gone"
    elif known is not None:
        assert head.snapshot is not None
        assert head.horizon is not None
        moved = [one.account for one in moves if one.id > head.synced_move]
        news = News(head.snapshot, head.horizon, known, [*dict.fromkeys(moved)])
        found = walk(head.journey, lake.at(snapshot), until, moves, news, progress)
        if found is None:
            whole = f"the lake no longer knows snapshot {head.snapshot}, which the last sync saw"
    if found is None:
        found = walk(head.journey, lake.at(snapshot), until, moves, None, progress)
        assert found is not None
    change = _Changes(head, at)
    change.look(ledger, found)
    chosen = change.to_be_told()
    change.tell(witness(head.journey, lake.at(snapshot), until, chosen))
    left = len(change.found) - len(chosen)
    notes = [*found.notes, *([f"evidence is kept for {len(chosen):,} accounts, not for {left:,} more."] * (left > 0))]
    last_move = max((one.id for one in moves), default=0)
    mark = Mark(head.cycle + 1, until, snapshot, head.definition_hash, at)
    footing.write(lake.place, head.name, mark, found.footing)
    ledger.write(
        head, change.standings, change.lines, horizon=until, snapshot=snapshot, move=last_move, at=at, hooks=hooks
    )
    footing.forget(lake.place, head.name, mark.cycle)
    return Synced(
        head.name,
        until,
        found.looked,
        found.rows,
        change.count("added"),
        change.count("changed"),
        change.count("retracted"),
        whole,
        tuple(notes),
    )


def _mark(head: Head) -> Mark:
    return Mark(head.cycle, head.horizon or 0, head.snapshot or 0, head.definition_hash, head.synced_at or 0)


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
        self.standings: dict[str, Standing] = {}
        self.lines: list[dict[str, Any]] = []
        self.found: dict[str, Found] = {}

    def count(self, change: Change) -> int:
        """How many lines of a kind there are."""
        return sum(one["change"] == change for one in self.lines)

    def look(self, ledger: Ledger, found: Walk) -> None:
        """Compares each account that was walked, and those that should have been and are not there any more."""
        self._go_on(ledger, found)
        accounts = None if found.whole else list(found.histories)
        if accounts == []:
            return
        known, told = (
            ledger.standings(self._head.name, accounts),
            ledger.transitions(self._head.name, accounts),
        )
        every = dict.fromkeys([*found.histories, *known, *told] if found.whole else found.histories)
        for account in sorted(every):
            history = found.histories.get(account, History())
            self._stand(account, history.standing, known.get(account))
            self._compare(account, history.transitions, told.get(account, {}))
            self._find(account, history.standing, history.transitions)

    def _go_on(self, ledger: Ledger, found: Walk) -> None:
        """Adds what came after the last horizon."""
        told = ledger.transitions(self._head.name, list(found.further))
        for account, one in sorted(found.further.items()):
            known = told.get(account, {})
            entries = Counter(to for (to, _), stored in known.items() if not stored.retracted)
            self.standings[account] = one.standing
            holding = {identity: stored for identity, stored in known.items() if stored.retracted}
            more = [replace(line, entry=line.entry + entries[line.to_stage]) for line in one.transitions]
            self._compare(account, more, holding)
            before = [stored.transition for stored in known.values() if not stored.retracted]
            self._find(account, one.standing, [*sorted(before, key=lambda line: line.occurred_at), *more])

    def _find(self, account: str, standing: Standing, transitions: Sequence[Transition]) -> None:
        """Remembers the account if there is something new to be told of its transitions."""
        times = []
        for line in reversed(self.lines):
            if line["account"] != account:
                break
            times += [line["occurred_at"]] if line["change"] != "retracted" else []
        if times and standing.born_at is not None:
            self.found[account] = Found(standing.born_at, tuple(transitions), min(times))

    def to_be_told(self) -> dict[str, Found]:
        """The accounts whose evidence is kept: at most so many, those that are announced first."""
        if len(self.found) <= MOST:
            return self.found
        announced = {line["account"] for line in self.lines if line["announce"]}
        return {name: self.found[name] for name in sorted(self.found, key=lambda one: one not in announced)[:MOST]}

    def tell(self, evidence: Mapping[tuple[str, tuple[str, int]], str]) -> None:
        """Puts evidence beside the lines that say what came about."""
        for line in self.lines:
            if line["change"] != "retracted":
                line["evidence"] = evidence.get((line["account"], (line["to_stage"], line["entry"])))

    def _stand(self, account: str, now: Standing, before: Standing | None) -> None:
        if now != (before or Standing()):
            self.standings[account] = now

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
                "evidence": None,
            }
        )


__all__ = ["WAIT", "sync", "take_effect"]
