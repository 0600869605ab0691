"""What the commands on published definitions and keys draw, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from doorstep.errors import DefinitionError

if TYPE_CHECKING:
    from doorstep.definitions.difference import Change
    from doorstep.registry import Freeze, Outcome, Publication, Version, WriteKey

_COLOURS: Final = {"published": "green", "unchanged": "bright_black", "refused": "bold red", "invalid": "bold red"}


def changes(found: Sequence[Change]) -> RenderableType:
    """What can move a count, then what is words alone."""
    if not found:
        return Text("no difference: the same counts, in the same words")
    return Group(*_changes(found))


def _changes(found: Iterable[Change]) -> Iterable[Text]:
    for change in found:
        kind = ("counts", "yellow") if change.moves_count else ("words ", "bright_black")
        yield Text.assemble(kind, f"  {change.message}")


def _line(result: str, told: str, where: str) -> Text:
    return Text.assemble((f"{result:<9}", _COLOURS[result]), f"  {told}", (f"  {where}", "bright_black"))


def publication(done: Publication, where: str) -> RenderableType:
    """What was published, and how it differs from the version before."""
    line = _line("published" if done.published else "unchanged", str(done.version), where)
    if done.published and not done.version.moves_counts:
        line += Text("  moves no count")
    return Group(line, *(Padding(one, (0, 0, 0, 4), expand=False) for one in _changes(done.changes)))


def outcomes(found: Iterable[Outcome]) -> RenderableType:
    """One block a file."""
    return Group(*map(_outcome, found))


def _outcome(one: Outcome) -> RenderableType:
    if one.publication is not None:
        return publication(one.publication, str(one.file))
    error = one.error
    if isinstance(error, DefinitionError):
        told: Sequence[str] = [str(issue) for issue in error.issues]
    else:
        told = [] if error is None else [f"{error.code}: {error.message}"]
    inside = (Padding(Text(sentence), (0, 0, 0, 4), expand=False) for sentence in told)
    return Group(_line(one.result, str(one.file), ""), *inside)


def versions(found: Sequence[Version], held: Mapping[tuple[str, int], Freeze]) -> RenderableType:
    """One line a version."""
    if not found:
        return Text("Nothing is published yet.")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
    for column in ("version", "hash", "counts", "published", "by", ""):
        table.add_column(column, overflow="fold", no_wrap=column in {"version", "hash"})
    for one in found:
        notes: list[str] = [] if one.kind == "funnel" else [one.kind]
        notes += [f"as {one.name}@{one.reverts}"] if one.reverts else []
        notes += [one.message] if one.message else []
        freeze_ = held.get((one.name, one.number))
        notes += [f"frozen by {freeze_.frozen_by}: {freeze_.frozen_why}"] if freeze_ else []
        counts = "may differ" if one.moves_counts and one.number > 1 else "" if one.moves_counts else "words only"
        table.add_row(
            Text(str(one)),
            Text(one.hash[:12], "bright_black"),
            Text(counts, "yellow" if one.moves_counts else "bright_black"),
            Text(_when(one.published_at)),
            Text(one.published_by),
            Text("; ".join(notes)),
        )
    return table


def freeze(one: Freeze) -> RenderableType:
    """A freeze, or its end."""
    if one.released_at is None:
        return Text(f"{one.name}@{one.version} is frozen by {one.frozen_by}: {one.frozen_why}")
    return Text(f"{one.name}@{one.version} is released by {one.released_by}: {one.released_why}")


def keys(found: Sequence[WriteKey]) -> RenderableType:
    """One line a key."""
    if not found:
        return Text("There are no keys yet.")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
    for column in ("name", "created", "last used", "revoked"):
        table.add_column(column, overflow="fold")
    for one in found:
        times = (one.created_at, one.last_used_at, one.revoked_at)
        table.add_row(Text(one.name), *(Text("–" if at is None else _when(at)) for at in times))
    return table


def _when(microseconds: int) -> str:
    from doorstep.funnels.result import instant

    return (instant(microseconds) or "")[:19].replace("T", " ")
