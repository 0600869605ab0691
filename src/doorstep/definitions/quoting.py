"""Values in messages, as a document would spell them."""

from __future__ import annotations

import json

_LONGEST = 80


def quoted(value: object) -> str:
    """The value as JSON, cut where it is long: ``"7x"``, ``null``, ``[1, 2]``."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def cut(text: str) -> str:
    """A name from a document, cut where it is long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


__all__ = ["cut", "quoted"]
