"""A directory to keep a lake in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import doorstep


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[doorstep.Lake]:
    """An empty lake."""
    with doorstep.open_lake(tmp_path / "lake") as opened:
        yield opened
