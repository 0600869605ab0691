"""Who is who in a lake: the identity map at a snapshot, the merges it refuses, and what one id belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

from doorstep.definitions.funnel import Stitch
from doorstep.engines.duckdb import Engine, Progress, engine
from doorstep.engines.stitching import ACCOUNT, TOLD, MapTables, Stitching, map_tables
from doorstep.errors import RunError, nearest
from doorstep.funnels.bounds import Instant, microseconds_of, zone_of
from doorstep.funnels.result import instant
from doorstep.lake import Lake, LakeAt
from doorstep.rows import EventRows, Needs, open_rows, reading
from doorstep.stitching import Refusal, anonymous_unit, known_unit
from doorstep.stitching.identity_map import EVER_AFTER, EVER_BEFORE, version_of

MOST_LISTED: Final = 1_000
"""How many names, devices, accounts or members of one id are told."""


@dataclass(frozen=True, slots=True)
class Identities:
    """The map that a run at the snapshot uses which excludes nothing and counts accounts; of a run that counts users
    it is the same without the accounts, ``users_version``. ``as_of``, microseconds UTC: calls later than that (by
    default, than the last event) do not count yet; ``later`` says how many there are.

    ``devices`` are ids linked to one of the ``users``, but for ``aliases``, the names given up for another; ``members``
    are users and devices that have joined one of the ``accounts``.
    """

    map_version: str
    users_version: str
    snapshot: int
    as_of: int
    later: int
    devices: int
    users: int
    aliases: int
    members: int
    accounts: int
    refused: tuple[Refusal, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: what ``doorstep identity --json`` prints."""
        refused = [
            {"reason": one.reason, "ids": list(one.ids), "at": instant(one.time), "message": one.message}
            for one in self.refused
        ]
        return {**asdict(self), "as_of": instant(self.as_of), "refused": refused}


