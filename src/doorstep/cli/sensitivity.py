"""`doorstep sensitivity`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
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
from doorstep.cli.drawing import Line, bar, bars
from doorstep.cli.files import AsCsv, Html, command, refuse_unwritable, show_csv, write_page
from doorstep.cli.interruption import at_once
from doorstep.cli.options import AsJson, Map, SourceTimezone, columns_of
from doorstep.cli.published import DATA, Data, definition

if TYPE_CHECKING:
    from doorstep.funnels.sensitivity import RuleEffect, Sensitivity, Tried

app: Final = typer.Typer()


@app.command(cls=ManyEvents)
def sensitivity(
    file: File,
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule", help="Also try this rule (window, dedupe, …; all) where it is declared.", show_default=False
        ),
    ] = None,
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
    """Count a funnel under every other way to settle its open rules, and rank the rules by what they move."""
    with at_once():
        from doorstep.funnels.sensitivity import sensitivity as try_rules

    refuse_unwritable(html)
    with terminal.progress() as told:
        found = try_rules(
            definition(file, data),
            source_of(events, lake, snapshot),
            rules=rule or (),
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
        from doorstep.pages.sensitivity import sensitivity_page

        write_page(sensitivity_page(found, command()), html)
    if as_json:
        terminal.show_json(found.to_dict())
    elif as_csv:
        show_csv(*_csv(found))
    else:
        terminal.show(screen(found))


_CSV: Final = (
    *("topic", "where", "state", "settled_as", "entered", "completed", "open", "conversion", "shift"),
    *("gained", "lost", "spread"),
)


def _csv(found: Sensitivity) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
    """The definition as it is, then one line for each alternative."""
    return _CSV, _lines(found)


def _lines(found: Sensitivity) -> Iterator[Sequence[object]]:
    base = found.counts
    yield ("", "", "", "as it is", base.entered, base.completed, base.open, base.conversion, None, None, None, None)
    for rule in found.rules:
        for one in rule.tried:
            counts, shift = one.counts, None
            if counts.conversion is not None and base.conversion is not None:
                shift = counts.conversion - base.conversion
            figures = (counts.entered, counts.completed, counts.open, counts.conversion, shift)
            yield (rule.topic, rule.where, rule.state, one.says, *figures, one.gained, one.lost, rule.spread)


def screen(found: Sensitivity) -> RenderableType:
    """The rules that matter, then those that do not."""
    from doorstep.funnels.result import percent

    funnel, counts = found.funnel, found.counts
    head = Text.assemble(
        (funnel.title or funnel.funnel, "bold"), (f"  {funnel.funnel}@{found.hash[:12]}", "bright_black")
    )
    told = f"as it is: {counts.completed:,} of {counts.entered:,} complete ({percent(counts.conversion)}); data up to "
    parts: list[RenderableType] = [head, Text(told + found.span.as_of, "bright_black")]
    moving = [one for one in found.rules if one.spread or any(_moves(found, each) for each in one.tried)]
    for rule in moving:
        parts += [Text(""), _head(rule), Text(rule.sentence), _table(found, rule)]
    quiet = [f"{rule.topic}{_where(rule)}" for rule in found.rules if rule not in moving]
    if quiet:
        parts += [Text(""), Text(f"Whatever is meant, no count changes here: {', '.join(quiet)}.", "green")]
    if not found.rules:
        parts += [Text(""), Text("Every rule is declared, so that nothing is open.", "green")]
    if found.settled:
        parts += [
            Text(""),
            Text(f"Declared, so not tried: {', '.join(found.settled)}. --rule NAME tries one, --rule all each."),
        ]
    return Group(*parts)


def _moves(found: Sensitivity, one: Tried) -> bool:
    return one.counts != found.counts or bool(one.gained or one.lost)


def _where(rule: RuleEffect) -> str:
    return "" if rule.where == "funnel" else f" of {rule.where}"


def _head(rule: RuleEffect) -> Text:
    moved = "" if rule.spread is None else f"  {rule.spread * 100:.1f} points"
    state = "green" if rule.state == "declared" else "yellow"
    return Text.assemble((f"{rule.topic}{_where(rule)}", "bold"), (f"  {rule.state}", state), (moved, "bold"))


_COLUMNS: Final = ("entered", "completed", "conversion", "change", "gained", "lost")


def _table(found: Sensitivity, rule: RuleEffect) -> RenderableType:
    from doorstep.funnels.result import percent

    base = found.counts
    first = [f"{base.entered:,}", f"{base.completed:,}", percent(base.conversion), "", "", ""]
    lines = [Line(Text(f"{rule.says} (as it is)", "bright_black"), partial(_bar, base.conversion), [*map(Text, first)])]
    for one in rule.tried:
        counts = one.counts
        shift = None
        if counts.conversion is not None and base.conversion is not None:
            shift = (counts.conversion - base.conversion) * 100
        cells = [f"{counts.entered:,}", f"{counts.completed:,}", percent(counts.conversion)]
        cells += ["–" if shift is None else f"{shift:+.1f}"]
        cells += ["–" if flips is None else f"{flips:,}" for flips in (one.gained, one.lost)]
        lines.append(Line(Text(one.says), partial(_bar, counts.conversion), [*map(Text, cells)]))
    return bars("settled as", _COLUMNS, lines, leave=("lost", "gained", "entered"), most_bar=16)


def _bar(share: float | None, width: int) -> Text:
    return bar(share or 0.0, 0.0, width)
