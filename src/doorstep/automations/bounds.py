"""Signals on funnels: conversion below a bound or down, and tracking that drifts; looked at once an hour at most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import pyarrow.compute as pc
from sqlalchemy import select
from sqlalchemy.orm import Session

from doorstep.automations.active import Active, signals_at_work
from doorstep.automations.firing import Noticed, fire, named
from doorstep.definitions.funnel import Funnel, StepId
from doorstep.definitions.kinds import load_definition_text
from doorstep.definitions.signal import Conversion, Signal
from doorstep.drift.look import drift
from doorstep.drift.profile import WEEK
from doorstep.errors import DoorstepError, RegistryError
from doorstep.funnels.run import run
from doorstep.funnels.spelling import percent
from doorstep.lake import Lake
from doorstep.registry import Database, SignalLookRow
from doorstep.registry.tables import VersionRow

EVERY: Final = 3_600_000_000
"""Microseconds between two looks of one signal."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of so many mature attempts came as far."""

    reached: int
    mature: int

    @property
    def value(self) -> float:
        """As a share."""
        return self.reached / self.mature


def look(lake: Lake, database: Database, at: int) -> tuple[str, ...]:
    """Looks at what is due, each signal in one transaction; it fires when its condition begins to hold. What could not
    be looked at is given as sentences.
    """
    with database.reading() as session:
        asked = [one for one in signals_at_work(session) if one.definition.when.kind in {"conversion", "drift"}]
        last = {(one.signal, one.subject): one.at for one in session.scalars(select(SignalLookRow))}
    failures = []
    for signal in asked:
        if at - last.get((signal.name, ""), at - EVERY) < EVERY:
            continue
        try:
            found = _holding(lake, database, signal, at)
            database.write(partial(_keep, signal=signal, found=found, at=at))
        except DoorstepError as error:
            failures.append(f"{signal.name}: {error.code}: {error.message}")
    return tuple(failures)


def _keep(session: Session, signal: Active[Signal], found: Iterable[tuple[str, Noticed]], at: int) -> None:
    """``found``: what holds now, by what it is about. A subject that held at the last look does not fire again."""
    holding = dict(found)
    row = SignalLookRow
    known = {one.subject: one for one in session.scalars(select(row).where(row.signal == signal.name))}
    news = [one for subject, one in holding.items() if subject not in known or not known[subject].holds]
    for subject in {"", *holding, *known}:
        holds = subject in holding
        if subject in known:
            known[subject].holds, known[subject].at = holds, at
        else:
            session.add(row(signal=signal.name, subject=subject, holds=holds, at=at))
    session.flush()
    fire(session, signal, news, at)


def _holding(lake: Lake, database: Database, signal: Active[Signal], at: int) -> list[tuple[str, Noticed]]:
    """What holds now, by what it is about."""
    asked = signal.definition.when.conversion
    if asked is None:
        return _drift(lake, database, signal, at)
    return _conversion(lake, database, signal, asked, at)


def _conversion(
    lake: Lake, database: Database, signal: Active[Signal], asked: Conversion, at: int
) -> list[tuple[str, Noticed]]:
    funnel = _funnel(database, asked.funnel)
    end = at - (asked.mature_after or 0)
    now = _share(lake, funnel, end - asked.over, end, at, asked.at_step)
    before = None
    if asked.down_by is not None:
        before = _share(lake, funnel, end - 2 * asked.over, end - asked.over, at, asked.at_step)
    why = judged(asked, now, before)
    if why is None:
        return []
    evidence = {
        "funnel": asked.funnel,
        "reached": now.reached,
        "mature": now.mature,
        **({} if before is None else {"reached_before": before.reached, "mature_before": before.mature}),
    }
    return [("bound", Noticed("", named("conversion", signal.name, at), why, at, None, evidence))]


def judged(asked: Conversion, now: Share, before: Share | None) -> str | None:
    """What is wrong with a share; None where nothing is, or too few attempts tell."""
    if now.mature < asked.sample:
        return None
    of = f"{percent(now.value)} of {now.mature:,} mature attempts of {asked.funnel}"
    if asked.below is not None and now.value < asked.below:
        return f"{of} converted, which is below {percent(asked.below)}"
    if asked.down_by is None or before is None or before.mature < asked.sample or not before.reached:
        return None
    if now.value <= before.value * (1 - asked.down_by):
        return f"{of} converted, after {percent(before.value)} of {before.mature:,} in the time before"
    return None


def _share(lake: Lake, funnel: Funnel, since: int, until: int, at: int, step: StepId | None) -> Share:
    result = run(funnel, lake, since=_moment(since), until=_moment(until), as_of=_moment(at))
    if step is None:
        return Share(result.figures.mature_completed, result.figures.mature)
    if str(step) not in {str(one.id) for one in result.steps}:
        raise RegistryError("unknown-step", f"{funnel.funnel} has no step {step}. Correct `at_step` of the signal.")
    attempts = result.attempts
    status, counted = attempts.column("status"), attempts.column("counted")
    mature = attempts.filter(pc.and_(counted, pc.not_equal(status, "open")))
    return Share(mature.num_rows - mature.column(f"at_{step}").null_count, mature.num_rows)


def _drift(lake: Lake, database: Database, signal: Active[Signal], at: int) -> list[tuple[str, Noticed]]:
    asked = signal.definition.when.drift
    assert asked is not None
    report = drift([_funnel(database, asked.funnel)], lake, recent=asked.recent or WEEK, as_of=_moment(at))
    found = [one for one in report.findings if one.code != "little-history"]
    return [
        (
            f"{one.code} {one.event} {one.property or ''}".strip(),
            Noticed(
                "",
                named("drift", signal.name, one.code, one.event, one.property, at),
                one.message,
                at,
                None,
                {"code": one.code, "event": one.event, "property": one.property, "recent": one.recent},
            ),
        )
        for one in found
    ]


def _funnel(database: Database, name: str) -> Funnel:
    with database.reading() as session:
        query = select(VersionRow).where(VersionRow.name == name, VersionRow.kind == "funnel")
        row = session.scalar(query.order_by(VersionRow.number.desc()).limit(1))
    if row is None:
        raise RegistryError("no-such-definition", f"No funnel is published as {name!r}. `doorstep publish` does it.")
    found = load_definition_text(row.text, file=f"{name}@{row.number}.{row.form}", name=name)
    assert isinstance(found, Funnel)
    return found


def _moment(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


__all__ = ["EVERY", "Share", "judged", "look"]
