"""The addresses of Segment's tracking API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from doorstep.ingest import segment
from doorstep.ingest.calls import Reading, Rules
from doorstep.ingest.records import Json
from doorstep.server.access import segment_key
from doorstep.server.answers import answer, refusal
from doorstep.server.settings import Settings
from doorstep.server.taking import Taking, Way

_SHORT: Final = {"track": "t", "identify": "i", "page": "p", "screen": "s", "group": "g", "alias": "a", "batch": "b"}
"""How Segment's browser SDK abbreviates them."""
_SHOWN: Final = 100


def segment_api(taking: Taking, settings: Settings) -> APIRouter:
    """``/v1/batch`` and ``/v1/<kind>`` for each kind of call."""
    router = APIRouter(tags=["Segment"])
    rules = Rules(settings.segment_event_bytes, settings.batch_calls, account_group=None, keep_ip=settings.keep_ip)
    for name, short in _SHORT.items():
        take = _taker(taking, _way(None if name == "batch" else name, settings, rules))
        router.add_api_route(f"/v1/{name}", take, methods=["POST"], name=name)
        router.add_api_route(f"/v1/{short}", take, methods=["POST"], name=name, include_in_schema=False)
    return router


def _way(kind: str | None, settings: Settings, rules: Rules) -> Way:
    def read(body: Json, received_at: int, source: str) -> Reading:
        return segment.read(body, kind=kind, received_at=received_at, source=source, rules=rules)

    return Way(settings.segment_batch_bytes, segment_key, read, _told_of_batch if kind is None else _told_of_call)


def _taker(taking: Taking, way: Way) -> Callable[[Request], Awaitable[Response]]:
    async def take(request: Request) -> Response:
        return await taking.take(request, way)

    return take


def _told_of_call(reading: Reading) -> Response:
    for one in reading.rejected:
        return refusal(one.code, one.message)
    return answer({"success": True})


def _told_of_batch(reading: Reading) -> Response:
    """Calls that were rejected are told by their places in the batch, the first hundred of them."""
    if not reading.rejected:
        return answer({"success": True})
    told = [
        {"index": place, "code": one.code, "message": one.message}
        for place, one in zip(reading.places[:_SHOWN], reading.rejected, strict=False)
    ]
    return answer(
        {"success": True, "accepted": len(reading.arrivals), "rejected": len(reading.rejected), "reasons": told}
    )
