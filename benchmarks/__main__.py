"""`make bench`: each contestant warm in one process and cold as a whole process, counts compared, ratios printed."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.contestants import CONTESTANTS, SAME_QUESTION
from benchmarks.events import STEPS, written

BASELINE = SAME_QUESTION[0]


def _child(name: str, path: Path, repeats: int) -> None:
    """Prints the counts, then the seconds of each repeat after a warm-up (none: a cold run)."""
    contestant = CONTESTANTS[name]
    print(*contestant(path))
    for _ in range(repeats):
        start = time.perf_counter()
        contestant(path)
        print(time.perf_counter() - start)


def _measure(name: str, path: Path, repeats: int) -> tuple[list[int], float, float]:
    """(counts, warm median, cold): both in processes of their own, so that none helps or hinders another."""
    command = [sys.executable, "-m", "benchmarks", "--child", name, "--file", str(path)]
    lines = subprocess.run([*command, "--repeats", str(repeats)], capture_output=True, text=True, check=True).stdout
    counts, *seconds = lines.strip().splitlines()
    colds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([*command, "--repeats", "0"], capture_output=True, check=True)
        colds.append(time.perf_counter() - start)
    return [int(count) for count in counts.split()], statistics.median(map(float, seconds)), statistics.median(colds)


def _small_file() -> float:
    """`doorstep run` on a small file, as a whole process."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "funnel.yaml").write_text("count_by: u\nsteps: [{event: a}, {event: b, window: 1d}]\n", "utf-8")
        (place / "events.csv").write_text("u,event,time\nx,a,2026-01-01\nx,b,2026-01-01\n", "utf-8")
        command = [str(Path(sys.executable).parent / "doorstep"), "run", "funnel.yaml", "--events", "events.csv"]
        found = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run(command, cwd=place, capture_output=True, check=True)
            found.append(time.perf_counter() - start)
        return statistics.median(found)


def main() -> int:
    """0 when contestants of the same question agree, else 1."""
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", choices=CONTESTANTS)
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    if given.child:
        _child(given.child, given.file, given.repeats)
        return 0
    path = written(given.rows)
    found = {name: _measure(name, path, given.repeats) for name in CONTESTANTS}
    table = Table(
        title=f"{given.rows:,} rows, {given.rows // 20:,} users, {len(STEPS)} steps; seconds, and times {BASELINE}"
    )
    for column in ("", "warm", "ratio", "whole process", "ratio", "counts"):
        table.add_column(column, justify="left" if column in ("", "counts") else "right")
    _, base_warm, base_cold = found[BASELINE]
    for name, (counts, warm, cold) in found.items():
        ratios = f"{warm / base_warm:.2f}", f"{cold / base_cold:.2f}"
        table.add_row(
            name, f"{warm:.2f}", ratios[0], f"{cold:.2f}", ratios[1], " ".join(f"{count:,}" for count in counts)
        )
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    console.print(f"declared / furthest: {found['doorstep declared'][1] / found['doorstep furthest'][1]:.2f}")
    console.print(f"doorstep run on a file of two rows, whole process: {_small_file():.2f} s")
    agree = len({tuple(found[name][0]) for name in SAME_QUESTION}) == 1
    console.print("counts agree" if agree else "COUNTS DIFFER between contestants of the same question")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
