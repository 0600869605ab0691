"""What has to be known of accounts for all that is at work: the claims, once each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from doorstep.automations.active import Active, segments_at_work, signals_at_work, workflows_at_work
from doorstep.automations.belongings import Belongings, everybody, needs_everybody
from doorstep.definitions.automation_rules import Automation, memberships
from doorstep.definitions.belonging import Belonging, Claim, Ground, belonging_of, claim
from doorstep.definitions.journey import Age, Criteria, Occurrence
from doorstep.definitions.kinds import ground_of
from doorstep.definitions.segment import Segment
from doorstep.definitions.signal import Signal
from doorstep.definitions.workflow import Workflow


def claims_at_work(session: Session) -> tuple[Claim, ...]:
    """The claims of every segment, signal and workflow that is at work."""
    found: dict[str, Claim] = {}
    every: list[Active[Any]] = [*segments_at_work(session), *signals_at_work(session), *workflows_at_work(session)]
    for one in every:
        found.update({claim_.digest: claim_ for claim_ in claims_of(session, one.definition)})
    return tuple(found.values())


def claims_of(session: Session, definition: Automation) -> Iterator[Claim]:
    """The claims that a definition rests on, those of segments that it names too."""
    ground = ground_of(definition)
    told = Belongings(session, ground, 0)
    for path, membership in memberships(definition):
        if any(part in {"all", "any", "not"} for part in path):
            continue
        leaves = list(told.unfolded(belonging_of(membership, ground)))
        yield from (leaf for leaf in leaves if isinstance(leaf, Claim))
        if isinstance(definition, Segment | Workflow) and needs_everybody(leaves):
            yield everybody(ground)
    if isinstance(definition, Signal) and definition.when.no_activity is not None:
        yield quiet(definition)
    if isinstance(definition, Workflow) and definition.trigger.schedule is not None and definition.where is None:
        yield everybody(ground)


def quiet(signal: Signal) -> Claim:
    """The claim of a signal on accounts that went quiet: no row for so long, of an account that is as old."""
    assert signal.when.no_activity is not None
    length = signal.when.no_activity.at_least
    no_row = Occurrence.model_construct(in_last=length)
    return claim(
        Criteria.model_construct(did_not=no_row, account_age=Age.model_construct(at_least=length)), ground_of(signal)
    )


def where_of(definition: Signal | Workflow) -> tuple[Belonging, Ground]:
    """A definition's conditions, and what they stand on."""
    ground = ground_of(definition)
    return belonging_of(definition.where, ground), ground


__all__ = ["claims_at_work", "claims_of", "quiet", "where_of"]
