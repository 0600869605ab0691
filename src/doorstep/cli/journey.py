"""``doorstep journey``: replay histories, and explain one account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.arguments import ManyEvents
from doorstep.cli.commands import AtSnapshot, Events, InLake, memory_of, source_of, write
from doorstep.cli.drawing import BAR, Line, bar, bars, number_of
from doorstep.cli.options import AsJson, Map, SourceTimezone, columns_of
from doorstep.cli.published import DATA, Data, journey_definition
from doorstep.errors import RunError, writing
from doorstep.funnels.lengths import duration

if TYPE_CHECKING:
    from doorstep.journeys.explain import AccountStory
    from doorstep.journeys.result import JourneyResult

journey: Final = typer.Typer(help="Journeys: every account in its stage, at every instant.", no_args_is_help=True)

JourneyFile = Annotated[
    Path, typer.Argument(help="The journey: YAML, JSON, or a published one as name@version.", show_default=False)
]
TraitsFile = Annotated[
    Path | None,
    typer.Option("--traits", help="A file of traits: the account, time, a column for each.", show_default=False),
]
MovesFile = Annotated[
    Path | None,
    typer.Option("--moves", help="A file of moves by hand: the account, at, to, by, reason.", show_default=False),
]
Zone = Annotated[str, typer.Option(help="Time zone in which dates among the bounds are read.")]


@journey.command(cls=ManyEvents)
def replay(
    file: JourneyFile,
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    traits: TraitsFile = None,
    moves: MovesFile = None,
    until: Annotated[
        str | None, typer.Option(help="Horizon: later facts are invisible; default: the last row.")
    ] = None,
    timezone: Zone = "UTC",
    source_timezone: SourceTimezone = "UTC",
    map_: Map = None,
    transitions: Annotated[
        Path | None, typer.Option(help="Write every transition to this file (.parquet).", show_default=False)
    ] = None,
    accounts: Annotated[
        Path | None, typer.Option(help="Write every account to this file (.parquet or .csv).", show_default=False)
    ] = None,
    memory: Annotated[
        str | None, typer.Option(help="Memory limit, such as 2GB; more data than that is walked in parts.")
    ] = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Place every account in its stage, from nothing up to a horizon."""
    from doorstep.journeys.run import replay as replay_journey

    for name, path, endings in (
        ("transitions", transitions, {".parquet"}),
        ("accounts", accounts, {".parquet", ".csv"}),
    ):
        if path is not None and path.suffix not in endings:
            raise RunError("bad-attempts", f"--{name} {str(path)!r} should end in {' or '.join(sorted(endings))}.")
    source = source_of(events, lake, snapshot)
    with terminal.progress() as told:
        result = replay_journey(
            journey_definition(file, data),
            source,
            traits=traits,
            until=until,
            columns=columns_of(map_),
            moves=moves,
            timezone=timezone,
            source_timezone=source_timezone,
            memory=memory_of(memory),
            progress=told,
        )
        if transitions is not None:
            write(result.transitions, transitions)
        if accounts is not None:
            write(result.accounts, accounts)
    if as_json:
        terminal.show_json(result.to_dict())
    else:
        terminal.show(_stages(result))


@journey.command()
def demo(
    directory: Annotated[Path, typer.Argument(help="Where to write; made when absent.")] = Path("data"),
    accounts: Annotated[int, typer.Option(help="How many accounts.", min=1)] = 300,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Write three months of made-up accounts' events and traits."""
    from doorstep.lifecycles import write as write_lives

    with writing(directory):
        written = write_lives(directory, accounts, seed)
    if as_json:
        terminal.show_json({"events": str(written.events), "traits": str(written.traits)})
    else:
        terminal.say(f"events written to {written.events}, traits to {written.traits}")


def _stages(result: JourneyResult) -> RenderableType:
    total = max(1, sum(one.accounts for one in result.stages))
    lines = []
    for stage in result.stages:
        share = stage.accounts / total
        cells = [Text(f"{stage.accounts:,}"), Text(f"{share * 100:.1f} %"), Text(f"{stage.entered:,}")]
        cells.append(Text(duration(stage.median_seconds)))
        lines.append(Line(Text(stage.name), lambda width, share=share: bar(share, share, width), cells))  # type: ignore[misc]
    columns = ["accounts now", "share", "entered", "median stay"]
    head = Text.assemble((result.journey.title or result.journey.journey, "bold"), f"  {result.journey.journey}")
    counted = sum(one.accounts for one in result.stages)
    data = f"{number_of(counted, 'account')}, {number_of(len(result.walked.lines), 'transition')}"
    until = result.to_dict()["data"]["until"]
    parts: list[RenderableType] = [
        head + Text(f"@{result.hash[:12]}", "bright_black"),
        Text(""),
        bars("stage", columns, lines, leave=("share",), most_bar=BAR),
        Text(""),
        Text(f"{data}; {number_of(result.rows, 'row')}, up to {until}", "bright_black"),
    ]
    parts += [
        Text(f"{number_of(count, 'row')} rejected: {why.replace('_', ' ')}", "yellow")
        for why, count in result.rejected.items()
    ]
    parts += [Text(f"note: {note}", "yellow") for note in result.notes]
    return Group(*parts)


@journey.command(cls=ManyEvents)
def explain(
    file: JourneyFile,
    unit: Annotated[str, typer.Option(help="The account, as in the `unit` column of --accounts.", show_default=False)],
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    traits: TraitsFile = None,
    moves: MovesFile = None,
    at: Annotated[str | None, typer.Option(help="The instant it is about; default: the last row.")] = None,
    timezone: Zone = "UTC",
    source_timezone: SourceTimezone = "UTC",
    map_: Map = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Say why an account is where it is, and what it still lacks for each later stage."""
    from doorstep.journeys.explain import explain_account

    told = explain_account(
        journey_definition(file, data),
        source_of(events, lake, snapshot),
        unit,
        at=at,
        traits=traits,
        columns=columns_of(map_),
        moves=moves,
        timezone=timezone,
        source_timezone=source_timezone,
    )
    if as_json:
        terminal.show_json(told.to_dict())
    else:
        terminal.show(_story(told))


def _story(told: AccountStory) -> RenderableType:
    head = Text(told.unit, "bold") + Text(f"  {number_of(told.rows, 'row')}, as of {told.at}", "bright_black")
    parts: list[RenderableType] = [head, Text(told.summary)]
    parts += [_point(one) for one in told.stays]
    if told.visits:
        parts += [Text(""), Text("How it came there", "bold")]
    for visit in told.visits:
        over = f", over {', '.join(visit.skipped)}" if visit.skipped else ""
        by = " by hand" if visit.cause == "manual" else ""
        parts.append(Text(f"{visit.occurred_at}  {visit.from_stage} → {visit.to_stage}{over}{by}"))
        parts += [_point(one) for one in visit.because]
    for lacks in told.later:
        parts += [Text(""), Text(f"For {lacks.stage}", "bold"), *map(_point, lacks.points)]
    return Group(*parts)


def _point(words: str) -> Padding:
    colour = {"✓": "green", "✗": "red"}.get(words[:1], "")
    return Padding(Text(words, colour), (0, 0, 0, 2), expand=False)


__all__ = ["journey"]
