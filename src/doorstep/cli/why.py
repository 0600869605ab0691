"""`doorstep why`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.arguments import ManyEvents
from doorstep.cli.commands import (
    AsOf,
    AtSnapshot,
    Events,
    File,
    FirstTime,
    InLake,
    Memory,
    Since,
    Timezone,
    Until,
    memory_of,
    source_of,
)
from doorstep.cli.drawing import Line, bars, number_of
from doorstep.cli.files import AsCsv, Html, command, refuse_unwritable, show_csv, write_page
from doorstep.cli.interruption import at_once
from doorstep.cli.options import AsJson, Map, SourceTimezone, columns_of
from doorstep.cli.published import DATA, Data, definition
from doorstep.funnels.lengths import duration

if TYPE_CHECKING:
    from doorstep.funnels.drivers import Driver, Drivers

app: Final = typer.Typer()
SHOWN: Final = 20


@app.command(cls=ManyEvents)
def why(
    file: File,
    step: Annotated[str, typer.Option(help="The step that they went on to, or did not.", show_default=False)],
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    at_entry: Annotated[
        bool, typer.Option("--at-entry", help="Properties of the entry row, not of the row of the step before.")
    ] = False,
    support: Annotated[int, typer.Option(help="How many attempts must have a value at least.", min=1)] = 20,
    false_discoveries: Annotated[
        float, typer.Option("--false-discoveries", help="The share of findings that may be chance.")
    ] = 0.05,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    timezone: Timezone = "UTC",
    source_timezone: SourceTimezone = "UTC",
    first_time: FirstTime = False,
    map_: Map = None,
    memory: Memory = None,
    data: Data = DATA,
    html: Html = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Find what those who dropped before a step had and the others had not: an association, not a cause."""
    with at_once():
        from doorstep.funnels.drivers import drivers

    refuse_unwritable(html)
    with terminal.progress() as told:
        found = drivers(
            definition(file, data),
            source_of(events, lake, snapshot),
            step=step,
            at="entry" if at_entry else "previous",
            support=support,
            false_discoveries=false_discoveries,
            since=since,
            until=until,
            as_of=as_of,
            timezone=timezone,
            first_time=first_time,
            columns=columns_of(map_),
            source_timezone=source_timezone,
            memory=memory_of(memory),
            progress=told,
        )
    if html is not None:
        from doorstep.pages.drivers import drivers_page

        write_page(drivers_page(found, command()), html)
    if as_json:
        terminal.show_json(found.to_dict())
    elif as_csv:
        show_csv(*_csv(found))
    else:
        terminal.show(screen(found))


_CSV: Final = (
    *("kind", "name", "value", "went_on", "dropped", "others_went_on", "others_dropped", "odds", "odds_low"),
    *("odds_high", "p", "q", "found"),
)


def _csv(found: Drivers) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
    """A line for each value and event that was tested."""
    return _CSV, (
        (
            *(one.kind, one.name, one.value, one.went_on, one.dropped, one.others_went_on, one.others_dropped),
            *(one.odds.value, one.odds.low, one.odds.high, one.p_value, one.q_value, one.found),
        )
        for one in found.drivers
    )


def screen(found: Drivers) -> RenderableType:
    """What was found, strongest first."""
    return Group(*_parts(found))


def _parts(found: Drivers) -> Iterator[RenderableType]:
    from doorstep.funnels.result import percent

    funnel = found.funnel
    yield Text.assemble(
        (funnel.title or funnel.funnel, "bold"), (f"  {funnel.funnel}@{found.hash[:12]}", "bright_black")
    )
    yield Text(
        f"from {found.previous.label} to {found.step.label}: {found.went_on:,} of {found.went_on + found.dropped:,}"
        f" went on ({percent(found.share.value)}), {found.dropped:,} dropped; data up to {found.span.as_of}",
        "bright_black",
    )
    yield Text("")
    shown = found.found[:SHOWN]
    if shown:
        yield _table(shown)
        if len(found.found) > SHOWN:
            yield Text(f"and {number_of(len(found.found) - SHOWN, 'more')}; --json has all", "bright_black")
        yield Text("")
        yield Text("These go together with dropping; whether they cause it, counts cannot tell.", "bold")
    watched = (
        ""
        if found.watched is None
        else (
            f", events in the first {duration(found.watched)} after the step before, of the {found.watched_of:,} that"
            " were undecided then"
        )
    )
    yield Text(
        f"{number_of(found.tested, 'value')} tested, each of at least {found.support}{watched}; at most "
        f"{found.false_discoveries * 100:g} % of what is found should be chance",
        "bright_black",
    )
    for note in found.notes:
        yield Text.assemble(("note  ", "bold yellow"), note)


def _table(found: tuple[Driver, ...]) -> RenderableType:
    from doorstep.funnels.result import percent

    lines = []
    for one in found:
        value = (
            "after " + one.name
            if one.kind == "event"
            else f"{one.name} = {'(none)' if one.value is None else one.value}"
        )
        more = (one.odds.value or 0) > 1
        cells = [
            Text(f"{one.went_on + one.dropped:,}"),
            Text(percent(one.drop_share), "red" if more else "green"),
            Text(percent(one.others_drop_share)),
            Text("–" if one.odds.value is None else f"{one.odds.value:.2f}"),
            Text("–" if one.odds.low is None else f"{one.odds.low:.2f} – {one.odds.high:.2f}"),
            Text("< 0.0001" if one.q_value < 0.0001 else f"{one.q_value:.4f}"),
        ]
        lines.append(Line(Text(("▲ " if more else "▼ ") + value), None, cells))
    columns = ("attempts", "drop", "others drop", "odds", "between", "q")
    return bars("drop more ▲ or less ▼", columns, lines, leave=("q", "between", "attempts"), most_bar=0)
