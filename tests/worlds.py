"""A data directory with a lake, a ledger and what is published, and a round of everything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

import doorstep
from doorstep.automations.cycle import Round, go_round
from doorstep.ingest.records import Arrival
from doorstep.lake import Lake
from doorstep.ledger import Ledger, activate, draft
from doorstep.registry import Database, DeliveryRow, FiringRow, Registry, open_database

START = 1_767_225_600_000_000
HOUR = 3_600_000_000
DAY = 24 * HOUR

LIVES: Mapping[str, Any] = {
    "journey": "lives",
    "count_by": "account_id",
    "movement": {"backward": True},
    "stages": [
        {"id": "new"},
        {"id": "activated", "criteria": {"did": "project_created"}},
        {"id": "engaged", "criteria": {"count": {"event": "work", "at_least": 3, "in_last": "7d"}}},
    ],
}


@dataclass
class World:
    """Everything there is; times are microseconds after the start of 2026."""

    lake: Lake
    database: Database
    at: int = 0

    @classmethod
    def in_(cls, directory: Path) -> World:
        return cls(doorstep.open_lake(directory), open_database(directory, create=True))

    def close(self) -> None:
        self.lake.close()
        self.database.close()

    def publish(self, *documents: Mapping[str, Any], at: int = 0) -> None:
        registry = Registry(self.database, lambda: START + at)
        for one in documents:
            registry.publish(one, by="ann")

    def activate(self, at: int = 0, document: Mapping[str, Any] = LIVES, **options: Any) -> None:
        ledger = Ledger(self.database)
        head = draft(ledger, document, by="ann", at=START + at)
        activate(ledger, head.name, by="ann", at=START + at, **options)

    def accept(self, *arrivals: Arrival) -> None:
        self.lake.accept(arrivals)

    def round(self, at: int) -> Round:
        found = go_round(self.lake, self.database, START + at)
        assert [one.failure for one in found.synced if one.failure] == []
        assert found.failures == ()
        return found

    def fired(self) -> list[tuple[str, str, int]]:
        """Signal, account, and when it occurred, in that order."""
        with self.database.reading() as session:
            rows = session.scalars(select(FiringRow).order_by(FiringRow.occurred_at, FiringRow.signal)).all()
            return [(one.signal, one.account, one.occurred_at - START) for one in rows]

    def out(self) -> list[tuple[str, str, Any]]:
        """Destination, account and body of what is in the outbox, in order."""
        with self.database.reading() as session:
            rows = session.scalars(select(DeliveryRow).order_by(DeliveryRow.seq)).all()
            return [(one.destination, one.account, json.loads(one.body)) for one in rows]
