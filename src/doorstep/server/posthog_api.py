"""The addresses of PostHog's capture API, and of its feature flags, of which there are none."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from doorstep.ingest import posthog
from doorstep.ingest.calls import Reading, Rules
from doorstep.server.access import posthog_key
from doorstep.server.answers import answer, refusal
from doorstep.server.settings import Settings
from doorstep.server.taking import Taking, Way

CAPTURE: Final = ("/batch", "/capture", "/e", "/i/v0/e", "/track", "/i/v0/ai/batch")
FLAGS: Final = ("/flags", "/decide")
NO_FLAGS: Final = {
    "flags": {},
    "featureFlags": {},
    "featureFlagPayloads": {},
    "errorsWhileComputingFlags": False,
    "config": {"enable_collect_everything": False},
    "sessionRecording": False,
    "siteApps": [],
    "supportedCompression": ["gzip", "gzip-js"],
    "toolbarParams": {},
    "isAuthenticated": False,
}


def posthog_api(taking: Taking, settings: Settings) -> APIRouter:
    """Each address with and without a slash at its end."""
    router = APIRouter(tags=["PostHog"])
    rules = Rules(settings.posthog_event_bytes, settings.batch_calls, settings.account_group, keep_ip=settings.keep_ip)
    way = Way(
        settings.posthog_batch_bytes,
        posthog_key,
        lambda body, at, source: posthog.read(body, received_at=at, source=source, rules=rules),
        _told,
    )

    async def capture(request: Request) -> Response:
        return await taking.take(request, way)

    async def flags(request: Request) -> Response:
        return await taking.check(request, way, answer(NO_FLAGS))

    for paths, endpoint in ((CAPTURE, capture), (FLAGS, flags)):
        for path in paths:
            router.add_api_route(f"{path}/", endpoint, methods=["POST"], name=path)
            router.add_api_route(path, endpoint, methods=["POST"], name=path, include_in_schema=False)
    return router


def _told(reading: Reading) -> Response:
    """PostHog's SDKs want this and nothing more; only a lone event that is rejected is refused."""
    if reading.rejected and not reading.arrivals and len(reading.rejected) == 1:
        return refusal(reading.rejected[0].code, reading.rejected[0].message)
    return answer({"status": 1})
