"""Plain Parquet is read past SQL where that changes nothing, and left to SQL where it might."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import doorstep
from doorstep.definitions import load
from doorstep.engines import plain
from doorstep.engines.duckdb import engine
from doorstep.engines.query import needs_of
from doorstep.matching.plan import compile_plan
from doorstep.rows import open_rows

DOCUMENT: dict[str, Any] = {
    "count_by": "user_id",
    "exclude": [{"filters": {"staff": True}}],
    "steps": [{"event": "a", "filters": {"plan": {"ne": "free"}}}, {"event": ["b", "c"], "filters": {"n": {"gt": 1}}}],
}
TIMES = [datetime(2026, 3, 9, hour, tzinfo=UTC) for hour in range(6)]
COLUMNS: dict[str, Any] = {
    "user_id": ["u", "v", "u", "w", "v", "w"],
    "event": ["a", "a", "b", "a", "c", "d"],
    "time": pa.array(TIMES, pa.timestamp("us", tz="UTC")),
    "plan": ["pro", "free", None, "pro", "pro", None],
    "n": [None, 1, 2, 3, 1, 2],
    "staff": [False, None, False, True, None, False],
}


def is_plain(path: Path) -> bool:
    funnel = load(DOCUMENT)
    with engine() as running:
        return open_rows(running.connection, path, needs=needs_of(funnel, compile_plan(funnel), None)).plain is not None


def written(folder: Path, **changed: Any) -> Path:
    path = folder / "events.parquet"
    pq.write_table(pa.table({**COLUMNS, **changed}), path)
    return path


def test_plain_columns_are_read_as_they_stand(tmp_path: Path) -> None:
    """Texts, whole numbers, booleans and times in microseconds; nulls are missing properties."""
    path = written(tmp_path)
    assert is_plain(path)
    assert [step.count for step in doorstep.run(DOCUMENT, path).steps] == [1, 1]


@pytest.mark.parametrize(
    "changed",
    [
        {"time": pa.array(TIMES, pa.timestamp("ns", tz="UTC"))},
        {"time": [f"2026-03-09T0{hour}:00:00Z" for hour in range(6)]},
        {"event": pa.array(COLUMNS["event"]).dictionary_encode()},
        {"event": ["a", "a", "b", "a", None, "d"]},
        {"n": pa.array(COLUMNS["n"], pa.float64())},
        {"message_id": ["1", "2", "3", "4", "4", "5"]},
        {"user_id": pa.array([1.0, 2.0, 1.0, 3.0, 2.0, 3.0])},
    ],
    ids=["nanoseconds", "texts as times", "dictionary", "no event", "floats", "repeated messages", "floats as units"],
)
def test_what_is_not_plain_is_left_to_sql(tmp_path: Path, changed: dict[str, Any]) -> None:
    """And gives the same counts."""
    path = written(tmp_path, **changed)
    assert not is_plain(path)
    assert [step.count for step in doorstep.run(DOCUMENT, path).steps] == [1, 1]


def test_a_property_of_many_values_is_judged_by_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at each value once would take longer than SQL does."""
    monkeypatch.setattr(plain, "MOST_COMBINATIONS", 2)
    assert [step.count for step in doorstep.run(DOCUMENT, written(tmp_path)).steps] == [1, 1]


def test_files_of_one_schema_are_read_together(tmp_path: Path) -> None:
    """Two files count as one; files of different schemas are left to SQL, and count as one too."""
    table = pa.table(COLUMNS)
    pq.write_table(table[:3], tmp_path / "1.parquet")
    pq.write_table(table[3:], tmp_path / "2.parquet")
    both = [str(tmp_path / "1.parquet"), str(tmp_path / "2.parquet")]
    assert [step.count for step in doorstep.run(DOCUMENT, both).steps] == [1, 1]
    pq.write_table(table[3:].append_column("extra", pa.array([1, 2, 3])), tmp_path / "2.parquet")
    assert [step.count for step in doorstep.run(DOCUMENT, both).steps] == [1, 1]
