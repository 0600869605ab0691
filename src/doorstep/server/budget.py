"""How many bytes of bodies are in memory at once."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from doorstep.ingest.sink import Busy

REQUEST: Final = 4096
"""What a request costs beside its body."""


class Budget:
    """So many bytes for all requests together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes that are in use."""
        return self._held

    def hold(self) -> Hold:
        """A request's share: nothing yet, and given back on leaving it."""
        return Hold(self)

    def take(self, size: int) -> None:
        """Takes so many bytes. Raises Busy when they are not there."""
        if self._held + size > self._most:
            raise Busy("too-much-at-once", "more is being sent than can be kept just now. Send again later.", 1.0)
        self._held += size

    def give(self, size: int) -> None:
        """Gives bytes back."""
        self._held -= size


class Hold:
    """What one request holds of the budget while it lasts."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0

    def grow(self, size: int) -> None:
        """Holds so many bytes more. Raises Busy when they are not there."""
        self._budget.take(size)
        self._size += size

    def __enter__(self) -> Hold:
        self.grow(REQUEST)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._budget.give(self._size)
