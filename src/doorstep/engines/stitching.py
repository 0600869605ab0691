"""Rows with the unit they are stitched to: the rules of docs/identity.md over rows that hold ids, and over what a store
was told of ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import pyarrow as pa

from doorstep.definitions.funnel import Funnel, Selector, Stitch
from doorstep.engines.conditions import asks
from doorstep.matching.plan import Question
from doorstep.matching.reference import Bounds
from doorstep.rows import EventRows, reading
from doorstep.rows.shape import fresh_name
from doorstep.stitching import Link, Name, Refusal
from doorstep.stitching.accounts import refused_members
from doorstep.stitching.identity_map import digest_of, version_of
from doorstep.stitching.rules import follow, refused_links
from doorstep.stitching.sql import (
    at_once,
    earliest_about,
    intervals_in,
    links_in,
    memberships_in,
    passed_over,
    sums,
    with_accounts,
    with_units,
)

if TYPE_CHECKING:
    from doorstep.engines.duckdb import Engine

UNIT: Final = "doorstep_unit"
"""The identity that stitched rows have: the name of their unit (`doorstep.stitching.units`), or their account."""

TOLD: Final = ("user_id", "anonymous_id")
"""The ids that stores are told of."""
ACCOUNT: Final = "account_id"
"""What stores are told that users join."""
_PERSON: Final = "doorstep_person"


class _Alias(NamedTuple):
    previous_id: str
    user_id: str
    time: int


@dataclass(frozen=True, slots=True)
class Stitching:
    """What is to be stitched: the columns of users and devices, and of the ``account`` where that is what is wanted.
    ``visible`` is SQL: the rows that say something; ``as_of`` the time up to which a store's calls do.
    """

    ids: Stitch
    account: str | None
    visible: str
    as_of: int


@dataclass(frozen=True, slots=True)
class MapTables:
    """A map as tables of the connection, with the columns of `IdentityMap.tables`; ``names`` is None where nobody has
    two, ``memberships`` where no accounts were asked for. ``links`` and ``members`` are SELECTs of what was said.
    """

    intervals: str
    names: str | None
    memberships: str | None
    links: str
    members: str | None
    refused_aliases: tuple[Refusal, ...]
    digest: str
    digest_of_users: str
    """The digest of the same map without accounts."""

    def refused(self, engine: Engine) -> tuple[Refusal, ...]:
        """Every link that the map does not follow, in order of time."""
        found = [*self.refused_aliases]
        one = engine.execute(passed_over(self.links, names=self.names), "stitching ids").fetchall()
        found += refused_links(one)
        if self.members is not None:
            found += refused_members(engine.execute(at_once(self.members), "stitching ids").fetchall())
        return tuple(sorted(set(found)))


class Said(Protocol):
    """A definition, as far as it says whose rows are whose: a funnel or a journey."""

    @property
    def stitch(self) -> Stitch | None:
        """The columns that are stitched, if any are."""
        ...

    @property
    def account(self) -> str | None:
        """The column of accounts, where those are what is wanted."""
        ...

    @property
    def exclude(self) -> tuple[Selector, ...]:
        """Rows that say nothing."""
        ...


def stitched(engine: Engine, rows: EventRows, funnel: Funnel, bounds: Bounds) -> EventRows:
    """The rows with `UNIT`, where the funnel's ids are stitched, and the version of the map that says so. Links are the
    rows that hold both ids, are not excluded, and are not later than ``as_of``, and what a store was told by then; rows
    that come with `UNIT` (a store's own map) are left as they are.
    """
    if funnel.stitch is None or rows.names_identity(UNIT):
        return rows
    wanted, found = map_of(engine, rows, funnel, funnel.stitch, bounds.as_of)
    return by_map(rows, wanted, found)


def map_of(engine: Engine, rows: EventRows, said: Said, ids: Stitch, as_of: int) -> tuple[Stitching, MapTables]:
    """What is to be stitched, and the map that says how."""
    excluded = [asks(Question(one.event, one.condition), rows) for one in said.exclude]
    visible = " AND ".join([rows.time_at_most(as_of), *(f"NOT {one}" for one in excluded)])
    wanted = Stitching(ids, said.account, visible, as_of)
    return wanted, map_tables(engine, rows, wanted)


def by_map(rows: EventRows, wanted: Stitching, found: MapTables) -> EventRows:
    """The rows with `UNIT`, and the version of the map."""
    number = 1 if rows.number_of is None else rows.number_of(found.digest)
    relation = whose(rows, rows.relation, wanted, found)
    return rows.joined(f"({relation})", version_of(number, found.digest), **{UNIT: UNIT})


def whose(rows: EventRows, relation: str, wanted: Stitching, found: MapTables) -> str:
    """A SELECT of every row of ``relation``, which has the columns that ``rows`` have, with `UNIT`."""
    unit = UNIT if wanted.account is None else _PERSON
    relation = _with_people(rows, relation, wanted.ids, found.intervals, found.names, unit)
    if wanted.account is not None:
        assert found.memberships is not None
        relation = with_accounts(
            f"({relation})",
            unit=_PERSON,
            account=rows.identity_text(wanted.account),
            time=rows.time,
            memberships=found.memberships,
            column=UNIT,
        )
    return relation


def map_tables(engine: Engine, rows: EventRows, wanted: Stitching) -> MapTables:
    """Makes the tables of the map of these rows; names are followed here, everything else in the engine."""
    ids = wanted.ids
    known, anonymous = rows.identity_text(ids.known), rows.identity_text(ids.anonymous)
    links = links_in(
        rows.relation,
        known=known,
        anonymous=anonymous,
        time=rows.time,
        where=wanted.visible,
        said=_told(rows, wanted, "identify"),
    )
    with reading(rows.description):
        names, added, refused = _followed(engine, links, _told(rows, wanted, "alias"))
        if added is not None:
            links += f" UNION ALL SELECT user_id, anonymous_id, time FROM {added}"
        intervals = _table(engine, intervals_in(links, names=names))
        members = memberships = None
        if wanted.account is not None:
            members = _members(rows, wanted, intervals, names)
            memberships = _table(engine, memberships_in(members))
        whole = engine.execute(sums(intervals=intervals, names=names, memberships=memberships), "stitching ids")
        summed = {part: (count, mixed or 0) for part, count, mixed in whole.fetchall()}
    users = {part: one for part, one in summed.items() if part != "memberships"}
    return MapTables(intervals, names, memberships, links, members, refused, digest_of(summed), digest_of(users))


def _followed(engine: Engine, links: str, told: str | None) -> tuple[str | None, str | None, tuple[Refusal, ...]]:
    """What aliases come to: tables of names and of links that they add, and those that are refused."""
    aliases = (
        []
        if told is None
        else engine.execute(f"SELECT previous_id, user_id, time FROM {told}", "stitching ids").fetchall()
    )
    if not aliases:
        return None, None, ()
    concerned = _taken(engine, ["id"], sorted({(one,) for previous, user, _ in aliases for one in (previous, user)}))
    early = engine.execute(earliest_about(links, concerned), "stitching ids").fetchall()
    found = follow([Link(*one) for one in early], [_Alias(*one) for one in aliases])
    names = _taken(engine, Name._fields, found.names)
    return names, _taken(engine, Link._fields, found.links), found.refused


def _members(rows: EventRows, wanted: Stitching, intervals: str, names: str | None) -> str:
    """A SELECT of who was said to join which account: by rows that hold both, and by what a store was told."""
    assert wanted.account is not None
    account = f"nullif({rows.identity_text(wanted.account)}, '')"
    holding = f"(SELECT * FROM {rows.relation} WHERE {wanted.visible} AND {account} IS NOT NULL)"
    inner = _with_people(rows, holding, wanted.ids, intervals, names, _PERSON)
    members = (
        f"SELECT {_PERSON} AS unit, {account} AS account_id, {rows.time} AS said_at FROM ({inner})"
        f" WHERE {_PERSON} IS NOT NULL"
    )
    told = _told(rows, wanted, "member") if wanted.account == ACCOUNT else None
    if told is None:
        return members
    units = with_units(
        told, known="user_id", anonymous="anonymous_id", time="time", intervals=intervals, names=names, unit=_PERSON
    )
    return f"{members} UNION ALL SELECT {_PERSON}, account_id, time FROM ({units}) WHERE {_PERSON} IS NOT NULL"


def _with_people(rows: EventRows, events: str, ids: Stitch, intervals: str, names: str | None, unit: str) -> str:
    return with_units(
        events,
        known=rows.identity_text(ids.known),
        anonymous=rows.identity_text(ids.anonymous),
        time=rows.time,
        intervals=intervals,
        names=names,
        unit=unit,
    )


def _told(rows: EventRows, wanted: Stitching, kind: str) -> str | None:
    """What goes after FROM to read the calls of one kind that a store was told, if it was told of these ids."""
    if rows.links is None or (wanted.ids.known, wanted.ids.anonymous) != TOLD:
        return None
    return f"(SELECT * FROM {rows.links} WHERE kind = '{kind}' AND time <= {wanted.as_of})"


def _table(engine: Engine, select: str) -> str:
    name = fresh_name("map")
    engine.execute(f"CREATE TEMP TABLE {name} AS {select}", "stitching ids")
    return name


def _taken(engine: Engine, names: Iterable[str], lines: Iterable[tuple[str | int, ...]]) -> str:
    """Rows of Python's as a table of the connection; ``time`` is a number, all else are texts."""
    names = list(names)
    columns: list[tuple[str | int, ...]] = list(zip(*lines, strict=True)) or [()] * len(names)
    kinds = [pa.int64() if name == "time" else pa.string() for name in names]
    given = pa.table([pa.array(one, kind) for one, kind in zip(columns, kinds, strict=True)], names)
    name = fresh_name("said")
    engine.connection.register(f"{name}_given", given)
    engine.execute(f"CREATE TEMP TABLE {name} AS FROM {name}_given", "stitching ids")
    engine.connection.unregister(f"{name}_given")
    return name


def unit_identities(funnel: Funnel) -> tuple[str, ...]:
    """The names of identities whose values tell units apart."""
    return funnel.unit_columns if funnel.stitch is None else (UNIT,)
