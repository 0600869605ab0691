"""What tests of several rooms are given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postgres import Server, serving


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One PostgreSQL server for all tests."""
    with serving() as found:
        yield found
