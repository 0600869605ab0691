"""``doorstep serve``: the server in the foreground."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Final

import typer

from doorstep.cli import terminal
from doorstep.cli.outgoing import delivery
from doorstep.cli.published import DATA, Data, clock, databased, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from doorstep.ingest.sink import Sink
    from doorstep.server import Keys, Settings

app: Final = typer.Typer()

EVERY: Final = 1.0
"""Seconds between two turns of settling."""

SYNC_EVERY: Final = 60.0
"""Seconds between two syncs of journeys."""

DELIVER_EVERY: Final = 1.0
"""Seconds between two looks into the outbox."""

COMPACT_EVERY: Final = 600.0
"""Seconds between two compactions: each turn of settling leaves small files."""


@app.command("serve")
def serve_lake(
    data: Data = DATA,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65535)] = 8321,
    account_group: Annotated[
        str | None, typer.Option("--account-group", help="The PostHog group type that is the account.")
    ] = None,
    keep_ip: Annotated[bool, typer.Option("--keep-ip", help="Keep senders' addresses as a property.")] = False,
    settle_every: Annotated[
        float, typer.Option(help="Seconds between two turns of bringing what came to where runs see it.", min=0.01)
    ] = EVERY,
    compact_every: Annotated[
        float, typer.Option(help="Seconds between two turns of putting small files together.", min=0.01)
    ] = COMPACT_EVERY,
    sync_every: Annotated[
        float, typer.Option(help="Seconds between two syncs of the active journeys.", min=0.01)
    ] = SYNC_EVERY,
    deliver_every: Annotated[float, typer.Option(help="Seconds between two looks at what is to go out.", min=0.01)] = (
        DELIVER_EVERY
    ),
) -> None:
    """Take events over HTTP into the lake of a data directory; Ctrl-C stops, with everything acknowledged kept."""
    from doorstep.server import Settings
    from doorstep.server.beside import repeating
    from doorstep.server.stores import delivering, open_keys, open_sink, settling, syncing

    settings = Settings(account_group=account_group, keep_ip=keep_ip)
    with open_sink(data) as lake, opened(data, create=True) as registry, databased(data) as database:
        stop = threading.Event()
        beside = settling(lake, time.monotonic, compact_every)
        keys = open_keys(registry)
        with (
            repeating(syncing(lake, database, clock), sync_every),
            delivery(data, database) as outgoing,
            repeating(delivering(outgoing, stop.is_set), deliver_every),
            ExitStack() as ending,
        ):
            ending.callback(stop.set)  # what is sent just now is ended, and no more begun
            serve(lake, keys, host=host, port=port, settings=settings, beside=beside, every=settle_every)


def serve(
    sink: Sink,
    keys: Keys,
    *,
    host: str,
    port: int,
    settings: Settings | None = None,
    beside: Callable[[], object] | None = None,
    every: float = EVERY,
) -> None:
    """Takes events until it is interrupted; prints its address, and nothing else, once it answers. ``beside``: work to
    be done each ``every`` seconds meanwhile, and once more at the end.
    """
    from doorstep.server import Settings, create_app
    from doorstep.server.beside import repeating
    from doorstep.server.serving import serve as serve_app

    app = create_app(sink, keys, settings or Settings(), lambda: time.time_ns() // 1000)

    def ready(address: str) -> None:
        print(address, flush=True)
        terminal.say(f"Doorstep takes events at {address}; Ctrl-C stops it.")

    with ExitStack() as stack:
        if beside is not None:
            stack.enter_context(repeating(beside, every))
        serve_app(app, host=host, port=port, ready=ready)
