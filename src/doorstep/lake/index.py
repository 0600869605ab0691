"""What runs ask of a data file again and again, sorted for them: derived, disposable, mapped into memory.

``DIR/index/<data file>/`` holds, for each event and identity column that some run counted by, the rows' units and times
(``….run``), and for each property that some run looked at, a code for each of these rows (``….col``). Data files never
change, so neither does this; it is written aside, synced, and put in place whole. A file that is not whole, or of
another data file, is as good as none. All of it may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import shutil
import struct
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_HEADER: Final = struct.Struct("<8s16sQQQI12x")
"""Magic, whose it is, the data file's bytes, entries, bytes that follow, their CRC-32."""

_RUN, _COLUMN = b"doorrun1", b"doorcol1"

_ABANDONED: Final = 3_600
"""A part that nobody finished in so many seconds is swept away."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of events, of so many bytes: immutable, and named as no other file ever is."""

    path: Path
    size: int


class Index:
    """The index files of one lake's data files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def run(self, file: DataFile, key: str) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
        """(units, times), mapped and read-only; None when there is no such file, or it is not whole."""
        found = _mapped(self._place(file, key, "run"), _RUN, file)
        if found is None:
            return None
        count, data = found
        if not count or len(data) != 12 * count:
            return None
        return np.frombuffer(data, np.int32, count, 8 * count), np.frombuffer(data, np.int64, count)

    def keep_run(self, file: DataFile, key: str, units: NDArray[np.int32], times: NDArray[np.int64]) -> bool:
        """Puts a run on disk; False when that is not possible."""
        return _written(self._place(file, key, "run"), _RUN, file, len(units), [times.data, units.data])

    def column(self, file: DataFile, key: str) -> tuple[NDArray[np.uint16], list[str | None]] | None:
        """(codes, what they stand for), mapped and read-only; None when there is no such file, or it is not whole."""
        found = _mapped(self._place(file, key, "col"), _COLUMN, file)
        if found is None:
            return None
        count, data = found
        return np.frombuffer(data, np.uint16, count), json.loads(bytes(data[2 * count :]))

    def keep_column(self, file: DataFile, key: str, codes: NDArray[np.uint16], values: Sequence[str | None]) -> bool:
        """Puts a property's codes on disk; False when that is not possible."""
        said = json.dumps(values).encode()
        return _written(self._place(file, key, "col"), _COLUMN, file, len(codes), [codes.data, said])

    def sizes(self) -> tuple[int, int]:
        """(files, their bytes)."""
        found = [path.stat().st_size for path in self._files()]
        return len(found), sum(found)

    def damaged(self, sizes: dict[str, int]) -> tuple[Path, ...]:
        """Files that are not whole. ``sizes``: name of each data file → its bytes."""
        return tuple(
            path
            for path in self._files()
            if path.suffix != ".part"
            and path.parent.name in sizes
            and _mapped(
                path, _RUN if path.suffix == ".run" else _COLUMN, DataFile(path.parent, sizes[path.parent.name])
            )
            is None
        )

    def sweep(self, known: Iterable[str]) -> None:
        """Removes what belongs to no known data file (by name), and parts that nobody finishes."""
        names = set(known)
        with contextlib.suppress(OSError):
            for place in list(self._directory.iterdir()):
                if place.name not in names:
                    shutil.rmtree(place, ignore_errors=True)
            for part in list(self._directory.glob("*/*.part")):
                if part.stat().st_mtime < time.time() - _ABANDONED:
                    part.unlink()

    def _files(self) -> Iterator[Path]:
        return (path for path in self._directory.glob("*/*") if path.is_file())

    def _place(self, file: DataFile, key: str, suffix: str) -> Path:
        return self._directory / file.path.name / f"{key}.{suffix}"


def _whose(place: Path) -> bytes:
    """What tells an index file from one that was moved here from elsewhere."""
    return hashlib.blake2b(f"{place.parent.name}/{place.name}".encode(), digest_size=16).digest()


def _mapped(place: Path, magic: bytes, file: DataFile) -> tuple[int, memoryview] | None:
    """(entries, data) of a file that is whole and of this data file."""
    try:
        with open(place, "rb") as opened:
            whole = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # there is none, or nothing in it
        return None
    if len(whole) < _HEADER.size:
        return None
    said, whose, size, count, length, digest = _HEADER.unpack_from(whole)
    data = whole[_HEADER.size :]
    right = (said, whose, size, length) == (magic, _whose(place), file.size, len(data))
    return (count, data) if right and zlib.crc32(data) == digest else None


def _written(place: Path, magic: bytes, file: DataFile, count: int, parts: Sequence[Any]) -> bool:
    """Puts it in place whole, or not at all."""
    digest = length = 0
    for part in parts:
        digest, length = zlib.crc32(part, digest), length + memoryview(part).nbytes
    aside = place.with_name(f"{place.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "wb") as opened:
            opened.write(_HEADER.pack(magic, _whose(place), file.size, count, length, digest))
            for part in parts:
                opened.write(part)
            opened.flush()
            os.fsync(opened.fileno())
        aside.rename(place)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink()
        return False
    return True
