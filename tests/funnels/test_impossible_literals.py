"""A literal that a typed column can never equal is an error, not an unnoticed zero (semantics 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import doorstep
from doorstep.definitions import load
from doorstep.definitions.selectors import selectors
from doorstep.errors import Issue, RunError
from doorstep.funnels.data_check import check_against, literal_issues
from doorstep.rows import Kind

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


KINDS: dict[str, Kind] = {"n": "number", "i": "integer", "b": "boolean", "t": "text", "j": "json", "at": "time"}


def _found(filters: dict[str, Any]) -> list[Issue]:
    funnel = load({"count_by": "user_id", "steps": [{"event": "a"}, {"event": "b", "filters": filters}]})
    return list(literal_issues(selectors(funnel), KINDS))


@pytest.mark.parametrize(
    ("filters", "possible"),
    [
        ({"n": 1}, True),
        ({"n": 1.5}, True),
        ({"n": "1"}, False),
        ({"n": True}, False),
        ({"n": {"gt": "a"}}, False),
        ({"n": {"contains": "1"}}, False),
        ({"i": 1.0}, True),
        ({"i": 1.5}, False),
        ({"i": {"gt": 1.5}}, True),
        ({"i": {"ne": "x"}}, False),
        ({"b": True}, True),
        ({"b": "true"}, False),
        ({"b": 1}, False),
        ({"b": {"exists": True}}, True),
        ({"t": "true"}, True),
        ({"t": True}, False),
        ({"t": ["a", 1]}, False),
        ({"t": {"matches": "a"}}, True),
        ({"j": ["a", 1, True]}, True),
        ({"at": "2026-03-09"}, True),
        ({"at": {"gte": "2026-03-09T10:00:00Z"}}, True),
        ({"at": "yesterday"}, False),
        ({"at": 5}, False),
        ({"not": {"any": [{"b": 1}]}}, False),
    ],
)
def test_a_literal_that_a_typed_column_can_never_equal_is_an_error(filters: dict[str, Any], possible: bool) -> None:
    """Types are never coerced, so such a test always has the same answer; JSON may hold anything."""
    expected = [] if possible else [("error", "impossible-literal", "steps[1].filters")]
    assert [(issue.level, issue.code, issue.path) for issue in _found(filters)] == expected


def test_a_mend_is_offered_where_it_is_plain() -> None:
    """A text that spells a truth value or a number is told how to be one."""
    assert [issue.suggestion for issue in _found({"b": "true", "n": "15", "t": True})] == [
        "Write true, without quotes.",
        "Write 15, without quotes.",
        'Write "true", in quotes.',
    ]
