"""The command line. It decides nothing: each command calls the public functions and shows what they say."""

from doorstep.cli import drift  # noqa: F401 - registers its command
from doorstep.cli.commands import main

__all__ = ["main"]
