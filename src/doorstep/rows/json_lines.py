"""JSON lines: one object a line, whose values keep the type they were written with."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from doorstep.errors import SourceError
from doorstep.rows import quoting
from doorstep.rows.files import Files, literal
from doorstep.rows.names import COMMON, EVENT, MESSAGE_ID, TIME, Names, match_names, require
from doorstep.rows.needs import Needs, no_unit_column, refuse_traits
from doorstep.rows.paths import PROPERTIES, row_paths
from doorstep.rows.shape import Shape, reading, stage
from doorstep.rows.times import TimeColumn
from doorstep.rows.values import Value, json_pointer

_LOOK: Final = 20_000
"""How many lines are looked at for the names that stand for ours, before all of them are."""
_LONGEST_LINE: Final = 16 << 20


def read_json(
    connection: duckdb.DuckDBPyConnection, files: Files, needs: Needs, columns: Mapping[str, str], zone: str
) -> Shape:
    """JSON lines (or files that are one list of objects); a line that is no object is counted as unreadable."""
    relation = objects_of(files.paths)
    known, names = keys_of(connection, relation, files, columns)
    refuse_traits(needs, known)
    lookups = Lookups()
    event = lookups.add(require(names, EVENT, known, files.description))
    time = lookups.add(require(names, TIME, known, files.description))
    message_id = lookups.add(names.theirs[MESSAGE_ID]) if MESSAGE_ID in names.theirs else None
    values = {name: (Value(lookups.add(names.of(name)), "json"),) for name in needs.names}
    shape = Shape(
        relation="",
        event=f"(CASE WHEN json_type({event}) NOT IN ('OBJECT', 'ARRAY') THEN {event} ->> '$' END)",
        time=TimeColumn(time, "json", zone),
        given=f"({time} IS NOT NULL)",
        readable="(json_type(json) IS NOT DISTINCT FROM 'OBJECT')",
        message_id=None if message_id is None else f"({message_id} ->> '$')",
        digest="md5(json::VARCHAR)",
        values=values,
        description=files.description,
        notes=names.notes,
        columns=known,
    )
    staged = stage(connection, shape, lookups.within(relation))
    _check_units(connection, staged, needs, names)
    return staged


class Lookups:
    """All pointers that one row is asked for, so that each line is parsed once for all of them."""

    def __init__(self) -> None:
        self._pointers: dict[str, int] = {}

    def add(self, name: str) -> str:
        """SQL of the first value that is not null at any of the name's paths."""
        found = [f"nullif({self.at(path)}, 'null'::JSON)" for path in row_paths(name)]
        return f"coalesce({', '.join(found)})"

    def at(self, path: tuple[str, ...]) -> str:
        """SQL of the value at one path."""
        return f"found[{self._pointers.setdefault(json_pointer(path), len(self._pointers)) + 1}]"

    def within(self, relation: str) -> str:
        """The relation of ``json`` with ``found`` beside it, once all is added."""
        return f"(SELECT json, json_extract(json, {quoting.texts(self._pointers)}) AS found FROM {relation})"


def objects_of(paths: Sequence[str]) -> str:
    """Objects of all files: those that begin with ``[`` hold one list, the others one object a line."""
    lists = [path for path in paths if _first_byte(path) == b"["]
    lines = [path for path in paths if path not in lists]
    parts = []
    if lines:
        parts.append(
            f"SELECT json FROM read_json_objects({quoting.texts(map(literal, lines))},"
            f" format = 'newline_delimited', ignore_errors = true, maximum_object_size = {_LONGEST_LINE})"
        )
    if lists:
        parts.append(
            f"SELECT json FROM read_json_objects({quoting.texts(map(literal, lists))},"
            f" format = 'array', maximum_object_size = {_LONGEST_LINE})"
        )
    return f"({' UNION ALL '.join(parts)})"


def _first_byte(path: str) -> bytes:
    opener = gzip.open if path.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as content:
            return content.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    except (OSError, EOFError) as error:
        raise SourceError("unreadable", f"{path} cannot be read: {error}. Check that the file is whole.") from None


def keys_of(
    connection: duckdb.DuckDBPyConnection, relation: str, files: Files, columns: Mapping[str, str]
) -> tuple[tuple[str, ...], Names]:
    """The keys that lines have, and which of them stand for ours; all lines are read when the first do not tell."""
    for limit in (f" LIMIT {_LOOK}", ""):
        known = _keys(connection, f"(SELECT json FROM {relation}{limit})", files.description)
        told = all(any(key.casefold() in COMMON[ours] for key in known) or ours in columns for ours in (EVENT, TIME))
        if told and all(name in known for name in columns.values()):
            break
    if not known:
        raise SourceError(
            "unreadable", f"{files.description} holds no JSON object, one on each line. Check what kind of file it is."
        )
    return known, match_names(known, columns, files.description)


def _keys(connection: duckdb.DuckDBPyConnection, relation: str, description: str) -> tuple[str, ...]:
    """Keys of the objects, in order of first appearance by name; those of ``properties`` count as keys too."""
    objects = f"(SELECT json FROM {relation} WHERE json_type(json) = 'OBJECT')"
    inner = f"json_extract(json, '/{PROPERTIES}')"
    with reading(description):
        found = connection.execute(
            f"SELECT DISTINCT unnest(json_keys(json)) AS key, 0 AS depth FROM {objects}"
            f" UNION ALL SELECT DISTINCT unnest(json_keys({inner})), 1 FROM {objects}"
            f" WHERE json_type({inner}) = 'OBJECT' ORDER BY depth, key"
        ).fetchall()
    return tuple(dict.fromkeys(key for key, _ in found))


def _check_units(connection: duckdb.DuckDBPyConnection, shape: Shape, needs: Needs, names: Names) -> None:
    """A unit that no row has ever named is a mistake in the name, not a file of nameless rows."""
    missing = [name for name in needs.identities if names.of(name) not in shape.columns]
    for name in missing:
        counted = connection.execute(f"SELECT count({shape.values[name][0].sql}) FROM {shape.relation}").fetchone()
        if counted == (0,):
            raise no_unit_column(name, names, shape.columns, shape.description)
