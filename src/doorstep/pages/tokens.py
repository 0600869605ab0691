"""Colours by what they mean, light and dark. Texts keep a contrast of at least 4.5 to the paper (tests/pages)."""

from __future__ import annotations

from typing import Final

LIGHT: Final = {
    "paper": "#fbfaf7",
    "ink": "#1f2328",
    "muted": "#596069",
    "rule": "#dedbd3",
    "accent": "#2b5f9e",
    "hatch": "#7d838c",
    "ghost": "#e4e1d9",
}
DARK: Final = {
    "paper": "#17191c",
    "ink": "#e9e7e2",
    "muted": "#a6acb5",
    "rule": "#363a41",
    "accent": "#82b1ea",
    "hatch": "#8b929c",
    "ghost": "#30343a",
}
TEXTS: Final = ("ink", "muted", "accent")
"""Tokens that texts are written in."""

FONTS: Final = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Arial, sans-serif"


def declared(tokens: dict[str, str]) -> str:
    """As CSS properties."""
    return "".join(f"--d-{name}:{colour};" for name, colour in tokens.items())
