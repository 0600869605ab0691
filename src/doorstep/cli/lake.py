"""Commands about a lake: bring events in, see it, keep it small and whole."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.table import Table as Drawn
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.options import AsJson, Map, SourceTimezone, columns_of
from doorstep.errors import RunError

app = typer.Typer(name="lake", help="See, compact, check and repair a lake.", no_args_is_help=True)
rejects_app = typer.Typer(name="rejects", help="What senders sent that could not be kept.", no_args_is_help=True)
app.add_typer(rejects_app)

MANY_FILES = 20
"""From more files of events on, `show` says that compaction helps."""

Directory = Annotated[Path, typer.Option("--lake", "--data", help="The lake's directory.", show_default=False)]


def import_(
    lake: Annotated[Path, typer.Option("--lake", "--data", help="The lake; made when absent.", show_default=False)],
    sources: Annotated[
        list[str],
        typer.Argument(help="Event files or globs, a .duckdb file, or a postgresql:// address.", show_default=False),
    ],
    map_: Map = None,
    source_timezone: SourceTimezone = "UTC",
    table: Annotated[str | None, typer.Option(help="The table, where the source is a database.")] = None,
    query: Annotated[str | None, typer.Option(help="A query, where the source is a database.")] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Where to write rows that cannot be used (JSON lines).", show_default=False)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be read and rejected; write nothing, make no lake.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring events into a lake, each once however often it is imported."""
    from doorstep.lake import Table, open_lake

    source: object = sources
    if table is not None or query is not None:
        if len(sources) != 1:
            raise RunError("one-database", "--table and --query belong to one database. Name just that one.")
        source = Table(sources[0], table, query)
    if dry_run:
        _try(source, columns_of(map_), source_timezone, as_json)
        return
    with terminal.progress() as told, open_lake(lake) as opened:
        came = opened.add(
            source,
            received_at=time.time_ns() // 1_000,
            columns=columns_of(map_),
            source_timezone=source_timezone,
            rejects=rejects,
            told=told or (lambda _what, _done: None),
        )
    if as_json:
        terminal.show_json(asdict(came))
        return
    for note in came.notes:
        terminal.say(f"note: {note}")
    terminal.show(Text(f"{came.rows:,} rows read: {came.added:,} added, {came.duplicates:,} known already"))
    for reason, rows in came.rejected.items():
        terminal.show(Text(f"{rows:,} rejected: {reason.replace('_', ' ')}"))
    if came.rejects is not None:
        terminal.show(Text(f"rejects are in {came.rejects}: mend them there and import that file"))


def _try(source: object, columns: dict[str, str], zone: str, as_json: bool) -> None:
    from doorstep.funnels.result import instant
    from doorstep.lake import try_import

    with terminal.progress() as told:
        found = try_import(source, columns=columns, source_timezone=zone, told=told or (lambda _what, _done: None))
    first, last = instant(found.first_time), instant(found.last_time)
    if as_json:
        terminal.show_json({**asdict(found), "first_time": first, "last_time": last})
        return
    for note in found.notes:
        terminal.say(f"note: {note}")
    terminal.show(Text(f"{found.rows:,} rows read: {found.usable:,} could be imported; nothing was written"))
    terminal.show(Text(f"times       {first or '–'} to {last or '–'}"))
    terminal.show(Text(f"columns     {', '.join(f'{ours} from {theirs}' for ours, theirs in found.columns.items())}"))
    kinds = ", ".join(f"{name} ({' or '.join(types)})" for name, types in found.properties.items())
    terminal.show(Text(f"properties  {kinds or 'none'}"))
    for reason, rows in found.rejected.items():
        terminal.show(Text(f"{rows:,} would be rejected: {reason.replace('_', ' ')}"))
    for row in found.first_rejects:
        terminal.show(Text(f"  {json.dumps(row, ensure_ascii=False)}"))


