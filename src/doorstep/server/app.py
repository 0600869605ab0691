"""The server as one application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from doorstep.ingest.sink import Sink
from doorstep.server.access import Keys
from doorstep.server.answers import answer, refusal
from doorstep.server.budget import Budget
from doorstep.server.commit import Writer
from doorstep.server.posthog_api import posthog_api
from doorstep.server.segment_api import segment_api
from doorstep.server.settings import Settings
from doorstep.server.taking import Taking

log: Final = logging.getLogger("doorstep.server")


def create_app(sink: Sink, keys: Keys, settings: Settings, clock: Callable[[], int]) -> FastAPI:
    """An application that keeps in ``sink`` what holders of ``keys`` send. ``clock``: microseconds since 1970 UTC.

    On shutdown it keeps what waits before it returns; closing the sink is the caller's.
    """
    writer = Writer(sink, most_waiting=settings.queued_calls, together=settings.commit_calls)
    taking = Taking(keys, writer, Budget(settings.in_flight_bytes), clock, settings.body_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running = asyncio.create_task(writer.run())
        yield
        writer.close()
        await running
        taking.close()

    app = FastAPI(title="Doorstep", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    app.include_router(segment_api(taking, settings))
    app.include_router(posthog_api(taking, settings))
    app.add_api_route("/api/health", _health, methods=["GET"])
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)
    app.add_middleware(
        CORSMiddleware,  # browser SDKs send from any page; the write key says who may
        allow_origins=["*"],
        allow_methods=["GET", "POST", "OPTIONS"],
        allow_headers=["*"],
        expose_headers=["Retry-After"],
        max_age=86_400,
    )
    return app


async def _health() -> Response:
    return answer({"status": "ok"})


async def _http(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    match status:
        case 404:
            return refusal("not-found", "there is nothing at this address. Send events to /v1/batch or /batch/.")
        case 405:
            return refusal("no-such-method", "this address takes another method. Send events with POST.")
        case _:
            return refusal("bad-request", str(error), status)


async def _internal(request: Request, error: Exception) -> Response:
    log.error("a request to %s failed", request.url.path, exc_info=error)
    return refusal("internal", "this is a bug in doorstep; the server's log says more. Send again later.")
