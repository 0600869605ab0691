"""What a lake is like, whether all of it is there, and what can be mended."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from doorstep.lake import imported, tables
from doorstep.lake.inbox import Inbox
from doorstep.lake.index import Index
from doorstep.lake.objects import is_remote
from doorstep.lake.place import Place
from doorstep.lake.settling import settled_up_to
from doorstep.rows import quoting

_META = "__ducklake_metadata_lake"


@dataclass(frozen=True, slots=True)
class TableFacts:
    """Rows of a table, its Parquet files and their bytes."""

    rows: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LakeFacts:
    """A lake in numbers. Times are microseconds UTC; ``oldest_snapshot`` can still be run at; ``kept`` ones stay.
    The index is what runs made for themselves; it may be deleted at any time.
    """

    tables: Mapping[str, TableFacts]
    first_time: int | None
    last_time: int | None
    snapshot: int
    oldest_snapshot: int
    snapshots: int
    kept: tuple[int, ...]
    waiting: int
    rejects: int
    index_files: int
    index_bytes: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a lake: a stable code and a sentence. ``mended``: what repair did about it."""

    code: str
    message: str
    mended: str | None = None


def facts_of(connection: duckdb.DuckDBPyConnection, place: Place, inbox: Inbox) -> LakeFacts:
    """The latest state of the tables, and what is beside them."""
    sizes = connection.execute(
        "SELECT table_name, file_count, file_size_bytes FROM ducklake_table_info('lake') ORDER BY table_name"
    ).fetchall()
    found = {name: TableFacts(_one(connection, f"lake.{name}"), files, size) for name, files, size in sizes}
    first, last = connection.execute("SELECT min(time), max(time) FROM lake.events").fetchone() or (None, None)
    oldest, latest, number = connection.execute(
        "SELECT min(snapshot_id), max(snapshot_id), count(*) FROM lake.snapshots()"
    ).fetchone() or (0, 0, 0)
    index_files, index_bytes = Index(place.index).sizes()
    kept = connection.execute("SELECT DISTINCT snapshot FROM lake.kept ORDER BY 1").fetchall()
    return LakeFacts(
        tables=found,
        first_time=first,
        last_time=last,
        snapshot=latest,
        oldest_snapshot=oldest,
        snapshots=number,
        kept=tuple(snapshot for (snapshot,) in kept),
        waiting=inbox.depth(),
        rejects=len(inbox.dead_letters()),
        index_files=index_files,
        index_bytes=index_bytes,
    )


def check(connection: duckdb.DuckDBPyConnection, place: Place, inbox: Inbox) -> tuple[Finding, ...]:
    """Everything that is wrong, worst first; nothing is changed. The caller holds the lock ``settle``."""
    files = tuple(_files(connection))
    found = [finding for _, finding in files]
    if not files:
        found += _contents(connection)
    damaged = (finding for _, finding in _index(connection, place))
    return (*found, *_inbox(connection, inbox), *_hashes(connection, place), *damaged)


def repair(connection: duckdb.DuckDBPyConnection, place: Place, inbox: Inbox) -> tuple[Finding, ...]:
    """Mends what can be mended and says what was lost. The caller holds the lock ``settle``."""
    done: list[Finding] = []
    for file, finding in tuple(_files(connection)):
        for table in ("ducklake_file_column_stats", "ducklake_data_file"):
            connection.execute(f"DELETE FROM {_META}.{table} WHERE data_file_id = ?", (file,))
        done.append(Finding(finding.code, finding.message, "Its rows are lost; the lake works without them."))
    done += [Finding(one.code, one.message) for one in _contents(connection)]
    settled = settled_up_to(connection)
    for one in _inbox(connection, inbox):
        mended = None
        if one.code == "inbox-behind":
            inbox.renumber(settled)
            mended = f"What waits in it has numbers above {settled:,} now, and will be settled."
        done.append(Finding(one.code, one.message, mended))
    for one in _hashes(connection, place):
        hashes = connection.execute(
            "SELECT md5_number_upper(message_id) AS hash FROM lake.events"
            " WHERE message_id IS NOT NULL AND source LIKE 'import %'"
        ).fetchnumpy()["hash"]
        imported.write(place, "all", [np.sort(np.asarray(hashes, np.uint64))])
        done.append(Finding(one.code, one.message, "It was made again from the tables."))
    for path, finding in tuple(_index(connection, place)):
        path.unlink(missing_ok=True)
        done.append(Finding(finding.code, finding.message, "It was removed; the next run that wants it makes it anew."))
    return tuple(done)


