"""What several commands write: a report as HTML, figures as one CSV table."""

from __future__ import annotations

import csv
import io
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorstep.cli import terminal
from doorstep.errors import RunError, writing

if TYPE_CHECKING:
    from doorstep.pages.parts import Page

Html = Annotated[
    Path | None,
    typer.Option("--html", help="Also write a report to this file, which needs nothing else.", show_default=False),
]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print the figures as one CSV table.")]


def refuse_unwritable(html: Path | None) -> None:
    """RunError ``bad-html`` or ``cannot-write`` before any work is done."""
    if html is not None and html.suffix not in {".html", ".htm"}:
        raise RunError("bad-html", f"--html {str(html)!r} should end in .html.")
    if html is not None and not html.parent.is_dir():
        raise RunError("cannot-write", f"{html} cannot be written: there is no directory {html.parent}.")


def command() -> str:
    """The command that was given, as it can be given again."""
    return shlex.join(["doorstep", *sys.argv[1:]])


def write_page(page: Page, path: Path) -> None:
    """Writes a report, and says where. RunError ``cannot-write``."""
    from doorstep.pages.writing import page_of

    text = page_of(page)
    with writing(path):
        path.write_text(text, "utf-8", newline="\n")
    terminal.say(f"report written to {path}")


def show_csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints one table; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    terminal.show_text(text.getvalue().rstrip("\n"))