@app.command()
def create(
    lake: Directory,
    catalog: Annotated[
        str | None, typer.Option(help="sqlite:PATH (default, in the directory) or postgres:DSN.", show_default=False)
    ] = None,
    files: Annotated[
        str | None, typer.Option(help="Where Parquet files go: a directory, or s3://BUCKET/PATH.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a lake with a catalog or a place for its files of your own; without these, import and serve make one."""
    from doorstep.lake import open_lake

    with open_lake(lake, catalog=catalog, data=files) as opened:
        place = opened.place
    if as_json:
        terminal.show_json({"lake": str(place.directory), "catalog": place.catalog, "files": place.data})
    else:
        terminal.show_text(f"lake     {place.directory}\ncatalog  {place.catalog}\nfiles    {place.data}")


@app.command()
def show(lake: Directory, as_json: AsJson = False) -> None:
    """Sizes, rows, files, snapshots, and what waits."""
    from doorstep.funnels.result import instant
    from doorstep.lake import open_lake

    with open_lake(lake, create=False) as opened:
        facts = opened.facts()
    first, last = instant(facts.first_time), instant(facts.last_time)
    if as_json:
        terminal.show_json({**asdict(facts), "first_time": first, "last_time": last})
        return
    drawn = Drawn("table", "rows", "files", "size", box=None, pad_edge=False)
    for name, table in facts.tables.items():
        drawn.add_row(name, f"{table.rows:,}", f"{table.files:,}", decimal(table.bytes))
    terminal.show(drawn)
    terminal.show(Text(f"events     {first or '–'} to {last or '–'}"))
    terminal.show(
        f"snapshots  {facts.snapshots:,}: {facts.oldest_snapshot} to {facts.snapshot}; kept: {_list(facts.kept)}"
    )
    terminal.show(Text(f"index      {facts.index_files:,} files, {facts.index_bytes:,} bytes; runs make it anew"))
    terminal.show(Text(f"waiting    {facts.waiting:,} accepted and not settled; {facts.rejects:,} rejects"))
    if facts.tables["events"].files > MANY_FILES:
        terminal.say("many files of events: `doorstep lake compact` puts them together, so that runs read less")
    if facts.rejects:
        terminal.say("`doorstep lake rejects list` tells why they could not be kept")


def _list(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers)) or "none"


@app.command()
def settle(lake: Directory, as_json: AsJson = False) -> None:
    """Move what was accepted into the tables; a running server does so by itself."""
    from doorstep.lake import open_lake

    with open_lake(lake, create=False) as opened:
        settled = opened.settle(wait=60)
    if as_json:
        terminal.show_json(asdict(settled))
    else:
        rejected = f"; {settled.rejected:,} of them could not be and are rejects now" if settled.rejected else ""
        terminal.show(Text(f"{settled.arrivals:,} arrivals settled{rejected}"))


@app.command()
def compact(
    lake: Directory,
    history: Annotated[int, typer.Option(help="Days for which runs at old snapshots stay possible.", min=0)] = 7,
    as_json: AsJson = False,
) -> None:
    """Put small files together, sorted, and end old snapshots that are not kept."""
    from datetime import timedelta

    from doorstep.lake import open_lake

    with open_lake(lake, create=False) as opened:
        done = opened.compact(history=timedelta(days=history))
    if as_json:
        terminal.show_json(asdict(done))
    else:
        files = f"{done.files_before:,} files of events are now {done.files_after:,}"
        terminal.show(Text(f"{files}; {done.expired:,} snapshots ended"))


@app.command()
def check(lake: Directory, as_json: AsJson = False) -> None:
    """Look whether everything is there and agrees; exit code 1 when not."""
    _tell(lake, as_json, mend=False)


@app.command()
def repair(lake: Directory, as_json: AsJson = False) -> None:
    """Mend what check finds, and say what was lost."""
    _tell(lake, as_json, mend=True)


def _tell(lake: Path, as_json: bool, *, mend: bool) -> None:
    from doorstep.lake import open_lake

    with open_lake(lake, create=False) as opened:
        findings = opened.repair() if mend else opened.check()
    ok = all(one.mended is not None for one in findings)
    if as_json:
        terminal.show_json({"ok": ok, "findings": [asdict(one) for one in findings]})
    else:
        for one in findings:
            terminal.show(Text(f"{one.code}: {one.message}{' ' + one.mended if one.mended else ''}"))
        if not findings:
            terminal.show(Text("everything is there and agrees"))
    if not ok:
        raise typer.Exit(1)


@rejects_app.command("list")
def list_rejects(lake: Directory, as_json: AsJson = False) -> None:
    """Each reject's number, code and reason."""
    from doorstep.lake import open_lake

    with open_lake(lake, create=False) as opened:
        letters = opened.inbox.dead_letters()
    if as_json:
        terminal.show_json([{"number": one.number, **asdict(one.rejected)} for one in letters])
        return
    drawn = Drawn("number", "code", "from", "reason", box=None, pad_edge=False)
    for one in letters:
        drawn.add_row(str(one.number), one.rejected.code, one.rejected.source, one.rejected.message)
    terminal.show(drawn)


@rejects_app.command("replay")
def replay_rejects(
    lake: Directory,
    account_group: Annotated[
        str | None, typer.Option("--account-group", help="The PostHog group type that is the account.")
    ] = None,
    keep_ip: Annotated[bool, typer.Option("--keep-ip", help="Keep senders' addresses as a property.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read the rejects again, by the rules of now: those that can be kept are."""
    from doorstep.ingest.again import read_again
    from doorstep.ingest.calls import Rules
    from doorstep.lake import open_lake
    from doorstep.server import Settings

    settings = Settings(account_group=account_group, keep_ip=keep_ip)
    rules = Rules(settings.posthog_event_bytes, settings.batch_calls, account_group, keep_ip=keep_ip)
    with open_lake(lake, create=False) as opened:
        accepted = opened.replay(lambda one: read_again(one, rules))
        left = len(opened.inbox.dead_letters())
    if as_json:
        terminal.show_json({**asdict(accepted), "left": left})
    else:
        known = f"{accepted.duplicates:,} known already"
        terminal.show(Text(f"{accepted.new:,} accepted, {known}, {left:,} still rejected"))


@rejects_app.command("show")
def show_reject(lake: Directory, number: int, as_json: AsJson = False) -> None:
    """What was sent, as it was sent."""
    from doorstep.lake import open_lake

    with open_lake(lake, create=False) as opened:
        found = next((one for one in opened.inbox.dead_letters() if one.number == number), None)
    if found is None:
        raise RunError("no-such-reject", f"there is no reject {number}. `doorstep lake rejects list` shows them.")
    if as_json:
        terminal.show_json({"number": found.number, **asdict(found.rejected)})
    else:
        terminal.show(Text(f"{found.rejected.code}: {found.rejected.message}"))
        terminal.show(Text(found.rejected.body))
