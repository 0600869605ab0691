"""Receivers of what goes out: a real HTTP server on loopback that does as it is told, and remembers what came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Came:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Says:
    """What a receiver does: an answer, after ``seconds``; ``drip`` sends its body byte by byte, so far apart."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    drip: float | None = None


@dataclass
class Receiver:
    """Answers each request as ``behave`` says."""

    address: str
    behave: Callable[[Came], Says]
    came: list[Came] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.came]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up is no fault of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        came = Came(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        says = self.server.receiver.behave(came)
        self.server.receiver.came.append(came)
        time.sleep(says.seconds)
        self.send_response(says.status)
        for name, value in says.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(says.body)))
        self.end_headers()
        for part in [says.body] if says.drip is None else [says.body[n : n + 1] for n in range(len(says.body))]:
            self.wfile.write(part)
            time.sleep(says.drip or 0.0)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def receiving(behave: Callable[[Came], Says] = lambda _: Says(), *, port: int = 0) -> Iterator[Receiver]:
    """A receiver while it lasts."""
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}", behave)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.receiver
        finally:
            server.shutdown()
            thread.join()
