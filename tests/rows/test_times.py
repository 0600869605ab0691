"""Times are read to the microsecond, whatever they are written as."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorstep.errors import SourceError
from doorstep.rows import Needs, open_rows
from doorstep.rows.times import LAST, instant, microseconds

if TYPE_CHECKING:
    from rows.conftest import Reader

NOON = 1_772_971_200_000_000
"""2026-03-08T12:00:00Z"""


def _times(reader: Reader, values: Any, **options: Any) -> tuple[list[int], dict[str, int]]:
    """Usable times in order, and what was rejected."""
    table = pa.table({"event": ["e"] * len(values), "time": values})
    rows = reader.open(table, **options)
    return [row[0] for row in reader.table(rows)], dict(rows.facts().rejected)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2026-03-08T12:00:00Z", NOON),
        ("2026-03-08t12:00:00z", NOON),
        ("2026-03-08 12:00:00", NOON),
        ("2026-03-08T12:00", NOON),
        ("2026-03-08T12:00Z", NOON),
        ("2026-03-08T14:30+02:30", NOON),
        ("2026-03-08T14:30:00+0230", NOON),
        ("2026-03-08 07:00:00 -05", NOON),
        ("  2026-03-08T12:00:00Z ", NOON),
        ("2026-03-08T12:00:00.5Z", NOON + 500_000),
        ("2026-03-08T12:00:00.123456789Z", NOON + 123_456),
        ("2026-03-08", NOON - 12 * 3_600_000_000),
        ("1969-12-31T23:59:59.9999999", -1),
        ("9999-12-31T23:59:59.999999Z", LAST),
    ],
)
def test_iso_texts_are_read(reader: Reader, text: str, us: int) -> None:
    """Offsets of every spelling, any number of decimals (cut, not rounded), a space or T, a date alone."""
    assert _times(reader, [text]) == ([us], {})
    assert instant(text) == us


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-02-30",
        "2026-13-01",
        "2026-03-08T24:00:00",
        "2026-03-08T12:00:60Z",
        "2026-03-08T12:00:00+24:00",
        "2026-03-08Z",
        "2026-03-08T12",
        "0000-01-01",
        "9999-12-31T23:59:59-01:00",
        "infinity",
        "epoch",
        "now",
        "1772971200",
        "08/03/2026",
        "2026-03-08T12:00:00 UTC",
        "٢٠٢٦-03-08",
    ],
)
def test_other_texts_are_counted_as_unreadable(reader: Reader, text: str) -> None:
    """What is not ISO 8601, or no day of the years 1 to 9999, is rejected and counted; nothing is guessed."""
    assert _times(reader, [text, "2026-03-08T12:00:00Z"]) == ([NOON], {"unreadable_time": 1})
    assert instant(text) is None


moments = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31))
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(moments, st.none() | offsets, st.sampled_from(["T", " "])), min_size=1, max_size=8))
def test_any_iso_text_is_read_as_python_reads_it(written: list[tuple[datetime, int | None, str]]) -> None:
    """SQL, `instant` and the standard library agree on random times and offsets, naive ones read as UTC."""
    texts, expected = [], []
    for moment, offset, separator in written:
        zone = UTC if offset is None else _zone(offset)
        expected.append(microseconds(moment.replace(tzinfo=zone)))
        texts.append((moment if offset is None else moment.replace(tzinfo=zone)).isoformat(separator))
    with duckdb.connect() as connection:
        rows = open_rows(connection, pa.table({"event": ["e"] * len(texts), "time": texts}), needs=Needs())
        found = connection.execute(f"SELECT {rows.time} FROM {rows.relation} ORDER BY 1").fetchall()
    assert [us for (us,) in found] == sorted(expected)
    assert [instant(text) for text in texts] == expected


def _zone(minutes: int) -> Any:
    from datetime import timezone

    return timezone(timedelta(minutes=minutes))


TYPES = {
    "us": pa.array([NOON * 1_000 + 999], pa.timestamp("ns")).cast(pa.timestamp("us"), safe=False),
    "ns": pa.array([NOON * 1_000 + 999], pa.timestamp("ns")),
    "ms": pa.array([NOON // 1_000], pa.timestamp("ms")),
    "s": pa.array([NOON // 1_000_000], pa.timestamp("s")),
    "utc": pa.array([NOON], pa.timestamp("us", "UTC")),
    "zoned": pa.array([NOON], pa.timestamp("us", "America/New_York")),
    "int64": pa.array([NOON], pa.int64()),
    "uint64": pa.array([NOON], pa.uint64()),
    "float": pa.array([float(NOON)], pa.float64()),
    "dictionary": pa.array(["2026-03-08T12:00:00Z"]).dictionary_encode(),
}


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("in_file", [False, True])
def test_every_type_of_time_column_is_read(tmp_path: Path, reader: Reader, name: str, in_file: bool) -> None:
    """Timestamps of every unit, with and without a zone, and integers of microseconds; nanoseconds are cut."""
    source: Any = pa.table({"event": ["e"], "time": TYPES[name]})
    if in_file:
        pq.write_table(source, tmp_path / "e.parquet")
        source = tmp_path / "e.parquet"
    assert reader.read(source) == [(NOON, "e")]


def test_dates_are_midnights(reader: Reader) -> None:
    """A date column is the start of the day, in the source's zone."""
    days = pa.array([date(2026, 3, 8)])
    assert _times(reader, days) == ([NOON - 12 * 3_600_000_000], {})
    assert _times(reader, days, source_timezone="Asia/Tokyo") == ([NOON - 21 * 3_600_000_000], {})