@dataclass(frozen=True, slots=True)
class Turn:
    """``one`` belongs to ``owner`` from ``since`` until ``until`` (ISO 8601; None: without end)."""

    one: str
    owner: str
    since: str | None
    until: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """What one id is. ``kept``: the user that it is another name of; ``names``: other names of that user, or of it;
    ``owners``: as a device, whose its rows are; ``devices`` whose rows are its own; ``accounts`` that it, or whoever it
    belongs to, has joined; ``members``: as an account, who has joined it. At most `MOST_LISTED` of each.
    """

    id: str
    map_version: str
    kept: str | None
    names: tuple[str, ...]
    owners: tuple[Turn, ...]
    devices: tuple[Turn, ...]
    accounts: tuple[Turn, ...]
    members: tuple[Turn, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: what ``doorstep identity who --json`` prints."""
        return asdict(self)


def identities(lake: Lake | LakeAt, *, as_of: Instant = None, progress: Progress | None = None) -> Identities:
    """The identity map of a lake, and what it refuses."""
    with _opened(lake, as_of, progress) as found:

        def number(what: str, table: str | None) -> int:
            return 0 if table is None else int(found.rows(f"SELECT count(DISTINCT {what}) FROM {table}")[0][0])

        tables = found.tables
        names = "" if tables.names is None else f" AND anonymous_id NOT IN (SELECT user_id FROM {tables.names})"
        return Identities(
            map_version=found.version(tables.digest),
            users_version=found.version(tables.digest_of_users),
            snapshot=found.events.snapshot or 0,
            as_of=found.as_of,
            later=int(found.rows(f"SELECT count(*) FROM {found.events.links} WHERE time > {found.as_of}")[0][0]),
            devices=number("anonymous_id", f"{tables.intervals} WHERE anonymous_id <> user_id{names}"),
            users=number("user_id", tables.intervals),
            aliases=number("user_id", tables.names),
            members=number("unit", tables.memberships),
            accounts=number("account_id", tables.memberships),
            refused=tables.refused(found.running),
        )


def who(lake: Lake | LakeAt, one: str, *, as_of: Instant = None, progress: Progress | None = None) -> Person:
    """What an id of a user, a device or an account belongs to, over time. RunError ``no-such-id``."""
    with _opened(lake, as_of, progress) as found:
        if not found.rows("SELECT 1 FROM lake.ids WHERE id = $id AND kind IN (0, 1)", one):
            raise _unknown(found, one)
        tables = found.tables
        kept, names = None, []
        if tables.names is not None:
            kept = next(
                (name for (name,) in found.rows(f"SELECT kept FROM {tables.names} WHERE user_id = $id", one)), None
            )
            others = f"SELECT user_id FROM {tables.names} WHERE kept = $id ORDER BY 1 LIMIT {MOST_LISTED}"
            names = [name for (name,) in found.rows(others, kept or one)]
        user = kept or one
        owners = found.turns(tables.intervals, "anonymous_id", "user_id", where="anonymous_id", one=one)
        devices = found.turns(tables.intervals, "anonymous_id", "user_id", where="user_id", one=user)
        assert tables.memberships is not None
        units = {known_unit(user), anonymous_unit(one), *(known_unit(turn.owner) for turn in owners)}
        accounts = [
            turn
            for unit in sorted(units)
            for turn in found.turns(tables.memberships, "unit", "account_id", where="unit", one=unit)
        ]
        return Person(
            id=one,
            map_version=found.version(tables.digest),
            kept=kept,
            names=tuple(name for name in names if name != one),
            owners=tuple(turn for turn in owners if turn.owner != one and kept is None),
            devices=tuple(turn for turn in devices if turn.one not in {user, *names}),
            accounts=tuple(accounts),
            members=found.turns(tables.memberships, "unit", "account_id", where="account_id", one=one),
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """A lake's map, while its connection is open."""

    running: Engine
    events: EventRows
    tables: MapTables
    as_of: int

    def rows(self, statement: str, one: str | None = None) -> list[tuple[Any, ...]]:
        with reading(self.events.description):
            given = None if one is None else {"id": one}
            return self.running.connection.execute(statement, given).fetchall()

    def turns(self, table: str, one_column: str, owner_column: str, *, where: str, one: str) -> tuple[Turn, ...]:
        found = self.rows(
            f"SELECT {one_column}, {owner_column}, from_us, until_us FROM {table} WHERE {where} = $id"
            f" ORDER BY 1, 3 LIMIT {MOST_LISTED}",
            one,
        )
        return tuple(
            Turn(
                name,
                owner,
                None if since == EVER_BEFORE else instant(since),
                None if until == EVER_AFTER else instant(until),
            )
            for name, owner, since, until in found
        )

    def version(self, digest: str) -> str:
        return version_of(1 if self.events.number_of is None else self.events.number_of(digest), digest)


@contextmanager
def _opened(lake: Lake | LakeAt, as_of: Instant, progress: Progress | None) -> Iterator[_Found]:
    horizon = microseconds_of(as_of, "as_of", zone_of("UTC"))
    with engine(progress=progress) as running:
        events = open_rows(running.connection, lake, needs=Needs(units=(*TOLD, ACCOUNT)))
        if horizon is None:
            last = f"SELECT max(time) FROM {events.links}"
            (said,) = running.connection.execute(last).fetchall()[0]
            horizon = events.facts().last_time
            horizon = said or 0 if horizon is None else horizon
        ids = Stitch(known=TOLD[0], anonymous=TOLD[1])
        tables = map_tables(running, events, Stitching(ids, ACCOUNT, events.time_at_most(horizon), horizon))
        yield _Found(running, events, tables, horizon)


def _unknown(found: _Found, one: str) -> RunError:
    some = (
        "SELECT id FROM lake.ids WHERE kind IN (0, 1) AND jaro_winkler_similarity(id, $id) > 0.8 ORDER BY 1 LIMIT 1000"
    )
    near = nearest(one, [name for (name,) in found.rows(some, one)])
    mend = (
        f"Did you mean {near!r}?" if near else "Ask for the id of a user, a device or an account, as senders write it."
    )
    return RunError("no-such-id", f"no row or call of {found.events.description} has the id {one!r}. {mend}")
