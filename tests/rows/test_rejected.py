"""Rows that cannot be used are left out and counted; repeated messages count once."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorstep.rows import Needs, open_rows

if TYPE_CHECKING:
    from rows.conftest import Reader

NOON = 1_772_971_200_000_000


def test_rows_without_time_or_event_are_counted(tmp_path: Path, reader: Reader) -> None:
    """Null and empty names, null and unreadable times; a row is counted once, and the last time is of a usable row."""
    rows: list[dict[str, str | None]] = [
        {"event": "e", "time": "2026-03-08T12:00:00Z"},
        {"event": None, "time": "2026-03-09T12:00:00Z"},
        {"event": "", "time": "2026-03-09T12:00:00Z"},
        {"event": "e", "time": None},
        {"event": None, "time": None},
        {"event": "e", "time": "soon"},
    ]
    expected = {"no_time": 2, "unreadable_time": 1, "no_event": 2}
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "e.parquet")
    (tmp_path / "e.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "e.csv").write_text(
        "event,time\n" + "".join(f"{row['event'] or ''},{row['time'] or ''}\n" for row in rows)
    )
    for source in (pa.Table.from_pylist(rows), *(tmp_path / f"e.{ending}" for ending in ("parquet", "jsonl", "csv"))):
        opened = reader.open(source)
        facts = opened.facts()
        assert reader.table(opened) == [(NOON, "e")]
        assert (facts.rows, dict(facts.rejected), facts.last_time) == (6, expected, NOON)


def test_rows_without_an_event_are_left_out_of_native_parquet_too(tmp_path: Path, reader: Reader) -> None:
    """What the statistics of a file cannot settle is settled by a scan."""
    times = pa.array([NOON, NOON + 1, NOON + 2], pa.timestamp("us", "UTC"))
    for event in ("", None):
        pq.write_table(pa.table({"event": ["e", event, event], "time": times}), tmp_path / "e.parquet")
        opened = reader.open(tmp_path / "e.parquet")
        assert reader.table(opened) == [(NOON, "e")]
        assert (opened.facts().rejected, opened.facts().last_time) == ({"no_event": 2}, NOON)


@pytest.mark.parametrize("closed", [True, False])
def test_lines_that_a_stray_quote_swallows_are_counted(tmp_path: Path, reader: Reader, closed: bool) -> None:
    """A quote that is not closed, or much later and wrongly, loses every line in between; each counts, with a note."""
    lines = [f"e{number},{number + 1}" for number in range(100)]
    lines[40] = '"e40,41'
    if closed:
        lines[60] = 'e60,"61"x'
    (tmp_path / "e.csv").write_text("event,time\n" + "\n".join(lines) + "\n")
    facts = reader.open(tmp_path / "e.csv").facts()
    kept = reader.read(tmp_path / "e.csv")
    assert facts.rows == 100
    assert dict(facts.rejected) == {"unreadable_line": 100 - len(kept)}
    assert len(kept) == (79 if closed else 40)
    assert [note for note in facts.notes if "line 42" in note] == [
        f"a quote that opens in line 42 is not closed as it should be: {100 - len(kept)} lines from there on are lost."
    ]


def test_json_lines_that_are_no_objects_are_counted(tmp_path: Path, reader: Reader) -> None:
    """Broken JSON, bytes that are no UTF-8, lists and bare values are unreadable lines; empty lines are nothing."""
    path = tmp_path / "e.jsonl"
    good = b'{"event": "e", "time": 1772971200000000}'
    path.write_bytes(b"\n".join([good, b"{bad", b'{"event": "\xff", "time": 1}', b"[1]", b"3", b"", good[:-2], good]))
    opened = reader.open(path)
    assert reader.table(opened) == [(NOON, "e"), (NOON, "e")]
    assert (opened.facts().rows, opened.facts().rejected) == (7, {"unreadable_line": 5})


def test_csv_rows_that_do_not_fit_the_header_are_counted(tmp_path: Path, reader: Reader) -> None:
    """Too many cells, too few, bytes that are no UTF-8, a quote that never ends."""
    path = tmp_path / "e.csv"
    good = b"e,1772971200000000,x\n"
    path.write_bytes(b"event,time,p\n" + good + b"e,1,x,y\n" + b"e\n" + b"e,1,\xff\n" + good + b'e,1,"open\n')
    opened = reader.open(path, "p")
    assert reader.table(opened, "p") == [(NOON, "e", "x"), (NOON, "e", "x")]
    assert (opened.facts().rows, opened.facts().rejected) == (6, {"unreadable_line": 4})
    assert (
        reader.connection.execute("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '%reject%'").fetchall()
        == []
    )


def test_of_repeated_messages_the_earliest_counts(reader: Reader) -> None:
    """Repeats are left out and counted; rows without a message id never repeat; the last time is of any row."""
    rows = [
        {"event": "late", "time": 9, "message_id": "m"},
        {"event": "early", "time": 5, "message_id": "m"},
        {"event": "no id", "time": 6, "message_id": None},
        {"event": "no id", "time": 6, "message_id": None},
        {"event": "other", "time": 7, "message_id": "n"},
    ]
    opened = reader.open(pa.Table.from_pylist(rows))
    assert reader.table(opened) == [(5, "early"), (6, "no id"), (6, "no id"), (7, "other")]
    assert (opened.facts().rejected, opened.facts().last_time) == ({"duplicate": 1}, 9)


def test_a_rejected_row_does_not_stand_for_its_message(reader: Reader) -> None:
    """A row without a time or an event is out before repeats are looked for."""
    rows = [
        {"event": None, "time": 1, "message_id": "m"},
        {"event": "e", "time": None, "message_id": "m"},
        {"event": "e", "time": 2, "message_id": "m"},
    ]
    opened = reader.open(pa.Table.from_pylist(rows))
    assert reader.table(opened) == [(2, "e")]
    assert opened.facts().rejected == {"no_time": 1, "no_event": 1}


messages = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["a", "b"]),
        "time": st.integers(1, 2),
        "user_id": st.sampled_from(["u", "v", None]),
        "p": st.sampled_from([1, 2, None]),
        "message_id": st.sampled_from(["m", "n", None]),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(messages, min_size=1, max_size=6))
def test_which_of_equally_early_repeats_counts_does_not_depend_on_order(rows: list[dict[str, Any]]) -> None:
    """Ties are settled by event, unit and the whole row, so any order of the rows gives the same rows."""
    schema = pa.schema(
        [("event", "string"), ("time", "int64"), ("user_id", "string"), ("p", "int64"), ("message_id", "string")]
    )
    found = set()
    for order in itertools.islice(itertools.permutations(rows), 0, 720, 97):
        with duckdb.connect() as connection:
            opened = open_rows(
                connection,
                pa.Table.from_pylist(list(order), schema=schema),
                needs=Needs(frozenset({"p"}), ("user_id",)),
            )
            selects = f"{opened.time}, {opened.event}, {opened.identity('user_id')}, {opened.values('p')[0].sql}"
            found.add(str(connection.execute(f"SELECT {selects} FROM {opened.relation} ORDER BY ALL").fetchall()))
    assert len(found) == 1


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["true", "false", ""], "boolean"),
        (["1", "-2", "", "0"], "integer"),
        (["1", "2.50", "1.5e-07"], "number"),
        (["True", "false"], "text"),
        (["007", "1"], "text"),
        (["1e5", "2"], "text"),
        (["NaN", "1"], "text"),
        (["1", "x"], "text"),
        (["+1"], "text"),
    ],
)
def test_a_csv_column_has_the_type_of_all_its_cells(
    tmp_path: Path, reader: Reader, cells: list[str], kind: str
) -> None:
    """Only true and false are booleans; numbers have no leading zeros and look like no codes; else it is text."""
    path = tmp_path / "e.csv"
    path.write_text("event,time,p\n" + "".join(f"e,{number},{cell}\n" for number, cell in enumerate(cells)))
    opened = reader.open(path, "p")
    assert opened.kinds["p"] == kind
    assert "p is read as" in " ".join(opened.facts().notes)


def test_a_csv_column_without_values_may_be_of_any_type(tmp_path: Path, reader: Reader) -> None:
    """An empty column rules no literal out."""
    (tmp_path / "e.csv").write_text("event,time,p\ne,1,\n")
    assert "p" not in reader.open(tmp_path / "e.csv", "p").kinds
