"""Commands on signals: publishing them, and working through what they told."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from doorstep.cli import automations, terminal
from doorstep.cli.options import AsJson
from doorstep.cli.published import DATA, At, By, Data, databased, instant_of, who
from doorstep.errors import RunError

if TYPE_CHECKING:
    from doorstep.automations.inbox import Firing
    from doorstep.definitions.signal import Signal

app: Final = typer.Typer(help="Signals: what is noticed about accounts and funnels.", no_args_is_help=True)

STATES: Final = ("new", "acknowledged", "resolved", "snoozed")

File = Annotated[Path, typer.Argument(help="The signal: YAML or JSON.", show_default=False)]
Name = Annotated[str, typer.Argument(help="The signal's name.", show_default=False)]
Id = Annotated[str, typer.Argument(help="The firing's id, or how it begins.", show_default=False)]
Message = Annotated[str | None, typer.Option("--message", help="Why; kept with the version.")]
Note = Annotated[str | None, typer.Option("--note", help="A few words, kept with it.")]


@app.command()
def publish(
    file: File, data: Data = DATA, at: At = None, by: By = None, message: Message = None, as_json: AsJson = False
) -> None:
    """Publish a signal: from then on it is at work."""
    automations.publish(file, "signal", data, at, by, message, as_json)


@app.command()
def defined(data: Data = DATA, as_json: AsJson = False) -> None:
    """List the signals that are published."""
    automations.at_work("signal", data, as_json, _about)


def _about(signal: Signal) -> str:
    return f"{signal.when.kind.replace('_', ' ')}; {signal.kind}, {signal.priority}"


@app.command()
def pause(name: Name, data: Data = DATA, at: At = None, by: By = None, as_json: AsJson = False) -> None:
    """Keep a signal from firing."""
    automations.turn("signal", name, data, at, by, as_json, paused=True)


@app.command()
def resume(name: Name, data: Data = DATA, at: At = None, by: By = None, as_json: AsJson = False) -> None:
    """Set a signal to work again: what happened meanwhile is not told."""
    automations.turn("signal", name, data, at, by, as_json, paused=False)


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="new, acknowledged, resolved or snoozed; default: all.")] = None,
    signal: Annotated[str | None, typer.Option(help="Of this signal alone.")] = None,
    account: Annotated[str | None, typer.Option(help="About this account alone.")] = None,
    most: Annotated[int, typer.Option(help="How many, latest first.", min=1, max=100_000)] = 100,
    at: At = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """List what signals told, latest first."""
    from doorstep.automations.inbox import firings

    if state is not None and state not in STATES:
        raise RunError("bad-state", f"--state {state!r} is none of {', '.join(STATES)}.")
    chosen: Any = state
    with databased(data, create=False) as database:
        found = firings(database, instant_of(at), state=chosen, signal=signal, account=account, most=most)
    if as_json:
        terminal.show_json({"firings": [plain(one) for one in found]})
        return
    if not found:
        terminal.say("nothing was noticed.")
        return
    rows = [(one.id[:8], one.signal, one.priority, one.state, moment(one.occurred_at), one.why) for one in found]
    automations.table(("id", "signal", "priority", "state", "occurred", "why"), rows)


@app.command()
def show(key: Id, at: At = None, data: Data = DATA, as_json: AsJson = False) -> None:
    """Tell all about one firing: why, when it happened, when it was known, what became of it."""
    from doorstep.automations.inbox import firing

    with databased(data, create=False) as database:
        found = firing(database, key, instant_of(at))
    _tell(found, as_json, whole=True)


@app.command()
def ack(key: Id, note: Note = None, at: At = None, by: By = None, data: Data = DATA, as_json: AsJson = False) -> None:
    """Say that somebody has seen it."""
    from doorstep.automations.inbox import acknowledge

    with databased(data, create=False) as database:
        found = acknowledge(database, key, by=who(by), at=instant_of(at), why=note)
    _tell(found, as_json)


@app.command()
def resolve(
    key: Id, note: Note = None, at: At = None, by: By = None, data: Data = DATA, as_json: AsJson = False
) -> None:
    """Say that nothing is left to do about it."""
    from doorstep.automations.inbox import resolve as resolve_firing

    with databased(data, create=False) as database:
        found = resolve_firing(database, key, by=who(by), at=instant_of(at), why=note)
    _tell(found, as_json)


@app.command()
def snooze(
    key: Id,
    length: Annotated[str, typer.Option("--for", help="For so long, such as 3d.")] = "1d",
    note: Note = None,
    at: At = None,
    by: By = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Put it off: it is new again after so long."""
    from doorstep.automations.inbox import snooze as snooze_firing

    moment_ = instant_of(at)
    until = moment_ + automations.length_of(length)
    with databased(data, create=False) as database:
        found = snooze_firing(database, key, until, by=who(by), at=moment_, why=note)
    _tell(found, as_json)


def _tell(one: Firing, as_json: bool, *, whole: bool = False) -> None:
    if as_json:
        terminal.show_json(plain(one))
        return
    until = f" until {moment(one.snoozed_until)}" if one.snoozed_until is not None else ""
    by = f" by {one.state_by}" if one.state_by else ""
    head = Text.assemble((one.signal, "bold"), f"  {one.kind}, {one.priority}  {one.state}{until}{by}")
    terminal.show(head)
    terminal.show(Text(one.why))
    if not whole:
        return
    undone = f"; retracted {moment(one.retracted_at)}" if one.retracted_at is not None else ""
    terminal.show(Text(f"occurred {moment(one.occurred_at)}, known {moment(one.known_at)}{undone}"))
    for key, value in one.evidence.items():
        terminal.show(Text(f"{key}: {_words(value)}"))
    if one.note:
        terminal.show(Text(f"note: {one.note}"))


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(one)}" for key, one in value.items() if one not in (None, [], ""))
    if isinstance(value, list):
        return " ".join(map(str, value))
    return moment(value) if isinstance(value, int) and value > 10**14 else str(value)


def moment(us: int | None) -> str:
    """An instant, or nothing."""
    from doorstep.funnels.result import instant

    return instant(us) or ""


def plain(one: Firing) -> dict[str, Any]:
    """A firing as JSON."""
    times = {key: moment(value) or None for key, value in asdict(one).items() if key.endswith(("_at", "_until"))}
    return {**asdict(one), **times}


__all__ = ["app"]
