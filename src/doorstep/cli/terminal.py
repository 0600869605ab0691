"""Where words go: answers to standard output, everything else to standard error, colour only on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from doorstep.engines.duckdb import Progress as Told

out: Final = Console(soft_wrap=False, highlight=False, width=None)
err: Final = Console(stderr=True, highlight=False)


def show(renderable: RenderableType) -> None:
    """An answer for a person. Piped, it is plain text and wide enough not to be folded."""
    console = out if out.is_terminal else Console(highlight=False, width=140, no_color=True)
    console.print(renderable)


def say(words: RenderableType) -> None:
    """Anything that is not the answer. Piped, a sentence stays on its line."""
    err.print(words, soft_wrap=not err.is_terminal, markup=False)


def show_json(document: Any) -> None:
    """An answer for a program: exactly one document on standard output."""
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str, allow_nan=False))


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
