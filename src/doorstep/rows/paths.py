"""Where a property may be found in a row: by its own name, or inside objects (semantics 1, *properties*).

A name is looked for in the row itself and then in its ``properties``. In each, a name with dots is first one key
(``a.b.c``), then a key inside an object (``a`` → ``b.c``), and so on to ``a`` → ``b`` → ``c``. The first value that is
not null is the property's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

PROPERTIES: Final = "properties"


def paths(name: str) -> tuple[tuple[str, ...], ...]:
    """The paths at which ``name`` may stand in an object, in the order they are tried."""
    parts = name.split(".")
    return tuple((*parts[:depth], ".".join(parts[depth:])) for depth in range(len(parts)))


def row_paths(name: str) -> tuple[tuple[str, ...], ...]:
    """The paths at which ``name`` may stand in a row: in the row itself, then in its ``properties``."""
    found = paths(name)
    return found + tuple((PROPERTIES, *path) for path in found)


def find(row: Mapping[str, object], name: str) -> object | None:
    """The property's value in ``row``, or None when it is missing or null everywhere."""
    return next((value for value in _values(row, name) if value is not None), None)


def _values(row: Mapping[str, object], name: str) -> Iterator[object]:
    for path in row_paths(name):
        value: object = row
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        yield value
