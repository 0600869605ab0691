"""Secrets at rest: sealed with a key that is not in the database.

The key is in DOORSTEP_SECRET_KEY, or in a file of the data directory that its owner alone may read. Several keys, one
a line or with commas between, are tried in turn; the first one seals.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from doorstep.errors import RegistryError

FILE: Final = "secret.key"
"""The key in a data directory."""
VARIABLE: Final = "DOORSTEP_SECRET_KEY"


class Seal:
    """Seals texts, and opens what it or an earlier key sealed."""

    def __init__(self, keys: Iterable[str], where: str) -> None:
        self._where = where
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            message = f"{where} holds no key, which is 32 bytes in URL-safe base64."
            raise RegistryError("bad-secret-key", f"{message} Bring back the right one from your backup.") from None

    def close(self, text: str) -> str:
        """The text, sealed."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """What was sealed. RegistryError ``wrong-secret-key``."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            message = f"The key in {self._where} does not open what is sealed."
            mend = "Bring back the key it was sealed with, or remove the destination and add it again."
            raise RegistryError("wrong-secret-key", f"{message} {mend}") from None


def seal_of(directory: Path, variable: str | None) -> Seal:
    """The seal of a data directory; ``variable`` is what DOORSTEP_SECRET_KEY says. Without either, a key is made.
    RegistryError ``bad-secret-key``, ``open-secret-key``, ``secret-key-unusable``.
    """
    if variable is not None:
        return Seal(filter(None, map(str.strip, variable.split(","))), VARIABLE)
    path = directory / FILE
    try:
        return Seal(_read(path).split(), str(path))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        _make(path)
        return Seal(_read(path).split(), str(path))
    except OSError as error:
        raise _unusable(path, error) from None


def _read(path: Path) -> str:
    with path.open(encoding="ascii", errors="replace") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            message = f"{path} can be read by others than its owner."
            raise RegistryError("open-secret-key", f"{message} Say chmod 600 {path}.")
        return file.read(10_000)


def _make(path: Path) -> None:
    """Writes a key aside and links it to its place, so that two who do this at once end with one key, and a crash with
    a whole one or none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, Fernet.generate_key() + b"\n")
        os.fsync(handle)
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        os.close(handle)
        aside.unlink()


def _unusable(path: Path, error: OSError) -> RegistryError:
    return RegistryError(
        "secret-key-unusable", f"{path} cannot be read or made: {error.strerror}. Or set DOORSTEP_SECRET_KEY."
    )


__all__ = ["FILE", "VARIABLE", "Seal", "seal_of"]
