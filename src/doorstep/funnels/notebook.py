"""How a figure shows itself in a notebook: the one place from which a room calls a face above it, by its name, when a
notebook asks.
"""

from __future__ import annotations

from importlib import import_module


class Shown:
    """What draws itself in a notebook."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """The figures with their pictures, as a part of a page."""
        drawn: str = import_module("doorstep.pages.notebook").drawn(self)
        return drawn


__all__ = ["Shown"]
