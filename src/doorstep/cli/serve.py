"""``doorstep serve``: the server in the foreground."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from doorstep.cli import terminal
from doorstep.ingest.sink import Sink
from doorstep.server import Keys, Settings, create_app
from doorstep.server.beside import repeating
from doorstep.server.serving import serve as serve_app

EVERY: Final = 1.0
"""Seconds between two turns of the work beside."""


def serve(
    sink: Sink,
    keys: Keys,
    *,
    host: str,
    port: int,
    settings: Settings | None = None,
    beside: Callable[[], object] | None = None,
) -> None:
    """Takes events until it is interrupted; prints its address, and nothing else, once it answers. ``beside``: work to
    be done every second meanwhile, and once more at the end.
    """
    app = create_app(sink, keys, settings or Settings(), lambda: time.time_ns() // 1000)

    def ready(address: str) -> None:
        print(address, flush=True)
        terminal.say(f"Doorstep takes events at {address}; Ctrl-C stops it.")

    with ExitStack() as stack:
        if beside is not None:
            stack.enter_context(repeating(beside, EVERY))
        serve_app(app, host=host, port=port, ready=ready)
