"""Where a lake is: its directory, its catalog, its data, and the locks between processes."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doorstep.errors import StoreError
from doorstep.lake.objects import SCHEME, is_remote

FORMAT: Final = 1
_SETTINGS: Final = "lake.json"


@dataclass(frozen=True, slots=True)
class Place:
    """``catalog``: what DuckLake attaches (``sqlite:PATH`` or ``postgres:DSN``); ``data``: where its Parquet files go,
    a directory or ``s3://BUCKET/PATH``.
    """

    directory: Path
    catalog: str
    data: str

    @property
    def inbox(self) -> Path:
        """SQLite: what was accepted and is not yet settled, every message id, and the rejects."""
        return self.directory / "inbox.sqlite"

    @property
    def maps(self) -> Path:
        """SQLite: the identity maps that runs have used, numbered."""
        return self.directory / "maps.sqlite"

    @property
    def imported(self) -> Path:
        """A file for each import: its message ids, hashed and sorted."""
        return self.directory / "imported"

    @property
    def index(self) -> Path:
        """What runs made of data files for their own use; disposable."""
        return self.directory / "index"

    @contextmanager
    def locked(self, what: str, *, wait: float) -> Iterator[bool]:
        """Holds the lock named ``what`` against other processes and threads; False when it was not had within ``wait``
        seconds. It goes when the process does.
        """
        handle = os.open(self.directory / f"{what}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            had = _try_until(handle, time.monotonic() + wait)
            yield had
        finally:
            os.close(handle)

    @contextmanager
    def reading(self, snapshot: int) -> Iterator[int | None]:
        """While it lasts no snapshot expires. Gives an open file: until that is closed, ``snapshot`` does not. None
        where nothing may be written, as in a backup that is mounted read-only: nobody lets snapshots expire there.
        """
        try:
            self._leases.mkdir(exist_ok=True)
            gate = os.open(self._gate, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:
            yield None
            return
        try:
            fcntl.flock(gate, fcntl.LOCK_SH)
            lease = os.open(self._leases / str(snapshot), os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(lease, fcntl.LOCK_SH)
            yield lease
        finally:
            os.close(gate)

    @contextmanager
    def expiring(self) -> Iterator[frozenset[int]]:
        """The snapshots that somebody reads; while it lasts nobody begins to read another one."""
        self._leases.mkdir(exist_ok=True)
        gate = os.open(self._gate, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield frozenset(int(path.name) for path in self._leases.glob("[0-9]*") if _is_held(path))
        finally:
            os.close(gate)

    @property
    def _leases(self) -> Path:
        """A file for each snapshot that is read, locked by its readers."""
        return self.directory / "reading"

    @property
    def _gate(self) -> Path:
        return self._leases / "gate.lock"


def _is_held(path: Path) -> bool:
    """Whether a process has the file locked; one that nobody has is removed."""
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        path.unlink()
        return False
    finally:
        os.close(handle)


def _try_until(handle: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def find(directory: str | os.PathLike[str]) -> Place:
    """The lake in a directory; StoreError ``no-lake`` when there is none."""
    root = Path(os.path.abspath(os.path.expanduser(os.fspath(directory))))
    try:
        settings = json.loads((root / _SETTINGS).read_text("utf-8"))
        catalog, data, layout = str(settings["catalog"]), str(settings["data"]), settings["format"]
    except FileNotFoundError:
        raise StoreError(
            "no-lake", f"there is no lake in {root}. Name its directory, or make one with doorstep import or serve."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            "unreadable-lake", f"{root / _SETTINGS} cannot be read: {error}. Restore it from a backup."
        ) from None
    if layout != FORMAT:
        raise StoreError(
            "lake-format", f"{root} is a lake of format {layout}; this version reads format {FORMAT}. Use a newer one."
        )
    return Place(root, catalog, data)


def make(directory: str | os.PathLike[str], catalog: str | None, data: str | None) -> Place:
    """The lake in a directory, its settings written when absent. A relative catalog or data path lies in it."""
    root = Path(os.path.abspath(os.path.expanduser(os.fspath(directory))))
    if data is not None and is_remote(data) and not data.startswith(SCHEME):
        raise StoreError(
            "bad-data-path",
            f"a lake's data cannot be kept in {data}. Give a directory, or an address s3://BUCKET/PATH.",
        )
    if catalog is not None and not catalog.startswith(("sqlite:", "postgres:")):
        raise StoreError(
            "bad-catalog", f"{catalog} is no catalog. Give sqlite:PATH, or postgres:DSN (postgres:dbname=lake)."
        )
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not (root / _SETTINGS).exists():
            if any(root.iterdir()) and (root / "catalog.sqlite").exists():
                raise StoreError("unreadable-lake", f"{root} lacks its {_SETTINGS}. Restore it from a backup.")
            settings = {"format": FORMAT, "catalog": catalog or "sqlite:catalog.sqlite", "data": data or "data/"}
            part = root / f"{_SETTINGS}.{os.getpid()}"
            part.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
            part.rename(root / _SETTINGS)
        found = find(root)
    except OSError as error:
        raise StoreError("cannot-make", f"{root} cannot hold a lake: {error.strerror or error}.") from None
    if (catalog, data) != (None, None) and (catalog or found.catalog, data or found.data) != (
        found.catalog,
        found.data,
    ):
        raise StoreError(
            "other-settings", f"the lake in {root} has catalog {found.catalog} and data {found.data} already."
        )
    return found
