"""Conditions as SQL say what conditions in plain Python say."""

from __future__ import annotations

import json
import math
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from doorstep.definitions.conditions import All, AnyOf, Condition, Not, Scalar, Test, properties_of
from doorstep.definitions.filters import Filters
from doorstep.engines.conditions import impossible, sql, unknown_properties
from doorstep.matching.conditions import holds
from doorstep.rows import EventRows, Needs, open_rows

LAX = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
NAMES = ["plan", "n", "a.b", "a.b.c", 'it\'s "q"', "*", "0", "a.0", "x/~y", "é"]
WORDS = [
    "",
    "a",
    "A",
    "ab",
    "pro",
    "pro\n",
    "it's",
    '"q"',
    "é",
    "日本",
    "🙂",
    "true",
    "1",
    "null",
    "a\0b",
    "%",
    "\\",
    "'--",
]
PATTERNS = ["", "a", "^a", "b$", "a.b", "(?i)A", "[^a]", "é|🙂", "^$", "\\d", "(?s)o.", "'"]

texts = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
integers = (
    st.integers(-3, 3)
    | st.sampled_from([2**53, 2**53 + 1, 2**63, -(2**63), 2**64, 2**64 + 1, 2**127 - 1, 2**127, -(2**127), 10**40])
    | st.integers(-(2**70), 2**70)
)
floats = st.sampled_from([0.0, -0.0, 0.5, 1.0, 2.0, 2.0**53, 2.0**63, 2.0**64, 1e40, 1e300, 5e-324, 0.1]) | st.floats(
    allow_nan=False, allow_infinity=False
)
scalars: st.SearchStrategy[Scalar] = st.booleans() | integers | floats | texts
values = st.recursive(
    st.none() | scalars | st.sampled_from([math.nan, math.inf, -math.inf]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["b", "b.c", "c", "0"]), inner),
    max_leaves=3,
)
keys = st.sampled_from([*NAMES, "a", "properties"])
rows_of_json = st.dictionaries(keys, values, max_size=4)


@st.composite
def one_test(draw: st.DrawFn) -> Test:
    """One property against one operator."""
    operator = draw(
        st.sampled_from(
            ["in", "not_in", "gt", "gte", "lt", "lte", "contains", "starts_with", "ends_with", "matches", "exists"]
        )
    )
    operand: tuple[Scalar, ...]
    match operator:
        case "in" | "not_in":
            operand = tuple(draw(st.lists(scalars, min_size=1, max_size=3)))
        case "exists":
            operand = (draw(st.booleans()),)
        case "matches":
            operand = (draw(st.sampled_from(PATTERNS)),)
        case "contains" | "starts_with" | "ends_with":
            operand = (draw(texts),)
        case _:
            operand = (draw(integers | floats | texts),)
    return Test(draw(st.sampled_from(NAMES)), operator, operand)  # type: ignore[arg-type]


conditions: st.SearchStrategy[Condition] = st.recursive(
    one_test(),
    lambda inner: (
        st.builds(All, st.lists(inner, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Not, inner)
    ),
    max_leaves=4,
)


def _answers(rows: EventRows, connection: duckdb.DuckDBPyConnection, asked: list[Condition]) -> list[tuple[Any, ...]]:
    selects = ", ".join(sql(condition, rows.values) for condition in asked)
    return connection.execute(f"SELECT {selects} FROM {rows.relation} ORDER BY {rows.time}").fetchall()


def test_half_a_surrogate_pair_equals_nothing() -> None:
    """A literal that no text can hold is a test that fails, not an error."""
    asked: list[Condition] = [Test("p", "in", ("\ud800", "a")), Test("p", "contains", ("\udfff",))]
    with duckdb.connect() as connection:
        rows = open_rows(connection, pa.table({"event": ["e"], "time": [1], "p": ["a"]}), needs=_needs(asked))
        assert _answers(rows, connection, asked) == [(True, False)]


def _needs(asked: list[Condition]) -> Needs:
    return Needs(frozenset[str]().union(*(properties_of(condition) for condition in asked)))


@settings(max_examples=400, deadline=None, suppress_health_check=LAX)
@given(st.lists(rows_of_json, min_size=1, max_size=5), st.lists(conditions, min_size=1, max_size=8))
@example([{"n": 2**64 + 1}], [Test("n", "gt", (float(2**64),)), Test("n", "in", (float(2**64),))])
@example([{"n": math.nan}], [Test("n", "gt", (1,)), Test("n", "not_in", (1,)), Test("n", "exists", (True,))])
def test_conditions_over_json_lines_hold_as_in_python(
    tmp_path: Path, rows: list[dict[str, Any]], asked: list[Condition]
) -> None:
    """Whatever the values of a JSON row are, SQL and Python agree, and SQL never answers NULL."""
    lines = [{"event": "e", "time": index, **row} for index, row in enumerate(rows)]
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with duckdb.connect() as connection:
        opened = open_rows(connection, path, needs=_needs(asked))
        answers = _answers(opened, connection, asked)
    assert [tuple(holds(condition, line) for condition in asked) for line in lines] == answers


COLUMNS = {
    "plan": (pa.string(), texts),
    "n": (pa.int64(), st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3) | st.sampled_from([2**53, 2**53 + 1])),
    "a.b": (pa.float64(), floats | st.sampled_from([math.nan, math.inf, -math.inf])),
    'it\'s "q"': (pa.bool_(), st.booleans()),
    "é": (pa.struct([("x", pa.string())]), st.fixed_dictionaries({"x": texts})),
    "*": (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(UTC))),
    "0": (pa.date32(), st.dates()),
    "x/~y": (pa.dictionary(pa.int8(), pa.string()), texts),
}
TIMES = st.sampled_from(["2026-03-09", "2026-03-09T10:00:00Z", "2000-01-01T00:00:00+02:00", "2000-01-01 00:00"])


