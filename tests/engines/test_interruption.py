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


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_ctrl_c_stops_a_run_with_a_word_and_leaves_nothing(tmp_path: Path) -> None:
    """One line on standard error, exit code 130, no traceback, and the temporary directory is gone."""
    duckdb.sql(
        f"""COPY (SELECT 'u' || (range % 3000000) AS user_id, 'e' || (hash(range) % 5) AS event,
                  make_timestamp(1767225600000000 + range * 1000000) AS time FROM range(12000000))
            TO '{tmp_path / "events.parquet"}' (FORMAT parquet)"""
    )
    (tmp_path / "funnel.yaml").write_text("count_by: user_id\nsteps: [{event: e1}, {event: e2, window: 9d}]\n", "utf-8")
    (tmp_path / "scratch").mkdir()
    command = [str(Path(sys.executable).parent / "doorstep"), "run", "funnel.yaml", "--events", "events.parquet"]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "scratch")},
    )  # fmt: skip
    while running.poll() is None and not list((tmp_path / "scratch").iterdir()):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert "interrupted" in err
    assert "Traceback" not in err
    assert list((tmp_path / "scratch").iterdir()) == []
