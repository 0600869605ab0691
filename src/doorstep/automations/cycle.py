"""One round of everything: histories, segments, signals, workflows; what is to go out is in the outbox then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from doorstep.automations import bounds, segments
from doorstep.automations.active import segments_at_work, signals_at_work, workflows_at_work
from doorstep.automations.announcing import announce
from doorstep.automations.claims import refresh
from doorstep.automations.noticing import notice, notice_time
from doorstep.automations.runs import advance
from doorstep.automations.schedules import set_off
from doorstep.automations.wanted import claims_at_work
from doorstep.engines.duckdb import Progress
from doorstep.lake import Lake
from doorstep.ledger import Ledger, Synced, sync
from doorstep.ledger.sync import WAIT
from doorstep.registry import Database


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to. ``failures``: what could not be looked at, as sentences; it is tried again."""

    synced: tuple[Synced, ...]
    segments: tuple[segments.SegmentLook, ...] = ()
    steps: int = 0
    messages: int = 0
    failures: tuple[str, ...] = ()


def go_round(
    lake: Lake,
    database: Database,
    at: int,
    *,
    names: Iterable[str] | None = None,
    wait: float = WAIT,
    progress: Progress | None = None,
) -> Round:
    """Syncs journeys (``names``: these alone), and does all that follows from it up to ``at`` (microseconds UTC).

    What is noticed of a transition is in the sync's own transaction; everything else is in transactions that say what
    they did, so that a round that was killed is made up for by the next one. Errors as of `sync`.
    """
    lake.settle(wait=wait)
    with database.reading() as session:
        claims = claims_at_work(session)
    failures = refresh(lake, database, claims, at, progress=progress)
    synced = sync(lake, Ledger(database), at, names=names, wait=wait, progress=progress, hooks=[notice])
    looks = segments.look(database, at)
    database.write(lambda session: notice_time(session, at))
    failures += bounds.look(lake, database, at)
    set_off(database, at)
    messages = announce(lake, database, at)
    steps = advance(lake, database, at)
    return Round(synced, looks, steps, messages, failures)


def anything_at_work(database: Database) -> bool:
    """Whether a round would have anything to do."""
    if any(head.state == "active" for head in Ledger(database).heads()):
        return True
    with database.reading() as session:
        return bool(segments_at_work(session) or signals_at_work(session) or workflows_at_work(session))


__all__ = ["Round", "anything_at_work", "go_round"]
