"""A JSON document's text as a `Document`: `json` judges and decodes it, a small walk finds where each value stands."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Final

from doorstep.definitions.document import DEEPEST, Document, Node, Nodes
from doorstep.errors import Position

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder()


def parse_json(text: str, file: str) -> Document:
    """The document in ``text``; raises `DefinitionError` when it is not JSON."""
    nodes = Nodes(file)
    if not text.strip():
        return nodes.document(None)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        position = nodes.at(error.lineno - 1, error.colno - 1)
        raise nodes.stop("not-json", f"This is not JSON: {error.msg}.", position) from None
    except RecursionError:
        raise nodes.too_deep(nodes.at(0, 0)) from None
    except ValueError:
        raise nodes.stop("bad-number", "A number has more digits than can be read.", nodes.at(0, 0)) from None
    return nodes.document(_Walk(nodes, text).value(0, 1)[0])


class _Walk:
    """Nodes from a text that is known to be JSON; each method gives the node and the index behind it."""

    def __init__(self, nodes: Nodes, text: str) -> None:
        self.nodes = nodes
        self.text = text
        self.lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def place(self, index: int) -> Position:
        line = bisect_right(self.lines, index) - 1
        return self.nodes.at(line, index - self.lines[line])

    def skip(self, index: int) -> int:
        found = _SPACE.match(self.text, index)
        return found.end() if found else index

    def value(self, index: int, depth: int) -> tuple[Node, int]:
        start = self.skip(index)
        if depth > DEEPEST:
            raise self.nodes.too_deep(self.place(start))
        if self.text[start] == "[":
            return self.array(start, depth)
        if self.text[start] == "{":
            return self.object(start, depth)
        scalar, end = _DECODER.raw_decode(self.text, start)
        return self.nodes.scalar(scalar, self.place(start)), end

    def array(self, start: int, depth: int) -> tuple[Node, int]:
        items: list[Node] = []
        index = self.skip(start + 1)
        while self.text[index] != "]":
            item, index = self.value(index, depth + 1)
            items.append(item)
            index = self.behind_comma(index)
        return self.nodes.sequence(items, self.place(start)), index + 1

    def object(self, start: int, depth: int) -> tuple[Node, int]:
        entries: list[tuple[str, Position | None, Node]] = []
        index = self.skip(start + 1)
        while self.text[index] != "}":
            key, behind = _DECODER.raw_decode(self.text, index)
            node, end = self.value(self.skip(behind) + 1, depth + 1)
            entries.append((key, self.place(index), node))
            index = self.behind_comma(end)
        return self.nodes.mapping(entries, self.place(start)), index + 1

    def behind_comma(self, index: int) -> int:
        index = self.skip(index)
        return self.skip(index + 1) if self.text[index] == "," else index


__all__ = ["parse_json"]
