"""A segment, a signal or a workflow is published: held against what there is, kept as a version, noted in the log.

What a document names and is not there yet may come later and is told; what can never be right is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from doorstep.automations.active import published
from doorstep.automations.belongings import Belongings, journey_of
from doorstep.definitions.automation_rules import Automation, memberships
from doorstep.definitions.belonging import Belonging, Belongs, Reached, Remains, Stands, belonging_of
from doorstep.definitions.complaints import settle
from doorstep.definitions.document import Path as Place
from doorstep.definitions.document import parse, spell
from doorstep.definitions.kinds import Kind, ground_of, kind_of, name_of
from doorstep.definitions.reading import opened
from doorstep.definitions.segment import Segment
from doorstep.definitions.signal import Signal
from doorstep.definitions.workflow import Workflow
from doorstep.errors import DefinitionError, Issue, RegistryError, nearest
from doorstep.registry import Database, DestinationRow, JourneyRow, Publication, Registry, note
from doorstep.registry.drafts import draft
from doorstep.registry.tables import SegmentRow, VersionRow


@dataclass(frozen=True, slots=True)
class Published:
    """What came of publishing, and what the document names that is not there yet."""

    publication: Publication
    findings: tuple[Issue, ...]


def publish(
    database: Database,
    source: Path | str | Mapping[str, object],
    kind: Kind,
    *,
    by: str,
    at: int,
    message: str | None = None,
) -> Published:
    """Publishes a document of a kind. DefinitionError; RegistryError as of `Registry.publish`, and ``name-taken``."""
    new = draft(source)
    meant = new.definition
    if kind_of(meant) != kind or not isinstance(meant, Segment | Signal | Workflow):
        what = f"This document defines a {kind_of(meant)}, where a {kind} is meant."
        raise DefinitionError([Issue("other-kind", "error", what, None, "", f"A {kind} has the key `{kind}`.")])
    with database.reading() as session:
        found = _placed(source, tuple(findings(session, meant)))
        _refuse_taken(session, meant)
    wrong = [one for one in found if one.level == "error"]
    if wrong:
        raise DefinitionError(wrong)
    done = Registry(database, lambda: at).publish(new, by=by, message=message)
    if done.published:
        told = {"version": done.version.number, "hash": done.version.hash}

        def work(session: Session) -> None:
            note(session, at, by=by, act="published", subject=kind, name=new.name, before=None, after=told)

        database.write(work)
    return Published(done, found)


def _refuse_taken(session: Session, meant: Automation) -> None:
    name = name_of(meant)
    if isinstance(meant, Segment) and session.scalar(select(func.count()).where(SegmentRow.name == name)):
        message = f"There is a saved list of the name {name}, and a segment is one or the other."
        raise RegistryError("name-taken", f"{message} Give it another name.")


def findings(session: Session, meant: Automation) -> Iterator[Issue]:
    """What a definition names, held against what there is: errors, and warnings for what may come later."""
    ground = ground_of(meant)
    for path, one in memberships(meant):
        if {"all", "any", "not"} & set(path):
            continue
        for leaf in Belongings(session, ground, 0).unfolded(belonging_of(one, ground)):
            yield from _leaf(session, meant, leaf, path)
    match meant:
        case Segment():
            yield from _cycle(session, meant)
        case Signal():
            yield from _when(session, meant)
            for number, told in enumerate(meant.announce):
                yield from _destination(session, told.to, f"announce[{number}].to")
        case Workflow():
            yield from _trigger(session, meant)
            for number, action in enumerate(meant.actions):
                to = next((one.to for one in (action.webhook, action.slack, action.email) if one is not None), None)
                if to is not None:
                    yield from _destination(session, to, f"actions[{number}].{action.kind}.to")


def _placed(source: Path | str | Mapping[str, object], found: tuple[Issue, ...]) -> tuple[Issue, ...]:
    """Findings with their places in the file."""
    document, _ = opened(source, None)
    places = (document.position(settle(parse(one.path), document.value)) for one in found)
    return tuple(replace(one, position=place) for one, place in zip(found, places, strict=True))


def _leaf(session: Session, meant: Automation, leaf: Belonging, path: Place) -> Iterator[Issue]:
    match leaf:
        case Stands():
            for stage in leaf.stages:
                yield from _stage(session, leaf.journey, stage, meant.count_by, spell(path))
        case Reached() | Remains():
            yield from _stage(session, leaf.journey, leaf.stage, meant.count_by, spell(path))
        case Belongs():
            yield from _segment(session, leaf.segment, spell(path))
        case _:
            return


def _stage(session: Session, name: str, stage: str | None, unit: tuple[str, ...], path: str) -> Iterator[Issue]:
    head = session.get(JourneyRow, name)
    journey = None if head is None else journey_of(session, name, head.version)
    if journey is None:
        yield _missing("journey", name, path, session.scalars(select(JourneyRow.name)).all())
        return
    if stage is not None and stage not in journey.positions:
        near = nearest(stage, journey.positions)
        mend = f"Did you mean {near}?" if near else f"The stages are {', '.join(journey.positions)}."
        yield Issue("unknown-stage", "error", f"{name} has no stage `{stage}`.", None, path, mend)
    if unit != journey.unit_columns:
        said, theirs = (" and ".join(one) for one in (unit, journey.unit_columns))
        message = f"{name} places each {theirs}, and this is about each {said}: it would never hold."
        yield Issue("other-unit", "error", message, None, path, f"Write count_by: {theirs}.")


def _segment(session: Session, name: str, path: str) -> Iterator[Issue]:
    known = {one.name for one in published(session, "segment")} | set(session.scalars(select(SegmentRow.name)))
    if name not in known:
        yield _missing("segment", name, path, known)


def _cycle(session: Session, meant: Segment) -> Iterator[Issue]:
    """Segments that are made of each other in a ring would never end."""
    made = {one.name: one.definition for one in published(session, "segment")} | {meant.segment: meant}
    seen, left = set[str](), [meant.segment]
    while left:
        for _, one in memberships(made[left.pop()]):
            if one.segment == meant.segment:
                message = f"The segment `{meant.segment}` would be made of itself, through other segments."
                yield Issue("segment-cycle", "error", message, None, "criteria", "Name another segment.")
                return
            if one.segment in made and one.segment not in seen:
                seen.add(one.segment)
                left.append(one.segment)


def _when(session: Session, meant: Signal) -> Iterator[Issue]:
    when, path = meant.when, f"when.{meant.when.kind}"
    for of in (when.entered, when.left, when.skipped):
        if of is not None:
            yield from _stage(session, of.journey, of.stage, meant.count_by, path)
    if when.moved_back is not None:
        for stage in (when.moved_back.from_, when.moved_back.to):
            yield from _stage(session, when.moved_back.journey, stage, meant.count_by, path)
    if when.stuck is not None:
        yield from _stage(session, when.stuck.journey, when.stuck.stage, meant.count_by, path)
    for name in (when.entered_segment, when.left_segment):
        if name is not None:
            yield from _watched(session, name, path)
    for funnel in (when.conversion, when.drift):
        if funnel is not None:
            yield from _defined(session, "funnel", funnel.funnel, path)


def _trigger(session: Session, meant: Workflow) -> Iterator[Issue]:
    trigger = meant.trigger
    if trigger.signal is not None:
        yield from _defined(session, "signal", trigger.signal, "trigger.signal")
        named = next((one for one in published(session, "signal") if one.name == trigger.signal), None)
        if named is not None and named.definition.count_by != meant.count_by:
            said, theirs = (" and ".join(one) for one in (meant.count_by, named.definition.count_by))
            message = f"The signal {named.name} is about each {theirs}, and this workflow about each {said}."
            yield Issue("other-unit", "error", message, None, "trigger.signal", f"Write count_by: {theirs}.")
    if trigger.entered_segment is not None:
        yield from _watched(session, trigger.entered_segment, "trigger.entered_segment")
    if trigger.transition is not None:
        for stage in (trigger.transition.from_, trigger.transition.to):
            yield from _stage(session, trigger.transition.journey, stage, meant.count_by, "trigger.transition")


def _watched(session: Session, name: str, path: str) -> Iterator[Issue]:
    """Only segments with criteria are entered and left; a saved list stays as it is."""
    yield from _defined(session, "segment", name, path)


def _defined(session: Session, kind: Kind, name: str, path: str) -> Iterator[Issue]:
    known = session.scalars(select(VersionRow.name).where(VersionRow.kind == kind).distinct()).all()
    if name not in known:
        yield _missing(kind, name, path, known)


def _destination(session: Session, name: str, path: str) -> Iterator[Issue]:
    known = session.scalars(select(DestinationRow.name)).all()
    if name not in known:
        yield _missing("destination", name, path, known, "Messages to it are parked until it is there.")


def _missing(
    what: str, name: str, path: str, known: Any, later: str = "It may come later; until then nothing comes of it."
) -> Issue:
    near = nearest(name, known)
    mend = f"Did you mean {near}?" if near else later
    return Issue("not-there-yet", "warning", f"There is no {what} `{name}` so far.", None, path, mend)


__all__ = ["Published", "findings", "publish"]
