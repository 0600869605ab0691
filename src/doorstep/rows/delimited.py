"""CSV files: every cell is text, and what a column holds is decided by looking at all of it."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import duckdb
from duckdb.sqltypes import VARCHAR

from doorstep.errors import SourceError
from doorstep.rows import quoting
from doorstep.rows.files import Files, literal
from doorstep.rows.names import EVENT, MESSAGE_ID, TIME, match_names, refuse_repeated, require
from doorstep.rows.needs import Needs, no_unit_column, refuse_traits
from doorstep.rows.shape import Shape, fresh_name, reading, stage
from doorstep.rows.times import TimeColumn
from doorstep.rows.typed import as_text
from doorstep.rows.values import Kind, Value, places

_DELIMITERS: Final = (",", "\t", ";", "|")
_LONGEST_LINE: Final = 16 << 20
_INTEGER: Final = r"-?(?:0|[1-9]\d{0,36})"
_NUMBER: Final = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]\d+)?"


def read_csv(
    connection: duckdb.DuckDBPyConnection, files: Files, needs: Needs, columns: Mapping[str, str], zone: str
) -> Shape:
    """CSV files with a header line each; a cell that is empty is null, and rows that do not fit are counted."""
    headers = headers_of(files)
    known = tuple(dict.fromkeys(name for _, header in headers.values() for name in header))
    typed = dict.fromkeys(known, VARCHAR)
    names = match_names(known, columns, files.description)
    event = as_text(places(require(names, EVENT, known, files.description), typed))
    time = quoting.identifier(require(names, TIME, known, files.description))
    refuse_traits(needs, known)
    values = {name: places(names.of(name), typed) for name in needs.names}
    for name in needs.identities:
        if not values[name]:
            raise no_unit_column(name, names, known, files.description)
    message_id = names.theirs.get(MESSAGE_ID)
    rejects = fresh_name("rejects")
    shape = Shape(
        relation="",
        event=event,
        time=TimeColumn(time, "csv", zone),
        given=f"({time} IS NOT NULL)",
        message_id=None if message_id is None else as_text(places(message_id, typed)),
        digest="md5(concat_ws(chr(31), " + ", ".join(f"{quoting.identifier(name)}" for name in sorted(known)) + "))",
        values=values,
        description=files.description,
        notes=names.notes,
        columns=known,
    )
    staged = stage(connection, shape, cells_of(headers, known, rejects))
    lost, notes = _lost(connection, (f"{rejects}_{number}" for number in range(len(set(headers.values())))))
    return _decide(connection, replace(staged, notes=staged.notes + notes), needs, lost)


Header = tuple[str, tuple[str, ...]]


def headers_of(files: Files) -> dict[str, Header]:
    """For each file the delimiter and the column names, from its first line."""
    return {path: _header(path) for path in files.paths}


def _header(path: str) -> Header:
    """The delimiter and the column names, from the first line."""
    opener = gzip.open if path.lower().endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as lines:
            first = lines.readline(_LONGEST_LINE)
            delimiter = max(_DELIMITERS, key=lambda mark: (first.count(mark), -_DELIMITERS.index(mark)))
            lines.seek(0)
            names = next(csv.reader(lines, delimiter=delimiter), [])
    except (OSError, EOFError, csv.Error) as error:
        raise SourceError(
            "unreadable", f"{path} cannot be read as CSV: {error}. Check that the file is whole."
        ) from None
    if any("\N{REPLACEMENT CHARACTER}" in name for name in names):
        raise SourceError("unreadable", f"the first line of {path} is not UTF-8. Save the file as UTF-8 and try again.")
    unique = tuple(name or f"column {position}" for position, name in enumerate(names, start=1))
    refuse_repeated(unique, path)
    return delimiter, unique


def cells_of(headers: Mapping[str, Header], known: tuple[str, ...], rejects: str) -> str:
    """SQL of all rows with the ``known`` columns, as texts. Reading it fills tables named ``rejects``, ``_0`` and so on
    (one for each header), with the lines that do not fit.
    """
    groups: dict[Header, list[str]] = {}
    for path, found in headers.items():
        groups.setdefault(found, []).append(path)
    parts = []
    for number, ((delimiter, header), paths) in enumerate(groups.items()):
        spec = ", ".join(f"{quoting.text(name)}: 'VARCHAR'" for name in header)
        read = (
            f"read_csv({quoting.texts(literal(path) for path in paths)}, auto_detect = false, header = true,"
            f" columns = {{{spec}}},"
            f" delim = {quoting.text(delimiter)}, quote = '\"', escape = '\"', nullstr = '',"
            f" max_line_size = {_LONGEST_LINE}, buffer_size = {2 * _LONGEST_LINE},"
            f" ignore_errors = true, store_rejects = true,"
            f" rejects_table = '{rejects}_{number}', rejects_scan = '{rejects}_{number}_scan')"
        )
        selects = ", ".join(
            f"{quoting.identifier(name)}" if name in header else f"NULL::VARCHAR AS {quoting.identifier(name)}"
            for name in known
        )
        parts.append(f"SELECT {selects} FROM {read}")
    return f"({' UNION ALL '.join(parts)})"


def _lost(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> tuple[int, tuple[str, ...]]:
    """How many lines of the files did not fit the header, and what to say of quotes that swallowed lines; then the
    tables are dropped.
    """
    lost = 0
    notes: list[str] = []
    for name in tables:
        counted = connection.execute(
            "SELECT line, 1 + len(text) - len(replace(text, chr(10), '')) FROM (SELECT line,"
            f" any_value(rtrim(csv_line, chr(10) || chr(13))) AS text FROM {name} GROUP BY scan_id, file_id, line)"
            " ORDER BY line"
        ).fetchall()
        lost += sum(lines for _, lines in counted)
        notes += [
            f"a quote that opens in line {line} is not closed as it should be: {lines:,} lines from there on are lost."
            for line, lines in counted
            if lines > 1
        ][:3]
        connection.execute(f"DROP TABLE {name}")
        connection.execute(f"DROP TABLE {name}_scan")
    return lost, tuple(notes)


def _decide(connection: duckdb.DuckDBPyConnection, shape: Shape, needs: Needs, lost: int) -> Shape:
    """Give each needed property column the type that all of its cells have; identities stay texts.

    A column without a single value could be of any type.
    """
    looked_at = sorted({value.sql for name in needs.properties for value in shape.values[name] if value.kind == "text"})
    with reading(shape.description):
        spelt = decide_kinds(connection, looked_at, shape.relation)
    values = {
        name: tuple(spelt.get(place.sql, place) for place in places) if name in needs.properties else places
        for name, places in shape.values.items()
    }
    said = [
        f"{name} is read as {_WORD[place.kind]}"
        for name, places in sorted(values.items())
        for place in places[:1]
        if name in needs.properties and name not in needs.identities and place.kind in _WORD
    ]
    notes = (*shape.notes, f"CSV cells have no types; {', '.join(said)}.") if said else shape.notes
    return replace(shape, values=values, lost_lines=lost, notes=notes)


def decide_kinds(connection: duckdb.DuckDBPyConnection, columns: Sequence[str], relation: str) -> dict[str, Value]:
    """Each column of texts as values of the kind that all of its cells spell; ``json`` where there is no cell."""
    if not columns:
        return {}
    tests = ", ".join(
        f"count({c}), count_if({c} IN ('true', 'false')), count_if(regexp_full_match({c}, '{_INTEGER}')),"
        f" count_if(regexp_full_match({c}, '{_NUMBER}'))"
        for c in columns
    )
    counts = connection.execute(f"SELECT {tests} FROM {relation}").fetchone() or ()
    kinds = {column: _kind(*counts[4 * position : 4 * position + 4]) for position, column in enumerate(columns)}
    return {column: _typed(Value(column, "text"), kind) for column, kind in kinds.items()}


_WORD: Final[dict[Kind, str]] = {"text": "text", "boolean": "true or false", "integer": "numbers", "number": "numbers"}


def _kind(cells: int, booleans: int, integers: int, numbers: int) -> Kind:
    if cells == 0:
        return "json"
    if booleans == cells:
        return "boolean"
    return "integer" if integers == cells else "number" if numbers == cells else "text"


def _typed(place: Value, kind: Kind) -> Value:
    """A column of texts that all spell values of ``kind``, as such."""
    match kind:
        case "boolean":
            return Value(f"({place.sql} = 'true')", kind)
        case "integer":
            return Value(f"CAST({place.sql} AS HUGEINT)", kind)
        case "number":
            return Value(f"CAST({place.sql} AS DOUBLE)", kind)
        case "json":
            return Value("NULL::JSON", kind)
        case "text" | "time":
            return place
