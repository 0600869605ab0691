"""The rooms of the house, and the one way in which imports run (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import doorstep

SOURCES = Path(doorstep.__file__).parent
MAY_IMPORT = {
    "errors": set[str](),
    "definitions": {"errors"},
    "matching": {"errors", "definitions", "rows"},
    "rows": {"errors", "definitions"},
    "stitching": {"errors"},
    "engines": {"errors", "definitions", "matching", "rows", "stitching"},
    "statistics": set[str](),
    "funnels": {"errors", "definitions", "matching", "rows", "stitching", "engines", "statistics"},
    "journeys": {"errors", "definitions", "rows", "matching", "stitching", "engines", "funnels"},
    "pages": {"errors", "definitions", "funnels", "statistics"},
    "drift": {"errors", "definitions", "rows", "engines", "funnels"},
    "registry": {"errors", "definitions", "funnels", "journeys"},
    "demo": {"errors"},
    "lifecycles": set(),
    "ingest": {"errors", "rows"},
    "lake": {"errors", "rows", "ingest"},
    "ledger": {"errors", "definitions", "rows", "stitching", "engines", "journeys", "lake", "registry"},
    "delivery": {"errors", "registry"},
    "automations": {
        *(
            "delivery",
            "errors",
            "definitions",
            "rows",
            "engines",
            "funnels",
            "journeys",
            "drift",
            "ingest",
            "lake",
            "registry",
        ),
        "ledger",
    },
    "server": {"errors", "ingest", "lake", "registry", "ledger", "delivery", "automations"},
    "frozen": {"errors", "funnels", "lake", "registry"},
    "identities": {"errors", "definitions", "rows", "stitching", "engines", "funnels", "lake"},
    "cli": {
        *("errors", "definitions", "matching", "rows", "engines", "funnels", "journeys", "drift", "registry"),
        *("demo", "lifecycles", "ingest", "lake", "ledger", "server", "frozen", "identities", "statistics", "pages"),
        *("delivery", "automations"),
    },
}


def _room(path: Path) -> str:
    return path.relative_to(SOURCES).parts[0].removesuffix(".py")


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("doorstep.")}
    return found


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCES)))
def test_a_module_imports_only_from_rooms_below_its_own(path: Path) -> None:
    """Imports run down the list of docs/architecture.md and never up."""
    room = _room(path)
    if room != "__init__":
        assert _imported(path) - {room} <= MAY_IMPORT[room]


def test_what_the_package_names_is_what_it_has() -> None:
    """Every public name can be had, and another cannot."""
    assert all(getattr(doorstep, name) is not None for name in doorstep.__all__)
    assert sorted(dir(doorstep)) == sorted(doorstep.__all__)
    with pytest.raises(AttributeError, match="no attribute 'funnel'"):
        doorstep.funnel  # noqa: B018
