"""A literal that a typed column can never equal is an error, not an unnoticed zero (semantics 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import doorstep
from doorstep.definitions import load
from doorstep.errors import RunError
from doorstep.funnels.data_check import check_against

DOCUMENT: dict[str, Any] = {"count_by": "user_id", "steps": [{"event": "a", "filters": {"staff": "false"}}]}


def rows(properties: list[str | None], staff: list[bool | None]) -> pa.Table:
    return pa.table(
        {
            "user_id": ["u", "v"],
            "event": ["a", "a"],
            "time": pa.array([0, 1], pa.timestamp("us")),
            "staff": pa.array(staff, pa.bool_()),
            "properties": properties,
        }
    )


@pytest.mark.parametrize("staff", [[False, True], [False, None]])
def test_a_typed_column_beside_json_properties_is_typed_all_the_same(staff: list[bool | None]) -> None:
    """JSON that never holds the property cannot lend it other types."""
    source = rows(["{}", None], staff)
    with pytest.raises(RunError, match="staff holds true and false"):
        doorstep.run(DOCUMENT, source)
    assert [issue.code for issue in check_against(load(DOCUMENT), source)] == ["impossible-literal"]


def test_json_that_stands_in_for_a_column_may_hold_any_type() -> None:
    """Where the column is null, the text "false" may stand in the properties; then it counts."""
    source = rows(["{}", '{"staff": "false"}'], [True, None])
    assert [step.count for step in doorstep.run(DOCUMENT, source).steps] == [1]
    assert check_against(load(DOCUMENT), source) == ()


def test_a_csv_column_that_is_filtered_and_broken_down_by_has_one_type(tmp_path: Path) -> None:
    """A breakdown by a column does not turn its cells into texts, which no filter would meet."""
    cells = "".join(f"u{number},a,2026-01-01,{str(number % 2 == 0).lower()}\n" for number in range(5))
    (tmp_path / "events.csv").write_text(f"user_id,event,time,staff\n{cells}")
    document = {"count_by": "user_id", "exclude": [{"filters": {"staff": True}}], "steps": [{"event": "a"}]}
    result = doorstep.run(document, tmp_path / "events.csv", breakdown="staff")
    assert [(value, figures.entered) for value, figures in result.breakdown] == [(False, 2)]
