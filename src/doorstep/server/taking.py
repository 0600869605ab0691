"""The way of every delivery: key, body, records, disk, answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from doorstep.errors import DoorstepError
from doorstep.ingest.calls import Reading
from doorstep.ingest.records import Json
from doorstep.server import body as bodies
from doorstep.server.access import Doorman, Keys, key_in_header
from doorstep.server.answers import refused
from doorstep.server.body import Incoming
from doorstep.server.budget import Budget
from doorstep.server.commit import Writer

T = TypeVar("T")

LARGE: Final = 256 * 1024
"""Bytes from which a body is read beside the event loop, one at a time."""


@dataclass(frozen=True, slots=True)
class Way:
    """What differs from API to API: how large a body may be, where its key is, what it amounts to (given the body, when
    it came, and its source), and what a sender is told when all of that is kept.
    """

    most: int
    key: Callable[[Json], str | None]
    read: Callable[[Json, int, str], Reading]
    answer: Callable[[Reading], Response]


class Taking:
    """Takes deliveries. ``clock`` gives microseconds since 1970 UTC."""

    def __init__(self, keys: Keys, writer: Writer, budget: Budget, clock: Callable[[], int], seconds: float) -> None:
        self._doorman = Doorman(keys)
        self._writer = writer
        self._budget = budget
        self._clock = clock
        self._seconds = seconds
        self._aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="doorstep-reader")

    def close(self) -> None:
        """Gives its thread back."""
        self._aside.shutdown()

    async def take(self, request: Request, way: Way) -> Response:
        """The answer to a delivery; a good one when it is on disk."""
        incoming = Incoming(request)
        try:
            reading = await self._keep(request, incoming, way)
            return way.answer(reading)
        except DoorstepError as error:
            await incoming.drop()
            return refused(error)
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody

    async def check(self, request: Request, way: Way, good: Response) -> Response:
        """``good`` to a request that has a key; its body is of no interest beyond that."""
        incoming = Incoming(request)
        try:
            told = key_in_header(request.headers.get("authorization"))
            with self._budget.hold() as hold:
                raw = await incoming.read(LARGE, self._seconds, hold)
                await self._doorman.source_of(told or way.key(bodies.parse(raw)))
            return good
        except DoorstepError as error:
            await incoming.drop()
            return refused(error)
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody

    async def _keep(self, request: Request, incoming: Incoming, way: Way) -> Reading:
        received_at = self._clock()
        told = key_in_header(request.headers.get("authorization"))
        source = None if told is None else await self._doorman.source_of(told)
        with self._budget.hold() as hold:
            raw = await incoming.read(way.most, self._seconds, hold)
            body = await self._do(len(raw), lambda: bodies.parse(raw))
            known = source or await self._doorman.source_of(way.key(body))
            reading = await self._do(len(raw), lambda: way.read(body, received_at, known))
            if reading.arrivals or reading.rejected:
                await self._writer.keep(reading.arrivals, reading.rejected)
        return reading

    async def _do(self, size: int, work: Callable[[], T]) -> T:
        """Work on a body of so many bytes; beside the event loop if it is large."""
        if size <= LARGE:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._aside, work)
