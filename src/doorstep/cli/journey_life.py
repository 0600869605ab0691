"""The life of journeys over a data directory: syncing, activating, moving, exporting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.drawing import number_of
from doorstep.cli.journey import journey
from doorstep.cli.options import AsJson
from doorstep.cli.published import DATA, At, By, Data, clock, databased, instant_of, who
from doorstep.errors import RunError

if TYPE_CHECKING:
    from doorstep.lake import Lake
    from doorstep.ledger import Head, Ledger, Synced

app: Final = typer.Typer()

Name = Annotated[str, typer.Argument(help="The journey's name.", show_default=False)]
Lag = Annotated[
    str | None, typer.Option(help="How long rows may take to come: cycles stay so far behind the time, such as 10m.")
]
Within = Annotated[
    str | None, typer.Option("--announce-within", help="Transitions that are older are not announced; default: 1d.")
]


@contextmanager
def opened(data: Path, *, create: bool = False) -> Iterator[tuple[Lake, Ledger]]:
    """The lake and the ledger of a data directory."""
    from doorstep.lake import open_lake
    from doorstep.ledger import Ledger

    with databased(data, create=create) as database, open_lake(data, create=False) as lake:
        yield lake, Ledger(database)


@app.command("sync")
def sync_journeys(
    names: Annotated[list[str] | None, typer.Argument(help="Journeys; default: all.", show_default=False)] = None,
    data: Data = DATA,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Bring every active journey's histories up to now, and do what signals and workflows say about it."""
    from doorstep.automations.cycle import go_round

    with opened(data) as (lake, ledger), terminal.progress() as told:
        found = go_round(lake, ledger.database, instant_of(at), names=names, progress=told)
    for failure in found.failures:
        terminal.say(f"error {failure}")
    _show(found.synced, as_json)
    if found.failures:
        raise typer.Exit(2)


def _show(found: tuple[Synced, ...], as_json: bool) -> None:
    """Exit code 2 where a journey failed."""
    from doorstep.funnels.result import instant

    if as_json:
        terminal.show_json([{**asdict(one), "horizon": instant(one.horizon)} for one in found])
    else:
        for one in found:
            terminal.show(Text(_sentence(one)))
            for note in [f"everything was walked: {one.whole}."] * (one.whole is not None) + [*one.notes]:
                terminal.say(f"note: {note}")
        if not found:
            terminal.show(Text("no journey is active"))
    for one in found:
        if one.failure is not None:
            terminal.say(f"error {one.failure}")
    if any(one.failure is not None for one in found):
        raise typer.Exit(2)


def _sentence(one: Synced) -> str:
    from doorstep.funnels.result import instant

    if one.failure is not None:
        return f"{one.journey}  not synced"
    lines = f"{one.added:,} added, {one.changed:,} changed, {one.retracted:,} retracted"
    looked = number_of(one.accounts, "account")
    return f"{one.journey}  up to {instant(one.horizon)}: {looked} looked at; transitions: {lines}"


