"""Ctrl-C while modules load, when there is nothing to undo and compiled code may swallow the exception."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # as in the package: until this module is loaded Ctrl-C is Python's
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

INTERRUPTED = 130
MESSAGE = "stopped before it was done; nothing was kept."


class at_once:  # noqa: N801 - reads as what it does: `with at_once():`
    """Inside, Ctrl-C ends the process with one line and exit code 130; afterwards it is what it was."""

    def __enter__(self) -> None:
        """Hear it from now on."""
        self._before = signal.signal(signal.SIGINT, _stop)

    def __exit__(self, *raised: object) -> None:
        """Back to what it was."""
        signal.signal(signal.SIGINT, self._before)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    if "--json" in sys.argv:
        os.write(1, f'{{\n  "error": {{\n    "code": "interrupted",\n    "message": "{MESSAGE}"\n  }}\n}}\n'.encode())
    os.write(2, f"error interrupted: {MESSAGE}\n".encode())
    os._exit(INTERRUPTED)
