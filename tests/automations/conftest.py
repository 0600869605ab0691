"""An outbox, and what may be put into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from doorstep.automations.outbox import Message
from doorstep.registry import Database, open_database
from postgres import Server, serving


def message(
    id: str,  # noqa: A002
    *,
    to: str = "crm",
    account: str = "acme",
    body: Mapping[str, Any] | None = None,
    not_before: int = 0,
) -> Message:
    """A message that says its own id."""
    return Message(id, to, account, {"n": id} if body is None else body, "cause", not_before)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One PostgreSQL server for all tests."""
    with serving() as found:
        yield found


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A fresh database."""
    found = open_database(tmp_path / "data", create=True)
    yield found
    found.close()
