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
    from doorstep.automations.delivery import Delivery
    from doorstep.automations.destinations import Destinations
    from doorstep.registry import Database


def destinations_of(data: Path, database: Database) -> Destinations:
    """The destinations of a database whose secrets are sealed with the key of ``data``, or of the environment."""
    from doorstep.automations.destinations import Destinations
    from doorstep.automations.sealing import VARIABLE, seal_of

    return Destinations(database, lambda: seal_of(data, os.environ.get(VARIABLE)))


@contextmanager
def opened_destinations(data: Path, *, create: bool = False) -> Iterator[Destinations]:
    """The destinations of a data directory."""
    with databased(data, create=create) as database:
        yield destinations_of(data, database)


@contextmanager
def delivery(data: Path, database: Database) -> Iterator[Delivery]:
    """What brings out the outbox of a database."""
    from doorstep.automations.addresses import Guard
    from doorstep.automations.delivery import Delivery
    from doorstep.automations.sending import Sending

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
