"""Who sends: the write key of a request, and the source that it stands for."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Final, Protocol

from doorstep.errors import DeliveryError
from doorstep.ingest.records import Json

REMEMBERED: Final = 10.0
MOST_KNOWN: Final = 10_000


class Keys(Protocol):
    """Which write keys there are; asked from several threads."""

    def verify(self, key: str) -> str | None:
        """The name of the source that has this key; None when nobody has."""
        ...


def key_in_header(authorization: str | None) -> str | None:
    """The user name of ``Basic`` (any password) or the token of ``Bearer``; None without either."""
    scheme, _, rest = (authorization or "").strip().partition(" ")
    match scheme.casefold():
        case "basic":
            try:
                told = base64.b64decode(rest.strip(), validate=True).decode()
            except (binascii.Error, ValueError):
                raise unknown_key() from None
            return told.partition(":")[0] or None
        case "bearer":
            return rest.strip() or None
        case _:
            return None


def segment_key(body: Json) -> str | None:
    """``writeKey`` of a body."""
    return _text(body.get("writeKey")) if isinstance(body, dict) else None


def posthog_key(body: Json) -> str | None:
    """``api_key`` or ``token`` of a body or of its first event."""
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return None
    found = _text(first.get("api_key")) or _text(first.get("token"))
    properties = first.get("properties")
    return found or (_text(properties.get("token")) if isinstance(properties, dict) else None)


class Doorman:
    """Lets senders in by their keys. Asks `Keys` beside the event loop, and remembers a key that is somebody's for
    `REMEMBERED` seconds, which is how long one that was revoked may still be used.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._known: dict[str, tuple[str, float]] = {}

    async def source_of(self, key: str | None) -> str:
        """The source of a key. DeliveryError ``no-key`` or ``unknown-key``."""
        if key is None:
            raise DeliveryError(
                "no-key",
                "the request has no write key. Send it as the user name of Basic authentication, as a Bearer token, or"
                " in the body as writeKey (Segment) or api_key (PostHog).",
            )
        loop = asyncio.get_running_loop()
        source, until = self._known.get(key, ("", 0.0))
        if loop.time() < until:
            return source
        self._known.pop(key, None)
        found = await loop.run_in_executor(None, self._keys.verify, key)
        if found is None:
            raise unknown_key()
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[key] = (found, loop.time() + REMEMBERED)
        return found


def unknown_key() -> DeliveryError:
    """The key is nobody's."""
    return DeliveryError("unknown-key", "nobody has this write key. Make one with doorstep keys create.")


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None
