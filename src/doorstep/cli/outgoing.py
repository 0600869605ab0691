"""What sends from a data directory, and the key that its secrets are sealed with."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from doorstep.cli.published import clock, databased

if TYPE_CHECKING:
    from doorstep.delivery.delivery import Delivery
    from doorstep.delivery.destinations import Destinations
    from doorstep.registry import Database


def destinations_of(data: Path, database: Database) -> Destinations:
    """The destinations of a database whose secrets are sealed with the key of ``data``, or of the environment."""
    from doorstep.delivery.destinations import Destinations
    from doorstep.delivery.sealing import VARIABLE, seal_of

    return Destinations(database, lambda: seal_of(data, os.environ.get(VARIABLE)))


@contextmanager
def opened_destinations(data: Path, *, create: bool = False) -> Iterator[Destinations]:
    """The destinations of a data directory."""
    with databased(data, create=create) as database:
        yield destinations_of(data, database)


@contextmanager
def delivery(data: Path, database: Database) -> Iterator[Delivery]:
    """What brings out the outbox of a database."""
    from doorstep.delivery.addresses import Guard
    from doorstep.delivery.delivery import Delivery
    from doorstep.delivery.sending import Sending

    found = Delivery(
        database,
        destinations_of(data, database),
        clock,
        random.random,
        lambda allowed: Sending(Guard(allowed)),
    )
    try:
        yield found
    finally:
        found.close()


__all__ = ["delivery", "destinations_of", "opened_destinations"]
