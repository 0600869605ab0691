"""Whatever comes, there is an answer in one of the known forms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servers import KEY, client, running
from sinks import SqliteSink

PATHS = ("/v1/batch", "/v1/track", "/v1/identify", "/v1/group", "/v1/alias", "/batch/", "/e/", "/flags/")
WORDS = ("batch", "event", "distinct_id", "userId", "properties", "$set", "$groups", "type", "context", "timestamp")
NAMES = st.sampled_from(["track", "$identify"]) | st.text(max_size=8)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), NAMES)
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-encoding": st.sampled_from(["gzip", "deflate", "br", "identity", ""]),
        "content-type": st.sampled_from(["application/json", "text/plain", "application/x-www-form-urlencoded"]),
        "authorization": st.sampled_from([f"Bearer {KEY}", "Basic", "Basic =", "Bearer", "x"]),
    },
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    sink = SqliteSink(Path(tmp_path_factory.mktemp("anything")) / "kept.sqlite")
    with running(sink) as address, client(address, key=None) as found:
        yield found
    sink.close()


def _holds(answered: httpx.Response) -> None:
    told = answered.json()
    if answered.status_code == 200:
        assert told == {"status": 1} or told.get("success") is True or told.get("flags") == {}
    else:
        assert 400 <= answered.status_code < 500
        assert set(told["error"]) == {"code", "message"}


@QUICK
@given(st.sampled_from(PATHS), JSON)
def test_any_json_has_an_answer(sender: httpx.Client, path: str, body: Any) -> None:
    """Never a 500."""
    content = json.dumps(body).encode()
    _holds(sender.post(path, content=content, headers={"authorization": f"Bearer {KEY}"}))


@QUICK
@given(st.sampled_from(PATHS), st.binary(max_size=200), HEADERS)
def test_any_bytes_have_an_answer(sender: httpx.Client, path: str, content: bytes, headers: dict[str, str]) -> None:
    """Never a 500, whatever the headers say of them."""
    _holds(sender.post(path, content=content, headers=headers))
