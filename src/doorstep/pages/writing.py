"""Parts into HTML."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from doorstep.pages.parts import Page, Section
from doorstep.pages.tokens import DARK, LIGHT, declared

TEMPLATES: Final = "templates"


def page_of(page: Page) -> str:
    """A whole file: it asks for nothing from anywhere, and runs nothing."""
    return _environment().get_template("page.html.j2").render(page=page, css=_css()) + "\n"


def part_of(sections: Sequence[Section], page: Page | None = None) -> str:
    """A part of a notebook: ``page`` for its head, if it has one."""
    return _environment().get_template("notebook.html.j2").render(page=page, sections=sections, css=_css())


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("doorstep.pages", TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters["share"] = _width
    found.filters["drawing"] = Markup  # our own SVG, in which every text is escaped
    return found


@cache
def _css() -> Markup:
    loader = _environment().loader
    assert loader is not None
    css, _, _ = loader.get_source(_environment(), "page.css")
    return Markup(css.replace("LIGHT ", declared(LIGHT)).replace("DARK ", declared(DARK)))


def _width(share: float) -> str:
    return f"{max(0.0, min(1.0, share)) * 100:.3f}%"


__all__ = ["page_of", "part_of"]
