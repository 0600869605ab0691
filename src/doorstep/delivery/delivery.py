"""Bringing out what waits in the outbox: at least once, in order within each line, in parallel across lines.

A message is delivered when its receiver said so and that is written down. Killed in between, it is sent again, with the
same id, when its lease is over.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from doorstep.delivery.attempts import Attempt, Chance
from doorstep.delivery.destinations import Destinations
from doorstep.delivery.lines import LEASE, Recorded, Run, Told, claim, hopeless, park_hopeless, ready, record
from doorstep.delivery.sending import Sending
from doorstep.delivery.targets import Target
from doorstep.errors import DoorstepError, RegistryError
from doorstep.registry import Database

log: Final = logging.getLogger("doorstep.delivery")

WORKERS: Final = 24
OF_ONE: Final = 8
"""Runs of one destination that are under way at once, so that one that hangs leaves room for the others."""
TOGETHER: Final = 64
"""Runs whose outcomes are written down together."""
LOOK: Final = 0.05
"""Seconds between two looks at what is done while all workers are busy."""
AGAIN: Final = 1.0
"""Seconds after which, while some are busy, it is asked anew what may be sent."""

Clock = Callable[[], int]
"""Microseconds UTC."""


def never() -> bool:
    """Nobody asks to stop."""
    return False


@dataclass(slots=True)
class Delivery:
    """Brings out what waits. One for each process; several processes may do it at once."""

    database: Database
    destinations: Destinations
    clock: Clock
    chance: Chance
    open_sending: Callable[[frozenset[str]], Sending]
    """Makes what sends, from the hosts that are allowed."""
    lease: int = LEASE
    """Microseconds; at least three times as long as an attempt may take."""
    _sending: Sending | None = None

    def turn(self, stop: Callable[[], bool] = never, progress: Callable[[Recorded], object] | None = None) -> Recorded:
        """Sends until nothing is due, or ``stop`` says so; what was begun is ended. RegistryError when the database
        cannot be used: nothing is lost by that.
        """
        parked = self._park()
        if not self.targets():
            return Recorded(parked=parked)
        with ThreadPoolExecutor(WORKERS, "doorstep-deliver") as pool:
            return Recorded(parked=parked) + _Turn(self, self._sender(), pool, stop, progress).run()

    def close(self) -> None:
        """Lets go of every connection."""
        if self._sending is not None:
            self._sending.close()
            self._sending = None

    def targets(self) -> dict[str, Target]:
        """Destinations to which something may be sent. One whose secret cannot be opened is told, and waits."""
        with self.database.reading() as session:
            names = ready(session, self.clock())
        found = {}
        for name in names:
            try:
                found[name] = self.destinations.target(name)
            except DoorstepError as error:
                log.error("nothing is sent to %s: %s", name, error.message)
        return found

    def _park(self) -> int:
        with self.database.reading() as session:
            names = hopeless(session, self.clock())
        return self.database.write(lambda session: park_hopeless(session, names, self.clock())) if names else 0

    def _sender(self) -> Sending:
        allowed = self.destinations.guard().allowed
        if self._sending is None or self._sending.guard.allowed != allowed:
            self.close()
            self._sending = self.open_sending(allowed)
        return self._sending


class _Turn:
    """``_ready`` is claimed and not begun, ``_done`` ended and not written down. ``_dry`` are destinations that had no
    more at the last look.
    """

    def __init__(
        self,
        delivery: Delivery,
        sending: Sending,
        pool: ThreadPoolExecutor,
        stop: Callable[[], bool],
        progress: Callable[[Recorded], object] | None,
    ) -> None:
        self._of = delivery
        self._sending = sending
        self._pool = pool
        self._stop = stop
        self._progress = progress
        self._token = secrets.token_hex(16)
        self._targets: dict[str, Target] = {}
        self._ready: dict[str, deque[Run]] = {}
        self._dry: set[str] = set()
        self._under_way: dict[Future[Told], Run] = {}
        self._done: list[Told] = []
        self._found = Recorded()
        self._looked = 0.0

    def run(self) -> Recorded:
        self._exchange()
        while self._under_way or self._done or any(self._ready.values()):
            if self._stop():
                self._let_go(*self._ready)
            self._start()
            self._gather()
            stale = time.monotonic() - self._looked > AGAIN
            if len(self._done) >= TOGETHER or (self._idle() and (self._done or stale)):
                self._exchange()
        return self._found

    def _flying(self) -> Counter[str]:
        return Counter(run.destination for run in self._under_way.values())

    def _idle(self) -> bool:
        """Whether workers wait for something that there may be."""
        if not self._under_way and not any(self._ready.values()):
            return True
        flying, stale = self._flying(), time.monotonic() - self._looked > AGAIN
        return any(
            not waits and flying[name] < OF_ONE and (stale or name not in self._dry)
            for name, waits in self._ready.items()
        )

    def _start(self) -> None:
        flying = self._flying()
        for name, waits in self._ready.items():
            while waits and flying[name] < OF_ONE and len(self._under_way) < WORKERS:
                run = waits.popleft()
                self._under_way[self._pool.submit(self._send, run, self._targets[name])] = run
                flying[name] += 1

    def _gather(self) -> None:
        if not self._under_way:
            return
        for future in wait(self._under_way, LOOK, FIRST_COMPLETED).done:
            name = self._under_way.pop(future).destination
            told = future.result()
            self._done.append(told)
            self._dry.discard(name)
            if told.attempts and told.attempts[-1].failure is not None:
                self._let_go(name)

    def _let_go(self, *destinations: str) -> None:
        """What is claimed and not begun is left to a later claim: its destination failed, or we are to stop."""
        for name in destinations:
            self._done += map(Told, self._ready[name])
            self._ready[name].clear()

    def _exchange(self) -> None:
        """Writes down what is done and claims more, in one transaction."""
        done, self._done = self._done, []
        if time.monotonic() - self._looked > AGAIN:
            self._targets |= self._of.targets()
            self._ready = {name: self._ready.get(name, deque()) for name in self._targets}
            self._looked = time.monotonic()
        held = Counter[str]()
        for run in (*self._under_way.values(), *(run for waits in self._ready.values() for run in waits)):
            held[run.destination] += len(run.messages)
        names = () if self._stop() else sorted(self._targets)

        def work(session: Session) -> tuple[Recorded, dict[str, tuple[Run, ...]]]:
            now = self._of.clock()
            recorded = record(session, done, self._token, now, self._of.chance)
            session.flush()
            return recorded, {
                name: claim(session, name, self._token, now, held[name], self._of.lease) for name in names
            }

        try:
            recorded, claimed = self._of.database.write(work)
        except RegistryError as error:
            if error.code != "registry-busy" or self._stop():
                raise
            log.warning("what was sent is written down later: %s", error.message)
            self._done = done + self._done
            return
        self._found += recorded
        if self._progress is not None:
            self._progress(self._found)
        self._dry = {name for name, runs in claimed.items() if not runs}
        for name, runs in claimed.items():
            self._ready[name].extend(runs)

    def _send(self, run: Run, target: Target) -> Told:
        """One after the other until one fails, the lease is nearly over, or we are to stop."""
        attempts: list[Attempt] = []
        for message in run.messages:
            now = self._of.clock()
            if now + self._of.lease // 3 > run.leased_until or self._stop():
                break
            attempts.append(self._sending.send(target, message.id, message.body, now))
            if attempts[-1].failure is not None:
                break
        return Told(run, tuple(attempts))


__all__ = ["Delivery", "never"]
