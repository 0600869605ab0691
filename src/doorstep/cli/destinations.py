"""Commands on destinations: where messages go."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.drawing import number_of
from doorstep.cli.options import AsJson
from doorstep.cli.outgoing import opened_destinations
from doorstep.cli.published import DATA, By, Data, clock, who
from doorstep.errors import RunError

if TYPE_CHECKING:
    from doorstep.delivery.destinations import Destination
    from doorstep.delivery.targets import Email, Target

app: Final = typer.Typer(help="Where messages go: webhooks, Slack, mail.", no_args_is_help=True)
add: Final = typer.Typer(help="Keep a destination.", no_args_is_help=True)
app.add_typer(add, name="add")

Name = Annotated[str, typer.Argument(help="The destination's name.", show_default=False)]
Url = Annotated[str | None, typer.Option(help="Its URL; others on this machine can see what you type.")]
UrlFile = Annotated[Path | None, typer.Option(help="A file with its URL; - is standard input.")]
SecretFile = Annotated[Path | None, typer.Option(help="A file with its signing secret, whsec_…; default: a new one.")]


@add.command("webhook")
def add_webhook(
    name: Name,
    url: Url = None,
    url_file: UrlFile = None,
    secret_file: SecretFile = None,
    data: Data = DATA,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """A URL that takes JSON, signed as Standard Webhooks say. A new secret is printed this once."""
    from doorstep.delivery.signing import new_secret
    from doorstep.delivery.targets import Webhook

    secret = new_secret() if secret_file is None else _text(secret_file)
    target = Webhook(_url(url, url_file), secret)
    _add(name, target, data, by, as_json, secret if secret_file is None else None)


@add.command("slack")
def add_slack(
    name: Name,
    url: Url = None,
    url_file: UrlFile = None,
    data: Data = DATA,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """An incoming webhook of Slack."""
    from doorstep.delivery.targets import Slack

    _add(name, Slack(_url(url, url_file)), data, by, as_json)


@add.command("email")
def add_email(
    name: Name,
    host: Annotated[str, typer.Option(help="The mail server (SMTP).", show_default=False)],
    sender: Annotated[str, typer.Option("--from", help="Who the mail is from.", show_default=False)],
    to: Annotated[list[str] | None, typer.Option(help="Who gets it unless a message says otherwise.")] = None,
    port: Annotated[int, typer.Option(help="The server's port.", min=1, max=65535)] = 465,
    security: Annotated[str, typer.Option(help="tls, starttls or none.")] = "tls",
    username: Annotated[str | None, typer.Option(help="For a server that asks for one.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="A file with the password; - is standard input.")] = None,
    data: Data = DATA,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """A mail server, and who mail is from."""
    password = None if password_file is None else _text(password_file)
    _add(name, _email(host, port, security, sender, to or [], username, password), data, by, as_json)


def _email(
    host: str, port: int, security: str, sender: str, to: list[str], username: str | None, password: str | None
) -> Email:
    from doorstep.delivery.targets import Email

    return Email(host, port, security, sender, tuple(to), username, password)  # type: ignore[arg-type]


def _add(name: str, target: Target, data: Path, by: str | None, as_json: bool, secret: str | None = None) -> None:
    with opened_destinations(data, create=True) as destinations:
        added = destinations.add(name, target, by=who(by), at=clock())
    if as_json:
        terminal.show_json({**_plain(added), **({} if secret is None else {"secret": secret})})
        return
    if secret is not None:
        print(secret)
    terminal.say(f"{added.kind} destination {added.name} is kept" + ("" if secret is None else "; above is its secret"))


@app.command("list")
def list_(data: Data = DATA, as_json: AsJson = False) -> None:
    """Every destination, without secrets, and the hosts that may be reached though they are not public."""
    with opened_destinations(data) as destinations:
        found, hosts = destinations.all(), destinations.allowed()
    if as_json:
        terminal.show_json({"destinations": [_plain(one) for one in found], "allowed_hosts": list(hosts)})
        return
    drawn = Table("destination", "kind", "where", "state", "waiting", "parked", box=None, pad_edge=False)
    for one in found:
        drawn.add_row(one.name, one.kind, Text(_where(one)), _state(one), f"{one.waiting:,}", f"{one.parked:,}")
    terminal.show(drawn)
    if hosts:
        terminal.show(Text(f"allowed though not public: {', '.join(hosts)}"))


@app.command()
def show(name: Name, data: Data = DATA, as_json: AsJson = False) -> None:
    """One destination, without its secrets."""
    with opened_destinations(data) as destinations:
        found = destinations.get(name)
    if as_json:
        terminal.show_json(_plain(found))
        return
    for label, value in _plain(found).items():
        if value not in (None, []):
            terminal.show(Text(f"{label}: {', '.join(value) if isinstance(value, list) else value}"))


@app.command()
def remove(name: Name, data: Data = DATA, by: By = None, as_json: AsJson = False) -> None:
    """Forget a destination and its secrets; what waits for it is parked."""
    with opened_destinations(data) as destinations:
        parked = destinations.remove(name, by=who(by), at=clock())
    if as_json:
        terminal.show_json({"name": name, "parked": parked})
    else:
        terminal.show(Text(f"{name} is removed; {number_of(parked, 'message')} that waited for it parked"))


@app.command("test")
def test_(
    name: Name,
    to: Annotated[str | None, typer.Option(help="For mail: who gets it.")] = None,
    data: Data = DATA,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Send a test message now, and show the answer; exit code 1 where it is not taken."""
    from doorstep.delivery.trying import try_out

    with opened_destinations(data) as destinations:
        came = try_out(destinations, name, by=who(by), at=clock(), to=to)
    if as_json:
        told = {"name": name, "delivered": came.failure is None, "status": came.status, "answer": came.answer}
        terminal.show_json({**told, "failure": came.failure, "latency_seconds": came.latency / 1e6})
    else:
        what = "delivered" if came.failure is None else f"not delivered: {came.failure}"
        terminal.show(Text(f"{name}: {what}" + (f" ({came.answer})" if came.answer else "")))
    if came.failure is not None:
        raise typer.Exit(1)


