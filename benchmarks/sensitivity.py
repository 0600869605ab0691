"""`python -m benchmarks.sensitivity`: a dozen alternatives beside one run, turn by turn, over the same rows."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import doorstep
from benchmarks.events import STEPS, written

FUNNEL = {
    "funnel": "bench",
    "count_by": "user_id",
    "entry": "step1_only",  # declared, as is `match`, so that a dozen other ways are left
    "match": "declared",
    "steps": [{"event": STEPS[0]}, *({"event": name, "window": "14d"} for name in STEPS[1:])],
}
"""Leaves re-entry (4 other ways), dedupe of three steps (2 each), counting (1) and ties (1) open: twelve of them."""


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Prints the middle one of the turns' ratios."""
    parser = argparse.ArgumentParser(prog="benchmarks.sensitivity")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    path = written(given.rows)
    found = doorstep.sensitivity(FUNNEL, path)
    tried = sum(len(rule.tried) for rule in found.rules)
    doorstep.run(FUNNEL, path)
    turns = [
        (_seconds(lambda: doorstep.run(FUNNEL, path)), _seconds(lambda: doorstep.sensitivity(FUNNEL, path)))
        for _ in range(given.repeats)
    ]
    alone, all_ = (statistics.median(one) for one in zip(*turns, strict=True))
    ratio = statistics.median(two / one for one, two in turns)
    print(f"{given.rows:,} rows: one run {alone:.2f} s, {tried} alternatives {all_:.2f} s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
