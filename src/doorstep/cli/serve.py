"""``doorstep serve``: the server in the foreground."""

from __future__ import annotations

import time

from doorstep.cli import terminal
from doorstep.ingest.sink import Sink
from doorstep.server import Keys, Settings, create_app
from doorstep.server.serving import serve as serve_app


def serve(sink: Sink, keys: Keys, *, host: str, port: int, settings: Settings | None = None) -> None:
    """Takes events until it is interrupted; prints its address, and nothing else, once it answers."""
    app = create_app(sink, keys, settings or Settings(), lambda: time.time_ns() // 1000)

    def ready(address: str) -> None:
        print(address, flush=True)
        terminal.say(f"Doorstep takes events at {address}; Ctrl-C stops it.")

    serve_app(app, host=host, port=port, ready=ready)
