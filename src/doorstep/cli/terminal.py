"""Where words go: answers to standard output, everything else to standard error, colour only on a terminal.

Nothing that stands in a document or in the data can steer the terminal: control characters are shown, not sent.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.segment import Segment
from rich.text import Text

from doorstep.errors import RunError

if TYPE_CHECKING:
    from doorstep.engines.duckdb import Progress as Told


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leaves the exception to `_writing`; rich would end the program, with the exit code for *no*."""
        raise BrokenPipeError


out: Final = _Console(soft_wrap=False, highlight=False, width=None)
err: Final = _Console(stderr=True, highlight=False)
PIPED_WIDTH: Final = 140

_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with a sign in the place of each character that would steer a terminal."""
    return _CONTROL.sub(lambda found: chr(0x2400 + ord(found[0])) if found[0] < " " else "\ufffd", text)


@dataclass(frozen=True, slots=True)
class _Visible:
    """What is drawn, with `visible` texts; colours and cursor moves of our own stay."""

    drawn: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Segment]:
        for segment in console.render(self.drawn, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def show(renderable: RenderableType) -> None:
    """An answer for a person. Piped, it is plain text and wide enough not to be folded."""
    console = out if out.is_terminal else _Console(highlight=False, width=PIPED_WIDTH, no_color=True)
    with _writing():
        console.print(_Visible(renderable))


def show_text(text: str) -> None:
    """An answer as it is, such as Markdown."""
    with _writing():
        print(visible(text))


def say(words: RenderableType) -> None:
    """Anything that is not the answer. Piped, a sentence stays on its line; where nobody reads, it is lost."""
    shown = Text(words) if isinstance(words, str) else words
    with suppress(OSError):
        err.print(_Visible(shown), soft_wrap=not err.is_terminal, markup=False)


def show_json(document: Any) -> None:
    """An answer for a program: exactly one document on standard output."""
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str, allow_nan=False)
    with _writing():
        print(re.sub("[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text))


@contextmanager
def _writing() -> Iterator[None]:
    """Standard output, to its end. A reader who leaves early is no error; RunError when it cannot be written."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        _drop_output()
        raise RunError("cannot-write", f"standard output cannot be written: {error.strerror or error}.") from None


def _drop_output() -> None:
    """What else is written to standard output goes nowhere, so that closing it cannot fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextmanager
def progress() -> Iterator[Told | None]:
    """A bar on standard error while work is long, gone when it is done; None where nobody looks."""
    if not err.is_terminal:
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, console=err, transient=True) as bars:
        task = bars.add_task("starting", total=None)

        def told(what: str, done: float | None) -> None:
            bars.update(task, description=what, total=None if done is None else 1.0, completed=done or 0.0)

        yield told
