"""Where read calls go: whoever keeps them. A call that `Sink.accept` has returned from is on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from doorstep.errors import StoreError
from doorstep.ingest.records import Arrival, Rejected


@dataclass(frozen=True, slots=True)
class Accepted:
    """What came of a call: arrivals kept, and those whose message id was known already."""

    new: int
    duplicates: int


class Busy(StoreError):  # noqa: N818 - a state to wait out, as HTTP calls it
    """Nothing was kept; the sender should come again after ``retry_after`` seconds."""

    def __init__(self, code: str, message: str, retry_after: float) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class Sink(Protocol):
    """Keeps arrivals. Called by one thread at a time."""

    def accept(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> Accepted:
        """Keeps all of it or nothing, durably on return. Raises `Busy` when the sender should come again."""
        ...
