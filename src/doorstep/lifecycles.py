"""Made-up accounts with lives that exercise a journey's rules: some grow, some go quiet and come back, some stay out.

Staff work in some of them, some are born before their first row, plans change in the course of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet

HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
BEGIN: Final = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) * 1_000_000
WEEKS: Final = 13
EVENTS: Final = (
    *("page_view", "report_viewed", "report_exported", "integration_added", "integration_used"),
    *("teammate_invited", "automation_run"),
)
SHARES: Final = (0.55, 0.15, 0.04, 0.03, 0.1, 0.03, 0.1)


@dataclass(frozen=True, slots=True)
class Written:
    """Where events and traits were written to."""

    events: Path
    traits: Path


def write(directory: Path, accounts: int = 300, seed: int = 7) -> Written:
    """Writes ``lifecycles.parquet`` and ``traits.parquet`` into ``directory``, made when absent: three months of so
    many accounts. The same arguments give the same rows.
    """
    rng = np.random.default_rng(seed)
    names, events, times, staff = [], [], [], []
    traits: list[tuple[str, int | None, int | None, str | None, int | None]] = []
    for number in range(accounts):
        name, created = f"acct-{number:04d}", BEGIN + int(rng.integers(0, 6 * 7)) * DAY + int(rng.integers(0, DAY))
        traits.append((name, None, created, "free", None))
        for at, event in _life(rng, created):
            names.append(name)
            events.append(event)
            times.append(at)
            staff.append(bool(rng.random() < 0.01))
        if rng.random() < 0.4:
            paid = created + int(rng.integers(5, 40)) * DAY
            traits.append((name, paid, None, str(rng.choice(["pro", "team"])), int(rng.integers(2, 40))))
            if rng.random() < 0.2:
                traits.append((name, paid + 20 * DAY, None, "free", None))
    order = np.argsort(np.array(times), kind="stable")
    directory.mkdir(parents=True, exist_ok=True)
    written = Written(directory / "lifecycles.parquet", directory / "traits.parquet")
    moments = pa.timestamp("us", tz="UTC")
    table = {
        "account_id": pa.array(names),
        "event": pa.array(events),
        "time": pa.array(times, pa.int64()).cast(moments),
        "staff": pa.array(staff),
    }
    pyarrow.parquet.write_table(pa.table(table).take(pa.array(order)), written.events)
    given = dict(
        zip(("account_id", "time", "created_at", "plan", "seats"), map(list, zip(*traits, strict=True)), strict=True)
    )
    columns = {
        name: pa.array(values, pa.int64()).cast(moments) if name in ("time", "created_at") else pa.array(values)
        for name, values in given.items()
    }
    pyarrow.parquet.write_table(pa.table(columns), written.traits)
    return written


def _life(rng: np.random.Generator, created: int) -> list[tuple[int, str]]:
    """One account's rows: a first project for most, then weeks whose activity wanders, with silences."""
    end = BEGIN + WEEKS * 7 * DAY
    first = created + int(rng.exponential(20)) * HOUR
    rows = [(first, "signup")]
    if rng.random() < 0.8:
        rows.append((first + int(rng.exponential(60)) * HOUR, "project_created"))
    level = float(rng.choice([2, 8, 20, 60]))
    start = first
    while start < end:
        quiet = rng.random() < 0.18
        level = float(np.clip(level * np.exp(rng.normal(0.05, 0.5)), 0.5, 120))
        for _ in range(0 if quiet else int(rng.poisson(level))):
            rows.append((start + int(rng.integers(0, 7 * DAY)), str(rng.choice(EVENTS, p=SHARES))))
        start += 7 * DAY
    return [(at, event) for at, event in rows if at < end]


__all__ = ["Written", "write"]
