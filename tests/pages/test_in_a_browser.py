"""Reports, opened: in headless Chromium, narrow and wide, light and dark, and printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from doorstep.pages.tokens import DARK, LIGHT
from pages.browser import look, needs_chromium, printed
from pages.samples import KINDS, page

pytestmark = needs_chromium


def _rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_opens_alone_and_fits(kind: str, tmp_path: Path) -> None:
    """No word on the console, nobody asked, nothing wider than the window, one drawing of each pair."""
    text = page(kind)
    for width, dark in ((400, False), (1400, True)):
        seen = look(text, tmp_path, width=width, dark=dark)
        assert seen.console == []
        assert seen.asked == []
        told = seen.measured
        assert told["page"] <= told["width"]
        assert told["over"] == []
        tokens = DARK if dark else LIGHT
        assert (told["paper"], told["ink"]) == (_rgb(tokens["paper"]), _rgb(tokens["ink"]))
        drawn = [box for box in told["boxes"] if box > 0]
        assert all(100 < box <= told["width"] for box in drawn)
        assert len(told["boxes"]) <= text.count("<figure>")


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_do_nothing(kind: str, tmp_path: Path) -> None:
    """No element of theirs, no dialogue, no request; the title is what the definition says."""
    seen = look(page(kind, True), tmp_path, width=400)
    assert seen.console == []
    assert seen.asked == []
    assert seen.measured["bold"] == 0
    assert seen.measured["page"] <= seen.measured["width"]
    assert seen.measured["title"].startswith("<script>alert(1)</script>")


def test_a_page_prints(tmp_path: Path) -> None:
    """A PDF of a few pages, with what is folded on the screen."""
    path = tmp_path / "page.html"
    path.write_text(page("experiment"), "utf-8")
    paper = printed(path, tmp_path)
    assert paper.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 8
