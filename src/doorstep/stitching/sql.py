"""The map as SQL, in DuckDB's dialect: events joined to its tables, and the intervals of links that lie in rows.

`IdentityMap.tables` are the tables meant here; times are BIGINT microseconds UTC. Texts are compared by code point, as
Python does it.
"""

from __future__ import annotations

from doorstep.stitching.identity_map import EVER_AFTER, EVER_BEFORE
from doorstep.stitching.units import anonymous_unit_sql, known_unit_sql


def with_units(
    events: str, *, known: str, anonymous: str, time: str, intervals: str, names: str | None = None, unit: str = "unit"
) -> str:
    """A SELECT: every row of ``events`` (what goes after FROM) once, with the name of its unit in the column ``unit``.

    ``known``, ``anonymous`` (any type; an empty text is no id) and ``time`` are SQL over ``events``; ``intervals`` and
    ``names`` are tables. Hash joins on the ids; each row meets one interval at most.
    """
    user = "doorstep_row.doorstep_known"
    if names is not None:
        user = f"coalesce(doorstep_name.kept, {user})"
    named = known_unit_sql("doorstep_user")
    join_names = (
        ""
        if names is None
        else f" LEFT JOIN {names} AS doorstep_name ON doorstep_name.user_id = doorstep_row.doorstep_known"
    )
    return (
        f"SELECT * EXCLUDE (doorstep_known, doorstep_device, doorstep_at, doorstep_user),"
        f" coalesce({named}, {anonymous_unit_sql('doorstep_device')}) AS {unit} FROM ("
        f"SELECT doorstep_row.*, coalesce({user}, doorstep_span.user_id) AS doorstep_user FROM ("
        f"SELECT *, {_id(known)} AS doorstep_known, {time} AS doorstep_at,"
        f" CASE WHEN {_id(known)} IS NULL THEN {_id(anonymous)} END AS doorstep_device FROM {events}"
        f") AS doorstep_row"
        f" LEFT JOIN {intervals} AS doorstep_span ON doorstep_span.anonymous_id = doorstep_row.doorstep_device"
        f" AND doorstep_row.doorstep_at >= doorstep_span.from_us AND doorstep_row.doorstep_at < doorstep_span.until_us"
        f"{join_names})"
    )


def with_accounts(events: str, *, unit: str, account: str, time: str, memberships: str, column: str = "account") -> str:
    """A SELECT: every row of ``events`` once, with the account it belongs to in the column ``column``: its own, else
    that of its unit at its time. ``unit``, ``account`` and ``time`` are SQL over ``events``.
    """
    return (
        f"SELECT doorstep_row.* EXCLUDE (doorstep_unit_name, doorstep_own, doorstep_at),"
        f" coalesce(doorstep_own, doorstep_member.account_id) AS {column} FROM ("
        f"SELECT *, {unit} AS doorstep_unit_name, {_id(account)} AS doorstep_own, {time} AS doorstep_at FROM {events}"
        f") AS doorstep_row"
        f" LEFT JOIN {memberships} AS doorstep_member ON doorstep_member.unit = doorstep_row.doorstep_unit_name"
        f" AND doorstep_row.doorstep_at >= doorstep_member.from_us"
        f" AND doorstep_row.doorstep_at < doorstep_member.until_us"
    )


def intervals_in(
    events: str, *, known: str, anonymous: str, time: str, where: str = "true", said: str | None = None
) -> str:
    """A SELECT of the intervals of links that lie in rows: each row that holds both ids and meets ``where`` says that
    the anonymous one was seen to be the known one, and so does each row of ``said`` (what goes after FROM; columns
    ``user_id``, ``anonymous_id``, ``time``). The same intervals as `rules.stitch` gives, without any alias.

    Most ids have one user and need no order of time; only the others are sorted.
    """
    links = (
        f"SELECT {_id(known)} AS user_id, {_id(anonymous)} AS anonymous_id, {time} AS said_at FROM {events}"
        f" WHERE {where} AND {_id(known)} IS NOT NULL AND {_id(anonymous)} IS NOT NULL"
    )
    if said is not None:
        links += f" UNION ALL SELECT user_id, anonymous_id, time FROM {said}"
    return f"""
        WITH links AS NOT MATERIALIZED ({links}),
        ids AS MATERIALIZED (
            SELECT anonymous_id, min(user_id) AS least, max(user_id) AS most FROM links GROUP BY anonymous_id
        ),
        moments AS (
            SELECT anonymous_id, said_at, min(user_id) AS user_id FROM links
            WHERE anonymous_id IN (SELECT anonymous_id FROM ids WHERE least <> most) GROUP BY anonymous_id, said_at
        ),
        turns AS (
            SELECT anonymous_id, user_id, said_at, lag(said_at) OVER of_id AS before FROM moments
            WINDOW of_id AS (PARTITION BY anonymous_id ORDER BY said_at)
            QUALIFY user_id IS DISTINCT FROM lag(user_id) OVER of_id
        )
        SELECT anonymous_id, {EVER_BEFORE}::BIGINT AS from_us, {EVER_AFTER}::BIGINT AS until_us, least AS user_id
        FROM ids WHERE least = most
        UNION ALL
        SELECT anonymous_id, CASE WHEN before IS NULL THEN {EVER_BEFORE} ELSE said_at END::BIGINT,
            coalesce(lead(said_at) OVER (PARTITION BY anonymous_id ORDER BY said_at), {EVER_AFTER})::BIGINT, user_id
        FROM turns"""


def _id(sql: str) -> str:
    """An id as text; an empty one is none."""
    return f"nullif(CAST({sql} AS VARCHAR), '')"
