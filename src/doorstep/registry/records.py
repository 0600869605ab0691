"""What the registry gives back. Times are microseconds since 1970 UTC; hashes are hex."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from doorstep.definitions.difference import Change
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.journey import Journey
from doorstep.definitions.kinds import Definition, Kind, definition_hash, load_definition_text, text_hash
from doorstep.definitions.yaml_writing import to_yaml
from doorstep.errors import RegistryError

Form = Literal["yaml", "json"]


@dataclass(frozen=True, slots=True)
class Version:
    """One published version. ``kind`` says what it defines; ``moves_counts``: whether it can count otherwise than the
    version before it (the first can); ``text`` is what was published, to the letter; ``reverts``: the version whose
    document this publishes anew.
    """

    name: str
    number: int
    kind: Kind
    hash: str
    text_hash: str
    semantics: int
    moves_counts: bool
    canonical: Mapping[str, Any] = field(repr=False)
    text: str = field(repr=False)
    form: Form
    message: str | None
    published_by: str
    published_at: int
    reverts: int | None

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"

    def definition(self) -> Definition:
        """The definition itself; RegistryError ``damaged-version`` when it is not what was published."""
        found = load_definition_text(self.text, file=f"{self}.{self.form}", name=self.name)
        if (definition_hash(found), text_hash(found)) != (self.hash, self.text_hash):
            message = f"{self} is not what was published: its text does not have the hash kept beside it."
            raise RegistryError("damaged-version", f"{message} Restore the database from a backup.")
        return found

    def funnel(self) -> Funnel:
        """As `definition`; RegistryError ``not-a-funnel`` for a journey."""
        found = self.definition()
        if isinstance(found, Funnel):
            return found
        message = f"{self} is a {self.kind}, where a funnel is meant."
        mend = f" `doorstep journey replay {self}` replays it." if self.kind == "journey" else ""
        raise RegistryError("not-a-funnel", f"{message}{mend}")

    def journey(self) -> Journey:
        """As `definition`; RegistryError ``not-a-journey`` for a funnel."""
        found = self.definition()
        if isinstance(found, Journey):
            return found
        message = f"{self} is a {self.kind}, where a journey is meant."
        mend = f" `doorstep run {self}` counts it." if self.kind == "funnel" else ""
        raise RegistryError("not-a-journey", f"{message}{mend}")

    def yaml(self) -> str:
        """What was published, as YAML: to the letter, unless it was JSON; then under its name too."""
        return self.text if self.form == "yaml" else to_yaml({self.kind: self.name, **json.loads(self.text)})


@dataclass(frozen=True, slots=True)
class Publication:
    """What came of publishing: the version that is now the latest, whether it is new, and how it differs from the one
    before it (nothing for a first version).
    """

    version: Version
    published: bool
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Freeze:
    """A version over which nobody may publish, until it is released; releases are kept."""

    name: str
    version: int
    frozen_by: str
    frozen_why: str
    frozen_at: int
    released_by: str | None
    released_why: str | None
    released_at: int | None


@dataclass(frozen=True, slots=True)
class RunBounds:
    """How a run was bounded (semantics 1): microseconds since 1970 UTC, and what cannot be said in them."""

    as_of: int
    since: int | None = None
    until: int | None = None
    timezone: str = "UTC"
    first_time: bool = False
    breakdown: tuple[str, ...] = ()
    top: int | None = None


@dataclass(frozen=True, slots=True)
class FrozenRun:
    """A run that can be done again: what was counted, over which state of the lake (``snapshot``) and of the identities
    (``map_version``, the map's number; the figures name it whole), and the figures that came, as the run's
    ``to_dict()``.
    """

    id: str
    name: str
    version: int
    hash: str
    semantics: int
    snapshot: int
    map_version: int
    bounds: RunBounds
    figures: Mapping[str, Any] = field(repr=False)
    frozen_by: str
    frozen_at: int


@dataclass(frozen=True, slots=True)
class SavedSegment:
    """A version of a saved list of units: what they are (``unit``) and how many, the definition and the source that
    they came from, and how they were ``chosen`` (bounds, step, outcome, value).
    """

    name: str
    number: int
    unit: str
    units: int
    definition: str
    definition_hash: str
    source: str
    snapshot: int | None
    chosen: Mapping[str, Any]
    saved_by: str
    saved_at: int

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"


@dataclass(frozen=True, slots=True)
class WriteKey:
    """A write key, as far as it is kept. ``last_used_at`` is kept to the minute."""

    name: str
    created_at: int
    last_used_at: int | None
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: ``secret`` is given out this once and kept nowhere."""

    secret: str = field(repr=False)
    key: WriteKey


__all__ = [
    "Form",
    "Freeze",
    "FrozenRun",
    "Kind",
    "NewKey",
    "Publication",
    "RunBounds",
    "SavedSegment",
    "Version",
    "WriteKey",
]
