"""POST over HTTP, as far as is safe: the guard's addresses, no redirects or proxies, a bounded answer, in time."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpcore

from doorstep.delivery.addresses import Guard
from doorstep.delivery.attempts import readable
from doorstep.delivery.connecting import CONNECT, WHOLE, Deadlines, Pinned
from doorstep.errors import SendingError

READ: Final = 15.0
"""Seconds to wait for the next bytes of an answer."""
MOST: Final = 64 * 1024
"""Bytes of an answer that are read."""
CONNECTIONS: Final = 64
IDLE: Final = 5.0
"""Seconds that a connection is kept for the next message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said."""

    status: int
    text: str
    retry_after: str | None


class Poster:
    """Posts from several threads."""

    def __init__(self, guard: Guard, trust: ssl.SSLContext, *, whole: float = WHOLE) -> None:
        self._whole = whole
        self._deadlines = Deadlines()
        self._pool = httpcore.ConnectionPool(
            ssl_context=trust,
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=IDLE,
            network_backend=Pinned(guard, self._deadlines),
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, whatever its status. SendingError when there is none."""
        timeouts = {"connect": CONNECT, "read": READ, "write": READ, "pool": self._whole}
        try:
            with (
                self._deadlines.within(self._whole),
                self._pool.stream(
                    "POST", url, headers=list(headers.items()), content=body, extensions={"timeout": timeouts}
                ) as response,
            ):
                return Answer(response.status, readable(_some(response)), _header(response, b"retry-after"))
        except httpcore.TimeoutException:
            raise SendingError("no-answer", "no answer in time.") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise SendingError("no-answer", f"no whole answer: {str(error)[:200] or type(error).__name__}.") from None
        except (httpcore.UnsupportedProtocol, ValueError):
            raise SendingError("no-answer", "its URL cannot be posted to.") from None

    def close(self) -> None:
        """Lets go of every connection."""
        self._pool.close()


def _some(response: httpcore.Response) -> bytes:
    """The answer's beginning. What is not read to its end, httpcore closes."""
    found = b""
    for chunk in response.iter_stream():
        found += chunk
        if len(found) >= MOST:
            break
    return found[:MOST]


def _header(response: httpcore.Response, name: bytes) -> str | None:
    found = [value for key, value in response.headers if key.lower() == name]
    return found[0].decode("ascii", "replace") if found else None


__all__ = ["Answer", "Poster"]
