"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from doorstep.errors import RunError

SourceTimezone = Annotated[
    str, typer.Option("--source-timezone", help="Time zone in which naive times of the events are read.")
]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", help="Our name = theirs, such as user_id=uid; may be repeated.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document.")]


def columns_of(pairs: list[str] | None) -> dict[str, str]:
    """Ours → theirs, from ``ours=theirs`` each."""
    columns = {}
    for pair in pairs or []:
        ours, equals, theirs = pair.partition("=")
        if not (ours and equals and theirs):
            raise RunError("bad-map", f"--map {pair!r} is not of the form ours=theirs. Write --map user_id=uid.")
        columns[ours] = theirs
    return columns
