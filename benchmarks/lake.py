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
from contextlib import ExitStack
from dataclasses import dataclass
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


def _child(name: str, rows: int) -> None:
    """Prints the counts; then, for each line it is sent, the seconds that one more run took, and its CPU seconds."""
    ask = CONTESTANTS[name](rows)
    print(*ask(), flush=True)
    for _ in sys.stdin:
        start, spent = time.perf_counter(), time.process_time()
        ask()
        print(time.perf_counter() - start, time.process_time() - spent, flush=True)


@dataclass
class Contest:
    """What one contestant took, in seconds; the n-th figures of all contestants were taken one after another."""

    counts: list[int]
    warm: list[float]
    cpu: list[float]


def _measure(rows: int, repeats: int) -> dict[str, Contest]:
    """Turn by turn, so that what else the machine does falls on all alike; each in a process of its own."""
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.lake", "--child", name, "--rows", str(rows)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    bufsize=1,
                )
            )
            for name in CONTESTANTS
        }
        found = {name: Contest(list(map(int, _line(child).split())), [], []) for name, child in running.items()}
        for _ in range(repeats):
            for name, child in running.items():
                assert child.stdin is not None
                print(file=child.stdin)
                warm, cpu = map(float, _line(child).split())
                found[name].warm.append(warm)
                found[name].cpu.append(cpu)
        for child in running.values():
            child.communicate()
    return found


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


def _ratio(ours: list[float], base: list[float]) -> str:
    """The middle one of the turns' ratios."""
    return f"{statistics.median(one / other for one, other in zip(ours, base, strict=True)):.2f}"


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
    parser.add_argument("--no-import", action="store_true", help="leave the imports out")
    parser.add_argument("--child", choices=CONTESTANTS)
    given = parser.parse_args()
    if given.child:
        _child(given.child, given.rows)
        return 0
    console = Console(width=None if sys.stdout.isatty() else 140)
    found = _measure(given.rows, given.repeats)
    base = found[SAME_QUESTION[0]]
    table = Table(title=f"{given.rows:,} rows stored, {len(STEPS)} steps; seconds, and times ClickHouse")
    for column in ("", "warm", "ratio", "of the processors", "ratio", "counts"):
        table.add_column(column, justify="left" if column in ("", "counts") else "right")
    for name, one in found.items():
        table.add_row(
            name,
            f"{statistics.median(one.warm):.3f}",
            _ratio(one.warm, base.warm),
            f"{statistics.median(one.cpu):.3f}",
            _ratio(one.cpu, base.cpu),
            " ".join(f"{count:,}" for count in one.counts),
        )
    console.print(table)
    if given.no_import:
        return _agreement(console, found)
    imported, copied = _imports(given.rows)
    rate = given.rows / imported
    console.print(
        f"import {imported:.1f} s ({rate:,.0f} rows/s), {imported / copied:.1f} times DuckDB COPY ({copied:.1f} s)"
    )
    return _agreement(console, found)


def _agreement(console: Console, found: dict[str, Contest]) -> int:
    agree = len({tuple(found[name].counts) for name in SAME_QUESTION}) == 1
    console.print("counts agree" if agree else "COUNTS DIFFER between contestants of the same question")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
