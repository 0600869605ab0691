"""What a sender is told: one envelope for everything that is not taken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import orjson
from starlette.responses import Response

from doorstep.errors import DeliveryError, DoorstepError
from doorstep.ingest.sink import Busy

STATUS: Final[Mapping[str, int]] = {
    "no-key": 401,
    "unknown-key": 401,
    "not-found": 404,
    "no-such-method": 405,
    "too-slow": 408,
    "body-too-large": 413,
    "event-too-large": 413,
    "too-many-calls": 413,
    "unsupported-encoding": 415,
    "internal": 500,
}
"""By code; every other code of a request that is wrong is 400."""
_RETRY: Final = 5.0


def answer(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(document), status, headers, media_type="application/json")


def refusal(code: str, message: str, status: int | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """The envelope. ``code`` and ``message`` stand outside too, where Segment's and RudderStack's SDKs look for them:
    without these RudderStack's for Python sends a hopeless batch again and again.
    """
    told = {"code": code, "message": message}
    return answer({"error": told, **told}, status or STATUS.get(code, 400), headers)


def refused(error: DoorstepError) -> Response:
    """The answer to a request that is not taken. What is not the sender's fault is 429 or 503: it should come again."""
    if isinstance(error, DeliveryError):
        headers = {"WWW-Authenticate": "Bearer"} if STATUS.get(error.code) == 401 else {}
        return refusal(error.code, error.message, headers=headers)
    wait = error.retry_after if isinstance(error, Busy) else _RETRY
    headers = {"Retry-After": str(max(1, math.ceil(wait)))}
    return refusal(error.code, error.message, 429 if isinstance(error, Busy) else 503, headers)