def test_nanoseconds_before_1970_are_cut_downwards(reader: Reader) -> None:
    """A fraction of a microsecond never moves a time later."""
    assert _times(reader, pa.array([-1, -1_000, -1_001], pa.timestamp("ns"))) == ([-2, -1, -1], {})


def test_naive_and_offset_times_may_stand_in_one_column(reader: Reader) -> None:
    """Each row is read by what it says: an offset where it has one, else the source's zone."""
    values = ["2026-03-08T13:00:00", "2026-03-08T12:00:00Z"]
    assert _times(reader, values, source_timezone="Europe/Berlin") == ([NOON, NOON], {})


@pytest.mark.parametrize("as_text", [False, True])
def test_naive_times_at_a_change_of_clocks_are_settled(reader: Reader, as_text: bool) -> None:
    """A skipped hour is read as if the clocks had not moved yet; of a repeated hour the second pass is meant."""
    berlin = ZoneInfo("Europe/Berlin")
    skipped, repeated = datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)
    values: Any = [skipped, repeated]
    found, rejected = _times(
        reader, [one.isoformat() for one in values] if as_text else values, source_timezone="Europe/Berlin"
    )
    assert found == [
        microseconds(skipped.replace(tzinfo=berlin, fold=0)),
        microseconds(repeated.replace(tzinfo=berlin, fold=1)),
    ]
    assert rejected == {}


def test_the_zone_of_the_connection_does_not_matter(reader: Reader) -> None:
    """A session's own time zone moves no time."""
    reader.connection.execute("SET TimeZone = 'America/New_York'")
    assert _times(reader, ["2026-03-08T12:00", "2026-03-08T12:00Z"]) == ([NOON, NOON], {})
    assert _times(reader, TYPES["utc"]) == ([NOON], {})
    assert _times(reader, TYPES["ns"]) == ([NOON], {})


@pytest.mark.parametrize("zone", ["Europe/Berlni", "", "../etc/passwd", "CEST+1", "\0"])
def test_an_unknown_zone_is_refused(reader: Reader, zone: str) -> None:
    """The error names the zone and, when there is one, the nearest."""
    with pytest.raises(SourceError) as raised:
        _times(reader, [1], source_timezone=zone)
    assert raised.value.code == "unknown-timezone"
    assert "IANA" in raised.value.message
    assert zone != "Europe/Berlni" or "Europe/Berlin" in raised.value.message


def test_times_out_of_range_are_unreadable(tmp_path: Path, reader: Reader) -> None:
    """Integers beyond the years 1 to 9999 are counted, in a frame and in a file whose statistics show them."""
    values = pa.array([NOON, NOON * 1_000, -(2**62)], pa.int64())
    assert _times(reader, values) == ([NOON], {"unreadable_time": 2})
    pq.write_table(pa.table({"event": ["e"] * 3, "time": values}), tmp_path / "e.parquet")
    rows = reader.open(tmp_path / "e.parquet")
    assert (reader.table(rows), rows.facts().last_time) == ([(NOON, "e")], NOON)


def test_infinite_times_are_unreadable(tmp_path: Path, reader: Reader) -> None:
    """DuckDB's own infinity, which a Parquet file may hold, is no time."""
    path = tmp_path / "e.parquet"
    times = "[TIMESTAMP 'infinity', '-infinity', '2026-03-08 12:00']"
    reader.connection.execute(f"COPY (SELECT 'e' AS event, unnest({times}) AS time) TO '{path}'")
    rows = reader.open(path)
    assert reader.table(rows) == [(NOON, "e")]
    assert rows.facts().rejected == {"unreadable_time": 2}


def test_integers_that_look_like_seconds_are_pointed_out(reader: Reader) -> None:
    """Times that all lie before 1990 as microseconds come with a word on how to mend them."""
    table = pa.table({"event": ["e"], "time": [1_772_971_200]})
    assert "look like seconds" in " ".join(reader.open(table).facts().notes)


BOUNDS = [NOON - 1, NOON, NOON + 1, -(2**62), 2**62]


@pytest.mark.parametrize("name", [*TYPES, "text"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("in_file", [False, True])
def test_bounds_on_time_are_exact(tmp_path: Path, reader: Reader, name: str, zone: str, in_file: bool) -> None:
    """`time_at_least` and `time_at_most` let through just the rows whose time says so, for every type of column."""
    column = pa.array(["2026-03-08T12:00:00"]) if name == "text" else TYPES[name]
    source: Any = pa.table({"event": ["e"] * 3, "time": pa.concat_arrays([column, column, pa.nulls(1, column.type)])})
    if in_file:
        pq.write_table(source, tmp_path / "e.parquet")
        source = tmp_path / "e.parquet"
    rows = reader.open(source, source_timezone=zone)
    (us, _), _ = reader.table(rows)
    for bound in [*BOUNDS, us - 1, us, us + 1]:
        counts = reader.connection.execute(
            f"SELECT count_if({rows.time_at_least(bound)}), count_if({rows.time_at_most(bound)}) FROM {rows.relation}"
        ).fetchone()
        assert counts == (2 * (us >= bound), 2 * (us <= bound))
