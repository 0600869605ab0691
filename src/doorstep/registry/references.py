"""``name@3``: a published definition, named wherever a file of one may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.reading import ENDINGS, load
from doorstep.errors import RegistryError
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
    """The definition that is meant by a file's path or by ``name@3`` (``bare``: or by ``name`` alone, the latest).

    A file that exists is meant before anything published; ``place`` is that of the registry (see `open_registry`).
    DefinitionError or RegistryError when there is none.
    """
    text = str(named)
    path = Path(named)
    sounds_so = "@" in text if not bare else "@" in text or _REFERENCE.fullmatch(text) is not None
    if path.exists() or path.suffix in ENDINGS or path.name != text or not sounds_so:
        return load(path)
    wanted = reference(text)
    with open_registry(place, clock, create=False) as registry:
        return registry.version(wanted.name, wanted.version).definition()


__all__ = ["Reference", "definition", "reference"]
