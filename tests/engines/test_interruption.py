"""Ctrl-C stops a run cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with events enough to take a while, in every shape that is read in its own way."""
    folder = tmp_path_factory.mktemp("long")
    duckdb.sql(
        f"""COPY (SELECT 'u' || (range % 3000000) AS user_id, 'e' || (hash(range) % 5) AS event,
                  make_timestamp(1767225600000000 + range * 1000000) AS time FROM range(12000000))
            TO '{folder / "events.parquet"}' (FORMAT parquet)"""
    )
    duckdb.sql(f"COPY (FROM '{folder / 'events.parquet'}' LIMIT 3000000) TO '{folder / 'events.csv'}'")
    (folder / "funnel.yaml").write_text("count_by: user_id\nsteps: [{event: e1}, {event: e2, window: 9d}]\n", "utf-8")
    (folder / "sessions.yaml").write_text(
        "count_by: {session_of: user_id, gap: 30m}\nsteps: [{event: e1}, {event: e2, window: 9d}]\n", "utf-8"
    )
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("delay", [0.0, 0.4])
@pytest.mark.parametrize(
    "arguments",
    [
        ["funnel.yaml", "--events", "events.parquet"],
        ["funnel.yaml", "--events", "events.csv"],
        ["sessions.yaml", "--events", "events.parquet", "--memory", "200MB"],
    ],
    ids=["plain", "staged", "bounded"],
)
def test_ctrl_c_stops_a_run_with_a_word_and_leaves_nothing(
    tmp_path: Path, place: Path, arguments: list[str], delay: float
) -> None:
    """One line on standard error, exit code 130, no traceback, and the temporary directory is gone."""
    command = [str(Path(sys.executable).parent / "doorstep"), "run", *arguments]
    running = subprocess.Popen(
        command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    while running.poll() is None and not list(tmp_path.iterdir()):
        time.sleep(0.02)
    time.sleep(delay)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, ""), err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
