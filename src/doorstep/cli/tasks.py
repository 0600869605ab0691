"""Commands on tasks that workflows opened."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from doorstep.cli import automations, terminal
from doorstep.cli.options import AsJson
from doorstep.cli.published import DATA, At, By, Data, databased, instant_of, who
from doorstep.cli.signals import moment

if TYPE_CHECKING:
    from doorstep.automations.inbox import Task

app: Final = typer.Typer(help="Tasks that workflows opened.", no_args_is_help=True)


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those that are done, too.")] = False,
    most: Annotated[int, typer.Option(help="How many, latest first.", min=1, max=100_000)] = 100,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """List open tasks, latest first."""
    from doorstep.automations.inbox import tasks

    with databased(data, create=False) as database:
        found = tasks(database, state=None if everything else "open", most=most)
    if as_json:
        terminal.show_json({"tasks": [_plain(one) for one in found]})
        return
    if not found:
        terminal.say("there is nothing to do.")
        return
    rows = [(one.id[:8], one.title, one.owner or "", one.state, moment(one.opened_at)) for one in found]
    automations.table(("id", "task", "owner", "state", "opened"), rows)


@app.command()
def done(
    key: Annotated[str, typer.Argument(metavar="ID", help="The task's id, or how it begins.", show_default=False)],
    note: Annotated[str | None, typer.Option("--note", help="A few words, kept with it.")] = None,
    at: At = None,
    by: By = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Say that a task is done."""
    from doorstep.automations.inbox import close_task

    with databased(data, create=False) as database:
        found = close_task(database, key, by=who(by), at=instant_of(at), why=note)
    if as_json:
        terminal.show_json(_plain(found))
    else:
        terminal.show(Text(f"{found.title}  {found.state}"))


def _plain(one: Task) -> dict[str, Any]:
    times = {key: moment(value) or None for key, value in asdict(one).items() if key.endswith("_at")}
    return {**asdict(one), **times}


__all__ = ["app"]
