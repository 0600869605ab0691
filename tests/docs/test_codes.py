"""No error or finding without a line about it."""

from __future__ import annotations

import re
from pathlib import Path

import doorstep

SOURCES = Path(doorstep.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text("utf-8")
NO_CODES = {"doorstep-query", "re-entry", "utf-8", "utf-8-sig"}
"""Texts of the same shape that are no codes."""

MORE = {"no-event-column", "no-time-column"}
"""Codes that are put together."""

_SHAPED = re.compile(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"')
_RAISED = re.compile(r'(?:(?<!Custom)Error|\.stop|\.note|_fail|Issue|Violation)\(\s*"([a-z-]+)"')


def _codes() -> set[str]:
    texts = [path.read_text("utf-8") for path in SOURCES.rglob("*.py")]
    return {code for text in texts for form in (_SHAPED, _RAISED) for code in form.findall(text)} - NO_CODES | MORE


def test_every_code_has_its_line_and_every_line_its_code() -> None:
    """docs/errors.md lists what the sources can say, and nothing else."""
    listed = {code for line in PAGE.splitlines() if line.startswith("| `") for code in _told(line)}
    assert listed == _codes()


def _told(line: str) -> list[str]:
    return re.findall(r"`([a-z0-9-]+)`", line.split("|")[1])