@app.command()
def allow(
    host: Annotated[str, typer.Argument(help="A host, as URLs name it.", show_default=False)],
    data: Data = DATA,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Let messages go to a host although its address is not public."""
    with opened_destinations(data, create=True) as destinations:
        allowed = destinations.allow(host, by=who(by), at=clock())
    if as_json:
        terminal.show_json({"host": allowed, "allowed": True})
    else:
        terminal.show(Text(f"messages may go to {allowed}, whatever its address"))


@app.command()
def forbid(
    host: Annotated[str, typer.Argument(help="An allowed host.", show_default=False)],
    data: Data = DATA,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Take that back."""
    with opened_destinations(data) as destinations:
        forbidden = destinations.forbid(host, by=who(by), at=clock())
    if as_json:
        terminal.show_json({"host": forbidden, "allowed": False})
    else:
        terminal.show(Text(f"messages go to {forbidden} only where its address is public"))


def _url(url: str | None, file: Path | None) -> str:
    if (url is None) == (file is None):
        raise RunError("which-url", "Say one of --url and --url-file.")
    return url if url is not None else _text(file or Path("-"))


def _text(file: Path) -> str:
    """What a file says, without the space around it; RunError ``unreadable-file``."""
    try:
        return (sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise RunError("unreadable-file", f"{file} cannot be read: {why}.") from None


def _where(one: Destination) -> str:
    return str(one.shown["url"]) if "url" in one.shown else f"{one.shown['host']}:{one.shown['port']}"


def _state(one: Destination) -> str:
    from doorstep.funnels.result import instant

    if one.rests_until is not None and one.rests_until > clock():
        return f"fails; tried again at {instant(one.rests_until)}"
    return f"failed {one.failures} times in a row" if one.failures else "well"


def _plain(one: Destination) -> dict[str, Any]:
    from doorstep.funnels.result import instant

    return {
        "name": one.name,
        "kind": one.kind,
        **one.shown,
        "added_by": one.added_by,
        "added_at": instant(one.added_at),
        "failures": one.failures,
        "failing_since": instant(one.failing_since),
        "rests_until": instant(one.rests_until),
        "waiting": one.waiting,
        "parked": one.parked,
    }
