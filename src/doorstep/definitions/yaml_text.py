"""A YAML document's text as a `Document`: PyYAML's events, with the scalars of the YAML 1.2 core schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from doorstep.definitions.document import DEEPEST, Document, Node, Nodes
from doorstep.errors import DefinitionError, Position

_LOADER: Final = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_NULL: Final = re.compile(r"~|null|Null|NULL|")
_TRUE: Final = re.compile(r"true|True|TRUE")
_FALSE: Final = re.compile(r"false|False|FALSE")
_DECIMAL: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOST_DIGITS: Final = 1000


def parse_yaml(text: str, file: str) -> Document:
    """The one document in ``text``; raises `DefinitionError` when there is none, several, or none that can be read."""
    nodes = Nodes(file)
    try:
        return nodes.document(_Composer(nodes, text).compose())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = nodes.at(mark.line, mark.column) if mark else None
        if "nesting depth" in (error.problem or ""):  # libyaml's own bound, met while it reads ahead of us
            raise nodes.too_deep(position) from None
        rest = "".join(line[mark.column :] for line in text.split("\n")[mark.line : mark.line + 1]) if mark else ""
        raise nodes.stop(
            "not-yaml", f"This is not YAML: {error.problem}.", position, _mend(error.problem or "", rest)
        ) from None


def plain_scalar(text: str) -> bool | int | float | str | None:
    """What an unquoted text stands for in the YAML 1.2 core schema."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return bool(_TRUE.fullmatch(text))
    if len(text) <= _MOST_DIGITS:
        for form, base in ((_DECIMAL, 10), (_OCTAL, 8), (_HEX, 16)):
            if form.fullmatch(text):
                return int(text[2:] if base != 10 else text, base)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def _mend(problem: str, rest: str) -> str | None:
    """What to do about it; ``rest`` is the line from where the trouble is."""
    if rest.startswith("\t"):
        return "Indent with spaces, not tabs."
    if rest[:1] in {"@", "`", "%"}:
        return f"Quote a text that begins with `{rest[0]}`."
    if "mapping values are not allowed" in problem:
        return "Quote a text that has `: ` in it, and line the keys up."
    return None


class _Composer:
    """Nodes from events. An alias shares its anchor's node, and is counted as if it were written out."""

    def __init__(self, nodes: Nodes, text: str) -> None:
        self.nodes = nodes
        self.events: Iterator[Event] = iter(yaml.parse(text, Loader=_LOADER))
        self.anchors: dict[str, Node | None] = {}

    def compose(self) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.nodes.stop(
                        "several-documents",
                        "A second document begins here.",
                        self.place(event),
                        "Keep one definition in a file.",
                    )
                root = self.node(next(self.events), 1)
        return root

    def place(self, event: Event) -> Position | None:
        mark = event.start_mark
        return self.nodes.at(mark.line, mark.column) if mark else None

    def node(self, event: Event, depth: int) -> Node:
        if isinstance(event, AliasEvent):
            return self.alias(event)
        if depth > DEEPEST:
            raise self.nodes.too_deep(self.place(event))
        anchor: str | None = getattr(event, "anchor", None)
        if anchor is not None:
            self.anchors[anchor] = None
        if getattr(event, "tag", None) is not None:
            self.nodes.note(
                "yaml-tag",
                f"The tag `{getattr(event, 'tag', '')}` is not part of the language.",
                self.place(event),
                "Leave it out; quote a value that is a text.",
            )
        made = self.untagged(event, depth)
        if anchor is not None:
            self.anchors[anchor] = made
        return made

    def untagged(self, event: Event, depth: int) -> Node:
        position = self.place(event)
        match event:
            case ScalarEvent():
                return self.nodes.scalar(plain_scalar(event.value) if _is_plain(event) else event.value, position)
            case SequenceStartEvent():
                items = []
                while not isinstance(inner := next(self.events), SequenceEndEvent):
                    items.append(self.node(inner, depth + 1))
                return self.nodes.sequence(items, position)
            case MappingStartEvent():
                entries = []
                while not isinstance(inner := next(self.events), MappingEndEvent):
                    key = self.key(inner)
                    entries.append((key, self.place(inner), self.node(next(self.events), depth + 1)))
                return self.nodes.mapping(entries, position)
            case _:
                raise AssertionError(event)

    def key(self, event: Event) -> str:
        if not isinstance(event, ScalarEvent):
            raise self.nodes.stop(
                "bad-key",
                "A key must be a plain text.",
                self.place(event),
                "Put quotes around braces or brackets that are meant as text.",
            )
        if event.value == "<<" and _is_plain(event):
            self.nodes.note("merge-key", "`<<` does not merge mappings here.", self.place(event), "Write the keys out.")
        return event.value

    def alias(self, event: AliasEvent) -> Node:
        anchor = event.anchor or ""
        if anchor not in self.anchors:
            raise self.unknown(anchor, event)
        found = self.anchors[anchor]
        if found is None:
            raise self.nodes.stop("circular", f"`*{anchor}` stands inside what it refers to.", self.place(event))
        return found

    def unknown(self, anchor: str, event: Event) -> DefinitionError:
        return self.nodes.stop(
            "unknown-alias",
            f"`*{anchor}` refers to no `&{anchor}` before it.",
            self.place(event),
            "Quote a text that begins with `*`.",
        )


def _is_plain(event: ScalarEvent) -> bool:
    return event.style is None or event.style == ""


__all__ = ["parse_yaml", "plain_scalar"]
