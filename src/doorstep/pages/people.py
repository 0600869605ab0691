"""People, as a page: who they are, and when they came to each step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from doorstep.funnels.people import ANY, Outcome
from doorstep.funnels.result import FunnelResult
from doorstep.pages.parts import Page, Section, Table
from doorstep.pages.rests import data_facts, name_of, reading_of, title_of
from doorstep.pages.words import counted, of, plural, shown, value_of, which

if TYPE_CHECKING:
    import pyarrow as pa

_SAID: Final[dict[Outcome, str]] = {
    "reached": "reached “{step}”",
    "dropped": "dropped out before “{step}”",
    "open": "may still reach “{step}”",
    "excluded": "were excluded before “{step}”",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """People at a step (its id) with an outcome, of one value of the breakdown (`ANY`: of all),
    how many they are, and those that are shown, as `FunnelResult.people` tells them.
    """

    result: FunnelResult
    step: str
    outcome: Outcome
    count: int
    shown: pa.Table
    value: object = ANY


def people_page(listed: Listed, command: str | None = None) -> Page:
    """The report of `doorstep people`."""
    result = listed.result
    return Page(
        kind=f"Who {_said(listed)}",
        title=title_of(result.funnel),
        name=name_of(result.funnel),
        answer=_answer(listed),
        more=(_noted(listed),) if listed.count else (),
        sections=tuple(_sections(listed)),
        facts=data_facts(result.data),
        readings=(reading_of(result.funnel),),
        command=command,
    )


def _said(listed: Listed) -> str:
    funnel = listed.result.funnel
    label = funnel.steps[funnel.positions[listed.step]].label
    said = _SAID[listed.outcome].format(step=shown(label))
    if listed.value is ANY:
        return said
    return f"{said}, with {shown(listed.result.breakdown_by)} {value_of(listed.value)}"


def _answer(listed: Listed) -> str:
    """One attempt stands for a unit among those that count; among the excluded each is told."""
    funnel, entered = listed.result.funnel, listed.result.figures.entered
    if listed.outcome == "excluded":
        return f"{plural(listed.count, 'attempt')} {_said(listed)}."
    told = f"{counted(funnel, listed.count)} {_said(listed)}"
    if listed.value is not ANY or not entered:
        return f"{told}."
    return f"{told}: {of(listed.count / entered, entered)} {which(funnel)} entered."


def _noted(listed: Listed) -> str:
    if listed.shown.num_rows >= listed.count:
        return "All of them are listed, by their entry."
    return f"The first {listed.shown.num_rows:,} are listed, by their entry; --limit lists more, --out writes all."


def _sections(listed: Listed) -> Iterator[Section]:
    rows = listed.shown.to_pylist()
    if not rows:
        return
    funnel = listed.result.funnel
    valued = "value" in listed.shown.column_names
    entered = {} if funnel.entry == "step1_only" else {"entered_at": "Entered"}
    times = entered | {f"at_{step.id}": shown(step.label) for step in funnel.steps}
    head = ("Unit", *times.values(), "Status", *((shown(listed.result.breakdown_by),) if valued else ()))
    lines = tuple((*_line(row, times), *_value(row, valued)) for row in rows)
    yield Section("Who they are", tables=(Table("Times of each step, UTC", head, lines),))


def _line(row: dict[str, Any], times: Iterable[str]) -> Iterator[str]:
    yield shown(row["unit"])
    yield from (_minute(row[name]) for name in times)
    yield row["status"]


def _value(row: dict[str, Any], valued: bool) -> Iterator[str]:
    if valued:
        value = row["value"]
        yield value_of(tuple(value) if isinstance(value, list) else value)


def _minute(instant: datetime | None) -> str:
    return "–" if instant is None else f"{instant:%Y-%m-%d %H:%M}"


__all__ = ["Listed", "people_page"]
