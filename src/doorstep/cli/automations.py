"""What the commands on segments, signals and workflows have in common: publishing, pausing, and telling of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.published import databased, instant_of, who

if TYPE_CHECKING:
    from doorstep.definitions.kinds import Kind


def publish(
    file: Path, kind: Kind, data: Path, at: str | None, by: str | None, message: str | None, as_json: bool
) -> None:
    """Publishes one document, and tells what it names that is not there yet."""
    from doorstep.automations.publishing import publish as publish_document

    with databased(data) as database:
        done = publish_document(database, file, kind, by=who(by), at=instant_of(at), message=message)
    version, told = done.publication.version, done.findings
    if as_json:
        findings = [{"code": one.code, "message": one.message, "path": one.path} for one in told]
        result = "published" if done.publication.published else "unchanged"
        shown = {"result": result, "kind": kind, "name": version.name, "version": version.number, "hash": version.hash}
        terminal.show_json({**shown, "findings": findings})
        return
    for one in told:
        terminal.say(str(one))
    terminal.show(Text(f"{version}  {'published' if done.publication.published else 'unchanged'}"))


def turn(kind: Kind, name: str, data: Path, at: str | None, by: str | None, as_json: bool, *, paused: bool) -> None:
    """Pauses it, or sets it to work again."""
    from doorstep.automations.active import turn as turn_over

    with databased(data, create=False) as database:
        turn_over(database, kind, name, paused=paused, by=who(by), at=instant_of(at))
    if as_json:
        terminal.show_json({"name": name, "kind": kind, "paused": paused})
    else:
        terminal.show(Text(f"{name}  {'paused' if paused else 'at work'}"))


def at_work(kind: Kind, data: Path, as_json: bool, about: Callable[[Any], str]) -> None:
    """Lists what is published of a kind."""
    from doorstep.automations.active import published
    from doorstep.funnels.result import instant

    with databased(data, create=False) as database, database.reading() as session:
        found = published(session, kind)
    if as_json:
        terminal.show_json(
            {
                f"{kind}s": [
                    {
                        "name": one.name,
                        "version": one.number,
                        "hash": one.definition_hash,
                        "paused": one.paused,
                        "since": instant(one.since),
                        "about": about(one.definition),
                    }
                    for one in found
                ]
            }
        )
        return
    if not found:
        terminal.say(f"no {kind} is published.")
        return
    table(
        (kind, "version", "state", "about"),
        [(one.name, str(one.number), "paused" if one.paused else "at work", about(one.definition)) for one in found],
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under heads; texts are shown as they are."""
    drawn = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        drawn.add_row(*map(Text, row))
    terminal.show(drawn)


def length_of(text: str) -> int:
    """A length of time in microseconds; typer's error where it is none."""
    from doorstep.definitions.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no length of time: {error}.") from None


__all__ = ["at_work", "length_of", "publish", "table", "turn"]
