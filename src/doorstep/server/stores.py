"""The stores of a data directory, as the server wants them."""

from __future__ import annotations

from pathlib import Path

from doorstep.lake import Lake, open_lake
from doorstep.registry import Registry, WriteKeys


def open_sink(data: Path) -> Lake:
    """The lake in ``data``; made when absent."""
    return open_lake(data)


class RegistryKeys:
    """Write keys of a registry; a source is called what its key is called."""

    def __init__(self, keys: WriteKeys) -> None:
        self._keys = keys

    def verify(self, key: str) -> str | None:
        """See `doorstep.server.Keys`."""
        found = self._keys.verify(key)
        return None if found is None else found.name


def open_keys(registry: Registry) -> RegistryKeys:
    """The keys of a registry."""
    return RegistryKeys(registry.keys)
