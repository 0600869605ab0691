"""Programs that are killed at their work, at a moment that nobody chose."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parent


def kill_at_work(program: str, *arguments: object, said: Path, seconds: float, within: float = 120) -> None:
    """Runs a Python program with these arguments until the file ``said`` has grown (it is waited for ``within``
    seconds) and ``seconds`` more, then SIGKILL. It must not have ended by itself.
    """
    size = said.stat().st_size if said.exists() else 0
    command = [sys.executable, "-c", program, *map(str, arguments)]
    child = subprocess.Popen(command, cwd=TESTS, stderr=subprocess.PIPE)
    deadline = time.monotonic() + within
    while not (said.exists() and said.stat().st_size > size) and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.005)
    time.sleep(seconds)
    assert child.poll() is None, child.communicate()[1].decode()
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
