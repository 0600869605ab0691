"""Commands on published definitions: publish, versions, show, diff, revert, freeze, release."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from doorstep.cli import publishing_screens as screens
from doorstep.cli import terminal
from doorstep.cli.options import AsJson
from doorstep.cli.published import DATA, By, Data, clock, opened, place, who
from doorstep.errors import DefinitionError, RegistryError

if TYPE_CHECKING:
    from doorstep.registry import Freeze, Outcome, Publication, Version

app: Final = typer.Typer()

Name = Annotated[str, typer.Argument(help="The definition's name.", show_default=False)]
Message = Annotated[str | None, typer.Option("--message", help="Why; kept with the version.")]
Why = Annotated[str, typer.Option("--why", help="The reason; it is kept.", show_default=False)]


@app.command()
def publish(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Definitions, or directories of them.", show_default=False)
    ],
    data: Data = DATA,
    by: By = None,
    message: Message = None,
    as_json: AsJson = False,
) -> None:
    """Publish definitions whose examples pass: what changed becomes a new version, and nothing else does."""
    from doorstep.registry import publish_files

    with opened(data, create=True) as registry:
        outcomes = publish_files(registry, paths, by=who(by), message=message)
    results = {one.result for one in outcomes}
    if as_json:
        ok = results <= {"published", "unchanged"}
        terminal.show_json({"ok": ok, "definitions": [_outcome(one) for one in outcomes]})
    else:
        terminal.show(screens.outcomes(outcomes))
    if "invalid" in results:
        raise typer.Exit(2)
    if "refused" in results:
        raise typer.Exit(1)


@app.command()
def versions(
    name: Annotated[str | None, typer.Argument(help="A definition's name; default: all, each by its latest.")] = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """List what is published: the latest version of each name, or every version of one."""
    with opened(data) as registry:
        found = registry.names() if name is None else registry.versions(name)
        held = {(one.name, one.version): one for one in registry.freezes(name) if one.released_at is None}
    if as_json:
        terminal.show_json({"versions": [_version(one, held.get((one.name, one.number))) for one in found]})
    else:
        terminal.show(screens.versions(found, held))


@app.command()
def show(
    named: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="Default: its latest version.")],
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Print a published definition as YAML."""
    from doorstep.registry import reference

    wanted = reference(named)
    with opened(data) as registry:
        found = registry.version(wanted.name, wanted.version)
        held = [one for one in registry.freezes(wanted.name) if one.released_at is None and one.version == found.number]
    if as_json:
        more = {"form": found.form, "text": found.text, "yaml": found.yaml(), "canonical": found.canonical}
        terminal.show_json({**_version(found, held[0] if held else None), **more})
    else:
        print(found.yaml(), end="" if found.yaml().endswith("\n") else "\n")


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="name@2, name (its latest), or a file.", show_default=False)],
    after: Annotated[str, typer.Argument(help="name@3, name (its latest), or a file.", show_default=False)],
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Say in words how two definitions differ, and which of it can move a count."""
    from doorstep.definitions.kinds import difference
    from doorstep.registry import any_definition

    old, new = (any_definition(one, place(data), clock, bare=True) for one in (before, after))
    changes = difference(old, new)
    if as_json:
        moves = any(change.moves_count for change in changes)
        told = [asdict(change) for change in changes]
        terminal.show_json(
            {"before": before, "after": after, "same": not changes, "moves_counts": moves, "changes": told}
        )
    else:
        terminal.show(screens.changes(changes))


@app.command()
def revert(
    named: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="The version to go back to.")],
    data: Data = DATA,
    by: By = None,
    message: Message = None,
    as_json: AsJson = False,
) -> None:
    """Publish an old version's document anew; the versions between stay."""
    from doorstep.registry import reference

    wanted = reference(named)
    if wanted.version is None:
        message_ = f"{named!r} does not say which version to go back to. Write {wanted.name}@1, say."
        raise RegistryError("bad-reference", message_)
    with opened(data) as registry:
        done = registry.revert(wanted.name, wanted.version, by=who(by), message=message)
    if as_json:
        terminal.show_json(_publication(done))
    else:
        terminal.show(screens.publication(done, named))


@app.command()
def freeze(name: Name, why: Why, data: Data = DATA, by: By = None, as_json: AsJson = False) -> None:
    """Hold the latest version: nobody can publish over it until it is released."""
    with opened(data) as registry:
        done = registry.freeze(name, by=who(by), why=why)
    _show_freeze(done, as_json)


@app.command()
def release(name: Name, why: Why, data: Data = DATA, by: By = None, as_json: AsJson = False) -> None:
    """End a freeze; who and why is kept beside it."""
    with opened(data) as registry:
        done = registry.release(name, by=who(by), why=why)
    _show_freeze(done, as_json)


def _show_freeze(done: Freeze, as_json: bool) -> None:
    if as_json:
        terminal.show_json(_freeze(done))
    else:
        terminal.show(screens.freeze(done))


# -- JSON


def _version(one: Version, held: Freeze | None = None) -> dict[str, Any]:
    from doorstep.funnels.result import instant

    return {
        "name": one.name,
        "version": one.number,
        "kind": one.kind,
        "hash": one.hash,
        "text_hash": one.text_hash,
        "semantics": one.semantics,
        "moves_counts": one.moves_counts,
        "message": one.message,
        "published_by": one.published_by,
        "published_at": instant(one.published_at),
        "reverts": one.reverts,
        "frozen": None if held is None else _freeze(held),
    }


def _freeze(one: Freeze) -> dict[str, Any]:
    from doorstep.funnels.result import instant

    return asdict(one) | {"frozen_at": instant(one.frozen_at), "released_at": instant(one.released_at)}


def _publication(one: Publication) -> dict[str, Any]:
    result = "published" if one.published else "unchanged"
    return {"result": result, **_version(one.version), "changes": [asdict(change) for change in one.changes]}


def _outcome(one: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {"file": str(one.file), "result": one.result}
    if one.publication is not None:
        found |= _publication(one.publication)
    if one.error is not None:
        found["error"] = {"code": one.error.code, "message": one.error.message}
    if isinstance(one.error, DefinitionError):
        found["issues"] = [asdict(issue) for issue in one.error.issues]
    return found
