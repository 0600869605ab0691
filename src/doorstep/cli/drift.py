"""`doorstep drift`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.arguments import ManyEvents
from doorstep.cli.commands import AtSnapshot, Events, InLake, source_of
from doorstep.cli.options import AsJson, Map, SourceTimezone, columns_of
from doorstep.cli.published import DATA, Data, definition, opened
from doorstep.errors import RunError

if TYPE_CHECKING:
    from doorstep.definitions.funnel import Funnel
    from doorstep.drift.findings import Finding
    from doorstep.drift.look import DriftReport


app: Final = typer.Typer()


@app.command(cls=ManyEvents)
def drift(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Definitions: YAML, JSON, or published ones (name@3); default: the latest of each that is published.",
            show_default=False,
        ),
    ] = None,
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    recent: Annotated[str, typer.Option(help="The span to look at, such as 1d, 7d or 2w.")] = "7d",
    periods: Annotated[
        int, typer.Option(help="How many earlier spans, whole weeks apart, say what is usual.", min=1)
    ] = 8,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Where the recent span ends; default: the last row.")
    ] = None,
    source_timezone: SourceTimezone = "UTC",
    map_: Map = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Find what broke in tracking: events, properties, types and values that are not as they used to be.

    Exit code 1 when something is found that a definition relies on.
    """
    from doorstep.drift.look import drift as look

    funnels = [definition(file, data) for file in files] if files else _in_use(data)
    with terminal.progress() as told:
        report = look(
            funnels,
            source_of(events, lake, snapshot),
            recent=_span(recent),
            periods=periods,
            as_of=as_of,
            columns=columns_of(map_),
            source_timezone=source_timezone,
            progress=told,
        )
    if as_json:
        terminal.show_json(report.to_dict())
    else:
        terminal.show(screen(report))
    if report.findings:
        raise typer.Exit(1)


def _in_use(data: Path) -> list[Funnel]:
    """The latest version of every published funnel."""
    from doorstep.definitions.funnel import Funnel

    with opened(data) as registry:
        published = [one.definition() for one in registry.names()]
    found = [one for one in published if isinstance(one, Funnel)]
    if not found:
        raise RunError("nothing-published", "no funnel is published, so none is in use. Name a file of one.")
    return found


def _span(text: str) -> int:
    from doorstep.definitions.durations import parse_positive_duration

    try:
        return parse_positive_duration(text)
    except ValueError:
        raise RunError("bad-recent", f"--recent {text!r} is not a duration. Write 7d, 24h or 2w.") from None


def screen(report: DriftReport) -> RenderableType:
    """The report, for people."""
    from doorstep.definitions.durations import format_duration

    span = format_duration(report.recent)
    head = Text.assemble(
        ("Drift", "bold"),
        (
            f"  the {span} up to {report.as_of}, beside such spans in {report.periods} weeks before,"
            f" in {report.description}",
            "bright_black",
        ),
    )
    parts: list[RenderableType] = [head, Text("")]
    parts += [_finding(one) for one in report.findings]
    if not report.findings:
        parts.append(Text("Nothing that the definitions rely on has changed.", "green"))
    elif report.clean:
        parts += [Text(""), Text(f"Nothing found touches {', '.join(report.clean)}.", "green")]
    return Group(*parts)


def _finding(one: Finding) -> Text:
    touched = "; ".join(f"{funnel}: {', '.join(places)}" for funnel, places in one.touches.items())
    line = Text.assemble((one.code, "bold yellow"), f"  {one.message}")
    return line + Text(f"\n    touches {touched}", "bright_black") if touched else line
