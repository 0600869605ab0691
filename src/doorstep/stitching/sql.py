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


def links_in(
    events: str, *, known: str, anonymous: str, time: str, where: str = "true", said: str | None = None
) -> str:
    """A SELECT of links (``user_id``, ``anonymous_id``, ``said_at``): each row that holds both ids and meets ``where``
    says that the anonymous one was seen to be the known one, and so does each row of ``said`` (what goes after FROM;
    columns ``user_id``, ``anonymous_id``, ``time``).
    """
    links = (
        f"SELECT {_id(known)} AS user_id, {_id(anonymous)} AS anonymous_id, {time} AS said_at FROM {events}"
        f" WHERE {where} AND {_id(known)} IS NOT NULL AND {_id(anonymous)} IS NOT NULL"
    )
    return links if said is None else f"{links} UNION ALL SELECT user_id, anonymous_id, time FROM {said}"


def earliest_about(links: str, ids: str) -> str:
    """A SELECT of what `rules.follow` wants of ``links`` (a SELECT): the earliest of each pair in which one of ``ids``
    (a table of one column ``id``) has a part.
    """
    return (
        f"SELECT anonymous_id, user_id, min(said_at) AS time FROM ({links})"
        f" WHERE user_id IN (SELECT id FROM {ids}) OR anonymous_id IN (SELECT id FROM {ids}) GROUP BY ALL"
    )


def intervals_in(links: str, *, names: str | None = None) -> str:
    """A SELECT of the intervals of ``links`` (a SELECT, as `links_in`), as `rules.stitch` gives them; ``names`` is the
    table of names that aliases gave up, and ``links`` has those that aliases added.

    Most ids have one user and need no order of time; only the others are sorted.
    """
    return f"""
        WITH links AS NOT MATERIALIZED ({_named(links, names)}),
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


def passed_over(links: str, *, names: str | None = None) -> str:
    """A SELECT of the links that meet others of the same id and time: ``said_at``, ``anonymous_id``, and the users
    ``user_ids``, in order; the first of them is followed.
    """
    return (
        f"SELECT said_at, anonymous_id, list_sort(list(DISTINCT user_id)) AS user_ids FROM ({_named(links, names)})"
        " GROUP BY said_at, anonymous_id HAVING min(user_id) <> max(user_id)"
    )


def memberships_in(members: str) -> str:
    """A SELECT of the memberships that ``members`` say (a SELECT of ``unit``, ``account_id``, ``said_at``, none of
    them NULL), as `accounts.memberships_of` gives them.
    """
    return f"""
        WITH members AS NOT MATERIALIZED ({members}),
        units AS MATERIALIZED (
            SELECT unit, min(account_id) AS least, max(account_id) AS most, min(said_at) AS first FROM members
            GROUP BY unit
        ),
        moments AS (
            SELECT unit, said_at, CASE WHEN min(account_id) = max(account_id) THEN min(account_id) END AS account_id
            FROM members WHERE unit IN (SELECT unit FROM units WHERE least <> most) GROUP BY unit, said_at
        ),
        turns AS (
            SELECT unit, account_id, said_at FROM moments
            QUALIFY account_id IS DISTINCT FROM lag(account_id) OVER (PARTITION BY unit ORDER BY said_at)
        ),
        spans AS (
            SELECT unit, said_at AS from_us, account_id,
                coalesce(lead(said_at) OVER (PARTITION BY unit ORDER BY said_at), {EVER_AFTER}) AS until_us
            FROM turns
        )
        SELECT unit, first::BIGINT AS from_us, {EVER_AFTER}::BIGINT AS until_us, least AS account_id
        FROM units WHERE least = most
        UNION ALL
        SELECT unit, from_us::BIGINT, until_us::BIGINT, account_id FROM spans WHERE account_id IS NOT NULL"""


def at_once(members: str) -> str:
    """A SELECT of the times at which a unit was said to join several accounts: ``said_at``, ``unit``, and the accounts
    ``account_ids``, in order.
    """
    return (
        f"SELECT said_at, unit, list_sort(list(DISTINCT account_id)) AS account_ids FROM ({members})"
        " GROUP BY said_at, unit HAVING min(account_id) <> max(account_id)"
    )


def sums(*, intervals: str, names: str | None = None, memberships: str | None = None) -> str:
    """A SELECT of what `identity_map.digest_of` takes: of each table its name, how many rows it has, and the exclusive
    or of their MD5 sums.
    """
    spans = "strlen({0}) || ':' || {0} || from_us || ':' || until_us || ':' || {1}"
    parts = [("intervals", intervals, spans.format("anonymous_id", "user_id"))]
    parts += [] if names is None else [("names", names, "strlen(user_id) || ':' || user_id || kept")]
    parts += [] if memberships is None else [("memberships", memberships, spans.format("unit", "account_id"))]
    return " UNION ALL ".join(
        f"SELECT '{name}' AS part, count(*), bit_xor(md5_number({line})) FROM {table}" for name, table, line in parts
    )


def _named(links: str, names: str | None) -> str:
    """The links, of the names that are kept."""
    if names is None:
        return links
    return (
        "SELECT said.anonymous_id, said.said_at, coalesce(name.kept, said.user_id) AS user_id"
        f" FROM ({links}) AS said LEFT JOIN {names} AS name ON name.user_id = said.user_id"
    )


def _id(sql: str) -> str:
    """An id as text; an empty one is none."""
    return f"nullif(CAST({sql} AS VARCHAR), '')"
