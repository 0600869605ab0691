"""An import from start to end: its sources one after another, each in a transaction of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from doorstep.errors import SourceError, interruptible, writing
from doorstep.lake.attach import CONFIG, attach, load, storing
from doorstep.lake.importing import Imported, import_rows
from doorstep.lake.incoming import Incoming, of_files, of_table
from doorstep.lake.place import Place
from doorstep.lake.steps import Told
from doorstep.lake.trial import Trial, joined, trial
from doorstep.rows import quoting, reading
from doorstep.rows.files import Files, resolve
from doorstep.rows.shape import fresh_name
from doorstep.rows.typed import ArrowStream

MEMORY: Final = "2GB"
"""What DuckDB may hold of an import; more goes to disk."""
_STOPPED: Final = (
    "the import was stopped. Files that were done are in the lake, the one under way is not: start it again, and what "
    "is there is not added twice."
)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a database: a DuckDB file or a PostgreSQL DSN (``postgresql://…``), and a table of it or a query."""

    database: str
    table: str | None = None
    query: str | None = None

    @property
    def is_postgres(self) -> bool:
        """Whether the database is PostgreSQL."""
        return self.database.startswith(("postgres:", "postgresql:"))


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be imported, our names for theirs, and the zone of naive times."""

    source: object
    columns: Mapping[str, str]
    zone: str


def import_all(place: Place, request: Request, *, received_at: int, rejects: Path, told: Told) -> Imported:
    """See `Lake.add`."""
    total = Imported(0, 0, 0, {}, None, ())
    parts = _parts(request.source)
    unfinished = rejects.with_name(f"{rejects.name}.part")
    with writing(rejects):  # told before any work
        rejects.parent.mkdir(parents=True, exist_ok=True)
        unfinished.touch()
        unfinished.unlink()
    for number, part in enumerate(parts):

        def tell(what: str, done: float | None, number: int = number) -> None:
            told(what, (number + (done or 0.0)) / len(parts))

        with (
            interruptible(_STOPPED),
            _connection(place) as connection,
            _opened(connection, part, request) as incoming,
            storing(place),
        ):
            came = import_rows(connection, place, incoming, received_at=received_at, rejects=unfinished, told=tell)
        total = _sum(total, came)
    if not total.rejected:
        unfinished.unlink(missing_ok=True)
        return total
    os.replace(unfinished, rejects)
    return replace(total, rejects=rejects)


def try_all(request: Request, told: Told) -> Trial:
    """See `trial`: what an import would read, part by part. Nothing is written, no lake is looked into."""
    parts = _parts(request.source)
    found = []
    for number, part in enumerate(parts):
        told("reading", number / len(parts))
        with _connection(None) as connection, _opened(connection, part, request) as incoming:
            found.append(trial(connection, incoming))
    return joined(found)


def _sum(one: Imported, other: Imported) -> Imported:
    reasons = {*one.rejected, *other.rejected}
    return Imported(
        one.rows + other.rows,
        one.added + other.added,
        one.duplicates + other.duplicates,
        {reason: one.rejected.get(reason, 0) + other.rejected.get(reason, 0) for reason in sorted(reasons)},
        None,
        tuple(dict.fromkeys((*one.notes, *other.notes))),
    )


def _parts(source: object) -> list[Files | Table | ArrowStream]:
    """What is committed at a time: a file; all CSV files together, since their cells decide on types together."""
    if isinstance(source, Table):
        return [source]
    if isinstance(source, str | Path) or (
        isinstance(source, list | tuple) and all(isinstance(one, str | Path) for one in source)
    ):
        files = resolve(source)
        return [files] if files.kind == "csv" else [replace(files, paths=(path,)) for path in files.paths]
    if isinstance(source, ArrowStream):
        return [source]
    raise SourceError(
        "unknown-source",
        f"events cannot be imported from a {type(source).__name__}. Give a path, a glob, a list of them, a table of a "
        "database, or a data frame of pyarrow, polars or pandas (anything with __arrow_c_stream__).",
    )


@contextmanager
def _connection(place: Place | None) -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory(prefix="doorstep-") as directory:
        connection = duckdb.connect(os.path.join(directory, "work.duckdb"), config=CONFIG)
        try:
            connection.execute(f"SET temp_directory = {quoting.text(os.path.join(directory, 'spill'))}")
            connection.execute(f"SET memory_limit = '{MEMORY}'")
            connection.execute("SET preserve_insertion_order = false")
            if place is not None:
                with storing(place):
                    attach(connection, place)
            yield connection
        finally:
            connection.close()


@contextmanager
def _opened(
    connection: duckdb.DuckDBPyConnection, part: Files | Table | ArrowStream, request: Request
) -> Iterator[Incoming]:
    if isinstance(part, Files):
        yield of_files(connection, part, request.columns, request.zone)
    elif isinstance(part, Table):
        relation, description = _database(connection, part)
        yield of_table(connection, relation, description, request.columns, request.zone)
    else:
        description = f"the {type(part).__module__.split('.')[0]} {type(part).__name__}"
        name, staged = fresh_name("frame"), fresh_name("rows")
        with reading(description):
            connection.register(name, part if isinstance(part, pa.Table) else pa.RecordBatchReader.from_stream(part))
            connection.execute(f"CREATE TEMP TABLE {staged} AS SELECT * FROM {name}")
            connection.unregister(name)
        yield of_table(connection, staged, description, request.columns, request.zone)


def _database(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[str, str]:
    """(what goes after FROM, what to call it)."""
    if (table.table is None) == (table.query is None):
        raise SourceError("no-table", "say which rows of the database are meant: --table NAME or --query SQL.")
    if not table.is_postgres and not os.path.isfile(table.database):
        raise SourceError("no-such-file", f"there is no file {table.database}.")
    what = table.table or "a query"
    description = f"{what} of {'PostgreSQL' if table.is_postgres else table.database}"
    with reading(description):
        if table.is_postgres:
            load(connection, "postgres_scanner")
        kind = "postgres" if table.is_postgres else "duckdb"
        connection.execute(f"ATTACH {quoting.text(table.database)} AS theirs (TYPE {kind}, READ_ONLY)")
        if table.table is not None:
            path = ".".join(quoting.identifier(part) for part in table.table.split("."))
            return f"theirs.{path}", description
        if table.is_postgres:
            return f"postgres_query('theirs', {quoting.text(table.query or '')})", description
        connection.execute("USE theirs")
        connection.execute(f"CREATE TEMP TABLE their_rows AS {table.query}")
        connection.execute("USE work")
    return "their_rows", description
