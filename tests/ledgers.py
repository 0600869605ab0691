"""A lake and a ledger in a directory, and what a replay from nothing says of the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import doorstep
from doorstep.ingest.records import Arrival, Event, Traits
from doorstep.lake import Lake
from doorstep.ledger import Ledger, Synced, activate, draft, sync
from doorstep.registry import open_database

START = 1_767_225_600_000_000
SECOND = 1_000_000
HOUR = 3_600_000_000

Line = tuple[str, str, str, int, tuple[str, ...], int, bool]


@dataclass(frozen=True)
class World:
    """A data directory with a lake and a ledger."""

    lake: Lake
    ledger: Ledger

    @classmethod
    def at(cls, directory: Path) -> World:
        return cls(doorstep.open_lake(directory), Ledger(open_database(directory, create=True)))

    def close(self) -> None:
        self.lake.close()
        self.ledger.database.close()

    def activate(self, document: Mapping[str, Any], at: int, **options: Any) -> str:
        head = draft(self.ledger, document, by="ann", at=at)
        activate(self.ledger, head.name, by="ann", at=at, **options)
        return head.name

    def sync(self, at: int, **options: Any) -> Synced:
        (found,) = sync(self.lake, self.ledger, at, **options)
        assert found.failure is None, found.failure
        return found

    def told(self, name: str) -> list[Line]:
        """What the ledger says holds: account, from, to, entry, skipped, occurred at, by hand."""
        return sorted(
            (account, told.from_stage, told.to_stage, told.entry, told.skipped, told.occurred_at, told.manual)
            for account, lines in self.ledger.transitions(name).items()
            for one in lines.values()
            for told in [one.transition]
            if not one.retracted
        )

    def stands(self, name: str) -> dict[str, tuple[Any, ...]]:
        """Where born accounts stand."""
        found = self.ledger.standings(name)
        return {account: astuple(one) for account, one in found.items() if one.stage is not None}


def replayed(
    document: Mapping[str, Any], lake: Lake, until: int, moves: list[dict[str, Any]] | None = None
) -> tuple[list[Line], dict[str, tuple[Any, ...]]]:
    """The same, from nothing."""
    result = doorstep.replay(document, lake, until=_instant(until), moves=moves)
    entries: dict[tuple[str, str], int] = {}
    lines = []
    for one in result.transitions.to_pylist():
        entry = entries[one["unit"], one["to_stage"]] = entries.get((one["unit"], one["to_stage"]), 0) + 1
        stages = one["unit"], one["from_stage"], one["to_stage"], entry, tuple(one["skipped"])
        lines.append((*stages, _us(one["occurred_at"]), one["cause"] == "manual"))
    stands = {
        one["unit"]: (one["stage"], one["high_water"], _us(one["since"]), _us(one["born_at"]))
        for one in result.accounts.to_pylist()
    }
    return sorted(lines), stands


def _instant(us: int) -> str:
    from doorstep.funnels.result import instant

    found = instant(us)
    assert found is not None
    return found


def _us(moment: Any) -> int:
    from doorstep.rows.times import microseconds

    return microseconds(moment)


def event(number: int, account: str, name: str, at: int, **properties: Any) -> Arrival:
    """A row of an account, so many microseconds after the start of 2026."""
    moment = START + at
    return Arrival(
        f"e{number}", moment, "test", (Event(name, moment, "u1", account_id=account, properties=properties),)
    )


def traits(number: int, account: str, at: int, **values: Any) -> Arrival:
    """Traits of an account."""
    moment = START + at
    return Arrival(f"t{number}", moment, "test", (Traits("account", account, moment, dict(values), False),))
