"""YAML and JSON as they are written: plain values that remember the line and column of every key and value.

YAML is read by its 1.2 *core* schema: only integers, decimals, ``true``, ``false`` and ``null`` are anything but text,
so ``NO``, ``on``, ``2026-03-01`` and ``1:30`` are texts. Keys are texts always. What cannot mean one thing only is
refused: repeated keys, tags, several documents, circular or exploding aliases, bytes that are not UTF-8.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from doorstep.errors import DefinitionError, Issue, Position

Path = tuple[str | int, ...]
"""Keys and list indices from the top of a document to a place in it."""

MOST_BYTES: Final = 5_000_000
MOST_NODES: Final = 100_000
"""Values in a document, counted after its aliases are written out."""

DEEPEST: Final = 64

_UNFIT: Final = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML forbids; among them halves of surrogate pairs, which no file of events can hold."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and what it is made of. ``value`` is plain data; ``size`` and ``depth`` count it with all its parts."""

    value: object
    position: Position | None = None
    keys: Mapping[str, Position | None] = field(default_factory=dict)
    parts: Mapping[str | int, Node] = field(default_factory=dict)
    size: int = 1
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """A document's top mapping, and what is wrong with it as a document that did not stop the reading."""

    file: str
    root: Node
    issues: tuple[Issue, ...] = ()

    @property
    def value(self) -> dict[str, object]:
        """The top mapping as plain data."""
        assert isinstance(self.root.value, dict)
        return self.root.value

    def position(self, path: Path, *, key: bool = False) -> Position | None:
        """Where the value at ``path`` (or its key) begins; of a path that does not exist, where its holder does."""
        node, place = self.root, self.root.position
        for part in path:
            if part not in node.parts:
                return node.position
            node, place = node.parts[part], node.keys.get(str(part))
        return place if key and place else node.position

    def paths(self) -> Iterator[Path]:
        """Every path there is, in document order. Aliases are walked as if they were written out."""
        yield from _paths(self.root, ())


def _paths(node: Node, path: Path) -> Iterator[Path]:
    yield path
    for part, inner in node.parts.items():
        yield from _paths(inner, (*path, part))


