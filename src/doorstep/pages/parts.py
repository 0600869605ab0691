"""What a page is made of. Texts are plain: the template escapes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Pattern = Literal["solid", "hatch", "ghost", "line", "dashed", "dot", "ring", "diamond", "up", "down", "then"]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under a heading each; the first ``words`` columns are words, the others numbers."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


@dataclass(frozen=True, slots=True)
class Key:
    """What a pattern of a picture means."""

    pattern: Pattern
    means: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart for a wide and for a narrow page, what it shows in a sentence, and its numbers."""

    title: str
    told: str
    wide: str
    narrow: str
    table: Table
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """A step: shares (of 1) that are solid, hatched on from there, and ghost up to there; what stands beside it."""

    id: str
    label: str
    count: str
    solid: float
    hatch: float
    ghost: float
    sentence: str
    before: str = ""
    marked: str = ""
    remark: str = ""
    optional: bool = False
    ways: tuple[str, ...] = ()
    other: Bar | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One question and its answer."""

    title: str
    sentences: tuple[str, ...] = ()
    bars: tuple[Bar, ...] = ()
    keys: tuple[Key, ...] = ()
    pictures: tuple[Picture, ...] = ()
    folded: tuple[Picture, ...] = ()
    folded_as: str = ""
    tables: tuple[Table, ...] = ()
    behind: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A definition in full: facts about it, its prose and its checklist."""

    title: str
    facts: tuple[tuple[str, str], ...]
    prose: tuple[tuple[str, tuple[tuple[int, str], ...]], ...]
    rules: Table


@dataclass(frozen=True, slots=True)
class Page:
    """A report: the answer first, then what it rests on."""

    kind: str
    title: str
    name: str
    answer: str
    more: Sequence[str] = ()
    sections: tuple[Section, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    readings: tuple[Reading, ...] = ()
    command: str | None = None
    warnings: tuple[str, ...] = field(default=())
