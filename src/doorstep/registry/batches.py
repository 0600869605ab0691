"""Publishing many files at once: what changed and nothing else, each file on its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from doorstep.definitions.kinds import definition_hash, text_hash
from doorstep.errors import DefinitionError, DoorstepError, RegistryError
from doorstep.registry.drafts import Draft, draft, files_in
from doorstep.registry.records import Publication
from doorstep.registry.registry import Registry

REFUSALS: Final = frozenset({"examples-failed", "frozen", "other-kind"})
"""Codes of definitions that are valid and not published all the same."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one file: a ``publication``, or the ``error`` that stood against it."""

    file: Path
    result: Literal["published", "unchanged", "refused", "invalid"]
    publication: Publication | None = None
    error: DoorstepError | None = None


def publish_files(
    registry: Registry, paths: Iterable[Path], *, by: str, message: str | None = None
) -> tuple[Outcome, ...]:
    """Publishes the definitions in these files and directories; one that is refused or invalid does not stop others.

    RegistryError ``nothing-to-publish`` when there is no file.
    """
    given = tuple(paths)
    files = files_in(given)
    if not files:
        listed = ", ".join(map(str, given))
        raise RegistryError("nothing-to-publish", f"{listed} holds no file that ends in .yaml, .yml or .json.")
    drafts: dict[Path, Draft] = {}
    failed: dict[Path, DoorstepError] = {}
    for file in files:
        try:
            drafts[file] = draft(file)
        except (DefinitionError, RegistryError) as error:
            failed[file] = error
    failed |= _contradictions(drafts)
    return tuple(_outcome(registry, file, failed.get(file) or drafts[file], by, message) for file in files)


def _outcome(registry: Registry, file: Path, found: Draft | DoorstepError, by: str, message: str | None) -> Outcome:
    if isinstance(found, Draft):
        try:
            done = registry.publish(found, by=by, message=message)
        except RegistryError as error:
            if error.code not in REFUSALS:
                raise
            found = error
        else:
            return Outcome(file, "published" if done.published else "unchanged", publication=done)
    return Outcome(file, "refused" if found.code in REFUSALS else "invalid", error=found)


def _contradictions(drafts: dict[Path, Draft]) -> dict[Path, DoorstepError]:
    """Files that define one name differently: each publication would undo the other's."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    for file, one in drafts.items():
        by_name[one.name].append(file)
    found: dict[Path, DoorstepError] = {}
    for name, files in by_name.items():
        meant = [drafts[file].definition for file in files]
        if len({(definition_hash(one), text_hash(one)) for one in meant}) > 1:
            told = f"{' and '.join(map(str, files))} define {name} differently. Keep one, or give one another name."
            found |= {file: RegistryError("same-name", told) for file in files}
    return found


__all__ = ["REFUSALS", "Outcome", "publish_files"]
