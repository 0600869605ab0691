"""`doorstep identity`: the identity map of a lake, and what one id belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.commands import AtSnapshot
from doorstep.cli.drawing import number_of
from doorstep.cli.options import AsJson
from doorstep.errors import RunError

if TYPE_CHECKING:
    from doorstep.identities import Person, Turn
    from doorstep.lake import Lake, LakeAt

app = typer.Typer(name="identity", help="See who is who in a lake, and which merges are refused.")

Directory = Annotated[Path | None, typer.Option("--lake", "--data", help="The lake's directory.", show_default=False)]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="What was said later does not count; default: the last event.")
]


def _source(lake: Path | None, snapshot: int | None) -> Lake | LakeAt:
    from doorstep.lake import open_lake

    if lake is None:
        raise RunError("no-source", "say which lake is meant: --lake DIR.")
    opened = open_lake(lake, create=False)
    return opened if snapshot is None else opened.at(snapshot)


@app.callback(invoke_without_command=True)
def identity(
    context: typer.Context,
    lake: Directory = None,
    snapshot: AtSnapshot = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Say which identity map a run over the lake uses, what it holds, and which merges it refuses."""
    if context.invoked_subcommand is not None:
        if lake is not None or snapshot is not None or as_of is not None or as_json:
            raise RunError("usage", "options stand behind the command: doorstep identity who ID --lake DIR.")
        return
    from doorstep.funnels.result import instant
    from doorstep.identities import identities

    with terminal.progress() as told:
        found = identities(_source(lake, snapshot), as_of=as_of, progress=told)
    if as_json:
        terminal.show_json(found.to_dict())
        return
    terminal.show(Text(f"map       {found.map_version}; for users alone {found.users_version}"))
    terminal.show(Text(f"up to     {instant(found.as_of)}, at snapshot {found.snapshot}"))
    devices = f"{number_of(found.devices, 'device')} of {number_of(found.users, 'user')}"
    terminal.show(Text(f"users     {devices}, {number_of(found.aliases, 'other name')}"))
    terminal.show(Text(f"accounts  {number_of(found.accounts, 'account')} of {number_of(found.members, 'member')}"))
    if found.later:
        terminal.show(Text(f"later     {number_of(found.later, 'call')} not looked at yet: no event is as late"))
    terminal.show(Text(f"refused   {number_of(len(found.refused), 'merge')}"))
    for one in found.refused:
        terminal.show(Text(f"  {instant(one.time)}  {one.reason}  {one.message}"))


@app.command()
def who(
    one: Annotated[str, typer.Argument(metavar="ID", help="Of a user, a device or an account.", show_default=False)],
    lake: Directory = None,
    snapshot: AtSnapshot = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Say what an id belongs to: its user, other names, devices and accounts, over time."""
    from doorstep.identities import who as look

    with terminal.progress() as told:
        found = look(_source(lake, snapshot), one, as_of=as_of, progress=told)
    if as_json:
        terminal.show_json(found.to_dict())
        return
    terminal.show(Text(f"{found.id}  by the identity map {found.map_version}"))
    for line in _told(found):
        terminal.show(Text(f"  {line}"))


def _told(found: Person) -> list[str]:
    lines = [] if found.kept is None else [f"is another name of {found.kept}"]
    lines += [f"is also called {name}" for name in found.names]
    lines += [f"as a device: {one.owner}'s {_span(one)}" for one in found.owners]
    lines += [f"has the device {one.one} {_span(one)}" for one in found.devices]
    lines += [f"in the account {one.owner} {_span(one)}" for one in found.accounts]
    lines += [f"has the member {one.one} {_span(one)}" for one in found.members]
    return lines or ["belongs to nobody, and nothing belongs to it"]


def _span(turn: Turn) -> str:
    if turn.since is None:
        return "at all times" if turn.until is None else f"until {turn.until}"
    return f"from {turn.since} on" if turn.until is None else f"from {turn.since} until {turn.until}"
