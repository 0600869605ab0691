"""``python -m benchmarks.journeys --rows N``: a replay beside one SQL snapshot of the same criteria, turn by turn.

The snapshot is what a nightly job does: where each account stands now. A replay gives every transition, to the instant.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from pathlib import Path

import duckdb

import doorstep
from benchmarks.events import CACHE

JOURNEY = {
    "journey": "bench",
    "count_by": "account_id",
    "stages": [
        {"id": "onboarding"},
        {"id": "activated", "criteria": {"did": "project_created"}},
        {"id": "engaged", "criteria": {"count": {"at_least": 10, "in_last": "7d"}}},
        {
            "id": "power_user",
            "criteria": {
                "all": [{"features": {"at_least": 3, "in_last": "30d"}}, {"count": {"at_least": 15, "in_last": "7d"}}]
            },
        },
    ],
    "features": {name: {"event": name} for name in ("reports", "integrations", "teamwork", "automations", "exports")},
}
SNAPSHOT = """
SELECT stage, count(*) FROM (
    SELECT account_id, CASE
        WHEN (reports > 0)::INT + (integrations > 0)::INT + (teamwork > 0)::INT + (automations > 0)::INT
            + (exports > 0)::INT >= 3 AND week >= 15 THEN 'power_user'
        WHEN week >= 10 THEN 'engaged' WHEN projects > 0 THEN 'activated' ELSE 'onboarding' END AS stage
    FROM (SELECT account_id, count(*) FILTER (event = 'project_created') AS projects,
        count(*) FILTER (time > $now - INTERVAL 7 DAY) AS week,
        {used} FROM read_parquet($path) GROUP BY account_id)) GROUP BY stage ORDER BY stage
"""


def written(rows: int) -> Path:
    """Rows of 90 days in the order of time, one account for each fifty."""
    path = CACHE / f"accounts-{rows}.parquet"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        duckdb.sql(
            f"""COPY (
                SELECT 'acct-' || lpad((hash(i) % {max(1, rows // 50)})::VARCHAR, 7, '0') AS account_id,
                       CASE WHEN share < 0.02 THEN 'project_created' WHEN share < 0.08 THEN 'reports'
                            WHEN share < 0.12 THEN 'integrations' WHEN share < 0.15 THEN 'teamwork'
                            WHEN share < 0.18 THEN 'automations' WHEN share < 0.2 THEN 'exports'
                            ELSE 'page_view' END AS event,
                       make_timestamp(1767225600000000 + i * (90 * 86400000000 // {rows})) AS time
                FROM (SELECT range AS i, (hash(range * 31 + 7) % 1000000) / 1e6 AS share FROM range({rows}))
            ) TO '{path}.part' (FORMAT parquet)"""
        )
        Path(f"{path}.part").rename(path)
    return path


def snapshot(path: Path) -> list[tuple[str, int]]:
    """How many accounts each stage has now, by one statement."""
    features = ("reports", "integrations", "teamwork", "automations", "exports")
    used = ", ".join(
        f"count(*) FILTER (event = '{name}' AND time > $now - INTERVAL 30 DAY) AS {name}" for name in features
    )
    with duckdb.connect() as connection:
        (now,) = connection.execute("SELECT max(time) FROM read_parquet($path)", {"path": str(path)}).fetchone() or (
            None,
        )
        return connection.execute(SNAPSHOT.format(used=used), {"path": str(path), "now": now}).fetchall()


def main() -> None:
    """Prints seconds of both, their ratio, and the most memory that was held."""
    parser = argparse.ArgumentParser(prog="benchmarks.journeys")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    path = written(given.rows)
    for backward in (False, True):
        journey = {**JOURNEY, "movement": {"backward": backward}}
        doorstep.replay(journey, path)
        ours, theirs = [], []
        for _ in range(given.repeats):
            start = time.perf_counter()
            result = doorstep.replay(journey, path)
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            stands = snapshot(path)
            theirs.append(time.perf_counter() - start)
        ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
        kind = "backward" if backward else "forward only"
        print(
            f"{given.rows:,} rows, {kind}: replay {statistics.median(ours):.2f} s"
            f" ({len(result.walked.lines):,} transitions), snapshot {statistics.median(theirs):.2f} s,"
            f" ratio {ratio:.2f}"
        )
        if backward:
            here = sorted((one.id, one.accounts) for one in result.stages if one.accounts)
            print(f"the same stages now: {stands == here}")
    print(f"most memory held: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