def _one(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    assert found is not None
    return int(found[0])


def _files(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[int, Finding]]:
    """(number in the catalog, what is wrong) of each file of the latest state that is not what the catalog says."""
    listed = connection.execute(
        f"SELECT f.data_file_id, t.table_name, f.record_count, f.path, f.file_size_bytes"
        f" FROM {_META}.ducklake_data_file AS f JOIN {_META}.ducklake_table AS t USING (table_id)"
        " WHERE f.end_snapshot IS NULL AND t.end_snapshot IS NULL"
    ).fetchall()
    paths: dict[str, str] = {}
    for table in {name for _, name, *_ in listed}:
        found = connection.execute(f"SELECT data_file FROM ducklake_list_files('lake', '{table}')").fetchall()
        paths |= {os.path.basename(path): path for (path,) in found}
    for number, table, rows, name, size in listed:
        path = paths.get(os.path.basename(name), name)
        wrong = _wrong(connection, path, rows, size)
        if wrong is not None:
            said = f"the file {path} of {rows:,} rows of {table} {wrong}. Restore it from a backup, or repair the lake."
            yield number, Finding("damaged-file", said)


def _wrong(connection: duckdb.DuckDBPyConnection, path: str, rows: int, size: int) -> str | None:
    if not is_remote(path):
        if not os.path.exists(path):
            return "is missing"
        if os.path.getsize(path) != size:
            return f"has {os.path.getsize(path):,} bytes in place of {size:,}"
    try:
        found = connection.execute(f"SELECT num_rows FROM parquet_file_metadata({quoting.text(path)})").fetchone()
    except duckdb.Error as error:
        return f"cannot be read ({str(error).splitlines()[0][:120]})"
    return None if found is not None and found[0] == rows else "holds another number of rows"


def _contents(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    arrivals = "count(DISTINCT seq) + count(*) FILTER (seq IS NULL)"  # the events of one arrival share its id
    for column, also, number in (("message_id", "message_id", arrivals), ("digest_high", "digest_low", "count(*)")):
        given = f"FROM lake.events WHERE {column} IS NOT NULL"
        repeated = _one(connection, f"(SELECT 1 {given} GROUP BY {column}, {also} HAVING {number} > 1)")
        if repeated:
            yield Finding("repeated", f"{repeated:,} events are there more than once (the same {column}).")
    nameless = _one(connection, "(SELECT 1 FROM lake.events WHERE event NOT IN (SELECT code FROM lake.names))")
    if nameless:
        yield Finding("nameless", f"{nameless:,} events have a number that stands for no name.")
    for column, kind in tables.IDENTITIES.items():
        known = f"SELECT code FROM lake.ids WHERE kind = {kind}"
        lost = _one(connection, f"(SELECT 1 FROM lake.events WHERE {column} IS NOT NULL AND {column} NOT IN ({known}))")
        if lost:
            yield Finding("nameless", f"{lost:,} events have a {column} whose number stands for no id.")


def _inbox(connection: duckdb.DuckDBPyConnection, inbox: Inbox) -> Iterator[Finding]:
    damage = inbox.damage()
    if damage:
        yield Finding("corrupt-inbox", f"the inbox is damaged: {damage}. Restore it from a backup.")
        return
    settled, last = settled_up_to(connection), inbox.last_number()
    missing = last - settled - inbox.count_after(settled)
    if last < settled:
        yield Finding(
            "inbox-behind",
            f"the inbox is older than the tables: it gave {last:,} numbers, and {settled:,} are settled.",
        )
    elif missing:
        yield Finding("lost-arrivals", f"{missing:,} accepted arrivals are neither in the inbox nor settled.")


def _index(connection: duckdb.DuckDBPyConnection, place: Place) -> Iterator[tuple[Path, Finding]]:
    """Files of the index that are not whole. Runs do without them, so that no figure was ever wrong by them."""
    for path in Index(place.index).damaged(data_files(connection)):
        yield path, Finding("damaged-index", f"the index file {path} is not whole. No run uses it; it may be deleted.")


def data_files(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The name of each data file of events that some snapshot has → its bytes."""
    found = connection.execute(
        f"SELECT f.path, f.file_size_bytes FROM {_META}.ducklake_data_file AS f"
        f" WHERE f.table_id IN (SELECT table_id FROM {_META}.ducklake_table WHERE table_name = 'events')"
    ).fetchall()
    return {os.path.basename(path): size for path, size in found}


def _hashes(connection: duckdb.DuckDBPyConnection, place: Place) -> Iterator[Finding]:
    named = _one(connection, "(SELECT 1 FROM lake.events WHERE message_id IS NOT NULL AND source LIKE 'import %')")
    hashed = sum(path.stat().st_size // 8 for path in place.imported.glob("*.ids"))
    if hashed < named:
        yield Finding(
            "imported-ids", f"the list of imported message ids in {place.imported} holds {hashed:,} of {named:,}."
        )
