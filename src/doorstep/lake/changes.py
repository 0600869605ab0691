"""Whose rows and traits came or went between two snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb

from doorstep.lake import tables
from doorstep.lake.traits import HOLDERS
from doorstep.rows import quoting

_EVENT: Final = ("event", "time", "message_id", "digest_high", "digest_low")
_TRAIT: Final = ("name", "value", "time", "once", "message_id", "seq")
"""What is the same of a row that compaction wrote anew."""


def has_snapshot(connection: duckdb.DuckDBPyConnection, snapshot: int) -> bool:
    """Whether the attached lake still has a snapshot, so that changes since then can be told."""
    there = "SELECT 1 FROM __ducklake_metadata_lake.ducklake_snapshot WHERE snapshot_id = ?"
    return connection.execute(there, (snapshot,)).fetchone() is not None


@dataclass(frozen=True, slots=True)
class Between:
    """Two snapshots, and the first one after ``since`` that there is for sure: what was written in one that expired
    counts with those around it, and must not be passed over.
    """

    since: int
    until: int
    first: int

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection, since: int, until: int) -> Between:
        """Asks the attached lake; ``since`` is there."""
        return cls(since, until, since + 1 if has_snapshot(connection, since + 1) else since)


def changed_rows(between: Between, units: Sequence[str]) -> str:
    """A query of the units (SQL over the columns of events) that have other rows at ``until`` than at ``since``, over a
    lake that is attached at ``until``. Rows that were only written anew are no change.
    """
    return _changed("events", between, units, _EVENT, "true")


def changed_traits(between: Between, column: str, names: Sequence[str]) -> str | None:
    """As `changed_rows`, for the traits ``names`` of an identity column's ids, as numbers; None where it has none."""
    if column not in HOLDERS or not names:
        return None
    where = f"holder = {HOLDERS[column]} AND list_contains({quoting.texts(names)}::VARCHAR[], name)"
    return _changed("traits", between, ["id"], _TRAIT, where)


def _changed(table: str, between: Between, units: Sequence[str], same: Sequence[str], where: str) -> str:
    """Every row that came counts one, every row that went minus one."""
    some = "" if between.since < between.until else " WHERE false"
    named = ", ".join(f"{sql} AS u{number}" for number, sql in enumerate(units))
    keys = ", ".join(f"u{number}" for number in range(len(units)))
    news = f"snapshot_id > {between.since} AND {where}"
    parts = " UNION ALL ".join(
        f"SELECT {named}, {', '.join(same)}, CASE WHEN {news} THEN {sign} ELSE 0 END AS change"
        f" FROM ducklake_table_{kind}('lake', 'main', '{table}', {between.first}, {between.until}){some}"
        for kind, sign in (("insertions", 1), ("deletions", -1))
    )  # no WHERE: DuckLake fails on the snapshot of a row that is asked about and not shown
    alike = f"SELECT {keys} FROM ({parts}) GROUP BY {keys}, {', '.join(same)} HAVING sum(change) <> 0"
    return f"SELECT DISTINCT {keys} FROM ({alike})"


def numbered(columns: Sequence[str], texts: str) -> str:
    """A query of the rows of ``texts`` (a relation) whose columns ``u0``…, the ids of identity columns as texts, are
    all known to the lake, with their numbers in their place; what is no identity column stays as it is.
    """
    coded = {f"u{number}": name for number, name in enumerate(columns) if name in tables.IDENTITIES}
    joins = " ".join(
        f"JOIN lake.ids AS {unit}_ids ON {unit}_ids.kind = {tables.IDENTITIES[name]} AND {unit}_ids.id = t.{unit}"
        for unit, name in coded.items()
    )
    numbers = ", ".join(f"{unit}_ids.code AS {unit}" for unit in coded)
    return f"SELECT t.*{f' REPLACE ({numbers})' if coded else ''} FROM {texts} AS t {joins}"


__all__ = ["Between", "changed_rows", "changed_traits", "has_snapshot", "numbered"]