class Nodes:
    """Makes nodes, and collects what is wrong with them. Ends the reading (raises) only when it cannot go on."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.issues: list[Issue] = []
        self.scalars = 0

    def at(self, line: int, column: int) -> Position:
        """The place at a 0-based line and column."""
        return Position(self.file, line + 1, column + 1)

    def note(self, code: str, message: str, position: Position | None, mend: str | None = None, path: str = "") -> None:
        """Remember an issue and go on."""
        self.issues.append(Issue(code, "error", message, position, path, mend))

    def stop(self, code: str, message: str, position: Position | None, mend: str | None = None) -> DefinitionError:
        """The error to raise: everything so far, and this."""
        self.note(code, message, position, mend)
        return DefinitionError(self.issues)

    def scalar(self, value: bool | int | float | str | None, position: Position | None, path: str = "") -> Node:
        """A single value; a number that is none, and a text that no row can hold, are noted."""
        if isinstance(value, float) and not math.isfinite(value):
            self.note("not-finite", f"{value} is not a number to count with.", position, path=path)
        elif isinstance(value, str) and (unfit := _UNFIT.search(value)) and "\ud800" <= unfit[0] <= "\udfff":
            self.note("bad-text", "Half of a surrogate pair is no character.", position, path=path)
        self.scalars += 1
        if self.scalars > MOST_NODES:
            raise self.too_many(position)
        return Node(value, position)

    def sequence(self, items: list[Node], position: Position | None) -> Node:
        """A list."""
        return self._checked(
            Node([item.value for item in items], position, {}, dict(enumerate(items)), *_extent(items))
        )

    def mapping(self, entries: Sequence[tuple[str, Position | None, Node]], position: Position | None) -> Node:
        """A mapping; of a repeated key the first is kept and the others are noted."""
        keys: dict[str, Position | None] = {}
        parts: dict[str | int, Node] = {}
        for key, place, node in entries:
            if key in keys:
                first = keys[key]
                line = f" on line {first.line}" if first else ""
                self.note("duplicate-key", f"`{key}` is already given{line}.", place, "Keep one of them.")
            else:
                keys[key], parts[key] = place, node
        value = {key: node.value for key, node in parts.items()}
        return self._checked(Node(value, position, keys, parts, *_extent(list(parts.values()))))

    def document(self, root: Node | None) -> Document:
        """The whole, once its top is known to be a mapping."""
        if root is None or root.value is None:
            raise self.stop("empty-document", "The document is empty.", self.at(0, 0), "Write a funnel definition.")
        if not isinstance(root.value, dict):
            kind = "list" if isinstance(root.value, list) else "single value"
            message = f"A definition is a mapping of keys such as `funnel` and `steps`; this is a {kind}."
            raise self.stop("not-a-mapping", message, root.position)
        return Document(self.file, root, tuple(self.issues))

    def too_many(self, position: Position | None) -> DefinitionError:
        """The error for more values than `MOST_NODES`."""
        message = f"The document holds more than {MOST_NODES:,} values once its aliases are written out."
        return self.stop("too-many-values", message, position, "Is this a file of events?")

    def too_deep(self, position: Position | None) -> DefinitionError:
        """The error for nesting beyond `DEEPEST`."""
        return self.stop("too-deep", f"Values are nested more than {DEEPEST} deep.", position)

    def _checked(self, node: Node) -> Node:
        if node.size > MOST_NODES:
            raise self.too_many(node.position)
        if node.depth > DEEPEST:
            raise self.too_deep(node.position)
        return node


def _extent(parts: list[Node]) -> tuple[int, int]:
    return 1 + sum(part.size for part in parts), 1 + max((part.depth for part in parts), default=0)


def decode(data: bytes, file: str) -> str:
    """The text of a document's bytes: UTF-8, with or without a byte order mark, of a reasonable size."""
    nodes = Nodes(file)
    if len(data) > MOST_BYTES:
        message = f"The document has {len(data):,} bytes; a definition has at most {MOST_BYTES:,}."
        raise nodes.stop("too-large", message, nodes.at(0, 0), "Is this a file of events?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace"))
        message = f"Byte {error.start} (0x{data[error.start]:02x}) is not UTF-8."
        raise nodes.stop(
            "not-utf-8", message, nodes.at(before.count(b"\n"), column), "Save the file as UTF-8."
        ) from None
    if unfit := _UNFIT.search(text):
        before_it = text[: unfit.start()]
        message = f"The character U+{ord(unfit[0]):04X} cannot stand in a document."
        place = nodes.at(before_it.count("\n"), len(before_it.rpartition("\n")[2]))
        raise nodes.stop("bad-text", message, place)
    return text


def from_mapping(source: Mapping[str, object], file: str) -> Document:
    """A document from plain Python data, as if it had been read from JSON; it has no positions."""
    nodes = Nodes(file)
    return nodes.document(_from_value(source, nodes, (), ()))


def _from_value(value: object, nodes: Nodes, path: Path, holders: tuple[int, ...]) -> Node:
    if value is None or isinstance(value, bool | int | float | str):
        return nodes.scalar(value, None, spell(path))
    if id(value) in holders:
        raise nodes.stop("circular", f"`{spell(path)}` contains itself.", None)
    if len(holders) >= DEEPEST:
        raise nodes.too_deep(None)
    inside = (*holders, id(value))
    if isinstance(value, Mapping):
        entries: list[tuple[str, Position | None, Node]] = [
            (_key(key), None, _from_value(part, nodes, (*path, _key(key)), inside)) for key, part in value.items()
        ]
        return nodes.mapping(entries, None)
    if isinstance(value, list | tuple):
        return nodes.sequence(
            [_from_value(part, nodes, (*path, index), inside) for index, part in enumerate(value)], None
        )
    message = f"A {type(value).__name__} cannot stand in a definition."
    nodes.note("wrong-type", message, None, "Write it as a text, a number, true or false.", spell(path))
    return Node(None)


def _key(key: object) -> str:
    """A key as JSON writes it."""
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(key)


def spell(path: Path) -> str:
    """A path as people write it: ``steps[2].window``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def parse(path: str) -> Path:
    """The path that `spell` spelled; its keys have no dots."""
    return tuple(int(index) if index else key for index, key in re.findall(r"\[(\d+)\]|([^.\[\]]+)", path))


__all__ = ["Document", "Node", "Nodes", "Path", "decode", "from_mapping", "parse", "spell"]
