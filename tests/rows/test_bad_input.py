"""Sources that cannot be read say why, where, and what to do, in one paragraph."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from doorstep.errors import SourceError

if TYPE_CHECKING:
    from rows.conftest import Reader


def _refused(reader: Reader, source: object, *, units: tuple[str, ...] = (), **options: Any) -> SourceError:
    with pytest.raises(SourceError) as raised:
        reader.open(source, units=units, **options)
    assert "\n" not in raised.value.message
    assert "Error:" not in raised.value.message
    return raised.value


GOOD = {"event": ["e"], "time": [1], "user_id": ["u"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files that are wrong in every way, and one that is right."""
    pq.write_table(pa.table(GOOD), tmp_path / "events.parquet")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "blank.jsonl").write_text("\n\n")
    (tmp_path / "garbage.jsonl").write_text("hello\nworld\n")
    (tmp_path / "broken.json").write_text('[{"event": "e", "time": 1}, {"event"')
    (tmp_path / "text.parquet").write_text("event,time\ne,1\n")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "events.parquet").read_bytes()[:-40])
    (tmp_path / "bytes.csv").write_bytes(b"ev\xffent,time\ne,1\n")
    (tmp_path / "twice.csv").write_text("event,time,Time\ne,1,2\n")
    (tmp_path / "mixed.csv").write_bytes(b"event,time\r\ne,1\r\ne,2\ne,3\r\n")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "no.csv.gz").write_text("event,time\n")
    (tmp_path / "half.jsonl.gz").write_bytes(gzip.compress(b'{"event": "e", "time": 1}\n' * 9_000)[:60])
    whole = gzip.compress(b"event,time\n" + b"".join(b"e%d,%d\n" % (n, n * 7919 % 10007) for n in range(90_000)))
    (tmp_path / "late.csv.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "packed.parquet.gz").write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("event.parquet", "no-such-file", "Did you mean"),
        ("nowhere/e.parquet", "no-such-file", "does not exist either"),
        ("*.ndjson", "no-match", "no file matches"),
        ("", "directory", "*.parquet"),
        ("empty.csv", "empty-file", "not one event"),
        ("blank.jsonl", "unreadable", "no JSON object"),
        ("garbage.jsonl", "unreadable", "no JSON object"),
        ("broken.json", "unreadable", "broken.json"),
        ("text.parquet", "unreadable", "text.parquet"),
        ("cut.parquet", "unreadable", "cut.parquet"),
        ("bytes.csv", "unreadable", "UTF-8"),
        ("twice.csv", "repeated-column", "Time"),
        ("mixed.csv", "unreadable", "line ending"),
        ("notes.txt", "unknown-kind", "Readable are"),
        ("no.csv.gz", "unreadable", "no.csv.gz"),
        ("half.jsonl.gz", "unreadable", "half.jsonl.gz"),
        ("late.csv.gz", "unreadable", "late.csv.gz cannot be unpacked to its end"),
        ("packed.parquet.gz", "unknown-kind", "gunzip"),
    ],
)
def test_a_bad_file_is_refused(folder: Path, reader: Reader, name: str, code: str, says: str) -> None:
    """Each has its code, and a sentence that helps."""
    error = _refused(reader, str(folder / name))
    assert (error.code, says in error.message) == (code, True), error.message


def test_files_of_different_kinds_are_refused(folder: Path, reader: Reader) -> None:
    """A list must be of one kind."""
    error = _refused(reader, [folder / "events.parquet", folder / "mixed.csv"])
    assert error.code == "mixed-kinds"


@pytest.mark.parametrize("source", [None, 5, [], [1, 2], {"a": 1}, b"bytes"])
def test_what_is_no_source_is_refused(reader: Reader, source: object) -> None:
    """The error says what may be given."""
    assert _refused(reader, source).code in {"unknown-source", "no-match"}


