"""Commands on write keys: make, list, revoke."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from doorstep.cli import publishing_screens as screens
from doorstep.cli import terminal
from doorstep.cli.options import AsJson
from doorstep.cli.published import DATA, Data, opened

if TYPE_CHECKING:
    from doorstep.registry import WriteKey

app: Final = typer.Typer(help="Write keys: who may send events.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Option("--name", help="What the key is for.", show_default=False)],
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: this once, since only a hash of it is kept."""
    with opened(data, create=True) as registry:
        made = registry.keys.create(name)
    if as_json:
        terminal.show_json({"key": made.secret, **_key(made.key)})
    else:
        print(made.secret)


@app.command("list")
def list_(data: Data = DATA, as_json: AsJson = False) -> None:
    """List every key there ever was, without the keys themselves."""
    with opened(data) as registry:
        found = registry.keys.all()
    if as_json:
        terminal.show_json({"keys": [_key(one) for one in found]})
    else:
        terminal.show(screens.keys(found))


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The key's name.", show_default=False)],
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Refuse a key from now on."""
    with opened(data) as registry:
        done = registry.keys.revoke(name)
    if as_json:
        terminal.show_json(_key(done))
    else:
        terminal.say(f"the key {done.name!r} is revoked")


def _key(one: WriteKey) -> dict[str, Any]:
    from doorstep.funnels.result import instant

    times = {name: instant(value) for name, value in asdict(one).items() if name != "name"}
    return {"name": one.name, **times}
