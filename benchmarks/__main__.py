"""`make bench`: each contestant warm in one process and as a whole process, turn by turn; counts compared."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.contestants import CONTESTANTS, SAME_QUESTION
from benchmarks.events import STEPS, written

BASELINE = SAME_QUESTION[0]


def _child(name: str, path: Path) -> None:
    """Prints the counts; then, for each line it is sent, the seconds that one more run took."""
    contestant = CONTESTANTS[name]
    print(*contestant(path), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        contestant(path)
        print(time.perf_counter() - start, flush=True)


@dataclass
class Contest:
    """What one contestant took, in seconds; the n-th figures of all contestants were taken one after another."""

    counts: list[int]
    warm: list[float]
    whole: list[float]


def _measure(path: Path, repeats: int) -> dict[str, Contest]:
    """Turn by turn, so that what else the machine does falls on all alike; each in a process of its own."""
    commands = {
        name: [sys.executable, "-m", "benchmarks", "--child", name, "--file", str(path)] for name in CONTESTANTS
    }
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
            )
            for name, command in commands.items()
        }
        found = {name: Contest(list(map(int, _line(child).split())), [], []) for name, child in running.items()}
        for _ in range(repeats):
            for name, child in running.items():
                assert child.stdin is not None
                print(file=child.stdin)
                found[name].warm.append(float(_line(child)))
        for child in running.values():
            child.communicate()
    for _ in range(3):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
            found[name].whole.append(time.perf_counter() - start)
    return found


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


def _ratio(ours: list[float], base: list[float]) -> str:
    """The middle one of the turns' ratios."""
    return f"{statistics.median(one / other for one, other in zip(ours, base, strict=True)):.2f}"


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
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--child", choices=CONTESTANTS)
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    if given.child:
        _child(given.child, given.file)
        return 0
    path = written(given.rows)
    found = _measure(path, given.repeats)
    table = Table(
        title=f"{given.rows:,} rows, {given.rows // 20:,} users, {len(STEPS)} steps; seconds, and times {BASELINE}"
    )
    for column in ("", "warm", "ratio", "whole process", "ratio", "counts"):
        table.add_column(column, justify="left" if column in ("", "counts") else "right")
    base = found[BASELINE]
    for name, one in found.items():
        table.add_row(
            name,
            f"{statistics.median(one.warm):.2f}",
            _ratio(one.warm, base.warm),
            f"{statistics.median(one.whole):.2f}",
            _ratio(one.whole, base.whole),
            " ".join(f"{count:,}" for count in one.counts),
        )
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    for name in ("declared", "breakdown"):
        ratio = _ratio(found[f"doorstep {name}"].warm, found["doorstep furthest"].warm)
        console.print(f"{name} / furthest: {ratio}")
    console.print(f"doorstep run on a file of two rows, whole process: {_small_file():.2f} s")
    agree = len({tuple(found[name].counts) for name in SAME_QUESTION}) == 1
    console.print("counts agree" if agree else "COUNTS DIFFER between contestants of the same question")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