@pytest.mark.parametrize(
    ("columns", "code", "says"),
    [
        ({"event": ["e"], "when": [1]}, "no-time-column", "--map time=COLUMN"),
        ({"what": ["e"], "time": [1]}, "no-event-column", "what, time"),
        ({"event": [["e"]], "time": [1]}, "unusable-column", "'event' is of type VARCHAR[]"),
        ({"event": [b"e"], "time": [1]}, "unusable-column", "BLOB"),
        ({"event": ["e"], "time": [True]}, "unusable-column", "BOOLEAN"),
        ({"event": ["e"], "time": [{"s": 1}]}, "unusable-column", "STRUCT"),
        ({"event": ["e"], "time": [1], "usr_id": ["u"]}, "no-unit-column", "Did you mean 'usr_id'?"),
        ({"event": ["e"], "time": [1], "user_id": [b"u"]}, "unusable-column", "'user_id'"),
        ({"event": ["e"], "time": [1], "user_id": [["u"]]}, "unusable-column", "VARCHAR[]"),
        ({"event": ["e"], "time": [1], "user_id": [{"id": "u"}]}, "unusable-column", "Cast it to text"),
        ({"event": ["e"], "time": [1], "user_id": ["u"], "message_id": [b"m"]}, "unusable-column", "'message_id'"),
        ({"event": ["e"], "time": [1], "user_id": [2.0**60]}, "unusable-column", "too large"),
        ({"event": ["e"], "time": [1], "user_id": ["u"], "Plan": ["x"], "plan": ["y"]}, "repeated-column", "'plan'"),
    ],
)
def test_columns_that_cannot_be_events_are_refused(
    tmp_path: Path, reader: Reader, columns: dict[str, Any], code: str, says: str
) -> None:
    """No time, no event, no unit, or a type that is none of these: named, with the mend; in frames and files alike."""
    pq.write_table(pa.table(columns), tmp_path / "e.parquet")
    for source in (pa.table(columns), tmp_path / "e.parquet"):
        error = _refused(reader, source, units=("user_id",))
        assert (error.code, says in error.message) == (code, True), error.message


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_text_files_without_the_columns_are_refused(tmp_path: Path, reader: Reader, ending: str) -> None:
    """CSV and JSON lines say the same of missing columns as typed sources do."""
    path = tmp_path / f"e.{ending}"
    path.write_text("event,usr_id\ne,u\n" if ending == "csv" else '{"event": "e", "usr_id": "u"}\n')
    assert _refused(reader, path).code == "no-time-column"
    path.write_text("event,time,usr_id\ne,1,u\n" if ending == "csv" else '{"event": "e", "time": 1, "usr_id": "u"}\n')
    error = _refused(reader, path, units=("user_id",))
    assert (error.code, "Did you mean 'usr_id'?" in error.message) == ("no-unit-column", True)


def test_a_mapped_column_that_does_not_exist_is_refused(reader: Reader) -> None:
    """The error names the mapping and the nearest column."""
    error = _refused(reader, pa.table(GOOD), columns={"user_id": "usr_id"})
    assert (error.code, "Did you mean 'user_id'?" in error.message) == ("no-such-column", True)


def test_a_frame_that_arrow_cannot_hold_is_refused(reader: Reader) -> None:
    """A column of mixed Python objects is no Arrow column."""
    import pandas as pd

    frame = pd.DataFrame({"event": ["e", "f"], "time": [1, 2], "p": pd.Series([1, "x"], dtype=object)})
    assert _refused(reader, frame).code == "unreadable"


def test_a_file_with_no_rows_has_no_last_time(tmp_path: Path, reader: Reader) -> None:
    """A header alone, or an empty table, can be opened; what to do without rows is for the run to say."""
    (tmp_path / "e.csv").write_text("event,time\n")
    for source in (tmp_path / "e.csv", pa.table(GOOD).slice(0, 0)):
        opened = reader.open(source)
        assert reader.table(opened) == []
        assert (opened.facts().rows, opened.facts().last_time) == (0, None)
