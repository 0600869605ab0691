"""A definition held against the data it is meant for: names and literals that the data can never meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from doorstep.definitions.against_data import names_account, names_user, unstitched, unstitched_accounts
from doorstep.definitions.funnel import Funnel, Selector
from doorstep.definitions.lint import against_data
from doorstep.definitions.selectors import selectors
from doorstep.definitions.words import capital
from doorstep.engines.conditions import impossible, kinds_of
from doorstep.engines.duckdb import Engine, engine
from doorstep.engines.query import needs_of
from doorstep.errors import Issue
from doorstep.funnels.run import refuse_unknown_names
from doorstep.matching.plan import compile_plan
from doorstep.rows import EventRows, Kind, open_rows, reading

ANONYMOUS: Final = "anonymous_id"
"""Our name for the id of a device or visitor; the common spellings are found by it."""
USER: Final = "user_id"
ACCOUNT: Final = "account_id"


def check_against(
    funnel: Funnel, source: object, *, columns: Mapping[str, str] | None = None, source_timezone: str = "UTC"
) -> tuple[Issue, ...]:
    """Findings about event names, properties and literals (see `lint.against_data`), and about rows that have no user
    but an id of a device.
    """
    needs = needs_of(funnel, compile_plan(funnel), None)
    refuse_unknown_names(columns, needs)
    asked = needs.names
    needs = replace(needs, properties=needs.properties | {ANONYMOUS, USER, ACCOUNT})
    with engine() as running:
        rows = open_rows(running.connection, source, columns=columns, source_timezone=source_timezone, needs=needs)
        with reading(rows.description):
            found = running.execute(f"SELECT DISTINCT {rows.event} FROM {rows.relation}", "reading events").fetchall()
        known = [name for name in asked if rows.values(name)]
        kinds = kinds_of(running.connection, rows, [selector.condition for _, selector in selectors(funnel)])
        issues = against_data(funnel, events=[name for (name,) in found], columns=[*known, *rows.columns])
        return (
            *issues,
            *literal_issues(selectors(funnel), kinds),
            *_unstitched(running, rows, funnel),
            *_unjoined(running, rows, funnel),
        )


def literal_issues(places: Iterable[tuple[str, Selector]], kinds: Mapping[str, Kind]) -> Iterator[Issue]:
    """``impossible-literal`` for each literal that a typed column can never equal (semantics 2), by the places of a
    document that choose rows.
    """
    for path, selector in places:
        for one in impossible(selector.condition, kinds):
            yield Issue("impossible-literal", "error", capital(one.message), None, f"{path}.filters", one.mend)


def _unstitched(running: Engine, rows: EventRows, funnel: Funnel) -> Iterator[Issue]:
    """Whether users are counted, and rows without a user have the id of a device."""
    places = rows.values(ANONYMOUS)
    users = [name for name in funnel.unit_columns if names_user(name)]
    if funnel.stitch is not None or not users or not places or ANONYMOUS in funnel.unit_columns:
        return
    present = " OR ".join(f"{place.sql} IS NOT NULL" for place in places)
    statement = f"SELECT count(*) FROM {rows.relation} WHERE {rows.identity(users[0])} IS NULL AND ({present})"
    with reading(rows.description):
        (number,) = running.execute(statement, "reading ids").fetchall()[0]
    if number:
        yield unstitched(funnel, anonymous=ANONYMOUS, rows=number)


def _unjoined(running: Engine, rows: EventRows, funnel: Funnel) -> Iterator[Issue]:
    """Whether accounts are counted, and rows that name none are by people who had joined one: by another row that holds
    both, or by what a lake was told.
    """
    accounts = [name for name in funnel.unit_columns if names_account(name)]
    people = {name: _text(rows, name) for name in (USER, ANONYMOUS) if rows.values(name)}
    if funnel.stitch is not None or not accounts or not people:
        return
    there = rows.identity(accounts[0])
    joined = [
        f"SELECT {sql} AS id, {rows.time} AS since FROM {rows.relation} WHERE {there} IS NOT NULL"
        for sql in people.values()
    ]
    if rows.links is not None:
        joined += [f"SELECT {name}, time FROM {rows.links} WHERE kind = 'member'" for name in people]
    first = f"SELECT id, min(since) AS since FROM ({' UNION ALL '.join(joined)}) WHERE id IS NOT NULL GROUP BY id"
    listed = ", ".join(f"{sql} AS {name}" for name, sql in people.items())
    alone = f"SELECT {listed}, {rows.time} AS at FROM {rows.relation} WHERE {there} IS NULL"
    who = f"coalesce({', '.join(people)})"
    with reading(rows.description):
        (number,) = running.execute(
            f"SELECT count(*) FROM ({alone}) AS a JOIN ({first}) AS j ON j.id = {who} WHERE a.at >= j.since",
            "reading ids",
        ).fetchall()[0]
    if number:
        yield unstitched_accounts(funnel, rows=number)


def _text(rows: EventRows, name: str) -> str:
    """SQL (VARCHAR) of an id, wherever a row holds it; NULL where it is empty."""
    texts = (f"({one.sql} ->> '$')" if one.kind == "json" else f"{one.sql}::VARCHAR" for one in rows.values(name))
    return f"nullif(coalesce({', '.join(texts)}), '')"
