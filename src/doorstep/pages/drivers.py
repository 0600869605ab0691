"""Why they drop, as a page: what goes together with dropping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from doorstep.funnels.drivers import Driver, Drivers
from doorstep.pages.charts import Interval, intervals, picture
from doorstep.pages.parts import Key, Page, Section, Table
from doorstep.pages.rests import name_of, reading_of, span_facts, title_of
from doorstep.pages.words import NONE, chance, decimal, duration, of, percent, plural, shown

MOST_DRAWN = 20
ODDS = "datum.label"


def drivers_page(found: Drivers, command: str | None = None) -> Page:
    """The report of `doorstep why`."""
    return Page(
        kind=f"Why they drop before “{shown(found.step.label)}”",
        title=title_of(found.funnel),
        name=name_of(found.funnel),
        answer=_answer(found),
        more=(_how(found),),
        sections=tuple(sections_of(found)),
        facts=(*span_facts(found.span), ("Tested", _tested(found))),
        readings=(reading_of(found.funnel),),
        command=command,
        warnings=tuple(map(shown, found.notes)),
    )


def _name(one: Driver) -> str:
    if one.kind == "event":
        return f"after {shown(one.name)}"
    return f"{shown(one.name)} = {NONE if one.value is None else shown(one.value)}"


def _more(one: Driver) -> bool:
    return (one.odds.value or 0) > 1 or (one.odds.value is None and one.drop_share > (one.others_drop_share or 0))


def _answer(found: Drivers) -> str:
    if not found.found:
        return "Nothing differs more than chance would have it between those who went on and those who dropped."
    first = next((one for one in found.found if _more(one)), found.found[0])
    rest = first.others_went_on + first.others_dropped
    return (
        f"{of(first.drop_share, first.went_on + first.dropped)} with {_name(first)} dropped, against "
        f"{of(first.others_drop_share, rest)} others."
    )


def _how(found: Drivers) -> str:
    reached = found.went_on + found.dropped
    return (
        f"From “{shown(found.previous.label)}” to “{shown(found.step.label)}” {of(found.share.value, reached)} went on."
        " What is found goes together with dropping; whether it causes it, counts cannot tell."
    )


def _tested(found: Drivers) -> str:
    told = f"{plural(found.tested, 'value')}, each of at least {found.support}; "
    if found.watched is not None:
        told += f"events in the first {duration(found.watched)} after the step before, of {found.watched_of:,}; "
    return f"{told}at most {found.false_discoveries * 100:g} % of what is found should be chance"


def sections_of(found: Drivers) -> Iterator[Section]:
    """What was found, drawn and told."""
    if found.found:
        yield _odds(found.found)
    rest = [one for one in found.drivers if not one.found][:MOST_DRAWN]
    if rest:
        table = _table("Not more than chance, the surest of them", rest)
        yield Section("What was tested and is no more than chance", behind=(table,))
    if found.passed_over:
        yield Section("Passed over", (", ".join(map(shown, found.passed_over)) + ".",))


def _odds(found: Sequence[Driver]) -> Section:
    drawn = found[:MOST_DRAWN]
    rows = [
        Interval(
            *(_name(one), one.odds.value, one.odds.low, one.odds.high),
            f"{percent(one.drop_share)} of {one.went_on + one.dropped:,}",
            "triangle-up" if _more(one) else "triangle-down",
        )
        for one in drawn
    ]
    told = "How many times as high the odds of dropping are with it as without it; at the dashed line, no difference."
    keys = (
        Key("up", "drops more"),
        Key("down", "drops less"),
        Key("line", "95 % interval"),
        Key("dashed", "no difference"),
    )
    table = _table("What differs more than chance, strongest first", found)
    drawing = intervals(rows, line=1.0, log=True, labels=ODDS, title="odds ratio")
    return Section(
        "What goes together with dropping", pictures=(picture("Odds of dropping", told, drawing, table, keys),)
    )


def _table(caption: str, drivers: Sequence[Driver]) -> Table:
    rows = []
    for one in drivers:
        rest = one.others_went_on + one.others_dropped
        ends = "–" if one.odds.low is None else f"{decimal(one.odds.low)} to {decimal(one.odds.high)}"
        shares = (of(one.drop_share, one.went_on + one.dropped), of(one.others_drop_share, rest))
        mark = "▲" if _more(one) else "▼"
        rows.append((f"{mark} {_name(one)}", *shares, decimal(one.odds.value), ends, chance(one.q_value)))
    head = ("With", "Dropped", "Others dropped", "Odds", "95 % interval", "q")
    return Table(caption, head, tuple(rows))


__all__ = ["drivers_page", "sections_of"]
