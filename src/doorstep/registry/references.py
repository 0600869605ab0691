"""``name@3``: a published definition, named wherever a file of one may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.journey import Journey
from doorstep.definitions.kinds import Definition, load_definition
from doorstep.definitions.reading import ENDINGS, load, load_journey
from doorstep.errors import RegistryError
from doorstep.registry.records import Version
from doorstep.registry.registry import Clock, open_registry

_REFERENCE: Final = re.compile(r"(?P<name>[a-z0-9][a-z0-9_-]*)(?:@(?P<version>[1-9][0-9]{0,8}|latest))?")


@dataclass(frozen=True, slots=True)
class Reference:
    """A published definition; ``version`` None is the latest."""

    name: str
    version: int | None


def reference(text: str) -> Reference:
    """What ``name@3``, ``name@latest`` or ``name`` refers to; RegistryError ``bad-reference`` for anything else."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        message = f"{text!r} names no published definition."
        raise RegistryError("bad-reference", f"{message} Write name@3, or name@latest for its latest version.")
    version = found["version"]
    return Reference(found["name"], None if version in {None, "latest"} else int(version))


def definition(named: Path | str, place: Path | str, clock: Clock, *, bare: bool = False) -> Funnel:
    """The funnel that is meant by a file's path or by ``name@3`` (``bare``: or by ``name`` alone, the latest).

    A file that exists is meant before anything published; ``place`` is that of the registry (see `open_registry`).
    DefinitionError or RegistryError when there is none, ``not-a-funnel`` when it is a journey.
    """
    found = _version(named, place, clock, bare)
    return load(named) if found is None else found.funnel()


def journey(named: Path | str, place: Path | str, clock: Clock, *, bare: bool = False) -> Journey:
    """As `definition`, of a journey; ``not-a-journey`` when it is a funnel."""
    found = _version(named, place, clock, bare)
    return load_journey(named) if found is None else found.journey()


def any_definition(named: Path | str, place: Path | str, clock: Clock, *, bare: bool = False) -> Definition:
    """As `definition`, whatever is defined."""
    found = _version(named, place, clock, bare)
    return load_definition(named) if found is None else found.definition()


def _version(named: Path | str, place: Path | str, clock: Clock, bare: bool) -> Version | None:
    """The published version that is meant; None where a file is."""
    text = str(named)
    path = Path(named)
    sounds_so = "@" in text if not bare else "@" in text or _REFERENCE.fullmatch(text) is not None
    if path.exists() or path.suffix in ENDINGS or path.name != text or not sounds_so:
        return None
    wanted = reference(text)
    with open_registry(place, clock, create=False) as registry:
        return registry.version(wanted.name, wanted.version)


__all__ = ["Reference", "any_definition", "definition", "journey", "reference"]
