"""The command line as a test asks it: in this process, which has loaded what a process of its own would load anew."""

from __future__ import annotations

import io
import json
import signal
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from doorstep.cli import main


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command ended with and what it wrote."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.stdout)


def typed(place: Path, *words: str) -> Ran:
    """``doorstep WORDS…`` typed in a directory, with nobody at a terminal. Never a traceback."""
    out, err = io.StringIO(), io.StringIO()
    code: object = None
    argv, heard = ["doorstep", *words], signal.getsignal(signal.SIGINT)
    with chdir(place), redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", argv):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        finally:
            signal.signal(signal.SIGINT, heard)
    assert "Traceback" not in err.getvalue()
    assert code is None or isinstance(code, int)
    return Ran(code or 0, out.getvalue(), err.getvalue())


__all__ = ["Ran", "typed"]
