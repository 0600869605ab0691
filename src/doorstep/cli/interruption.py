"""Ctrl-C while modules load, when there is nothing to undo and compiled code may swallow the exception."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

INTERRUPTED: Final = 130
MESSAGE: Final = "stopped before it was done; nothing was kept."


@contextmanager
def at_once() -> Iterator[None]:
    """Inside, Ctrl-C ends the process with one line and exit code 130; afterwards it is what it was."""
    before = signal.signal(signal.SIGINT, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    if "--json" in sys.argv:
        os.write(1, f'{{\n  "error": {{\n    "code": "interrupted",\n    "message": "{MESSAGE}"\n  }}\n}}\n'.encode())
    os.write(2, f"error interrupted: {MESSAGE}\n".encode())
    os._exit(INTERRUPTED)
