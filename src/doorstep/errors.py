"""What can go wrong, in one tree.

    DoorstepError          every error a caller may want to catch; has a stable ``code``
    ├── DefinitionError    a document does not say a valid definition; carries every issue found
    ├── SourceError        the rows cannot be read as events
    ├── RunError           the definition and the rows are fine, but not together, or not within the limits given
    ├── StoreError         what is kept cannot be read or written: no such lake, a full disk, another process in the way
    ├── DeliveryError      what a sender delivers cannot be taken as a whole: no JSON, too large, no known key
    ├── SendingError       what is to go out cannot be sent: an address that is refused, no answer, a damaged secret
    └── RegistryError      the registry refuses, lacks what was asked for, or cannot be used

A message says what is wrong, where, and the mend. Codes never change their meaning.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a document: 1-based line and column; ``file`` is what the reader was given."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding about a definition: a stable code, a sentence, the place, and the mend when there is one."""

    code: str
    level: Level
    message: str
    position: Position | None = None
    path: str = ""
    suggestion: str | None = None

    def __str__(self) -> str:
        place = f"{self.position}: " if self.position else ""
        mend = f" {self.suggestion}" if self.suggestion else ""
        return f"{place}{self.level} {self.code}: {self.message}{mend}"


class DoorstepError(Exception):
    """Base of every error raised on purpose. ``code`` is stable; ``str()`` is one paragraph for a person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DefinitionError(DoorstepError):
    """A document is not a valid definition; ``issues`` holds everything found, in document order."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        self.issues = tuple(issues)
        super().__init__(self.issues[0].code, "\n".join(str(issue) for issue in self.issues))


class SourceError(DoorstepError):
    """The rows cannot be read as events: no such file, no time column, a column of an unusable type."""


class RunError(DoorstepError):
    """A run cannot be done as asked: bounds out of order, a column the rows lack, memory, interruption."""


class StoreError(DoorstepError):
    """What is kept cannot be read or written: no such lake, a full disk, another process in the way."""


class DeliveryError(DoorstepError):
    """What a sender delivers cannot be taken as a whole: no JSON, too large, no known key."""


class SendingError(DoorstepError):
    """What is to go out cannot be sent: an address that is refused, no connection, no answer in time."""


class RegistryError(DoorstepError):
    """The registry refuses (examples fail, a freeze), lacks what was asked for, or its database cannot be used."""


def is_interruption(error: BaseException) -> bool:
    """Whether this is Ctrl-C: itself, as the cause of what DuckDB raises for it, or as we tell it."""
    told = isinstance(error, DoorstepError) and error.code == "interrupted"
    return told or isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt)


@contextmanager
def interruptible(message: str) -> Iterator[None]:
    """Ctrl-C inside ends in RunError ``interrupted`` with this message, which says what was kept."""
    try:
        yield
    except BaseException as error:
        if is_interruption(error):
            raise RunError("interrupted", message) from None
        raise


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, or None when nothing is near."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
