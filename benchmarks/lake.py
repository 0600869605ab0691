"""`make bench-lake`: the funnel on a compacted lake beside ClickHouse's best layout, and imports beside a plain copy.

Both sides hold the same rows, stored beforehand as each likes them best: ClickHouse in a MergeTree ordered by
(event, user, time), Doorstep in a lake. Ratios in one run, never assertions.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contestants import DECLARED, WINDOW_DAYS
from benchmarks.events import CACHE, STEPS, written

_NAMES = ", ".join(f"'{name}'" for name in STEPS)


def _lake(rows: int) -> Path:
    """The lake of so many rows, made when absent."""
    import doorstep

    place = CACHE / f"lake-{rows}"
    if not place.exists():
        part = CACHE / f"lake-{rows}.part"
        shutil.rmtree(part, ignore_errors=True)
        with doorstep.open_lake(part) as lake:
            lake.add(written(rows), received_at=0)
            lake.compact()
        part.rename(place)
    return place


def _funnel(rows: int, definition: dict[str, Any]) -> Callable[[], list[int]]:
    import doorstep

    lake = doorstep.open_lake(_lake(rows), create=False)
    document = {"funnel": "bench", "count_by": "user_id", **definition}
    return lambda: [step.count for step in doorstep.run(document, lake).steps]


def _furthest(rows: int) -> Callable[[], list[int]]:
    steps = [{"event": name} for name in STEPS]
    return _funnel(rows, {"match": "furthest", "window": f"{WINDOW_DAYS}d", "steps": steps})


def _declared(rows: int) -> Callable[[], list[int]]:
    return _funnel(rows, DECLARED)


def _clickhouse(rows: int) -> Callable[[], list[int]]:
    from chdb.session import Session

    place = CACHE / f"clickhouse-{rows}"
    fresh = not place.exists()
    session = Session(str(place))
    if fresh:
        session.query("CREATE DATABASE IF NOT EXISTS bench")
        session.query(
            "CREATE TABLE bench.events (event LowCardinality(String), user_id String, time DateTime64(6, 'UTC'),"
            " platform LowCardinality(String)) ENGINE = MergeTree ORDER BY (event, user_id, time)"
        )
        session.query(
            f"INSERT INTO bench.events SELECT event, user_id, time, platform FROM file('{written(rows)}', Parquet)"
        )
        session.query("OPTIMIZE TABLE bench.events FINAL")
    conditions = ", ".join(f"event = '{name}'" for name in STEPS)
    query = f"""SELECT {", ".join(f"countIf(level >= {step})" for step in range(1, len(STEPS) + 1))}
        FROM (SELECT windowFunnel({WINDOW_DAYS * 86_400_000_000})(toUInt64(toUnixTimestamp64Micro(time)), {conditions})
              AS level FROM bench.events WHERE event IN ({_NAMES}) GROUP BY user_id)"""
    return lambda: [int(count) for count in str(session.query(query, "CSV")).strip().split(",")]


CONTESTANTS: dict[str, Callable[[int], Callable[[], list[int]]]] = {
    "ClickHouse MergeTree (event, user, time)": _clickhouse,
    "doorstep lake furthest": _furthest,
    "doorstep lake declared": _declared,
}
SAME_QUESTION = tuple(CONTESTANTS)[:2]


def _child(name: str, rows: int, repeats: int) -> None:
    ask = CONTESTANTS[name](rows)
    print(*ask())
    for _ in range(repeats):
        start = time.perf_counter()
        ask()
        print(time.perf_counter() - start)


def _measure(name: str, rows: int, repeats: int) -> tuple[list[int], float]:
    command = [sys.executable, "-m", "benchmarks.lake", "--child", name, "--rows", str(rows), "--repeats", str(repeats)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()
    return [int(count) for count in lines[0].split()], statistics.median(map(float, lines[1:]))


def _imports(rows: int) -> tuple[float, float]:
    """(seconds of an import into an empty lake, of DuckDB's COPY of the same file)."""
    import duckdb

    import doorstep

    source, target = written(rows), CACHE / "copy.parquet"
    start = time.perf_counter()
    duckdb.sql(f"COPY (FROM '{source}') TO '{target}' (FORMAT parquet)")
    copied = time.perf_counter() - start
    target.unlink()
    place = CACHE / "import"
    shutil.rmtree(place, ignore_errors=True)
    start = time.perf_counter()
    with doorstep.open_lake(place) as lake:
        lake.add(source, received_at=0)
    imported = time.perf_counter() - start
    shutil.rmtree(place)
    return imported, copied


def main() -> int:
    """0 when contestants of the same question agree, else 1."""
    parser = argparse.ArgumentParser(prog="benchmarks.lake")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--child", choices=CONTESTANTS)
    given = parser.parse_args()
    if given.child:
        _child(given.child, given.rows, given.repeats)
        return 0
    console = Console(width=None if sys.stdout.isatty() else 140)
    found = {name: _measure(name, given.rows, given.repeats) for name in CONTESTANTS}
    base = found[SAME_QUESTION[0]][1]
    table = Table(title=f"{given.rows:,} rows stored, {len(STEPS)} steps; warm seconds, and times ClickHouse")
    for column in ("", "warm", "ratio", "counts"):
        table.add_column(column, justify="left" if column in ("", "counts") else "right")
    for name, (counts, warm) in found.items():
        table.add_row(name, f"{warm:.3f}", f"{warm / base:.2f}", " ".join(f"{count:,}" for count in counts))
    console.print(table)
    imported, copied = _imports(given.rows)
    rate = given.rows / imported
    console.print(
        f"import {imported:.1f} s ({rate:,.0f} rows/s), {imported / copied:.1f} times DuckDB COPY ({copied:.1f} s)"
    )
    agree = len({tuple(found[name][0]) for name in SAME_QUESTION}) == 1
    console.print("counts agree" if agree else "COUNTS DIFFER between contestants of the same question")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
