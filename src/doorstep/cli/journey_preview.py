"""``doorstep journey preview``: what a journey would do, told from past data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.arguments import ManyEvents
from doorstep.cli.commands import AtSnapshot, Events, InLake, memory_of, source_of, write
from doorstep.cli.drawing import BAR, Line, bar, bars, number_of
from doorstep.cli.journey import JourneyFile, MovesFile, TraitsFile, Zone
from doorstep.cli.journey_figures import Horizon, Memory, length_of
from doorstep.cli.options import AsJson, Map, SourceTimezone, columns_of
from doorstep.cli.published import DATA, Data, journey_definition
from doorstep.errors import RunError
from doorstep.funnels.lengths import duration

if TYPE_CHECKING:
    from doorstep.journeys.preview import Elsewhere, Flaps, Preview

previews: Final = typer.Typer()
SHOWN: Final = 10


@previews.command(cls=ManyEvents)
def preview(
    file: JourneyFile,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Also the journey as it is now, or another draft: a file or name@version.", show_default=False
        ),
    ] = None,
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    traits: TraitsFile = None,
    moves: MovesFile = None,
    until: Horizon = None,
    weeks: Annotated[int, typer.Option(help="How many past weeks to show.", min=0)] = 8,
    flap_within: Annotated[str, typer.Option(help="Who is back within this flaps.")] = "7d",
    out: Annotated[
        Path | None,
        typer.Option(help="Write who stands elsewhere than by --against (.parquet or .csv).", show_default=False),
    ] = None,
    timezone: Zone = "UTC",
    source_timezone: SourceTimezone = "UTC",
    map_: Map = None,
    memory: Memory = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """See on past data what a journey would do, before it is switched on. Nothing is announced."""
    if out is not None and out.suffix not in {".parquet", ".csv"}:
        raise RunError("bad-output", f"--out {str(out)!r} should end in .parquet, .csv.")
    if out is not None and against is None:
        raise RunError(
            "bad-output", "--out writes who stands elsewhere than by another journey. Name it with --against."
        )
    with terminal.progress() as told:
        from doorstep.journeys.preview import preview as look_ahead

        found = look_ahead(
            journey_definition(file, data),
            source_of(events, lake, snapshot),
            against=None if against is None else journey_definition(against, data),
            weeks=weeks,
            flap_within=length_of(flap_within),
            traits=traits,
            until=until,
            columns=columns_of(map_),
            moves=moves,
            timezone=timezone,
            source_timezone=source_timezone,
            memory=memory_of(memory),
            progress=told,
        )
    if out is not None and found.against is not None:
        write(found.against.changed, out)
    if as_json:
        terminal.show_json(found.to_dict())
    else:
        terminal.show(_screen(found))
    if out is not None and found.against is not None:
        terminal.say(f"{number_of(found.against.changed.num_rows, 'account')} written to {out}")


def _screen(found: Preview) -> RenderableType:
    result = found.result
    named = Text.assemble((result.journey.title or result.journey.journey, "bold"), f"  {result.journey.journey}")
    parts: list[RenderableType] = [named + Text(f"@{result.hash[:12]}", "bright_black")]
    parts += [Text("A preview: nothing is announced."), Text(""), *_now(found)]
    if found.weeks:
        parts += [Text(""), *_weeks(found)]
    parts += [Text(""), *_flapping(found.flaps)]
    for one in found.reach:
        parts.append(Text(f"note: the trait {one.trait} is {one.words}.", "yellow"))
    if found.against is not None:
        parts += [Text(""), *_against(found.against)]
    return Group(*parts)


def _now(found: Preview) -> Iterator[RenderableType]:
    total = max(1, sum(one.accounts for one in found.result.stages))
    lines = []
    for one in found.result.stages:
        share = one.accounts / total
        cells = [Text(f"{one.accounts:,}"), Text(f"{share * 100:.1f} %")]
        lines.append(Line(Text(one.name), lambda width, share=share: bar(share, share, width), cells))  # type: ignore[misc]
    yield bars("stage", ["would be there now", "share"], lines, leave=("share",), most_bar=BAR)


def _weeks(found: Preview) -> Iterator[RenderableType]:
    yield Text("At the end of each week", "bold")
    names = [stage.label for stage in found.result.journey.stages]
    lines = [
        Line(
            Text(one.start.isoformat() + (" (so far)" if one.partial else "")),
            None,
            [Text(f"{stage.accounts:,}") for stage in one.stages],
        )
        for one in found.weeks
    ]
    yield bars("week", names, lines, leave=(), most_bar=BAR)


def _flapping(flaps: Flaps) -> Iterator[RenderableType]:
    within = duration(flaps.within / 1e6)
    if not flaps.trips:
        yield Text(f"No account would leave a stage and be back within {within}.")
        return
    yield Text(
        f"{number_of(len(flaps.accounts), 'account')} would be back within {within}, {flaps.trips:,} times:", "bold"
    )
    lines = [Line(Text(f"{one} → {other} → {one}"), None, [Text(f"{count:,}")]) for one, other, count in flaps.stages]
    yield bars("there and back", ["times"], lines, leave=(), most_bar=BAR)
    most = ", ".join(f"{unit} ({trips:,})" for unit, trips in flaps.accounts[:SHOWN])
    yield Text(f"most often: {most}", "bright_black")


def _against(one: Elsewhere) -> Iterator[RenderableType]:
    yield Text(f"Beside {one.name}@{one.hash[:12]}", "bold")
    yield Text(
        f"{number_of(one.changed.num_rows, 'account')} would stand elsewhere; {one.flaps.trips:,} short stays there."
    )
    lines = [
        Line(
            Text(f"{before or '(unborn)'} → {after or '(unborn)'}", "" if before != after else "bright_black"),
            None,
            [Text(f"{count:,}")],
        )
        for before, after, count in one.matrix
    ]
    yield bars("by the other → by this one", ["accounts"], lines, leave=(), most_bar=BAR)
    if one.changed.num_rows:
        shown = one.changed.slice(0, SHOWN).to_pylist()
        listed = "; ".join(f"{row['unit']}: {row['before'] or '–'} → {row['after'] or '–'}" for row in shown)
        more = ", …" if one.changed.num_rows > SHOWN else ""
        yield Text(f"{listed}{more}", "bright_black")


__all__ = ["previews"]
