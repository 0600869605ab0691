"""Frozen runs are kept as they were, for whoever counts again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import doorstep
from doorstep.errors import RegistryError
from doorstep.registry import Registry, RunBounds
from registry.documents import signup

ROWS = """user_id,event,time,plan
u1,signup,2026-03-01T00:00:00Z,pro
u1,verify,2026-03-02T00:00:00Z,pro
u2,signup,2026-03-01T00:00:00.000001Z,
"""

BOUNDS = RunBounds(
    as_of=1_772_600_000_000_001, since=-1, until=2**62, timezone="Europe/Berlin", first_time=True, breakdown=("plan",)
)


def _figures(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "events.csv").write_text(ROWS, "utf-8")
    return doorstep.run(signup(), str(tmp_path / "events.csv"), breakdown="plan").to_dict()


def test_a_run_is_read_as_it_was_kept(registry: Registry, tmp_path: Path) -> None:
    """Definition, versions, bounds to the microsecond, and figures to the last digit."""
    version = registry.publish(signup(), by="ada").version
    figures = _figures(tmp_path)
    kept = registry.runs.keep("signup", 1, snapshot=2**60, map_version=7, bounds=BOUNDS, figures=figures, by="eve")
    assert (kept.name, kept.version, kept.hash, kept.semantics) == ("signup", 1, version.hash, 1)
    assert (kept.snapshot, kept.map_version, kept.bounds) == (2**60, 7, BOUNDS)
    assert (kept.figures, kept.frozen_by, kept.frozen_at) == (figures, "eve", 1_000_002)
    registry.publish(signup("1d"), by="ada")
    assert registry.runs.get(kept.id) == kept
    assert registry.runs.all() == registry.runs.all("signup") == (kept,)
    assert registry.runs.all("other") == ()


def test_only_a_published_version_s_own_figures_can_be_kept(registry: Registry, tmp_path: Path) -> None:
    """What could not be counted again is refused."""
    registry.publish(signup("1d"), by="ada")
    for version, told in ((1, "not of signup@1"), (2, "no signup@2")):
        with pytest.raises(RegistryError, match=told):
            registry.runs.keep(
                "signup", version, snapshot=1, map_version=1, bounds=BOUNDS, figures=_figures(tmp_path), by="eve"
            )
    assert registry.runs.all() == ()


def test_a_run_that_is_not_there_is_told(registry: Registry) -> None:
    """By its id."""
    with pytest.raises(RegistryError, match="no frozen run 'abc'"):
        registry.runs.get("abc")


@pytest.mark.parametrize(
    ("breakdown", "top"),
    [((), None), (("plan",), None), (("plan", "country@last"), None), (("plan",), 3), (('{"by": 1}',), None)],
)
def test_what_figures_were_broken_down_by_is_kept(
    registry: Registry, tmp_path: Path, breakdown: tuple[str, ...], top: int | None
) -> None:
    """None, one or several breakdowns, and how many of the most entered values."""
    registry.publish(signup(), by="ada")
    bounds = RunBounds(as_of=1, breakdown=breakdown, top=top)
    kept = registry.runs.keep(
        "signup", 1, snapshot=1, map_version=0, bounds=bounds, figures=_figures(tmp_path), by="eve"
    )
    assert registry.runs.get(kept.id).bounds == bounds