@journey.command("draft")
def draft_journey(
    file: Annotated[Path, typer.Argument(help="The journey: YAML or JSON.", show_default=False)],
    data: Data = DATA,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Publish a document as the next version of its journey, to be activated later."""
    from doorstep.ledger import draft
    from doorstep.registry import draft as drafted

    document = drafted(file)
    with opened(data, create=True) as (_, ledger):
        _tell(draft(ledger, document, by=who(by), at=clock()), as_json)


@journey.command()
def activate(
    named: Annotated[str, typer.Argument(help="A document, or a published journey: name, or name@3.")],
    data: Data = DATA,
    lag: Lag = None,
    announce_within: Within = None,
    at: At = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Activate a journey, or a new version of it, and write every account's history."""
    from doorstep.automations.noticing import notice
    from doorstep.ledger import draft, take_effect
    from doorstep.registry import Reference, reference
    from doorstep.registry import draft as drafted

    moment, person = instant_of(at), who(by)
    is_file = Path(named).is_file() or Path(named).suffix in {".yaml", ".yml", ".json"}
    document = drafted(Path(named)) if is_file else None
    with opened(data, create=True) as (lake, ledger), terminal.progress() as told:
        if document is None:
            wanted = reference(named)
        else:
            wanted = Reference(draft(ledger, document, by=person, at=moment).name, None)
        found = take_effect(
            lake,
            ledger,
            wanted.name,
            moment,
            by=person,
            version=wanted.version,
            lag=_length(lag),
            announce_within=_length(announce_within),
            progress=told,
            hooks=[notice],
        )
        head = ledger.head(wanted.name)
    if not as_json:
        _tell(head, as_json)
    _show(found, as_json)


@journey.command()
def pause(name: Name, data: Data = DATA, by: By = None, as_json: AsJson = False) -> None:
    """Stop syncing a journey; activated again, it goes on where it stopped."""
    from doorstep.ledger import pause as pause_journey

    with opened(data) as (_, ledger):
        _tell(pause_journey(ledger, name, by=who(by), at=clock()), as_json)


@journey.command()
def archive(name: Name, data: Data = DATA, by: By = None, as_json: AsJson = False) -> None:
    """End a journey for good; its history stays."""
    from doorstep.ledger import archive as archive_journey

    with opened(data) as (_, ledger):
        _tell(archive_journey(ledger, name, by=who(by), at=clock()), as_json)


@journey.command()
def move(
    name: Name,
    unit: Annotated[str, typer.Option(help="The account.", show_default=False)],
    to: Annotated[str, typer.Option(help="The stage it is moved to.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why.", show_default=False)],
    data: Data = DATA,
    at: At = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Move an account by hand; the next sync takes it in."""
    from doorstep.ledger import move as move_account

    with opened(data) as (_, ledger):
        made = move_account(ledger, name, unit, to, by=who(by), reason=reason, at=instant_of(at), now=clock())
    if as_json:
        terminal.show_json(asdict(made))
    else:
        terminal.show(Text(f"{made.account} is moved to {made.to_stage} by {made.by}; doorstep sync takes it in"))


@journey.command("list")
def list_journeys(data: Data = DATA, as_json: AsJson = False) -> None:
    """Every journey that is kept, its state, and how far its history is written."""
    from doorstep.funnels.result import instant

    with opened(data) as (_, ledger):
        heads = ledger.heads()
    if as_json:
        terminal.show_json([_plain(one) for one in heads])
        return
    drawn = Table("journey", "state", "version", "of each", "up to", box=None, pad_edge=False)
    for one in heads:
        unit = ", ".join(one.journey.unit_columns)
        drawn.add_row(one.name, one.state, str(one.version), unit, instant(one.horizon) or "–")
    terminal.show(drawn)


@journey.command()
def export(
    name: Name,
    to: Annotated[str, typer.Option(help="A .parquet or .csv file, or postgresql://….", show_default=False)],
    data: Data = DATA,
    table: Annotated[str, typer.Option(help="For a file: transitions or current.")] = "transitions",
    as_json: AsJson = False,
) -> None:
    """Write where accounts stand and how they came there to a file or to PostgreSQL."""
    from doorstep.ledger.exporting import export as export_journey

    with opened(data) as (_, ledger):
        written = export_journey(ledger, name, to, table)
    if as_json:
        terminal.show_json(written)
    else:
        terminal.show(Text("; ".join(f"{kind}: {number_of(rows, 'row')} written" for kind, rows in written.items())))


def kept_history(named: str, unit: str, data: Path, *, as_json: bool) -> None:
    """What syncs said about an account, line by line, as ``doorstep journey history NAME`` shows it."""
    from doorstep.cli import journey_screens
    from doorstep.funnels.result import instant
    from doorstep.registry import reference

    name = reference(named).name
    with opened(data) as (_, ledger):
        head, lines = ledger.head(name), ledger.lines(name, unit)
        stands = ledger.standings(name, [unit]).get(unit)
    if not as_json:
        terminal.show(journey_screens.kept(unit, instant(head.horizon), stands, lines))
        return
    told = {"journey": name, "unit": unit, "at": instant(head.horizon)}
    told |= {"stage": stands.stage if stands else None, "since": instant(stands.since) if stands else None}
    times = ("occurred_at", "detected_at")
    terminal.show_json(
        {**told, "lines": [{**asdict(one), **{at: instant(getattr(one, at)) for at in times}} for one in lines]}
    )


def _tell(head: Head, as_json: bool) -> None:
    if as_json:
        terminal.show_json(_plain(head))
    else:
        terminal.show(Text(f"{head.name}@{head.version}  {head.state}"))


def _plain(head: Head) -> dict[str, Any]:
    from doorstep.funnels.result import instant

    return {
        "journey": head.name,
        "state": head.state,
        "version": head.version,
        "hash": head.definition_hash,
        "unit": list(head.journey.unit_columns),
        "horizon": instant(head.horizon),
        "active_since": instant(head.active_since),
        "lag_seconds": head.lag / 1e6,
        "announce_within_seconds": head.announce_within / 1e6,
    }


def _length(text: str | None) -> int | None:
    from doorstep.definitions.durations import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise RunError("bad-length", f"{text!r} is no length of time: {error}.") from None


__all__ = ["app", "kept_history"]
