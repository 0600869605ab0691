"""Names and literals written into SQL so that no text can end them early."""

from __future__ import annotations

from collections.abc import Iterable


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """``value`` as a SQL text literal; NUL, which SQL text cannot hold, is spelt ``chr(0)``."""
    parts = ["'" + part.replace("'", "''") + "'" for part in value.split("\0")]
    return parts[0] if len(parts) == 1 else "(" + " || chr(0) || ".join(parts) + ")"


def texts(values: Iterable[str]) -> str:
    """A SQL list of text literals."""
    return "[" + ", ".join(text(value) for value in values) + "]"
