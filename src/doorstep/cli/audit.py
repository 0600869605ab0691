"""``doorstep audit``: who changed what, and when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.options import AsJson
from doorstep.cli.published import DATA, Data, databased

if TYPE_CHECKING:
    from doorstep.registry import Act


def audit(
    subject: Annotated[str | None, typer.Option(help="One kind of thing, such as destination.")] = None,
    name: Annotated[str | None, typer.Option(help="One thing.")] = None,
    most: Annotated[int, typer.Option(help="How many, latest first.", min=1, max=1_000_000)] = 100,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Who changed what, when, from what to what; latest first. It holds no secrets."""
    from doorstep.registry import acts

    with databased(data, create=False) as database:
        found = acts(database, subject=subject, name=name, most=most)
    if as_json:
        terminal.show_json({"acts": [_plain(one) for one in found]})
        return
    from doorstep.funnels.result import instant

    drawn = Table("at", "by", "did", "before", "after", box=None, pad_edge=False)
    for one in found:
        did = f"{one.subject} {one.name}: {one.act}"
        drawn.add_row(instant(one.at), Text(one.by), Text(did), Text(_words(one.before)), Text(_words(one.after)))
    terminal.show(drawn)


def _words(told: Mapping[str, Any] | None) -> str:
    return "" if told is None else json.dumps(told, ensure_ascii=False)


def _plain(one: Act) -> dict[str, Any]:
    from doorstep.funnels.result import instant

    return {
        "at": instant(one.at),
        "by": one.by,
        "act": one.act,
        "subject": one.subject,
        "name": one.name,
        "before": one.before,
        "after": one.after,
    }
