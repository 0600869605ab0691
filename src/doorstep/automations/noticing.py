"""From the lines of a sync to signals and workflows, inside its transaction; and what time alone brings about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from doorstep.automations.active import Active, signals_at_work, workflows_at_work
from doorstep.automations.belongings import journey_of
from doorstep.automations.firing import WITHIN, Noticed, fire, named, retract
from doorstep.automations.starting import Cause, end_undone, start
from doorstep.automations.wanted import quiet
from doorstep.definitions import words
from doorstep.definitions.journey import Journey
from doorstep.definitions.signal import Signal
from doorstep.definitions.workflow import OnTransition, Workflow
from doorstep.ledger import Cycle
from doorstep.registry import ClaimAccountRow, JourneyAccountRow, JourneyRow

Line = Mapping[str, Any]
"""A line of a transition, with the columns of its table."""

_MOVES = ("entered", "left", "skipped", "moved_back")


def notice(session: Session, lines: Sequence[Line], cycle: Cycle) -> None:
    """The part that signals and workflows have in a cycle (see `ledger.Hook`): only lines that are to be announced are
    news, and what a late fact undid is marked.
    """
    undone = [one["transition_id"] for one in lines if one["change"] == "retracted"]
    if undone:
        end_undone(session, undone, cycle.at)
        retract(session, undone, cycle.at)
    news = [one for one in lines if one["announce"]]
    if not news:
        return
    journey = cycle.head.journey
    for signal in signals_at_work(session):
        if signal.definition.when.kind in _MOVES:
            fire(session, signal, (told(one) for one in news if about(signal, one, journey)), cycle.at)
    for workflow in workflows_at_work(session):
        fitting = [one for one in news if sets_off(workflow, one, journey)]
        if fitting:
            start(session, workflow, [cause_of(one) for one in fitting], cycle.at)


def about(signal: Active[Signal], line: Line, journey: Journey) -> bool:
    """Whether a transition is what a signal is about."""
    when = signal.definition.when
    for key, stage in (("entered", line["to_stage"]), ("left", line["from_stage"])):
        of = getattr(when, key)
        if of is not None:
            return bool((of.journey, of.stage) == (line["journey"], stage))
    if when.skipped is not None:
        skipped = json.loads(line["skipped"])
        return when.skipped.journey == line["journey"] and when.skipped.stage in skipped
    back = when.moved_back
    return (
        back is not None
        and back.journey == line["journey"]
        and is_back(journey, line)
        and back.from_ in (None, line["from_stage"])
        and back.to in (None, line["to_stage"])
    )


def is_back(journey: Journey, line: Line) -> bool:
    """Whether a transition leads to a lower stage."""
    positions = journey.positions
    return positions.get(line["to_stage"], 0) < positions.get(line["from_stage"], 0)


def sets_off(workflow: Active[Workflow], line: Line, journey: Journey) -> bool:
    """Whether a transition sets a workflow off."""
    asked = workflow.definition.trigger.transition
    return asked is not None and line["occurred_at"] >= workflow.since and fits(asked, line, journey)


def fits(asked: OnTransition, line: Line, journey: Journey) -> bool:
    """Whether a transition is one that is asked for."""
    way = "back" if is_back(journey, line) else "forward"
    return (
        asked.journey == line["journey"]
        and asked.from_ in (None, line["from_stage"])
        and asked.to in (None, line["to_stage"])
        and asked.moved in ("any", way)
    )


def moved(line: Line) -> dict[str, Any]:
    """A transition as templates and evidence show it."""
    return {
        "id": line["transition_id"],
        "journey": line["journey"],
        "from": line["from_stage"],
        "to": line["to_stage"],
        "skipped": json.loads(line["skipped"]),
        "occurred_at": line["occurred_at"],
        "cause": line["cause"],
    }


def cause_of(line: Line) -> Cause:
    """A transition as what sets a workflow off."""
    return Cause(line["transition_id"], line["account"], line["journey"], {"transition": moved(line)})


def told(line: Line) -> Noticed:
    """A transition as what a signal noticed."""
    passed = json.loads(line["skipped"])
    over = f", passing over {words.listed(passed)}" if passed else ""
    why = f"{line['account']} moved from {line['from_stage']} to {line['to_stage']} in {line['journey']}{over}"
    evidence: dict[str, Any] = {"transition": moved(line)}
    if line.get("evidence"):
        evidence["evidence"] = json.loads(line["evidence"])
    cause, at = line["transition_id"], line["occurred_at"]
    return Noticed(line["account"], cause, why, at, line["journey"], evidence)


# -- what time alone brings about -----------------------------------


def notice_time(session: Session, at: int) -> int:
    """Fires signals on accounts that are stuck or quiet by now, once for each stay or silence. How many."""
    count = 0
    for signal in signals_at_work(session):
        if signal.definition.when.stuck is not None:
            count += fire(session, signal, list(_stuck(session, signal)), at)
        elif signal.definition.when.no_activity is not None:
            count += fire(session, signal, list(_quiet(session, signal, at)), at)
    return count


def _stuck(session: Session, signal: Active[Signal]) -> Iterator[Noticed]:
    asked = signal.definition.when.stuck
    head = None if asked is None else session.get(JourneyRow, asked.journey)
    if asked is None or head is None or head.state != "active" or head.horizon is None:
        return
    journey = journey_of(session, head.name, head.version)
    assert journey is not None
    ranked = [one.id for one in journey.stages if one.rank is None]
    stages = ranked if asked.stage is None else [asked.stage]
    row, reached = JourneyAccountRow, head.horizon - asked.at_least
    news = max(signal.since, head.active_since or 0, head.horizon - head.announce_within) - asked.at_least
    query = select(row.account, row.stage, row.since).where(
        row.journey == head.name, row.stage.in_(stages), row.since <= reached, row.since >= news
    )
    for account, stage, since in session.execute(query):
        assert since is not None
        why = f"{account} has been in {stage} of {head.name} for {words.duration(asked.at_least)}"
        evidence = {"stage": stage, "since": since}
        cause = named("stuck", head.name, account, stage, since)
        yield Noticed(account, cause, why, since + asked.at_least, head.name, evidence)


def _quiet(session: Session, signal: Active[Signal], at: int) -> Iterator[Noticed]:
    asked = signal.definition.when.no_activity
    assert asked is not None
    row = ClaimAccountRow
    query = select(row.account, row.since).where(
        row.digest == quiet(signal.definition).digest, row.holds.is_(True), row.since >= max(signal.since, at - WITHIN)
    )
    for account, since in session.execute(query):
        why = f"{account} has not done anything for {words.duration(asked.at_least)}"
        evidence = {"last_activity": since - asked.at_least}
        yield Noticed(account, named("quiet", account, since), why, since, None, evidence)


__all__ = ["about", "cause_of", "fits", "is_back", "moved", "notice", "notice_time", "sets_off", "told"]
