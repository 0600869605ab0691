"""An application on a socket, until it is told to stop."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from typing import Final

import uvicorn
from fastapi import FastAPI

from doorstep.errors import RunError

KEEP_ALIVE: Final = 75
"""Seconds that an idle connection stays open; longer than senders wait between batches."""
GRACE: Final = 30
"""Seconds that requests under way have to end when the server is told to stop."""


def serve(app: FastAPI, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Answers until SIGINT or SIGTERM, then ends what is under way. ``ready`` is told the address once it answers.
    Port 0 takes a free one. Raises RunError ``no-address`` when it cannot listen there.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # the server has ended well: no death by signal
    try:
        with listen(host, port) as listener:
            _Announced(config, ready).run(sockets=[listener])
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)


class _Announced(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            self._ready(address(sockets[0]))


def address(listener: socket.socket) -> str:
    """The URL at which a socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections there. RunError ``no-address``."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(found[4][:2], family=found[0], backlog=2048)
    except (OSError, OverflowError) as error:
        raise RunError(
            "no-address", f"cannot listen on {host}:{port}: {error}. Give another --host or --port."
        ) from None
    # asyncio sets this only where the socket names its protocol; without it, answers are held back for 40 ms
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
