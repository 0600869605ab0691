"""``doorstep journey show|accounts|history``: how a journey stands, who is where, and how one account came there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from doorstep.cli import journey_screens, terminal
from doorstep.cli.arguments import ManyEvents
from doorstep.cli.commands import AtSnapshot, Events, InLake, memory_of, source_of, write
from doorstep.cli.journey import JourneyFile, MovesFile, TraitsFile, Zone
from doorstep.cli.options import AsJson, Map, SourceTimezone, columns_of
from doorstep.cli.published import DATA, Data, journey_definition
from doorstep.errors import RunError

if TYPE_CHECKING:
    import pyarrow as pa

    from doorstep.journeys.lacking import Next
    from doorstep.journeys.result import JourneyResult

figures: Final = typer.Typer()

SHOWN: Final = 20
MOST_LACKS: Final = 5_000
"""What accounts lack is worked out for so many at most."""

Horizon = Annotated[str | None, typer.Option("--until", help="Horizon; default: the last row.", show_default=False)]
Memory = Annotated[str | None, typer.Option(help="Memory limit, such as 2GB; more data than that is walked in parts.")]


@figures.command(cls=ManyEvents)
def show(
    file: JourneyFile,
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    traits: TraitsFile = None,
    moves: MovesFile = None,
    until: Horizon = None,
    stuck: Annotated[str, typer.Option(help="Stuck is who has been longer than this in a stage.")] = "30d",
    over: Annotated[
        str | None, typer.Option(help="Also stages over time: by day, week or month.", show_default=False)
    ] = None,
    flow: Annotated[bool, typer.Option("--flow", help="Also how many went from which stage to which.")] = False,
    since: Annotated[str | None, typer.Option(help="The flow from then on.", show_default=False)] = None,
    cohorts: Annotated[
        str | None, typer.Option(help="Also cohorts by birth: by day, week or month.", show_default=False)
    ] = None,
    timezone: Zone = "UTC",
    source_timezone: SourceTimezone = "UTC",
    map_: Map = None,
    memory: Memory = None,
    data: Data = DATA,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the stages as one CSV table.")] = False,
    as_json: AsJson = False,
) -> None:
    """How a journey stands: accounts in each stage, this week's movement, time inside, conversion, who is stuck."""
    longer_than = length_of(stuck)
    with terminal.progress() as told:
        from doorstep.journeys.run import replay

        result = replay(
            journey_definition(file, data),
            source_of(events, lake, snapshot),
            traits=traits,
            until=until,
            columns=columns_of(map_),
            moves=moves,
            timezone=timezone,
            source_timezone=source_timezone,
            memory=memory_of(memory),
            progress=told,
        )
    state = state_of(result, longer_than, timezone)
    more: dict[str, Any] = {}
    if over is not None:
        more["distribution"] = result.distribution(over, timezone)  # type: ignore[arg-type]
    if flow or since is not None:
        more["flow"] = result.flow(since, None, timezone)
    if cohorts is not None:
        more["cohorts"] = result.cohorts(cohorts, timezone)  # type: ignore[arg-type]
    if as_json:
        terminal.show_json({**state, **{name: one.to_dict() for name, one in more.items()}})
    elif as_csv:
        terminal.show_text(journey_screens.stages_csv(state))
    else:
        terminal.show(journey_screens.state(result, state, stuck, more))


def length_of(text: str) -> int:
    """Microseconds of a duration on the command line; RunError ``bad-duration``."""
    from doorstep.definitions.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise RunError("bad-duration", f"{text!r} is no length of time: {error}. Write 30d, 12h or 1d12h.") from None


def state_of(result: JourneyResult, longer_than: int, timezone: str) -> dict[str, Any]:
    """The JSON form of ``doorstep journey show``."""
    weeks = result.distribution("week", timezone).periods
    stuck: dict[str, int] = {}
    for stage in result.stuck(longer_than).column("stage").to_pylist():
        stuck[stage] = stuck.get(stage, 0) + 1
    told = result.to_dict()
    return {
        **{name: told[name] for name in ("journey", "data", "unit", "accounts", "transitions")},
        "week": None if not weeks else {"start": weeks[-1].start.isoformat(), "partial": weeks[-1].partial},
        "stuck_longer_than_seconds": longer_than / 1e6,
        "stages": [
            {
                **one.to_dict(),
                "net_this_week": weeks[-1].stages[place].net if weeks else 0,
                "stuck": stuck.get(one.id, 0),
            }
            for place, one in enumerate(result.reports)
        ],
    }


