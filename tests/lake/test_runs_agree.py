"""A run over the lake is a run over the same rows as a frame: filters, breakdowns, units, held values, times."""

from __future__ import annotations

import tempfile
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import doorstep
from doorstep.ingest.records import Arrival, Event
from lakes import HOUR, START

PLANS = ["free", "pro", None, ""]
ROW = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from(["u1", "u2", "ü", None]),
        "account_id": st.sampled_from(["a1", "a2", None]),
        "event": st.sampled_from(["signup", "verify", "pay", "view"]),
        "time": st.integers(0, 40).map(lambda quarter: START + quarter * HOUR // 4),
        "plan": st.sampled_from(PLANS),
        "seats": st.sampled_from([None, 0, 1, 5, 10**15]),
        "rate": st.sampled_from([None, 0.5, 2.0, -1.5]),
        "ok": st.sampled_from([None, True, False]),
        "a.b": st.sampled_from([None, "x", "y"]),
    }
)
FILTERS: list[dict[str, Any]] = [
    {},
    {"plan": "pro"},
    {"plan": {"exists": False}},
    {"not": {"plan": "free"}},
    {"seats": {"gte": 1}},
    {"rate": 2},
    {"ok": True},
    {"a.b": ["x"]},
    {"user_id": {"starts_with": "u"}},
    {"account_id": {"ne": "a1"}},
]
DEFINITION = st.fixed_dictionaries(
    {
        "funnel": st.just("f"),
        "count_by": st.sampled_from(["user_id", "account_id", ["account_id", "user_id"], "plan", "seats",
                                     {"session_of": "user_id", "gap": "1h"}]),
        "count": st.sampled_from(["unique", "attempts"]),
        "reentry": st.sampled_from(["never", "always"]),
        "steps": st.tuples(
            st.fixed_dictionaries({"event": st.sampled_from(["signup", "*"]), "filters": st.sampled_from(FILTERS)}),
            st.fixed_dictionaries(
                {"event": st.sampled_from(["verify", ["pay", "view"]]), "filters": st.sampled_from(FILTERS)}
            ),
        ).map(list),
    },
    optional={
        "hold_constant": st.sampled_from([["plan"], ["account_id"]]),
        "exclude": st.just([{"event": "view", "filters": {"ok": False}}]),
    },
)  # fmt: skip


def _told(source: object, definition: dict[str, Any], breakdown: str | None) -> object:
    try:
        result = doorstep.run(definition, source, breakdown=breakdown)
    except doorstep.DoorstepError as error:
        return error.code
    told = result.to_dict()
    told["data"] = {key: told["data"][key] for key in ("rows", "matched", "units", "as_of", "rejected")}
    attempts = result.attempts.drop_columns(["attempt"]).to_pylist()
    return told, sorted(map(str, attempts))


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    types = {"plan": pl.String, "seats": pl.Int64, "rate": pl.Float64, "ok": pl.Boolean, "a.b": pl.String}
    identities = {"user_id": pl.String, "account_id": pl.String}
    return pl.DataFrame(rows, schema={**identities, "event": pl.String, "time": pl.Int64, **types})


def _arrival(number: int, row: dict[str, Any]) -> Arrival:
    properties = {name: row[name] for name in ("plan", "seats", "rate", "ok", "a.b")}
    event = Event(row["event"], row["time"], row["user_id"], account_id=row["account_id"], properties=properties)
    return Arrival(str(number), START, "test", (event,))


def _agree(rows: list[dict[str, Any]], definition: dict[str, Any], breakdown: str | None, cut: int, how: str) -> None:
    with tempfile.TemporaryDirectory() as directory, doorstep.open_lake(directory) as lake:
        for part in (rows[:cut], rows[cut:]):
            if how == "sent" and part:
                lake.accept([_arrival(id(row), row) for row in part])
                lake.settle()
            elif part:
                lake.add(_frame(part), received_at=START)
            if how == "imported whole":
                break
        found = _told(lake, definition, breakdown)
    assume(found != "no-unit-column")  # a lake knows no name that never had a value; a frame has the column
    frame = _frame(rows)
    assert found == _told(frame, definition, breakdown)


EXAMPLES = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=8)


@EXAMPLES
@given(st.lists(ROW, min_size=1, max_size=25), DEFINITION, st.sampled_from([None, "plan", "ok"]), st.integers(0, 25))
def test_rows_that_were_sent_count_like_a_frame(
    rows: list[dict[str, Any]], definition: dict[str, Any], breakdown: str | None, cut: int
) -> None:
    """Accepted and settled in two parts."""
    _agree([dict(row) for row in rows], definition, breakdown, cut, "sent")


@EXAMPLES
@given(st.lists(ROW, min_size=1, max_size=25), DEFINITION, st.sampled_from([None, "seats", "a.b"]))
def test_rows_that_were_imported_count_like_a_frame(
    rows: list[dict[str, Any]], definition: dict[str, Any], breakdown: str | None
) -> None:
    """Imported from the frame itself, equal rows among them."""
    _agree([dict(row) for row in rows], definition, breakdown, len(rows), "imported whole")


@pytest.mark.long
@settings(EXAMPLES, max_examples=400)
@given(st.lists(ROW, min_size=1, max_size=40), DEFINITION, st.sampled_from([None, "plan"]), st.integers(0, 40))
def test_many_rows_count_like_a_frame(
    rows: list[dict[str, Any]], definition: dict[str, Any], breakdown: str | None, cut: int
) -> None:
    """The same, at length."""
    _agree([dict(row) for row in rows], definition, breakdown, cut, "sent")
