"""Commands on deliveries: what went out, what waits, what was given up; and ``doorstep deliver``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.drawing import number_of
from doorstep.cli.options import AsJson
from doorstep.cli.outgoing import delivery as outgoing
from doorstep.cli.published import DATA, By, Data, clock, databased, who
from doorstep.errors import RunError

if TYPE_CHECKING:
    from doorstep.delivery.deliveries import Sent, Tried
    from doorstep.delivery.lines import Recorded

app: Final = typer.Typer(help="Messages: what went out, what waits, what was given up.", no_args_is_help=True)


def deliver(data: Data = DATA, as_json: AsJson = False) -> None:
    """Send what is due now; `doorstep serve` does so by itself. Exit code 1 where something failed."""
    with databased(data, create=False) as database, outgoing(data, database) as delivery, terminal.progress() as told:

        def tell(found: Recorded) -> None:
            if told is not None:
                told(f"{number_of(found.delivered, 'message')} delivered", None)

        done = delivery.turn(progress=tell)
    if as_json:
        terminal.show_json({"delivered": done.delivered, "failed": done.failed, "parked": done.parked})
    else:
        counts = f"{done.failed:,} failed and will be tried again, {done.parked:,} parked"
        terminal.show(Text(f"{number_of(done.delivered, 'message')} delivered, {counts}"))
    if done.failed or done.parked:
        raise typer.Exit(1)


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="waiting, delivered or parked.")] = None,
    destination: Annotated[str | None, typer.Option(help="Those to this one.")] = None,
    account: Annotated[str | None, typer.Option(help="Those about this account.")] = None,
    cause: Annotated[str | None, typer.Option(help="Those of this signal's firing or workflow's run.")] = None,
    most: Annotated[int, typer.Option(help="How many, latest first.", min=1, max=100_000)] = 100,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """List messages, latest first."""
    from doorstep.delivery.deliveries import deliveries

    chosen: Any = state
    with databased(data, create=False) as database:
        found = deliveries(database, state=chosen, destination=destination, account=account, cause=cause, most=most)
    if as_json:
        terminal.show_json({"deliveries": [_plain(one) for one in found]})
        return
    drawn = Table("id", "destination", "account", "state", "attempts", "why", box=None, pad_edge=False)
    for one in found:
        row = (one.id, one.destination, one.account, one.state, str(one.attempts), one.why or "")
        drawn.add_row(*map(Text, row))
    terminal.show(drawn)


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="The message's id.", show_default=False)],  # noqa: A002
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """One message: what is in it, and what came of each attempt."""
    from doorstep.delivery.deliveries import delivery

    with databased(data, create=False) as database:
        found, tried = delivery(database, id)
    if as_json:
        terminal.show_json({**_plain(found), "body": dict(found.body), "tried": [_attempt(one) for one in tried]})
        return
    for label, value in _plain(found).items():
        if value is not None:
            terminal.show(Text(f"{label}: {value}"))
    terminal.show(Text(f"body: {json.dumps(found.body, ensure_ascii=False)}"))
    drawn = Table("attempt", "at", "took", "status", "answer", box=None, pad_edge=False)
    for one in tried:
        took, status = f"{one.latency / 1e6:.3f} s", "–" if one.status is None else str(one.status)
        drawn.add_row(str(one.number), str(_attempt(one)["at"]), took, status, Text(one.answer or one.failure or ""))
    terminal.show(drawn)


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of parked messages.", show_default=False)] = None,
    destination: Annotated[str | None, typer.Option(help="Everything that is parked of this destination.")] = None,
    data: Data = DATA,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Let parked messages wait again, for three more days; the next delivery takes them."""
    from doorstep.delivery.deliveries import replay as replay_some
    from doorstep.delivery.deliveries import replay_all

    if bool(ids) == (destination is not None):
        raise RunError("what-to-replay", "Say the ids of messages, or --destination for all that is parked of one.")
    with databased(data, create=False) as database:
        if destination is not None:
            count = replay_all(database, destination, by=who(by), at=clock())
        else:
            count = replay_some(database, tuple(ids or ()), by=who(by), at=clock())
    if as_json:
        terminal.show_json({"replayed": count})
    else:
        terminal.show(Text(f"{number_of(count, 'message')} waiting again"))


def _plain(one: Sent) -> dict[str, Any]:
    from doorstep.funnels.result import instant

    return {
        "id": one.id,
        "destination": one.destination,
        "account": one.account,
        "cause": one.cause,
        "state": one.state,
        "attempts": one.attempts,
        "put_at": instant(one.put_at),
        "due_at": instant(one.due_at),
        "next_at": instant(one.next_at),
        "ended_at": instant(one.ended_at),
        "why": one.why,
    }


def _attempt(one: Tried) -> dict[str, Any]:
    from doorstep.funnels.result import instant

    return {
        "number": one.number,
        "at": instant(one.at),
        "latency_seconds": one.latency / 1e6,
        "status": one.status,
        "answer": one.answer,
        "failure": one.failure,
    }
