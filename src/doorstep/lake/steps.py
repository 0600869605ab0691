"""The long statements of an import: each tells how far it is, and Ctrl-C ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import duckdb

Told = Callable[[str, float | None], None]
"""Told what is going on and how much of it is done (0 to 1; None: unknown)."""
LOOK: Final = 0.2
"""Seconds between two looks at how far a statement is."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The statements of one part of an import, ``rows`` of them as far as known."""

    connection: duckdb.DuckDBPyConnection
    told: Told
    rows: int | None = None
    began: float = field(default_factory=time.monotonic)

    def run(self, statement: str, what: str, first: float, last: float) -> None:
        """Runs a statement that takes the part from ``first`` to ``last`` (shares of the whole)."""
        failure: list[BaseException] = []

        def work() -> None:
            try:
                self.connection.execute(statement)
            except BaseException as error:  # handed over to the caller's thread below
                failure.append(error)

        thread = threading.Thread(target=work, name="doorstep-import", daemon=True)
        self.told(what, first)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(LOOK)
                share = max(self.connection.query_progress(), 0.0) / 100 if thread.is_alive() else 1.0
                self._tell(what, share, first + share * (last - first))
        except KeyboardInterrupt:
            self.connection.interrupt()
            thread.join()
            raise
        if failure:
            raise failure[0]

    def _tell(self, what: str, share: float, done: float) -> None:
        """``share`` of this statement and ``done`` of the part."""
        if self.rows is None or share <= 0 or done <= 0:
            self.told(what, done)
            return
        elapsed = time.monotonic() - self.began
        speed = self.rows * done / max(elapsed, 1e-3)
        left = elapsed / done - elapsed
        self.told(
            f"{what}: {int(self.rows * share):,} of {self.rows:,} rows, {speed:,.0f} rows/s, {_spelt(left)}", done
        )


def _spelt(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s left" if whole >= 60 else f"{whole} s left"
