"""The lake's tables, and which properties have a column of their own.

Texts that repeat are numbered once: event names in ``names``; user and anonymous ids (one numbering, since either may
turn out to be the other), account ids and session ids in ``ids``. A property's values of one type stand in a column of
that type, ``p1``, ``p2``, … as ``columns`` says; ``rest`` is a JSON object of all that is in none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import duckdb

from doorstep.rows import Kind, quoting

PropertyKind = Literal["text", "integer", "number", "boolean", "time"]

MOST_COLUMNS: Final = 300
"""How many columns of properties an events table gets; the rest stays JSON."""

PERSON, ACCOUNT, SESSION = 0, 1, 2
IDENTITIES: Final = {"user_id": PERSON, "anonymous_id": PERSON, "account_id": ACCOUNT, "session_id": SESSION}
"""Identity column → which numbering of ``ids`` it uses."""

SQL_TYPES: Final[dict[PropertyKind, str]] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "time": "TIMESTAMP",
}

_TABLES: Final = (
    "names (code INTEGER, name VARCHAR)",
    "ids (kind TINYINT, code INTEGER, id VARCHAR)",
    "columns (number INTEGER, name VARCHAR, kind VARCHAR)",
    "events (event INTEGER, user_id INTEGER, anonymous_id INTEGER, account_id INTEGER, session_id INTEGER, time BIGINT,"
    " received_at BIGINT, message_id VARCHAR, digest_high UBIGINT, digest_low UBIGINT, seq BIGINT, source VARCHAR,"
    " rest VARCHAR)",
    "traits (holder TINYINT, id INTEGER, name VARCHAR, value VARCHAR, time BIGINT, once BOOLEAN, received_at BIGINT,"
    " message_id VARCHAR, seq BIGINT)",
    "links (kind VARCHAR, anonymous_id VARCHAR, previous_id VARCHAR, user_id VARCHAR, account_id VARCHAR, time BIGINT,"
    " received_at BIGINT, message_id VARCHAR, seq BIGINT)",
    "settled (seq BIGINT)",
    "kept (snapshot BIGINT, why VARCHAR)",
    "imports (id VARCHAR, description VARCHAR, row_count BIGINT, rejected BIGINT, imported_at BIGINT)",
)
ORDER: Final = ("event", "user_id", "anonymous_id", "account_id", "time")
"""How the rows of an events file are sorted."""
_SORTED: Final = {
    "events": ", ".join(ORDER),
    "ids": "kind, code",
    "traits": "holder, name, id, time",
}
INLINED: Final = ("settled", "kept", "columns", "imports")
"""Small tables, whose rows live in the catalog."""


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the tables of an attached lake that has none."""
    connection.execute("BEGIN")
    for table in _TABLES:
        connection.execute(f"CREATE TABLE IF NOT EXISTS lake.{table}")
    for name, order in _SORTED.items():
        connection.execute(f"ALTER TABLE lake.{name} SET SORTED BY ({order})")
    connection.execute("COMMIT")
    # DuckLake would sort whole rows, by columns that nobody filled too, which takes three times as long.
    connection.execute("CALL ducklake_set_option('lake', 'sort_on_insert', false, table_name => 'events')")
    for name in INLINED:
        connection.execute(f"CALL ducklake_set_option('lake', 'data_inlining_row_limit', 1000, table_name => '{name}')")


@dataclass(frozen=True, slots=True)
class Column:
    """A property's column for values of one kind."""

    number: int
    name: str
    kind: PropertyKind

    @property
    def sql(self) -> str:
        """The column's name in ``events``."""
        return f"p{self.number}"


def columns(connection: duckdb.DuckDBPyConnection) -> tuple[Column, ...]:
    """The property columns of the attached lake, oldest first."""
    found = connection.execute("SELECT number, name, kind FROM lake.columns ORDER BY number").fetchall()
    return tuple(Column(*row) for row in found)


def add_columns(
    connection: duckdb.DuckDBPyConnection, known: tuple[Column, ...], wanted: Iterable[tuple[str, PropertyKind]]
) -> tuple[Column, ...]:
    """Gives properties columns, most wanted first, while there is room; all columns come back."""
    have = {(one.name, one.kind) for one in known}
    added = list(known)
    for name, kind in wanted:
        if (name, kind) not in have and len(added) < MOST_COLUMNS:
            column = Column(len(added) + 1, name, kind)
            connection.execute(f"ALTER TABLE lake.events ADD COLUMN {column.sql} {SQL_TYPES[kind]}")
            connection.execute("INSERT INTO lake.columns VALUES (?, ?, ?)", (column.number, name, kind))
            added.append(column)
    return tuple(added)


def number_names(connection: duckdb.DuckDBPyConnection, batch: str) -> None:
    """Gives every event name in ``batch`` that has no number one."""
    connection.execute(
        "INSERT INTO lake.names"
        " SELECT (SELECT coalesce(max(code), 0) FROM lake.names) + row_number() OVER (ORDER BY event), event"
        f" FROM (SELECT DISTINCT event FROM {batch}) WHERE event NOT IN (SELECT name FROM lake.names)"
    )


