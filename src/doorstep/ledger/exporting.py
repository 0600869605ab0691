"""A journey's tables in a file, or in another database."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psycopg
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from psycopg import sql

from doorstep.errors import RunError
from doorstep.lake.stages import COLUMNS, CURRENT, TRANSITIONS
from doorstep.ledger.handing_on import current_of, transitions_of
from doorstep.ledger.ledger import Ledger

TABLES: Final = {"current": CURRENT, "transitions": TRANSITIONS}
"""What a person calls them → the table."""


def export(ledger: Ledger, journey: str, to: str, table: str) -> dict[str, int]:
    """Writes one table to a ``.parquet`` or ``.csv`` file, or both to a PostgreSQL database, where transitions that are
    there stay and later ones are added. How many rows were written, by table. RunError ``bad-export``,
    ``cannot-export``; RegistryError ``no-such-journey``.
    """
    ledger.head(journey)
    if to.startswith(("postgres://", "postgresql://")):
        return _to_postgres(ledger, journey, to)
    if table not in TABLES:
        raise RunError("bad-export", f"--table {table!r} is neither transitions nor current.")
    path = Path(to)
    if path.suffix not in (".parquet", ".csv"):
        raise RunError("bad-export", f"--to {to!r} should end in .parquet or .csv, or begin with postgresql://.")
    rows = transitions_of(ledger, journey) if table == "transitions" else _current(ledger, journey)
    try:
        if path.suffix == ".parquet":
            pq.write_table(rows, path)
        else:
            pc.write_csv(_flat(rows), path)
    except OSError as error:
        raise RunError("cannot-export", f"{to} cannot be written: {error.strerror or error}.") from None
    return {TABLES[table]: rows.num_rows}


def _current(ledger: Ledger, journey: str) -> pa.Table:
    rows = current_of(ledger, journey)
    return rows.filter(rows.column("stage").is_valid())


def _flat(rows: pa.Table) -> pa.Table:
    """Lists as texts with spaces between: stages' ids have none."""
    if "skipped" not in rows.column_names:
        return rows
    texts = pa.array([" ".join(one) for one in rows.column("skipped").to_pylist()], pa.string())
    return rows.set_column(rows.column_names.index("skipped"), "skipped", texts)


def _to_postgres(ledger: Ledger, journey: str, address: str) -> dict[str, int]:
    try:
        with psycopg.connect(address, connect_timeout=20) as connection, connection.cursor() as cursor:
            for name in (CURRENT, TRANSITIONS):
                columns = sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind.replace("VARCHAR", "text")))
                    for column, kind in COLUMNS[name].items()
                )
                key = sql.SQL("journey, account" if name == CURRENT else "journey, seq")
                cursor.execute(
                    sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))").format(
                        sql.Identifier(name), columns, key
                    )
                )
            cursor.execute(sql.SQL("DELETE FROM {} WHERE journey = %s").format(sql.Identifier(CURRENT)), (journey,))
            last = sql.SQL("SELECT coalesce(max(seq), 0) FROM {} WHERE journey = %s").format(
                sql.Identifier(TRANSITIONS)
            )
            found = cursor.execute(last, (journey,)).fetchone()
            written = {
                CURRENT: _current(ledger, journey),
                TRANSITIONS: transitions_of(ledger, journey, after=0 if found is None else int(found[0])),
            }
            for name, rows in written.items():
                _copy(cursor, name, rows)
    except psycopg.Error as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError("cannot-export", f"PostgreSQL cannot take the tables: {reason}.") from None
    return {name: rows.num_rows for name, rows in written.items()}


def _copy(cursor: psycopg.Cursor[tuple[object, ...]], name: str, rows: pa.Table) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, rows.column_names))
    with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(name), columns)) as copy:
        for row in rows.to_pylist():
            copy.write_row(list(row.values()))


__all__ = ["TABLES", "export"]
