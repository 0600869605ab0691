"""Message ids that came by import: hashed to 64 bits, sorted, one memory-mapped file for each import.

A hash that is there makes an id a candidate only; the tables say whether it is truly known. A file with more in it than
was imported (an import that did not finish) does no harm.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence

import duckdb
import numpy as np
from numpy.typing import NDArray

from doorstep.lake.place import Place


class Imported:
    """All imports of one lake, as they were when first asked."""

    def __init__(self, place: Place) -> None:
        self._files = [
            np.memmap(path, np.uint64, "r") for path in sorted(place.imported.glob("*.ids")) if path.stat().st_size
        ]

    def among(self, connection: duckdb.DuckDBPyConnection, message_ids: Sequence[str]) -> set[str]:
        """Those of the ids that an import brought before."""
        if not self._files or not message_ids:
            return set()
        hashes = np.array([hashed(one) for one in message_ids], np.uint64)
        hit = np.zeros(len(hashes), np.bool_)
        for file in self._files:
            places = np.minimum(np.searchsorted(file, hashes), len(file) - 1)
            hit |= file[places] == hashes
        candidates = sorted({message_ids[index] for index in np.flatnonzero(hit).tolist()})
        if not candidates:
            return set()
        found = connection.execute(
            "SELECT DISTINCT message_id FROM lake.events WHERE message_id IN (SELECT unnest(?::VARCHAR[]))",
            (candidates,),
        ).fetchall()
        return {name for (name,) in found}


def hashed(message_id: str) -> int:
    """The first eight bytes of the id's MD5, as DuckDB's ``md5_number_upper`` gives them."""
    return int.from_bytes(hashlib.md5(message_id.encode(), usedforsecurity=False).digest()[:8], "little")


def write(place: Place, name: str, hashes: Iterable[NDArray[np.uint64]]) -> None:
    """Puts an import's hashes on disk, before the rows they belong to are committed. All together they are sorted."""
    place.imported.mkdir(exist_ok=True)
    part = place.imported / f"{name}.part"
    with open(part, "wb") as file:
        for one in hashes:
            one.tofile(file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(place.imported / f"{name}.ids")
