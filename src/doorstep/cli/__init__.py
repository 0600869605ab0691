"""The command line. It decides nothing: each command calls the public functions and shows what they say."""

from doorstep.cli.interruption import at_once


def main() -> None:
    """Runs the command line (see `commands.main`); Ctrl-C is heard from the first moment on."""
    with at_once():
        from doorstep.cli import whole
    whole.main()


__all__ = ["main"]
