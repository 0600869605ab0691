"""Words that people give to be kept: names, reasons, messages."""

from __future__ import annotations

from typing import Final

from doorstep.errors import RegistryError

LONGEST: Final = 10_000
"""Characters."""


def kept(words: str, what: str) -> str:
    """The words without space around them; RegistryError ``bad-words`` when there are none, or they cannot be kept."""
    found = words.strip()
    if not found:
        raise RegistryError("bad-words", f"{what} is empty. Say it in a few words.")
    if len(found) > LONGEST:
        raise RegistryError("bad-words", f"{what} has {len(found):,} characters; at most {LONGEST:,} are kept.")
    if "\0" in found or (not found.isascii() and any("\ud800" <= one <= "\udfff" for one in found)):
        raise RegistryError("bad-words", f"{what} has characters that are not text. Write it in UTF-8.")
    return found


__all__ = ["kept"]
