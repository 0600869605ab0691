"""Every kind of source gives the same events."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from doorstep.errors import SourceError
from doorstep.rows import Needs, open_rows

if TYPE_CHECKING:
    from rows.conftest import Reader

NOON = 1_772_971_200_000_000
"""2026-03-08T12:00:00Z"""

QUOTED = 'it\'s "x", né'

EVENTS: list[dict[str, Any]] = [
    {"event": "signup", "time": "2026-03-08T12:00:00Z", "user_id": "u1", "plan": "pro", "seats": 3, "staff": False},
    {"event": "verify", "time": "2026-03-08T14:00:01.5+02:00", "user_id": "u1", "plan": None, "seats": 4},
    {"event": "signup", "time": "2026-03-08 12:00:02", "user_id": "u2", "plan": QUOTED, "seats": 5, "staff": True},
    {"event": "lost", "time": "2026-03-08T12:00:03Z", "user_id": None, "plan": "a\nb", "seats": None, "staff": True},
]  # fmt: skip
EXPECTED = [
    (NOON, "signup", "u1", "pro", "3", "false"),
    (NOON + 1_500_000, "verify", "u1", None, "4", None),
    (NOON + 2_000_000, "signup", "u2", 'it\'s "x", né', "5", "true"),
    (NOON + 3_000_000, "lost", None, "a\nb", None, "true"),
]


def _csv_cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _write(path: Path, events: list[dict[str, Any]] = EVENTS) -> Path:
    packed, kind = path.suffix == ".gz", path.name.removesuffix(".gz")
    if kind.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(events), path)
        return path
    file = io.StringIO(newline="")
    if kind.endswith("csv"):
        writer = csv.DictWriter(file, list(events[0]))
        writer.writeheader()
        writer.writerows({name: _csv_cell(value) for name, value in event.items()} for event in events)
    elif kind.endswith("list.json"):
        json.dump(events, file, indent=2)
    else:
        file.writelines(json.dumps(event) + "\n" for event in events)
    content = file.getvalue().encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "e.parquet",
        "e.csv",
        "e.csv.gz",
        "e.jsonl",
        "e.ndjson",
        "e.json",
        "e.jsonl.gz",
        "list.json",
        "a[1]*.jsonl",
        "it's.csv",
        "q?.parquet",
    ],
)
def test_every_kind_of_file_gives_the_same_events(tmp_path: Path, reader: Reader, name: str) -> None:
    """Times, names, units, texts, numbers and booleans survive every format, packed or not, under any name."""
    assert reader.read(_write(tmp_path / name), "plan", "seats", "staff", units=("user_id",)) == EXPECTED


@pytest.mark.parametrize("kind", ["table", "reader", "polars", "pandas"])
def test_every_kind_of_frame_gives_the_same_events(reader: Reader, kind: str) -> None:
    """pyarrow, polars and pandas are read through the Arrow interface, a stream too."""
    table = pa.Table.from_pylist(EVENTS)
    frames: dict[str, Any] = {
        "table": table,
        "reader": table.to_reader(),
        "polars": pl.from_arrow(table),
        "pandas": pd.DataFrame(EVENTS).astype({"seats": "Int64"}),
    }
    assert reader.read(frames[kind], "plan", "seats", "staff", units=("user_id",)) == EXPECTED


def test_categories_of_a_frame_are_texts(reader: Reader) -> None:
    """Dictionary-encoded columns of polars and pandas read as the texts they stand for."""
    events = [{"event": "a", "time": 1, "user_id": "u", "plan": "pro"}, {"event": "b", "time": 2, "user_id": "v"}]
    in_pandas = pd.DataFrame(events).astype({"event": "category", "plan": "category"})
    in_polars = pl.DataFrame(events, strict=False).with_columns(pl.col("event", "plan").cast(pl.Categorical))
    expected = [(1, "a", "u", "pro"), (2, "b", "v", None)]
    assert expected == reader.read(in_pandas, "plan", units=("user_id",))
    assert expected == reader.read(in_polars, "plan", units=("user_id",))


def test_a_glob_and_a_list_name_several_files(tmp_path: Path, reader: Reader) -> None:
    """A pattern, and a list in any order, stand for the rows of all files; a file named twice is read once."""
    first = _write(tmp_path / "1.jsonl", EVENTS[:2])
    second = _write(tmp_path / "2.jsonl.gz", EVENTS[2:])
    asked = ("plan", "seats", "staff")
    assert reader.read(str(tmp_path / "*.jsonl*"), *asked, units=("user_id",)) == EXPECTED
    assert reader.read([second, str(first), first], *asked, units=("user_id",)) == EXPECTED


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_files_may_differ_in_columns_and_their_order(tmp_path: Path, reader: Reader, ending: str) -> None:
    """A column that only some files have is null in the rows of the others."""
    _write(tmp_path / f"1.{ending}", [{"event": "a", "time": 1, "user_id": "u"}])
    _write(tmp_path / f"2.{ending}", [{"plan": "pro", "user_id": "v", "time": 2, "event": "b"}])
    found = reader.read(str(tmp_path / f"*.{ending}"), "plan", units=("user_id",))
    assert found == [(1, "a", "u", None), (2, "b", "v", "pro")]


def test_common_names_are_found(reader: Reader) -> None:
    """The usual spellings stand for ours, capitals or not; our own name wins over the others, with a word about it."""
    rows = [{"Event_Name": "a", "timestamp": NOON, "distinct_id": "u", "messageId": "m", "type": "track"}]
    opened = reader.open(pa.Table.from_pylist(rows), units=("user_id",))
    assert reader.table(opened, units=("user_id",)) == [(NOON, "a", "u")]
    assert opened.facts().notes == ("Event_Name is read as event; type could be it too (map event to choose).",)


def test_a_mapping_wins_over_common_names(reader: Reader) -> None:
    """What the caller maps is taken, also for properties; the rest is still found."""
    rows = [{"event": "a", "name": "b", "ts": 5, "uid": "u", "Plan Name": "pro"}]
    opened = reader.open(
        pa.Table.from_pylist(rows), "plan", units=("user_id",), columns={"event": "name", "plan": "Plan Name"}
    )
    assert reader.table(opened, "plan", units=("user_id",)) == [(5, "b", "u", "pro")]


NESTED = {"plan": "pro", "a.b": "dotted", "deep": {"er": {"x": 1}}, "user": "u9"}


def _nested_sources() -> dict[str, Any]:
    text = json.dumps(NESTED)
    return {
        "text": pa.table({"event": ["e"], "time": [1], "properties": [text]}),
        "struct": pa.table({"event": ["e"], "time": [1], "properties": [NESTED]}),
        "map": pa.table(
            {
                "event": ["e"],
                "time": [1],
                "properties": pa.array(
                    [list({k: v if isinstance(v, str) else json.dumps(v) for k, v in NESTED.items()}.items())],
                    pa.map_(pa.string(), pa.string()),
                ),
            }
        ),
    }


@pytest.mark.parametrize("kind", ["text", "struct", "map", "jsonl", "csv", "parquet"])
def test_properties_in_one_column_are_looked_into(tmp_path: Path, reader: Reader, kind: str) -> None:
    """JSON text, structs, maps and JSON lines: ``plan`` and ``a.b`` as keys, ``deep.er.x`` as a path, units too."""
    source: Any
    if kind in {"jsonl", "csv"}:
        inner: object = NESTED if kind == "jsonl" else json.dumps(NESTED)
        source = _write(tmp_path / f"e.{kind}", [{"event": "e", "time": 1, "properties": inner}])
    elif kind == "parquet":
        source = tmp_path / "e.parquet"
        pq.write_table(_nested_sources()["text"], source)
    else:
        source = _nested_sources()[kind]
    found = reader.read(source, "plan", "a.b", "deep.er.x", "none", units=("user",))
    assert found == [(1, "e", "u9", "pro", "dotted", "1", None)]


def test_a_column_goes_before_a_key_of_properties(tmp_path: Path, reader: Reader) -> None:
    """A property is the column of its name; where that is null or absent, the key inside ``properties``."""
    events = [
        {"event": "e", "time": 1, "plan": "outer", "properties": {"plan": "inner"}},
        {"event": "e", "time": 2, "plan": None, "properties": {"plan": "inner"}},
    ]
    expected = [(1, "e", "outer"), (2, "e", "inner")]
    assert expected == reader.read(_write(tmp_path / "e.jsonl", events), "plan")
    assert expected == reader.read(pa.Table.from_pylist(events), "plan")


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([1, 20, None], [1, 20, None]),
        (["1", "x", None], ["1", "x", None]),
        ([1, "x", None], ["1", "x", None]),
        ([1.5, 2, None], ["1.5", "2", None]),
        ([2**63, 2, None], [str(2**63), "2", None]),
    ],
)
def test_ids_in_json_keep_their_type_when_it_is_one(
    tmp_path: Path, reader: Reader, ids: list[Any], expected: list[Any]
) -> None:
    """Whole numbers stay numbers when all are; any mixture is text, so that no two ids fall together."""
    events = [{"event": "e", "time": index, "user_id": one} for index, one in enumerate(ids)]
    found = reader.read(_write(tmp_path / "e.jsonl", events), units=("user_id",))
    assert expected == [row[2] for row in found]


def test_ids_that_pandas_made_floats_are_whole_numbers_again(reader: Reader) -> None:
    """A null among integer ids makes the column floating-point; 42.0 is still the unit 42."""
    frame = pd.DataFrame({"event": ["e", "e"], "time": [1, 2], "user_id": [42, None]})
    assert reader.read(frame, units=("user_id",)) == [(1, "e", 42), (2, "e", None)]


def test_a_trait_needs_a_column_of_its_exact_name(reader: Reader) -> None:
    """Files of events carry no traits; a column called ``unit.plan`` is taken at its word."""
    with pytest.raises(SourceError, match="no traits") as raised:
        reader.open(pa.table({"event": ["e"], "time": [1], "plan": ["pro"]}), "unit.plan")
    assert raised.value.code == "no-traits"
    assert reader.read(pa.table({"event": ["e"], "time": [1], "unit.plan": ["pro"]}), "unit.plan") == [(1, "e", "pro")]


def test_a_property_of_a_million_characters_is_read(tmp_path: Path, reader: Reader) -> None:
    """Long texts are values like any other, in every format."""
    long = "né" * 500_000
    events = [{"event": "e", "time": 1, "plan": long}]
    for name in ("e.parquet", "e.csv", "e.jsonl"):
        assert [(1, "e", long)] == reader.read(_write(tmp_path / name, events), "plan")


def test_two_sources_on_one_connection_do_not_disturb_each_other(tmp_path: Path) -> None:
    """What opening leaves on the connection has a name of its own."""
    first = _write(tmp_path / "1.csv", [{"event": "a", "time": 1}])
    second = _write(tmp_path / "2.csv", [{"event": "b", "time": 2}])
    with duckdb.connect() as connection:
        opened = [open_rows(connection, path, needs=Needs()) for path in (first, second)]
        found = [connection.execute(f"SELECT {rows.event} FROM {rows.relation}").fetchall() for rows in opened]
    assert found == [[("a",)], [("b",)]]


def test_a_single_precision_number_is_the_decimal_that_people_write(reader: Reader) -> None:
    """0.1 in a float32 column is 0.1, not the double next to it."""
    rows = pa.table({"event": ["e"], "time": [1], "p": pa.array([0.1], pa.float32())})
    opened = reader.open(rows, "p")
    (place,) = opened.values("p")
    assert reader.connection.execute(f"SELECT {place.sql} FROM {opened.relation}").fetchone() == (0.1,)


def test_a_whole_number_in_json_names_one_unit_however_it_is_written(tmp_path: Path, reader: Reader) -> None:
    """1, 1.0 and "1" are one user; 1.5 is another."""
    ids = ["1", "1.0", '"1"', "1.5", '"a"', "1e0"]
    (tmp_path / "e.jsonl").write_text("".join(f'{{"event": "e", "time": 1, "user_id": {one}}}\n' for one in ids))
    found = reader.read(tmp_path / "e.jsonl", units=("user_id",))
    assert [unit for *_, unit in found] == ["1", "1", "1", "1", "1.5", "a"]
