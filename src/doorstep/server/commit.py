"""Group commit: what waits is kept together, by one thread, while the next requests are read."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from doorstep.errors import DoorstepError, StoreError
from doorstep.ingest.records import Arrival, Rejected
from doorstep.ingest.sink import Busy, Sink

log: Final = logging.getLogger("doorstep.server")


@dataclass(frozen=True, slots=True)
class _Waiting:
    arrivals: Sequence[Arrival]
    rejected: Sequence[Rejected]
    kept: asyncio.Future[None]

    @property
    def calls(self) -> int:
        return len(self.arrivals) + len(self.rejected)


class Writer:
    """Puts what requests bring into the sink; the only one that calls it."""

    def __init__(self, sink: Sink, *, most_waiting: int, together: int) -> None:
        self._sink = sink
        self._most_waiting = most_waiting
        self._together = together
        self._queue: deque[_Waiting] = deque()
        self._calls = 0
        self._woken = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="doorstep-writer")

    async def keep(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> None:
        """Returns when all of it is on disk. Raises Busy when too much waits, StoreError when it cannot be kept."""
        one = _Waiting(arrivals, rejected, asyncio.get_running_loop().create_future())
        if self._closing:
            raise Busy("closing", "the server is about to stop. Send again later.", 1.0)
        if self._calls and self._calls + one.calls > self._most_waiting:
            raise Busy("queue-full", f"more than {self._most_waiting:,} calls wait to be kept. Send again later.", 1.0)
        self._queue.append(one)
        self._calls += one.calls
        self._woken.set()
        await one.kept

    async def run(self) -> None:
        """Keeps what comes until `close`, and then what is left."""
        while self._queue or not self._closing:
            if self._queue:
                await self._keep_together(self._take())
            else:
                self._woken.clear()
                await self._woken.wait()
        self._thread.shutdown()

    def close(self) -> None:
        """From here on nothing more is taken; `run` returns when what waits is kept."""
        self._closing = True
        self._woken.set()

    def _take(self) -> list[_Waiting]:
        group = [self._queue.popleft()]
        calls = group[0].calls
        while self._queue and calls + self._queue[0].calls <= self._together:
            calls += self._queue[0].calls
            group.append(self._queue.popleft())
        return group

    async def _keep_together(self, group: list[_Waiting]) -> None:
        failure = await self._accept(group)
        if failure is not None and not isinstance(failure, Busy) and len(group) > 1:
            for one in group:  # one that cannot be kept must not cost the others
                await self._keep_together([one])
            return
        for one in group:
            self._calls -= one.calls
            if one.kept.cancelled():
                continue
            if failure is None:
                one.kept.set_result(None)
            else:
                one.kept.set_exception(_again(failure))

    async def _accept(self, group: list[_Waiting]) -> DoorstepError | None:
        arrivals = [arrival for one in group for arrival in one.arrivals]
        rejected = [one for waiting in group for one in waiting.rejected]
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._sink.accept, arrivals, rejected)
        except Busy as busy:
            return busy
        except Exception as error:
            log.exception("what was sent could not be kept")
            return error if isinstance(error, StoreError) else _not_kept()
        return None


def _not_kept() -> StoreError:
    return StoreError("not-kept", "what was sent could not be kept; the server's log says why. Send again later.")


def _again(failure: DoorstepError) -> DoorstepError:
    """An error of its own for each who waits."""
    if isinstance(failure, Busy):
        return Busy(failure.code, failure.message, failure.retry_after)
    return StoreError(failure.code, failure.message)
