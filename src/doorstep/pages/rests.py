"""What a report rests on: the definition in full, the bounds, and how the data was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from doorstep.definitions.checklist import checklist
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.identity import definition_hash
from doorstep.definitions.sections import sections
from doorstep.funnels.opening import Span
from doorstep.funnels.result import Data
from doorstep.funnels.spelling import instant
from doorstep.pages.parts import Reading, Table
from doorstep.pages.words import plural, shown

REJECTED: Final = {
    "unreadable_line": "unreadable line",
    "no_time": "no time",
    "unreadable_time": "unreadable time",
    "no_event": "no event name",
    "duplicate": "repeated message",
    "no_unit": "no unit",
    "no_held_value": "no value to hold constant",
}


def reading_of(funnel: Funnel, title: str = "The definition") -> Reading:
    """The definition: what it is called, its hash, what it says, and its checklist."""
    rules = Table(
        "Checklist",
        ("Rule", "Where", "State", "What it means here"),
        tuple((shown(one.topic), shown(one.where), _state(one.state), shown(one.means)) for one in checklist(funnel)),
        words=4,
    )
    prose = tuple(
        (shown(section.title), tuple((depth, shown(line)) for depth, line in section.lines))
        for section in sections(funnel)
    )
    return Reading(title, definition_facts(funnel), prose, rules)


def _state(state: str) -> str:
    return "✓ declared" if state == "declared" else "◌ defaulted"


def definition_facts(funnel: Funnel) -> tuple[tuple[str, str], ...]:
    """Its name, hash and semantics."""
    described = (("Description", shown(funnel.description)),) if funnel.description else ()
    return (
        ("Name", shown(funnel.funnel)),
        *described,
        ("Hash", definition_hash(funnel)),
        ("Semantics", f"version {funnel.semantics}"),
    )


def name_of(funnel: Funnel) -> str:
    """``signup@4f1c09ab12de``."""
    return f"{shown(funnel.funnel)}@{definition_hash(funnel)[:12]}"


def title_of(funnel: Funnel) -> str:
    """What people call it."""
    return shown(funnel.title or funnel.funnel)


def data_facts(data: Data) -> tuple[tuple[str, str], ...]:
    """Bounds, horizon, rows, and those that could not be used."""
    more: tuple[tuple[str, str], ...] = () if data.snapshot is None else (("Snapshot", str(data.snapshot)),)
    if data.map_version is not None:
        more += (("Ids", f"stitched by the identity map {data.map_version}"),)
    return (
        *_bounds(instant(data.since), instant(data.until), str(instant(data.as_of))),
        ("Read", f"{plural(data.rows, 'row')} in {shown(data.description)}"),
        ("Matched", f"{plural(data.matched, 'row')}, of {plural(data.units, 'unit')}"),
        ("Rejected rows", _rejected(data.rejected)),
        *more,
    )


def span_facts(span: Span) -> tuple[tuple[str, str], ...]:
    """The same, of what is said of questions that read several definitions."""
    return (
        *_bounds(span.since, span.until, span.as_of),
        ("Read", f"{plural(span.rows, 'row')} in {shown(span.description)}"),
    )


def _bounds(since: str | None, until: str | None, as_of: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Entries", f"from {since or 'the first row'} until {until or 'the last row'}"),
        ("Horizon", f"data up to {as_of}"),
    )


def _rejected(rejected: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {REJECTED.get(reason, reason)}" for reason, number in rejected.items()) or "none"


__all__ = ["data_facts", "definition_facts", "name_of", "reading_of", "span_facts", "title_of"]