def number_all(connection: duckdb.DuckDBPyConnection, batch: str) -> None:
    """Gives every event name and every identity in ``batch`` that has no number one."""
    number_names(connection, batch)
    for kind in (PERSON, ACCOUNT, SESSION):
        parts = [name for name, of in IDENTITIES.items() if of == kind]
        number_ids(
            connection,
            kind,
            " UNION ALL ".join(f"SELECT {name} AS id FROM {batch} WHERE {name} IS NOT NULL" for name in parts),
        )


def number(connection: duckdb.DuckDBPyConnection, wanted: str, *, into: str) -> None:
    """Makes the temporary table ``into`` (kind, id, code) of the ids of ``wanted`` (a query: kind, id), and gives those
    that have no number one. The numbered ones are looked through once.
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE wanted AS SELECT DISTINCT kind::TINYINT AS kind, id FROM ({wanted})"
        " WHERE id IS NOT NULL"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {into} AS SELECT w.kind, w.id, i.code FROM lake.ids AS i"
        " JOIN wanted AS w ON w.kind = i.kind AND w.id = i.id"
    )
    fresh = connection.execute(
        f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT w.kind, coalesce(m.code, 0) + row_number() OVER"
        f" (PARTITION BY w.kind) AS code, w.id FROM (FROM wanted ANTI JOIN {into} USING (kind, id)) AS w"
        " LEFT JOIN (SELECT kind, max(code) AS code FROM lake.ids GROUP BY kind) AS m USING (kind)"
    ).fetchone()
    if fresh is not None and fresh[0]:
        connection.execute("INSERT INTO lake.ids SELECT kind, code, id FROM fresh")
        connection.execute(f"INSERT INTO {into} SELECT kind, id, code FROM fresh")


def insert_events(
    connection: duckdb.DuckDBPyConnection, batch: str, selects: Mapping[str, str], ids: str = "lake.ids"
) -> int:
    """Adds the rows of ``batch``, and says how many: see `insertion`."""
    added = connection.execute(insertion(connection, batch, selects, {}, ids)).fetchone()
    return 0 if added is None else int(added[0])


def insertion(
    connection: duckdb.DuckDBPyConnection,
    batch: str,
    selects: Mapping[str, str],
    constants: Mapping[str, str],
    ids: str = "lake.ids",
) -> str:
    """SQL that adds the rows of ``batch`` (``event`` and identities as texts, all numbered in ``ids``), sorted.
    ``selects``: column → SQL over ``batch AS b``; ``constants``: column → SQL of what all rows share, not sorted along.
    """
    identities = {
        name: f"{name}_"
        for name in IDENTITIES
        if connection.execute(f"SELECT 1 FROM {batch} WHERE {name} IS NOT NULL LIMIT 1").fetchone()
    }
    columns = {"event": "n.code", **{name: f"{joined}.code" for name, joined in identities.items()}, **selects}
    joins = " ".join(
        f"LEFT JOIN {ids} AS {joined} ON {joined}.kind = {IDENTITIES[name]} AND {joined}.id = b.{name}"
        for name, joined in identities.items()
    )
    listed = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    order = ", ".join(columns[name] for name in ORDER if name in columns)
    shared = "".join(f", {sql}" for sql in constants.values())
    return (
        f"INSERT INTO lake.events ({', '.join((*columns, *constants))}) SELECT *{shared} FROM (SELECT {listed}"
        f" FROM {batch} AS b JOIN lake.names AS n ON n.name = b.event {joins} ORDER BY {order})"
    )


def number_ids(connection: duckdb.DuckDBPyConnection, kind: int, texts: str) -> None:
    """Gives every id of ``texts`` (a query of one column ``id`` without nulls) that has none a number."""
    connection.execute(
        "INSERT INTO lake.ids"
        f" SELECT {kind}, (SELECT coalesce(max(code), 0) FROM lake.ids WHERE kind = {kind}) + row_number() OVER (), id"
        f" FROM (SELECT DISTINCT id FROM ({texts})) AS fresh"
        f" WHERE NOT EXISTS (SELECT 1 FROM lake.ids AS old WHERE old.kind = {kind} AND old.id = fresh.id)"
    )


def as_kind(kind: Kind) -> PropertyKind | None:
    """The column kind for values of a source's kind."""
    return None if kind == "json" else kind


def text_of_id(column: str) -> str:
    """SQL (VARCHAR) of an identity column of ``lake.events``."""
    name = column.rpartition(".")[2]
    return f"(SELECT i.id FROM lake.ids AS i WHERE i.kind = {IDENTITIES[name]} AND i.code = {column})"


def literal_list(names: Iterable[str]) -> str:
    """A SQL list of texts, typed also when empty."""
    return f"{quoting.texts(names)}::VARCHAR[]"
