"""No error or finding without a line about it."""

from __future__ import annotations

import re
from pathlib import Path

import doorstep

SOURCES = Path(doorstep.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"
NO_CODES = {
    *("doorstep-query", "doorstep-beside", "doorstep-data", "doorstep-reader", "doorstep-writer", "freeze-run"),
    *(
        "dry-run",
        "doorstep-import",
        "doorstep-deliver",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "retry-after",
    ),
    *("dry-run", "re-entry", "utf-8", "utf-8-sig", "00000000-0000-0000-0000-000000000000", "content-encoding"),
    *("gzip-js", "x-gzip", "posthog-python", "triangle-up", "triangle-down", "step-after"),
}
"""Texts of the same shape that are no codes."""

MORE = {"no-event-column", "no-time-column"}
"""Codes that are put together."""

_SHAPED = re.compile(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"')
_RAISED = re.compile(r'(?:(?<!Custom)Error|\.stop|\.note|_fail|Issue|Violation)\(\s*"([a-z-]+)"')


def _codes() -> set[str]:
    texts = [path.read_text("utf-8") for path in SOURCES.rglob("*.py")]
    return {code for text in texts for form in (_SHAPED, _RAISED) for code in form.findall(text)} - NO_CODES | MORE


def test_every_code_has_its_line_and_every_line_its_code() -> None:
    """Some page tells each code that the sources can say; the tables of docs/errors.md have no other."""
    told = {code for path in DOCS.glob("*.md") for code in _told(path.read_text("utf-8"))}
    assert _codes() - told == set()
    rows = [
        line.split("|")[1] for line in (DOCS / "errors.md").read_text("utf-8").splitlines() if line.startswith("| `")
    ]
    assert {code for row in rows for code in _told(row)} - _codes() == set()


def _told(text: str) -> list[str]:
    return re.findall(r"`([a-z0-9-]+)`", text)
