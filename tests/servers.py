"""A real server on loopback, in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from doorstep.ingest.sink import Sink
from doorstep.server import Keys, Settings, create_app
from doorstep.server.serving import address as address_of
from doorstep.server.serving import listen

KEY = "wk_test"
SOURCE = "shop"


@dataclass(frozen=True)
class FixedKeys:
    """Keys that are known beforehand."""

    names: Mapping[str, str]

    def verify(self, key: str) -> str | None:
        return self.names.get(key)


def now() -> int:
    return time.time_ns() // 1000


@contextmanager
def running(
    sink: Sink,
    settings: Settings | None = None,
    *,
    keys: Keys | None = None,
    clock: Callable[[], int] = now,
) -> Iterator[str]:
    """The address of a server that keeps in ``sink``; it is shut down in order afterwards."""
    app = create_app(sink, keys or FixedKeys({KEY: SOURCE}), settings or Settings(), clock)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=10))
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.005)
            yield address_of(listener)
        finally:
            server.should_exit = True
            thread.join()


def post(address: str, path: str, **sent: Any) -> httpx.Response:
    """The answer to one request that has the write key."""
    return httpx.post(address + path, auth=(KEY, ""), timeout=30, verify=False, **sent)


def client(address: str, key: str | None = KEY) -> httpx.Client:
    """A client that has the write key."""
    return httpx.Client(base_url=address, auth=None if key is None else (key, ""), timeout=20, verify=False)
