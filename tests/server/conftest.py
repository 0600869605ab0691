"""A sink and a server over it for each module, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from servers import running
from sinks import SqliteSink


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqliteSink, str]]:
    made = SqliteSink(tmp_path_factory.mktemp("sink") / "kept.sqlite")
    with running(made) as found:
        yield made, found
    made.close()


@pytest.fixture
def sink(shared: tuple[SqliteSink, str]) -> SqliteSink:
    shared[0].empty()
    return shared[0]


@pytest.fixture
def address(shared: tuple[SqliteSink, str], sink: SqliteSink) -> str:
    return shared[1]
