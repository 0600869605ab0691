"""Workflows that are set off by the time of day: one run for each account of which the conditions hold then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from doorstep.automations.active import Active, workflows_at_work
from doorstep.automations.belongings import Belongings, everybody, holding
from doorstep.automations.firing import named
from doorstep.automations.starting import Cause, start
from doorstep.automations.wanted import where_of
from doorstep.definitions.belonging import Each
from doorstep.definitions.workflow import Schedule, Workflow
from doorstep.registry import Database, WorkflowScheduleRow

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def set_off(database: Database, at: int) -> int:
    """Starts the runs of every schedule whose time has come since it was last looked at; of several times that were
    missed, the last one alone. How many runs.
    """

    def work(session: Session) -> int:
        return sum(_set_off(session, one, at) for one in workflows_at_work(session))

    return database.write(work)


def _set_off(session: Session, workflow: Active[Workflow], at: int) -> int:
    schedule = workflow.definition.trigger.schedule
    if schedule is None:
        return 0
    row = session.get(WorkflowScheduleRow, workflow.name, with_for_update=True)
    begins = workflow.since if row is None else max(row.last_at, workflow.since)
    time = last_time(schedule, at)
    if time <= begins:
        return 0
    if row is None:
        session.add(WorkflowScheduleRow(workflow=workflow.name, last_at=time))
        session.flush()
    else:
        row.last_at = time
    belonging, ground = where_of(workflow.definition)
    told = Belongings(session, ground, at)
    accounts = holding(told.members(everybody(ground) if belonging == Each(()) else belonging))
    causes = [Cause(named("schedule", workflow.name, time, account), account, None, {}) for account in accounts]
    return start(session, workflow, causes, at)


def last_time(schedule: Schedule, at: int) -> int:
    """The last time of the schedule that has come (microseconds UTC)."""
    zone = ZoneInfo(schedule.timezone)
    local = (_EPOCH + timedelta(microseconds=at)).astimezone(zone)
    hour, _, minute = schedule.at.partition(":")
    for back in range(9):
        day = local.date() - timedelta(days=back)
        if schedule.on and _DAYS[day.weekday()] not in schedule.on:
            continue
        time = datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=zone)
        found = (time - _EPOCH) // timedelta(microseconds=1)
        if found <= at:
            return found
    raise AssertionError("a week has every day")


__all__ = ["last_time", "set_off"]
