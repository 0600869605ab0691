from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import doorstep
from doorstep.lake import Accepted, Table, try_import
from lakes import FUNNEL, START, counts, event, rows_of

ROWS: list[dict[str, Any]] = [
    {"user_id": "u1", "event": "signup", "time": START, "plan": "pro", "seats": 3, "ok": True, "rate": 1.5},
    {"user_id": "u1", "event": "pay", "time": START + 1, "plan": "pro", "seats": None, "ok": None, "rate": None},
    {"user_id": "u2", "event": "signup", "time": START + 2, "plan": "free", "seats": 0, "ok": False, "rate": 0.5},
    {"user_id": "u2", "event": "pay", "time": START + 3, "plan": None, "seats": None, "ok": None, "rate": 2.0},
    {"user_id": "u2", "event": "pay", "time": START + 3, "plan": None, "seats": None, "ok": None, "rate": 2.0},
]


def _parquet(place: Path) -> object:
    pq.write_table(pa.Table.from_pylist(ROWS), place / "e.parquet")
    return place / "e.parquet"


def _csv(place: Path) -> object:
    pl.DataFrame(ROWS).write_csv(place / "e.csv")
    return place / "e.csv"


def _json(place: Path) -> object:
    (place / "e.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    return place / "e.jsonl"


def _json_list(place: Path) -> object:
    (place / "e.json").write_text(json.dumps(ROWS), "utf-8")
    return place / "e.json"


def _frame(_place: Path) -> object:
    return pl.DataFrame(ROWS)


def _table(place: Path) -> object:
    rows = pa.Table.from_pylist(ROWS)
    with duckdb.connect(place / "e.duckdb") as connection:
        connection.execute("CREATE TABLE ours AS FROM rows")
    assert rows.num_rows
    return Table(str(place / "e.duckdb"), "ours")


def _query(place: Path) -> object:
    _table(place)
    return Table(str(place / "e.duckdb"), query="SELECT * FROM ours WHERE time IS NOT NULL")


MADE = pytest.mark.parametrize("made", [_parquet, _csv, _json, _json_list, _frame, _table, _query])


@MADE
def test_an_import_gives_what_a_run_over_the_source_gives(lake: doorstep.Lake, tmp_path: Path, made: Any) -> None:
    """Whatever the source: the same counts, with filters on texts, numbers and booleans; equal rows are all there."""
    source = made(tmp_path)
    came = lake.add(source, received_at=START)
    assert (came.rows, came.added, came.duplicates, dict(came.rejected)) == (5, 5, 0, {})
    over = pl.DataFrame(ROWS) if isinstance(source, Table) else source
    for filters in (
        {"plan": "pro"},
        {"seats": {"gte": 0}},
        {"ok": True},
        {"rate": {"gt": 1}},
        {"ok": {"exists": True}},
    ):
        definition = {**FUNNEL, "count": "attempts", "reentry": "always"}
        definition["steps"] = [{"event": "signup", "filters": filters}, {"event": "pay", "window": "1d"}]
        assert counts(lake, definition) == counts(over, definition), filters


@MADE
def test_importing_again_adds_nothing(lake: doorstep.Lake, tmp_path: Path, made: Any) -> None:
    """Rows without message ids are known by their content and how often it came."""
    source = made(tmp_path)
    lake.add(source, received_at=START)
    lake.compact()
    came = lake.add(source, received_at=START + 1)
    assert (came.rows, came.added, came.duplicates) == (5, 0, 5)
    assert counts(lake) == [1, 1]


def test_a_file_that_grew_adds_what_is_new(lake: doorstep.Lake) -> None:
    """A longer export of the same rows adds only the rows that were not there, a third equal row among them."""
    lake.add(pl.DataFrame(ROWS), received_at=START)
    came = lake.add(pl.DataFrame([*ROWS, ROWS[-1], {**ROWS[0], "user_id": "u3"}]), received_at=START)
    assert (came.added, came.duplicates) == (2, 5)


def test_message_ids_are_shared_with_what_senders_send(lake: doorstep.Lake) -> None:
    """What was sent is not imported again, even when it is not settled yet; what was imported is not taken again."""
    lake.accept([event("a", "signup", plan="pro")])
    rows = [{**ROWS[0], "message_id": name} for name in ("a", "b", "b", None)]
    came = lake.add(pl.DataFrame(rows), received_at=START)
    assert (came.added, came.duplicates) == (2, 2)
    assert lake.accept([event("b", "pay"), event("c", "pay")]) == Accepted(2, 0)
    assert lake.settle().repeated == 1
    assert rows_of(lake, "message_id") == [("a",), ("b",), ("c",), (None,)]


def test_of_rows_with_one_message_id_the_earliest_is_imported(lake: doorstep.Lake) -> None:
    """As in a run over the file (semantics 1)."""
    rows = [{"user_id": "u", "event": e, "time": START + t, "message_id": "m"} for e, t in (("late", 2), ("first", 1))]
    lake.add(pl.DataFrame(rows), received_at=START)
    assert rows_of(lake, "time") == [(START + 1,)]


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_name_with_the_character_nul_is_rejected(lake: doorstep.Lake, tmp_path: Path, ending: str) -> None:
    """An id, an event's name or a message id that no table could find again, whatever the format; a value may hold it.
    The others are there, and what is mended is.
    """
    path = tmp_path / f"e.{ending}"
    good = {"user_id": "u1", "anonymous_id": "d", "account_id": "a", "event": "pay", "time": START, "message_id": "m"}
    rows = [good, *({**good, name: "x\0y", "message_id": "x\0y"} for name in good if name != "time")]
    rows.append({**good, "message_id": "n", "plan": "p" if ending == "csv" else "p\0q"})
    table = pl.DataFrame(rows)
    match ending:
        case "parquet":
            table.write_parquet(path)
        case "csv":
            table.write_csv(path)
        case _:
            table.write_ndjson(path)
    rejects = tmp_path / "rejects.jsonl"
    for _ in range(2):  # the second time there is something to compare with
        came = lake.add(path, received_at=START, rejects=rejects)
        assert dict(came.rejected) == {"nul_character": 5} == dict(try_import(path).rejected)
    mended = rejects.read_text("utf-8").replace("\\u0000", "-")
    rejects.write_text(mended, "utf-8")
    assert lake.add(rejects, received_at=START).added == 1  # they share their message id
    assert counts(lake) == [0, 0]
    assert lake.check() == ()


def test_a_mended_row_of_a_table_is_what_its_cells_spelt(lake: doorstep.Lake, tmp_path: Path) -> None:
    """The time in microseconds is a time, numbers are numbers, and an object of properties is one."""
    path, rejects = tmp_path / "e.csv", tmp_path / "rejects.jsonl"
    path.write_text(
        "user_id,event,time,seats,ok,code,properties\n"
        f'u1,signup,{START},3,true,x7,"{{""plan"": ""pro""}}"\n'
        f'u2,,{START + 1},4,false,07,"{{""plan"": ""free""}}"\n',
        "utf-8",
    )
    assert dict(lake.add(path, received_at=START, rejects=rejects).rejected) == {"no_event": 1}
    (row,) = map(json.loads, rejects.read_text("utf-8").splitlines())
    assert (row["time"], row["seats"], row["ok"], row["code"]) == (START + 1, 4, False, "07")
    rejects.write_text(json.dumps({**row, "event": "signup"}), "utf-8")
    assert lake.add(rejects, received_at=START).added == 1
    for filters in ({"seats": 4}, {"ok": False}, {"code": "07"}, {"plan": "free"}):
        definition = {**FUNNEL, "steps": [{"event": "signup", "filters": filters}, {"event": "pay"}]}
        assert counts(lake, definition) == [1, 0], filters


def test_rejects_can_be_mended_and_imported(lake: doorstep.Lake, tmp_path: Path) -> None:
    """The report counts by reason; the file of rejects holds each row and why, and imports once it is mended."""
    path = tmp_path / "e.jsonl"
    good = json.dumps(ROWS[0])
    path.write_text(
        f'{good}\n{{"user_id": "u1", "event": "pay", "time": "yesterday", "plan": "pro"}}\n'
        f'{{"user_id": "u1", "time": {START}}}\n{{"event": "pay", "user_id": "u1"}}\n{{"broken": \n[1]\n',
        "utf-8",
    )
    rejects = tmp_path / "rejects.jsonl"
    came = lake.add(path, received_at=START, rejects=rejects)
    assert dict(came.rejected) == {"no_event": 1, "no_time": 1, "unreadable_line": 2, "unreadable_time": 1}
    assert (came.rows, came.added, came.rejects) == (6, 1, rejects)
    written = [json.loads(line) for line in rejects.read_text("utf-8").splitlines()]
    assert {"doorstep_rejected": "unreadable_line", "line": '{"broken": '} in written
    mended = [
        {**row, "time": START + 5, "event": "pay"} for row in written if row["doorstep_rejected"] == "unreadable_time"
    ]
    rejects.write_text("".join(json.dumps(row) + "\n" for row in mended), "utf-8")
    assert lake.add(rejects, received_at=START).added == 1
    assert counts(lake) == [1, 1]
    assert "doorstep_rejected" not in {name for (name,) in rows_of(lake, "name", "columns")}


def test_csv_lines_that_do_not_fit_are_rejects(lake: doorstep.Lake, tmp_path: Path) -> None:
    """A line with too many cells is told with its text."""
    (tmp_path / "e.csv").write_text(
        f"user_id,event,time\nu1,signup,{START}\nu1,pay,{START},oops\nu2,,{START}\n", "utf-8"
    )
    came = lake.add(tmp_path / "e.csv", received_at=START)
    assert (came.rows, came.added, dict(came.rejected)) == (3, 1, {"no_event": 1, "unreadable_line": 1})
    assert came.rejects is not None
    assert f"u1,pay,{START},oops" in came.rejects.read_text("utf-8")


def test_names_are_mapped(lake: doorstep.Lake) -> None:
    """Our names for theirs, of properties too; naive times are read in the zone that is said."""
    frame = pl.DataFrame([{"who": "u1", "what": "signup", "at": "2026-01-01T01:00:00", "tier": "pro"}])
    lake.add(
        frame,
        received_at=START,
        columns={"user_id": "who", "event": "what", "time": "at", "plan": "tier"},
        source_timezone="Europe/Berlin",
    )
    assert rows_of(lake, "time") == [(START,)]
    assert counts(lake) == [1, 0]


def test_values_of_every_type_survive(lake: doorstep.Lake) -> None:
    """Timestamps are compared as instants, huge integers exactly, objects are looked into."""
    table = pa.table(
        {
            "user_id": pa.array([7, 8], pa.int64()),
            "event": ["signup", "pay"],
            "time": pa.array([START, START + 1], pa.timestamp("us", "UTC")),
            "day": pa.array([START, None], pa.timestamp("us")),
            "big": pa.array([2**64 - 1, None], pa.uint64()),
            "o": pa.array([{"a": {"b": 1}}, None], pa.struct({"a": pa.struct({"b": pa.int64()})})),
            "l": pa.array([[1], []]),
            "properties": ['{"plan": "pro", "deep": {"x": "y"}}', None],
        }
    )
    lake.add(table, received_at=START)
    for filters in ({"day": {"lte": "2026-01-01"}}, {"big": 2**64 - 1}, {"o.a.b": 1}, {"l": {"exists": True}},
                    {"plan": "pro"}, {"deep.x": "y"}, {"properties.plan": "pro"}):  # fmt: skip
        definition = {**FUNNEL, "steps": [{"event": "signup", "filters": filters}, {"event": "pay"}]}
        assert counts(lake, definition) == counts(table, definition) == [1, 0], filters


def test_a_dry_run_says_what_an_import_would_do(tmp_path: Path) -> None:
    """Columns as they are mapped, properties with their types, rejects by reason and the first of them."""
    lines = [
        {"uid": "u1", "event": "signup", "time": START, "properties": {"plan": "pro", "seats": 3}},
        {"uid": "u1", "event": "pay", "time": START + 1_000_000, "properties": {"plan": None, "seats": 2.5}},
        {"uid": "u1", "event": "pay", "time": "soon"},
        {"uid": "u1", "time": START},
    ]
    (tmp_path / "e.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines) + "{\n", "utf-8")
    found = try_import(tmp_path / "e.jsonl", columns={"user_id": "uid"})
    assert (found.rows, found.usable) == (5, 2)
    assert dict(found.rejected) == {"unreadable_time": 1, "no_event": 1, "unreadable_line": 1}
    assert {row["doorstep_rejected"] for row in found.first_rejects} == set(found.rejected)
    assert found.columns["user_id"] == "uid"
    assert {name: set(kinds) for name, kinds in found.properties.items()} == {
        "plan": {"text"},
        "seats": {"integer", "number"},
    }
    assert (found.first_time, found.last_time) == (START, START + 1_000_000)


def test_equal_rows_of_two_files_are_one_and_of_one_file_are_two(lake: doorstep.Lake, tmp_path: Path) -> None:
    """An overlapping export adds what is new; a sum over many columns tells rows apart that swap their values."""
    rows = [{**ROWS[0], "plan": a, "tier": b} for a, b in (("x", "y"), ("y", "x"), ("x", "x"), ("x", "x"))]
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame(rows[:3]).write_parquet(tmp_path / "b.parquet")
    came = lake.add([tmp_path / "a.parquet", tmp_path / "b.parquet"], received_at=START)
    assert (came.added, came.duplicates) == (4, 3)


def test_rows_before_1970_and_far_away_are_kept_apart(lake: doorstep.Lake) -> None:
    """Whatever the time: rows that differ in it alone are different rows."""
    times = [-1, 0, 1, -(2**40), 2**52]
    frame = pl.DataFrame([{"user_id": "u", "event": "e", "time": one} for one in times]).with_columns(
        pl.col("time").cast(pl.Datetime("us", "UTC"))
    )
    assert lake.add(frame, received_at=START).added == 5
    assert lake.add(frame, received_at=START).duplicates == 5
    assert rows_of(lake, "time") == [(one,) for one in sorted(times)]


def test_imported_rows_lie_sorted(lake: doorstep.Lake) -> None:
    """By event, user and time, as they came from the import and as compaction leaves them."""
    frame = pl.DataFrame([{**ROWS[n % 5], "user_id": f"u{n % 7}", "time": START - n} for n in range(2000)])
    lake.add(frame, received_at=START)
    lake.add(frame.with_columns(pl.col("time") - 5000), received_at=START)
    for _ in range(2):
        for path in (lake.place.directory / "data" / "main" / "events").glob("*.parquet"):
            rows = pq.read_table(path).select(["event", "user_id", "time"]).to_pylist()
            assert rows == sorted(rows, key=lambda row: (row["event"], row["user_id"], row["time"]))
        lake.compact()


def test_rows_with_names_of_their_own_can_be_imported(lake: doorstep.Lake, tmp_path: Path) -> None:
    """Half a million different names: each line is read once, and memory does not grow with what is asked of it."""
    path = tmp_path / "names.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for row in range(5_000):
            names = {f"a name {row} {number}": number for number in range(100)}
            file.write(json.dumps({"user_id": "u", "event": "e", "time": START + row, "properties": names}) + "\n")
    assert lake.add(path, received_at=START).added == 5_000
    assert [rest for (rest,) in rows_of(lake, "json_extract(rest, '/a name 7 42')") if rest is not None] == ["42"]
