"""What is said about identities, as the rules read it; whatever has these attributes will do.

Times are microseconds since 1970 UTC; ids are non-empty texts.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Identified(Protocol):
    """``anonymous_id`` was seen to be ``user_id``."""

    @property
    def anonymous_id(self) -> str:
        """The id of a device, a browser, a visitor."""
        ...

    @property
    def user_id(self) -> str:
        """Who it was."""
        ...

    @property
    def time(self) -> int:
        """When."""
        ...


class Aliased(Protocol):
    """``previous_id`` and ``user_id`` are one person; neither is said to be anonymous."""

    @property
    def previous_id(self) -> str:
        """The one to give up, where nothing says otherwise."""
        ...

    @property
    def user_id(self) -> str:
        """The one to keep, where nothing says otherwise."""
        ...

    @property
    def time(self) -> int:
        """When."""
        ...


class Joined(Protocol):
    """``user_id``, or whoever ``anonymous_id`` is, belongs to ``account_id`` from ``time`` on."""

    @property
    def account_id(self) -> str:
        """The account."""
        ...

    @property
    def user_id(self) -> str | None:
        """Who joined."""
        ...

    @property
    def anonymous_id(self) -> str | None:
        """Looked at where there is no ``user_id``."""
        ...

    @property
    def time(self) -> int:
        """When."""
        ...


class Link(NamedTuple):
    """The plainest `Identified`."""

    anonymous_id: str
    user_id: str
    time: int
