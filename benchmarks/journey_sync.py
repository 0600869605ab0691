"""``python -m benchmarks.journey_sync --rows N``: a sync after one percent of new rows, beside a replay from nothing.

The new rows are once those of a few accounts, and once of as many accounts as there are new rows. Work on both sides is
what the commands do, up to histories in memory (replay) and in the ledger and the lake's tables (sync).
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

import doorstep
from benchmarks.journeys import JOURNEY, written
from doorstep.ledger import Ledger, activate, draft, sync
from doorstep.registry import open_database

DAY = 86_400_000_000
END = 1_767_225_600_000_000 + 90 * DAY


def news(rows: int, accounts: int, turn: int, directory: Path) -> Path:
    """One percent of ``rows`` more, in the hour after those of the turn before, of so many accounts."""
    path = directory / f"news-{turn}.parquet"
    start = END + turn * 3_600_000_000
    duckdb.sql(
        f"""COPY (SELECT 'acct-' || lpad((hash(i % {accounts}) % {max(1, rows // 50)})::VARCHAR, 7, '0') AS account_id,
                  CASE WHEN i % 10 = 0 THEN 'reports' ELSE 'page_view' END AS event,
                  make_timestamp({start} + i * (3600000000 // {max(1, rows // 100)})) AS time
                  FROM (SELECT range AS i FROM range({rows // 100}))) TO '{path}' (FORMAT parquet)"""
    )
    return path


def main() -> None:
    """Prints seconds of both, and their ratio."""
    parser = argparse.ArgumentParser(prog="benchmarks.journey_sync")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp())
    journey = {**JOURNEY, "movement": {"backward": False}}
    with doorstep.open_lake(directory / "d") as lake:
        lake.add(written(given.rows), received_at=END)
        ledger = Ledger(open_database(directory / "d", create=True))
        draft(ledger, journey, by="bench", at=END)
        activate(ledger, "bench", by="bench", at=END)
        began = time.perf_counter()
        sync(lake, ledger, END)
        print(f"{given.rows:,} rows, first sync: {time.perf_counter() - began:.2f} s")
        turn = 0
        for kind, accounts in (("few accounts", max(1, given.rows // 5000)), ("spread", given.rows)):
            ours, theirs = [], []
            for _ in range(given.repeats):
                lake.add(news(given.rows, accounts, turn, directory), received_at=END + turn)
                turn += 1
                until = END + turn * 3_600_000_000
                began = time.perf_counter()
                (found,) = sync(lake, ledger, until)
                ours.append(time.perf_counter() - began)
                began = time.perf_counter()
                doorstep.replay(journey, lake, until=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=until))
                theirs.append(time.perf_counter() - began)
            ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
            print(
                f"1 % new rows, {kind}: {found.accounts:,} accounts looked at, {found.rows:,} rows read;"
                f" sync {statistics.median(ours):.2f} s, replay {statistics.median(theirs):.2f} s, ratio {ratio:.3f}"
            )
        ledger.database.close()
    shutil.rmtree(directory)


if __name__ == "__main__":
    main()