@figures.command(cls=ManyEvents)
def accounts(
    file: JourneyFile,
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    traits: TraitsFile = None,
    moves: MovesFile = None,
    until: Horizon = None,
    stage: Annotated[
        list[str] | None, typer.Option(help="Only those in this stage; may be repeated.", show_default=False)
    ] = None,
    stuck: Annotated[
        str | None, typer.Option(help="Only those longer than this in their stage, such as 30d.", show_default=False)
    ] = None,
    changed_since: Annotated[
        str | None, typer.Option(help="Only those that came to their stage then or later.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write all of them to this file (.parquet or .csv).", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(help="Show so many at most; files get all.", min=0)] = SHOWN,
    timezone: Zone = "UTC",
    source_timezone: SourceTimezone = "UTC",
    map_: Map = None,
    memory: Memory = None,
    data: Data = DATA,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all of them as one CSV table.")] = False,
    as_json: AsJson = False,
) -> None:
    """List accounts, longest in their stage first, and what each lacks for the next stage."""
    if out is not None and out.suffix not in {".parquet", ".csv"}:
        raise RunError("bad-output", f"--out {str(out)!r} should end in .parquet, .csv.")
    longer_than = None if stuck is None else length_of(stuck)
    source = source_of(events, lake, snapshot)
    with terminal.progress() as told:
        from doorstep.journeys.lacking import lacking
        from doorstep.journeys.run import replay

        result = replay(
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
        chosen = chosen_accounts(result, stage or [], longer_than, changed_since, timezone)
        whole = out is not None or as_csv
        asked = chosen.slice(0, MOST_LACKS if whole else limit).column("unit").to_pylist()
        lacks = lacking(
            result,
            source,
            asked,
            traits=traits,
            columns=columns_of(map_),
            moves=moves,
            source_timezone=source_timezone,
        )
    table = _with_lacks(chosen, lacks)
    if out is not None:
        write(table, out)
    shown = table if as_csv else table.slice(0, limit)
    if as_json:
        lines = [_line(one) for one in shown.to_pylist()]
        terminal.show_json({"count": chosen.num_rows, "until": result.to_dict()["data"]["until"], "accounts": lines})
    elif as_csv:
        terminal.show_text(journey_screens.table_csv(shown))
    else:
        terminal.show(journey_screens.accounts(result, chosen.num_rows, shown.to_pylist()))
    left = len(result.accounts) - chosen.num_rows
    if left:
        filters = [*(f"--stage {one}" for one in stage or []), *([f"--stuck {stuck}"] if stuck else [])]
        filters += [f"--changed-since {changed_since}"] if changed_since else []
        terminal.say(f"note: {left:,} of {len(result.accounts):,} accounts are left out by {' '.join(filters)}.")
    if whole and chosen.num_rows > MOST_LACKS:
        terminal.say(f"note: what accounts lack is worked out for the first {MOST_LACKS:,} of them.")
    if out is not None:
        terminal.say(f"{chosen.num_rows:,} accounts written to {out}")


def chosen_accounts(
    result: JourneyResult, stages: list[str], longer_than: int | None, changed_since: str | None, timezone: str
) -> pa.Table:
    """The lines of `JourneyResult.accounts` that are asked for, longest in their stage first; RunError
    ``unknown-stage``.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from doorstep.errors import nearest
    from doorstep.funnels.bounds import microseconds_of, zone_of

    for one in stages:
        if one not in result.journey.positions:
            near = nearest(one, result.journey.positions)
            mend = (
                f"Did you mean {near}?" if near else f"The stages are {', '.join(list(result.journey.positions)[:20])}."
            )
            raise RunError("unknown-stage", f"{one!r} is no stage of {result.journey.journey}. {mend}")
    table = result.accounts if longer_than is None else result.stuck(longer_than)
    if stages:
        table = table.filter(pc.is_in(table.column("stage"), pa.array(stages)))
    since = microseconds_of(changed_since, "changed since", zone_of(timezone))
    if since is not None:
        table = table.filter(pc.greater_equal(table.column("since").cast(pa.int64()), since))
    return table.take(pc.sort_indices(table, [("since", "ascending"), ("unit", "ascending")]))


def _with_lacks(table: pa.Table, lacks: dict[object, Next]) -> pa.Table:
    import pyarrow as pa

    units = table.column("unit").to_pylist()
    following = [lacks[one].stage if one in lacks else None for one in units]
    words = ["; ".join(lacks[one].missing) if one in lacks and lacks[one].stage else None for one in units]
    table = table.append_column("next_stage", pa.array(following, pa.string()))
    return table.append_column("lacks", pa.array(words, pa.string()))


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}


@figures.command(cls=ManyEvents)
def history(
    file: JourneyFile,
    unit: Annotated[str, typer.Option(help="The account, as `journey accounts` names it.", show_default=False)],
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    traits: TraitsFile = None,
    moves: MovesFile = None,
    until: Horizon = None,
    timezone: Zone = "UTC",
    source_timezone: SourceTimezone = "UTC",
    map_: Map = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Every transition of one account, with what brought it about; without --events or --lake: what syncs of a journey
    that is kept in --data found, and when.
    """
    if events is None and lake is None:
        from doorstep.cli.journey_life import kept_history

        kept_history(str(file), unit, data, as_json=as_json)
        return
    from doorstep.journeys.evidence import account_history

    told = account_history(
        journey_definition(file, data),
        source_of(events, lake, snapshot),
        unit,
        at=until,
        traits=traits,
        columns=columns_of(map_),
        moves=moves,
        timezone=timezone,
        source_timezone=source_timezone,
    )
    if as_json:
        terminal.show_json(told.to_dict())
    else:
        terminal.show(journey_screens.history(told))


__all__ = ["figures"]
