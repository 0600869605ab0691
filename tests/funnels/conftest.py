"""The example data, once, and the attempts that SQL finds in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from doorstep.demo import write
from funnels.world import in_sql


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated events, a few."""
    return write(tmp_path_factory.mktemp("demo"), rows=30_000)


@pytest.fixture(scope="package")
def sql(demo: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same attempts by SQL alone."""
    yield from in_sql(demo)