@st.composite
def typed_rows(draw: st.DrawFn) -> dict[str, Any]:
    """A row with a value, or null, in every column."""
    return {name: draw(st.none() | of) for name, (_, of) in COLUMNS.items()}


@settings(max_examples=400, deadline=None, suppress_health_check=LAX)
@given(
    st.lists(typed_rows(), min_size=1, max_size=5),
    st.lists(conditions, min_size=1, max_size=8),
    st.lists(
        st.builds(Test, st.sampled_from(["*", "0"]), st.sampled_from(["gt", "lte", "in"]), TIMES.map(lambda t: (t,)))
    ),
)
def test_conditions_over_typed_columns_hold_as_in_python(
    rows: list[dict[str, Any]], asked: list[Condition], timed: list[Condition]
) -> None:
    """Over typed columns SQL and Python agree, and SQL never answers NULL."""
    asked = asked + timed
    lines = [{"event": "e", "time": index, **row} for index, row in enumerate(rows)]
    fields = [("event", pa.string()), ("time", pa.int64()), *((name, kind) for name, (kind, _) in COLUMNS.items())]
    table = pa.Table.from_pylist(lines, schema=pa.schema(fields))
    with duckdb.connect() as connection:
        opened = open_rows(connection, table, needs=_needs(asked))
        answers = _answers(opened, connection, asked)
    assert [tuple(holds(condition, line) for condition in asked) for line in lines] == answers


def _condition(filters: dict[str, Any]) -> Condition:
    return Filters.model_validate(filters).condition


@pytest.mark.parametrize(
    ("filters", "kind", "says"),
    [
        ({"p": 1}, "text", ["texts", "can equal 1.", 'Write "1", in quotes.']),
        ({"p": "1"}, "integer", ["whole numbers", "can equal '1'.", "without quotes"]),
        ({"p": 1.5}, "integer", ["whole numbers", "can equal 1.5."]),
        ({"p": "true"}, "boolean", ["true and false", "can equal 'true'.", "without quotes"]),
        ({"p": {"gt": 5}}, "text", ["texts", "can be compared with 5.", 'Write "5"']),
        ({"p": {"contains": "5"}}, "number", ["contains looks into texts", "holds numbers"]),
        ({"p": {"gt": "soon"}}, "time", ["times", "can be compared with 'soon'.", "2026-03-09T10:00:00Z"]),
    ],
)
def test_a_literal_that_a_typed_column_can_never_equal_is_found(
    filters: dict[str, Any], kind: Any, says: list[str]
) -> None:
    """The finding names the column, what it holds, the literal and the mend."""
    (found,) = impossible(_condition(filters), {"p": kind})
    assert [part for part in ["the column p", *says] if part not in str(found)] == []


@pytest.mark.parametrize(
    ("filters", "kind"),
    [
        ({"p": "x"}, "text"),
        ({"p": 1.0}, "integer"),
        ({"p": {"gt": 1.5}}, "integer"),
        ({"p": 1}, "number"),
        ({"p": True}, "boolean"),
        ({"p": {"gte": "2026-03-09"}}, "time"),
        ({"p": {"exists": True}}, "boolean"),
        ({"p": 1}, "json"),
        ({"q": 1}, "text"),
    ],
)
def test_a_literal_that_a_column_may_equal_is_not_found(filters: dict[str, Any], kind: Any) -> None:
    """Possible comparisons, and properties whose type is not known, pass."""
    assert impossible(_condition(filters), {"p": kind}) == ()


def test_a_property_that_no_row_has_is_found_with_the_nearest_name() -> None:
    """Absence in every row is reported with what was probably meant; presence in one row is enough."""
    rows = pa.Table.from_pylist(
        [
            {"event": "e", "time": 1, "country": None, "plan": None},
            {"event": "e", "time": 2, "country": "CA", "plan": None},
        ]
    )
    condition = _condition({"contry": "CA", "country": "CA", "plan": "pro", "zzz": 1})
    with duckdb.connect() as connection:
        opened = open_rows(connection, rows, needs=_needs([condition]))
        found = unknown_properties(connection, opened, condition)
    assert [(one.property, one.nearest) for one in found] == [("contry", "country"), ("plan", "plan"), ("zzz", None)]


def test_no_literal_or_name_can_end_the_statement_early() -> None:
    """Quotes and comment marks in names and literals are text like any other."""
    name, text = 'p" = 1); DROP TABLE x; --', "x'); DROP TABLE x; --"
    rows = pa.Table.from_pylist([{"event": "e", "time": 1, name: text}])
    condition = Test(name, "in", (text,))
    with duckdb.connect() as connection:
        assert _answers(open_rows(connection, rows, needs=_needs([condition])), connection, [condition]) == [(True,)]
