"""An outbox, on SQLite or on each database that it may live in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from outboxes import Outbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """A fresh outbox."""
    found = Outbox.at(tmp_path / "data")
    yield found
    found.database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outbox]:
    """A fresh outbox on each database."""
    place = tmp_path if request.param == "sqlite" else request.getfixturevalue("server").database()
    found = Outbox.at(place)
    yield found
    found.database.close()
