"""Connections that go where `addresses.Guard` lets them, and end in time however slowly the other side drips."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import certifi
import httpcore

from doorstep.delivery.addresses import Guard
from doorstep.errors import SendingError

CONNECT: Final = 5.0
"""Seconds to connect."""
WHOLE: Final = 20.0
"""Seconds for all of an attempt."""


def trusted() -> ssl.SSLContext:
    """Certificates that the system trusts, and those of certifi where it has none; names are verified."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def connect(guard: Guard, host: str, port: int, timeout: float) -> socket.socket:
    """A socket to the first of the host's addresses that answers. SendingError."""
    last: OSError | None = None
    for address in guard.addresses(host, port):
        try:
            found = socket.create_connection((address, port), timeout)
        except OSError as error:
            last = error
        else:
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return found
    raise SendingError("cannot-connect", f"{host}:{port} cannot be reached: {_words(last)}.")


def _words(error: OSError | None) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(getattr(error, "strerror", None) or error)


class Deadlines:
    """Until when the attempt of each thread has to end."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Attempts of this thread end within so many seconds."""
        self._of_thread.at = time.monotonic() + seconds
        try:
            yield
        finally:
            self._of_thread.at = None

    def left(self, timeout: float | None) -> float:
        """Seconds that may be waited, no more than ``timeout``; TimeoutError when none are left."""
        at = getattr(self._of_thread, "at", None)
        left = WHOLE if at is None else at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if timeout is None else min(left, timeout)


class Pinned(httpcore.NetworkBackend):
    """httpcore's way to the network: each connection is looked at by the guard, and every wait by the deadline."""

    def __init__(self, guard: Guard, deadlines: Deadlines) -> None:
        self._guard = guard
        self._deadlines = deadlines

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """See httpcore; nothing is bound, and no option set."""
        try:
            return _Stream(connect(self._guard, host, port, self._deadlines.left(timeout)), self._deadlines)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None


class _Stream(httpcore.NetworkStream):
    def __init__(self, connection: socket.socket, deadlines: Deadlines) -> None:
        self._connection = connection
        self._deadlines = deadlines

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._connection.settimeout(self._deadlines.left(timeout))
            return self._connection.recv(max_bytes)
        except TimeoutError:
            raise httpcore.ReadTimeout from None
        except OSError as error:
            raise httpcore.ReadError(str(error)) from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            while buffer:
                self._connection.settimeout(self._deadlines.left(timeout))
                buffer = buffer[self._connection.send(buffer) :]
        except TimeoutError:
            raise httpcore.WriteTimeout from None
        except OSError as error:
            raise httpcore.WriteError(str(error)) from None

    def close(self) -> None:
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            self._connection.settimeout(self._deadlines.left(timeout))
            return _Stream(ssl_context.wrap_socket(self._connection, server_hostname=server_hostname), self._deadlines)
        except TimeoutError:
            self.close()
            raise httpcore.ConnectTimeout from None
        except OSError as error:  # among them ssl.SSLError and certificates that are not the host's
            self.close()
            raise SendingError("no-tls", f"no safe connection: {error}.") from None

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "ssl_object":
                return self._connection if isinstance(self._connection, ssl.SSLSocket) else None
            case "is_readable":
                return _is_readable(self._connection)
            case _:
                return None


def _is_readable(connection: socket.socket) -> bool:
    """Whether an idle connection has something to read, which means that it was closed."""
    if connection.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


__all__ = ["CONNECT", "WHOLE", "Deadlines", "Pinned", "connect", "trusted"]
