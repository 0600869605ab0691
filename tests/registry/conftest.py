"""A registry to publish in, on each database that it may live in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from doorstep.registry import Registry, open_registry
from postgres import Server


class Ticking:
    """A clock that a test may set; each look takes a microsecond."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a fresh registry may be: a directory that does not exist yet, or an empty PostgreSQL database."""
    if request.param == "sqlite":
        return tmp_path / "deep" / "data"
    server: Server = request.getfixturevalue("server")
    return server.database()


@pytest.fixture
def clock() -> Ticking:
    """The time, as a test says it."""
    return Ticking()


@pytest.fixture
def registry(place: Path | str, clock: Ticking) -> Iterator[Registry]:
    """A fresh registry."""
    with open_registry(place, clock) as found:
        yield found
