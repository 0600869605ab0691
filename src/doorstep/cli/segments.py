"""Segments as options name them, and the commands on saved ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.drawing import number_of
from doorstep.cli.options import AsJson
from doorstep.cli.published import DATA, Data, opened
from doorstep.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doorstep.funnels.segments import Given
    from doorstep.registry import SavedSegment

app: Final = typer.Typer(help="Saved segments: lists of units, made by `doorstep people --save`.")

SAVED: Final = "saved:"


def segments_from(pairs: Sequence[str] | None, data: Path) -> Mapping[str, Given] | None:
    """``NAME={plan: pro}``, ``NAME=filters.yaml`` or ``NAME=saved:power-users@2`` each. RunError ``bad-segment``."""
    found: dict[str, Given] = {}
    for pair in pairs or []:
        name, equals, given = pair.partition("=")
        if not (name and equals and given):
            raise RunError(
                "bad-segment",
                f"--segment {pair!r} is not of the form NAME=WHAT. WHAT is filters in braces, such as '{{plan: pro}}', "
                "a file of filters, or saved:NAME.",
            )
        found[name] = _saved(given.removeprefix(SAVED), data) if given.startswith(SAVED) else _filters(name, given)
    return found or None


def _filters(name: str, given: str) -> Mapping[str, object]:
    import yaml

    text = given
    if not given.startswith("{"):
        try:
            text = Path(given).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise RunError(
                "bad-segment",
                f"--segment {name}={given}: there is no such file of filters. Write filters in braces, such as "
                f"{name}='{{plan: pro}}', a file, or saved:NAME.",
            ) from None
    try:
        filters = yaml.safe_load(text)
    except yaml.YAMLError:
        filters = None
    if not isinstance(filters, dict) or not all(isinstance(key, str) for key in filters):
        raise RunError("bad-segment", f"--segment {name}: {given[:80]} is no mapping of properties to tests.")
    return filters


def _saved(named: str, data: Path) -> Given:
    from doorstep.funnels.segments import UnitList

    name, number = _reference(named)
    with opened(data) as registry:
        about = registry.segments.get(name, number)
        units = [unit for batch in registry.segments.units(name, about.number) for unit in batch]
    return UnitList(units, str(about))


def _reference(named: str) -> tuple[str, int | None]:
    name, at_sign, number = named.partition("@")
    if at_sign and not number.isdecimal():
        raise RunError("bad-segment", f"{named!r} names no version of a segment. Write {name} or {name}@2.")
    return name, int(number) if number else None


Named = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="A saved segment.", show_default=False)]


@app.command("list")
def list_(data: Data = DATA, as_json: AsJson = False) -> None:
    """List saved segments."""
    with opened(data) as registry:
        found = registry.segments.all()
    if as_json:
        terminal.show_json({"segments": [_told(one) for one in found]})
        return
    for one in found:
        terminal.show(Text(f"{one}  {one.units:,} × {one.unit}  of {one.definition}, saved by {one.saved_by}"))
    if not found:
        terminal.say("no segment is saved. `doorstep people FILE … --save NAME` saves one.")


@app.command()
def show(
    name: Named,
    limit: Annotated[int, typer.Option(help="Show so many units at most.", min=0)] = 20,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Tell where a saved segment came from, and its first units."""
    named, number = _reference(name)
    with opened(data) as registry:
        found = registry.segments.get(named, number)
        units: list[str] = []
        for batch in registry.segments.units(named, found.number):
            units += batch[: limit - len(units)]
            if len(units) >= limit:
                break
    if as_json:
        terminal.show_json({**_told(found), "list": units})
        return
    chosen = ", ".join(f"{key} {value}" for key, value in found.chosen.items() if value is not None)
    terminal.show(Text(str(found), "bold") + Text(f"  {found.units:,} × {found.unit}", "bright_black"))
    terminal.show(Text(f"of {found.definition} ({found.definition_hash[:12]}) over {found.source}: {chosen}"))
    for unit in units:
        terminal.show(Text(unit))
    if found.units > len(units):
        terminal.say(f"and {number_of(found.units - len(units), 'more unit')}")


@app.command()
def delete(name: Named, data: Data = DATA, as_json: AsJson = False) -> None:
    """Delete a version of a saved segment, or all of its versions."""
    named, number = _reference(name)
    with opened(data) as registry:
        deleted = registry.segments.delete(named, number)
    if as_json:
        terminal.show_json({"deleted": deleted})
    else:
        terminal.say(f"{number_of(deleted, 'version')} of {named} deleted")


def _told(one: SavedSegment) -> dict[str, Any]:
    from doorstep.funnels.spelling import instant

    return {
        "name": one.name,
        "version": one.number,
        "unit": one.unit,
        "units": one.units,
        "definition": one.definition,
        "definition_hash": one.definition_hash,
        "source": one.source,
        "snapshot": one.snapshot,
        "chosen": dict(one.chosen),
        "saved_by": one.saved_by,
        "saved_at": instant(one.saved_at),
    }
