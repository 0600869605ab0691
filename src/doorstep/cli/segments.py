"""Segments as options name them, and the commands on saved ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from doorstep.cli import automations, terminal
from doorstep.cli.drawing import number_of
from doorstep.cli.options import AsJson
from doorstep.cli.published import DATA, At, By, Data, databased, opened
from doorstep.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doorstep.funnels.segments import Given
    from doorstep.registry import Database, SavedSegment

app: Final = typer.Typer(
    help="Segments: with criteria, or lists of units that `doorstep people --save` made.", no_args_is_help=True
)

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
        if number is None and (found := _members(data, name)) is not None:
            return UnitList(list(found), name)
        about = registry.segments.get(name, number)
        units = [unit for batch in registry.segments.units(name, about.number) for unit in batch]
    return UnitList(units, str(about))


def _members(data: Path, name: str) -> Mapping[str, int] | None:
    """Members of a segment with criteria when it was last looked at; None where no such segment is published."""
    from doorstep.automations.active import published
    from doorstep.automations.segments import members

    with databased(data, create=False) as database:
        with database.reading() as session:
            if name not in {one.name for one in published(session, "segment")}:
                return None
        return members(database, name)


def _reference(named: str) -> tuple[str, int | None]:
    name, at_sign, number = named.partition("@")
    if at_sign and not number.isdecimal():
        raise RunError("bad-segment", f"{named!r} names no version of a segment. Write {name} or {name}@2.")
    return name, int(number) if number else None


Named = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="A saved segment.", show_default=False)]


@app.command("list")
def list_(data: Data = DATA, as_json: AsJson = False) -> None:
    """List segments: those with criteria, and saved lists."""
    with opened(data) as registry:
        found = registry.segments.all()
    live = _live(data)
    if as_json:
        terminal.show_json({"segments": [_told(one) for one in found], "criteria": live})
        return
    for told in live:
        looked = f"looked at {told['looked_at']}" if told["looked_at"] else "not looked at yet"
        members = f"{told['members']:,} × {' and '.join(told['unit'])}"
        terminal.show(Text(f"{told['name']}@{told['version']}  {members}  by its criteria, {looked}"))
    for one in found:
        terminal.show(Text(f"{one}  {one.units:,} × {one.unit}  of {one.definition}, saved by {one.saved_by}"))
    if not found and not live:
        terminal.say(
            "there is no segment. `doorstep segments publish` and `doorstep people FILE … --save NAME` make one."
        )


def _live(data: Path) -> list[dict[str, Any]]:
    from doorstep.automations.active import published
    from doorstep.automations.segments import looked_at
    from doorstep.funnels.spelling import instant

    told = []
    with databased(data, create=False) as database:
        with database.reading() as session:
            found = published(session, "segment")
        for one in found:
            at, members = looked_at(database, one.name)
            about = {"name": one.name, "version": one.number, "hash": one.definition_hash}
            told.append(
                {**about, "unit": list(one.definition.unit_columns), "members": members, "looked_at": instant(at)}
            )
    return told


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(help="The segment: YAML or JSON.", show_default=False)],
    data: Data = DATA,
    at: At = None,
    by: By = None,
    message: Annotated[str | None, typer.Option("--message", help="Why; kept with the version.")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish a segment: each sync looks at who is in it."""
    automations.publish(file, "segment", data, at, by, message, as_json)


Criteria = Annotated[str, typer.Argument(metavar="NAME", help="A segment with criteria.", show_default=False)]


@app.command()
def members(
    name: Criteria,
    limit: Annotated[int, typer.Option(help="Show so many at most.", min=0)] = 100,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """List who is in a segment, and since when, as of the last sync."""
    from doorstep.automations.segments import looked_at
    from doorstep.automations.segments import members as members_of
    from doorstep.funnels.spelling import instant

    with databased(data, create=False) as database:
        _refuse_unknown(database, name)
        found, (at, count) = members_of(database, name, limit), looked_at(database, name)
    if as_json:
        listed = [{"account": one, "since": instant(since)} for one, since in found.items()]
        terminal.show_json({"segment": name, "looked_at": instant(at), "members": count, "list": listed})
        return
    terminal.show(Text.assemble((name, "bold"), f"  {number_of(count, 'member')}"))
    for one, since in found.items():
        terminal.show(Text(f"{one}  since {instant(since)}"))
    if count > len(found):
        terminal.say(f"and {count - len(found):,} more")


@app.command()
def history(
    name: Criteria,
    most: Annotated[int, typer.Option(help="How many who came and went, latest first.", min=0)] = 20,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Tell how large a segment was, and who came and went."""
    from doorstep.automations.segments import changes, sizes
    from doorstep.funnels.spelling import instant

    with databased(data, create=False) as database:
        _refuse_unknown(database, name)
        grown, moved = sizes(database, name), changes(database, name, most)
    told_sizes = [
        {"at": instant(one.at), "members": one.members, "entered": one.entered, "left": one.left} for one in grown
    ]
    told_changes = [
        {"account": one.account, "change": one.change, "occurred_at": instant(one.occurred_at), "anew": one.anew}
        for one in moved
    ]
    if as_json:
        terminal.show_json({"segment": name, "sizes": told_sizes, "changes": told_changes})
        return
    rows = [(str(one["at"]), *(f"{one[key]:,}" for key in ("members", "entered", "left"))) for one in told_sizes]
    automations.table(("at", "members", "entered", "left"), rows)
    for one in told_changes:
        anew = " by another definition" if one["anew"] else ""
        terminal.show(Text(f"{one['occurred_at']}  {one['account']} {one['change']}{anew}"))


def _refuse_unknown(database: Database, name: str) -> None:
    from doorstep.automations.active import published
    from doorstep.errors import RegistryError, nearest

    with database.reading() as session:
        known = [one.name for one in published(session, "segment")]
    if name not in known:
        near = nearest(name, known)
        mend = f"Did you mean {near}?" if near else "`doorstep segments list` shows what there is."
        raise RegistryError("no-such-segment", f"There is no segment with criteria named {name}. {mend}")


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
