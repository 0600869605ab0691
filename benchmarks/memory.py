"""`python -m benchmarks.memory`: what importing many rows and running over them takes of memory at most.

Each is a process of its own, the command as a person gives it; its peak is what the system says of it at the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from benchmarks.contestants import DECLARED, WINDOW_DAYS
from benchmarks.events import CACHE, STEPS, written

FURTHEST = {"match": "furthest", "window": f"{WINDOW_DAYS}d", "steps": [{"event": name} for name in STEPS]}
LIMIT_GIB = 4.0


def _peak(*arguments: str) -> tuple[float, float]:
    """(GiB of the resident set at its largest, seconds) of one command."""
    start = time.perf_counter()
    child = subprocess.Popen([Path(sys.executable).parent / "doorstep", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"doorstep {arguments[0]} ended with {child.returncode}")
    return usage.ru_maxrss / 2**20, time.perf_counter() - start


def _definition(name: str, body: Mapping[str, object]) -> Path:
    path = CACHE / f"{name}.yaml"
    document = {"funnel": name, "semantics": 1, "count_by": "user_id", **body}
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


def main() -> int:
    """0 when every command stayed below the limit, else 1."""
    parser = argparse.ArgumentParser(prog="benchmarks.memory")
    parser.add_argument("--rows", type=int, default=50_000_000)
    rows = parser.parse_args().rows
    source, place = written(rows), CACHE / "memory-lake"
    shutil.rmtree(place, ignore_errors=True)
    lake = str(place)
    commands = {
        "import": ("import", str(source), "--lake", lake),
        "import again": ("import", str(source), "--lake", lake),
        "run furthest": ("run", str(_definition("furthest", FURTHEST)), "--lake", lake),
        "run declared": ("run", str(_definition("declared", DECLARED)), "--lake", lake),
    }
    most = 0.0
    for name, command in commands.items():
        peak, seconds = _peak(*command)
        most = max(most, peak)
        print(
            f"{rows:,} rows, {name}: {peak:.2f} GiB at most, {seconds:.0f} s, load {os.getloadavg()[0]:.1f}", flush=True
        )
    shutil.rmtree(place)
    return int(most >= LIMIT_GIB)


if __name__ == "__main__":
    sys.exit(main())
