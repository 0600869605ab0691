"""The stores of a data directory, as the server wants them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from doorstep.automations.cycle import anything_at_work, go_round
from doorstep.delivery.delivery import Delivery
from doorstep.lake import Lake, open_lake
from doorstep.registry import Database, Registry, WriteKeys

log: Final = logging.getLogger("doorstep.server")


def open_sink(data: Path) -> Lake:
    """The lake in ``data``; made when absent."""
    return open_lake(data)


class RegistryKeys:
    """Write keys of a registry; a source is called what its key is called."""

    def __init__(self, keys: WriteKeys) -> None:
        self._keys = keys

    def verify(self, key: str) -> str | None:
        """See `doorstep.server.Keys`."""
        found = self._keys.verify(key)
        return None if found is None else found.name


def open_keys(registry: Registry) -> RegistryKeys:
    """The keys of a registry."""
    return RegistryKeys(registry.keys)


def settling(lake: Lake, now: Callable[[], float], every: float) -> Callable[[], None]:
    """Work to be done again and again: what was accepted goes into the tables; each ``every`` seconds by ``now`` that
    something did, small files are put together.
    """
    last, changed = now(), False

    def work() -> None:
        nonlocal last, changed
        changed = lake.settle().arrivals > 0 or changed
        if changed and now() - last >= every:
            lake.compact()
            last, changed = now(), False

    return work


def delivering(delivery: Delivery, stop: Callable[[], bool]) -> Callable[[], None]:
    """Work to be done again and again: what waits in the outbox goes out, until ``stop`` says so."""

    def work() -> None:
        delivery.turn(stop)

    return work


def syncing(lake: Lake, database: Database, clock: Callable[[], int]) -> Callable[[], None]:
    """Work to be done again and again: active journeys, and all that is noticed of them, are brought up to ``clock``
    (microseconds UTC).
    """

    def work() -> None:
        if not anything_at_work(database):
            return
        found = go_round(lake, database, clock())
        for one in found.synced:
            if one.failure is not None:
                log.error("the journey %s was not synced: %s", one.journey, one.failure)
        for failure in found.failures:
            log.error("something could not be looked at: %s", failure)

    return work
