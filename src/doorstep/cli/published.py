"""Where published definitions are, which one is meant, who acts and when: options, and what they stand for."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorstep.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doorstep.definitions.funnel import Funnel
    from doorstep.definitions.journey import Journey
    from doorstep.errors import Issue
    from doorstep.registry import Database, Registry

DATA = Path("doorstep-data")

Data = Annotated[
    Path, typer.Option("--data", envvar="DOORSTEP_DATA", help="The directory in which published definitions are kept.")
]
At = Annotated[str | None, typer.Option(help="The instant; default: now.")]
By = Annotated[str | None, typer.Option("--by", help="Who does this; default: who you are on this machine.")]


def place(data: Path) -> Path | str:
    """Where the registry is: the database that DOORSTEP_DATABASE names, else the one in the data directory."""
    return os.environ.get("DOORSTEP_DATABASE") or data


def clock() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def instant_of(at: str | None) -> int:
    """The instant that ``--at`` names, else now; microseconds since 1970 UTC. RunError."""
    from doorstep.funnels.bounds import microseconds_of, zone_of

    found = microseconds_of(at, "at", zone_of("UTC"))
    return clock() if found is None else found


def opened(data: Path, *, create: bool = False) -> Registry:
    """The registry; where there is none it is an error, unless ``create``."""
    from doorstep.registry import open_registry

    return open_registry(place(data), clock, create=create)


@contextmanager
def databased(data: Path, *, create: bool = True) -> Iterator[Database]:
    """The database itself; closed at the end."""
    from doorstep.registry import open_database

    database = open_database(place(data), create=create)
    try:
        yield database
    finally:
        database.close()


def who(by: str | None) -> str:
    """The name to write beside an act."""
    try:
        return getpass.getuser() if by is None else by
    except (OSError, KeyError, ImportError):
        raise RegistryError("no-name", "This machine does not know who you are. Say --by NAME.") from None


Located = Callable[["Iterable[Issue]"], "tuple[Issue, ...]"]
"""Gives issues their places in the document."""


def located(named: Path, data: Path) -> tuple[Funnel, Located]:
    """As `definition`, with what finds the places of issues; a published definition has none."""
    if "@" not in str(named):
        from doorstep.definitions.reading import load_placed

        placed = load_placed(named)
        return placed.funnel, placed.located
    return definition(named, data), tuple


def definition(named: Path, data: Path) -> Funnel:
    """The definition in a file, or the published one that ``name@3`` names."""
    if "@" not in str(named):  # most often, and then the database's libraries need not be waited for
        from doorstep.definitions.reading import load

        return load(named)
    from doorstep.registry import definition as find

    return find(named, place(data), clock)


def journey_definition(named: Path, data: Path) -> Journey:
    """The journey in a file, or the published one that ``name@3`` names."""
    if "@" not in str(named):
        from doorstep.definitions.reading import load_journey

        return load_journey(named)
    from doorstep.registry import journey as find

    return find(named, place(data), clock)
