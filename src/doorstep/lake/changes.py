"""Whose rows and traits came or went between two snapshots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def changed_rows(
    between: Between,
    units: Sequence[str],
    matches: Sequence[str],
    horizon: int,
    until: int,
    whose: Callable[[str], str] = lambda feed: feed,
) -> str:
    """A query of the units (SQL over ``whose`` of rows with the columns of events) that have other rows at ``until``
    than at ``since``, over a lake that is attached at ``until``. Rows that were only written anew are no change.
    ``late``: one of them is not later than ``horizon``, or one went; ``first``: when the first one is; ``future``: when
    the first one after ``until`` (microseconds) is; ``n0``…: how many of them meet each of ``matches``.
    """
    met = "".join(f", ({sql})::INTEGER AS m{number}" for number, sql in enumerate(matches))
    held = "".join(f", any_value(m{number}) AS m{number}" for number in range(len(matches)))
    told = "".join(f", sum(m{number})::BIGINT AS n{number}" for number in range(len(matches)))
    keys = _keys(units)
    rows = _changed("events", between, units, _EVENT, "true", met, held, whose)
    return (
        f"SELECT {keys}, bool_or(change < 0 OR time <= {horizon}) AS late, min(time) AS first,"
        f" min(time) FILTER (time > {until}) AS future{told} FROM ({rows}) GROUP BY {keys}"
    )


def changed_traits(between: Between, column: str, names: Sequence[str]) -> str | None:
    """As `changed_rows`, for the traits ``names`` of an identity column's ids, as numbers; None where it has none."""
    if column not in HOLDERS or not names:
        return None
    where = f"holder = {HOLDERS[column]} AND list_contains({quoting.texts(names)}::VARCHAR[], name)"
    return f"SELECT DISTINCT u0 FROM ({_changed('traits', between, ['id'], _TRAIT, where)})"


def _changed(
    table: str,
    between: Between,
    units: Sequence[str],
    same: Sequence[str],
    where: str,
    more: str = "",
    held: str = "",
    whose: Callable[[str], str] = lambda feed: feed,
) -> str:
    """The rows that came or went: every one that came counts one, every one that went minus one, and what comes to
    nothing is left out.
    """
    some = "" if between.since < between.until else " WHERE false"
    named = ", ".join(f"{sql} AS u{number}" for number, sql in enumerate(units))
    news = f"snapshot_id > {between.since} AND {where}"
    parts = " UNION ALL ".join(
        f"SELECT {named}, {', '.join(same)}{more}, CASE WHEN {news} THEN {sign} ELSE 0 END AS change"
        f" FROM {whose(_feed(kind, table, between))}{some}"
        for kind, sign in (("insertions", 1), ("deletions", -1))
    )  # no WHERE: DuckLake fails on the snapshot of a row that is asked about and not shown
    keys = f"{_keys(units)}, {', '.join(same)}"
    return f"SELECT {keys}{held}, sum(change) AS change FROM ({parts}) GROUP BY {keys} HAVING sum(change) <> 0"


def _feed(kind: str, table: str, between: Between) -> str:
    return f"ducklake_table_{kind}('lake', 'main', '{table}', {between.first}, {between.until})"


def _keys(units: Sequence[str]) -> str:
    return ", ".join(f"u{number}" for number in range(len(units)))


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


def spelt(column: str, numbers: str) -> str:
    """A query of the ids that the numbers in ``numbers`` (a relation of ``code`` and ``place``) stand for, by place."""
    kind = tables.IDENTITIES[column]
    return (
        f"SELECT i.id FROM {numbers} AS n LEFT JOIN lake.ids AS i ON i.kind = {kind} AND i.code = n.code"
        " ORDER BY n.place"
    )


__all__ = ["Between", "changed_rows", "changed_traits", "has_snapshot", "numbered", "spelt"]
