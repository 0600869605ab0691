"""The name of a unit: of a known user the user's id, of an id that nobody is known to have, that id marked as such.

A user and a device may have the same text for an id; their units never have the same name.
"""

from __future__ import annotations

from typing import Final

ANONYMOUS: Final = "anonymous:"
KNOWN: Final = "known:"
"""Stands before the ids of users that would read as marked without it."""


def known_unit(user_id: str) -> str:
    """``u1``; ``known:anonymous:u1`` for a user whose id begins with a mark."""
    return f"{KNOWN}{user_id}" if user_id.startswith((ANONYMOUS, KNOWN)) else user_id


def anonymous_unit(anonymous_id: str) -> str:
    """``anonymous:d1``."""
    return f"{ANONYMOUS}{anonymous_id}"


def known_unit_sql(user_id: str) -> str:
    """SQL (VARCHAR) of `known_unit`; NULL stays NULL."""
    marked = f"starts_with({user_id}, '{ANONYMOUS}') OR starts_with({user_id}, '{KNOWN}')"
    return f"(CASE WHEN {marked} THEN '{KNOWN}' || {user_id} ELSE {user_id} END)"


def anonymous_unit_sql(anonymous_id: str) -> str:
    """SQL (VARCHAR) of `anonymous_unit`; NULL stays NULL."""
    return f"('{ANONYMOUS}' || {anonymous_id})"
