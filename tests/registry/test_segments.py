"""Saved segments are read as they were kept, in versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from doorstep.errors import RegistryError
from doorstep.registry import Registry

ABOUT: dict[str, Any] = {
    "unit": "user_id",
    "definition": "signup",
    "definition_hash": "ab" * 32,
    "source": "events.parquet",
    "chosen": {"step": "session", "outcome": "dropped", "since": None},
}


def _some() -> Iterator[Sequence[str]]:
    yield ["u2", "u1"]
    yield ["u1", "ü3"]


def _units(registry: Registry, name: str, number: int | None = None) -> list[str]:
    return [unit for part in registry.segments.units(name, number) for unit in part]


def test_a_list_is_read_as_it_was_saved(registry: Registry) -> None:
    """Each unit once, with where the list came from; the next list of the name is its next version."""
    first = registry.segments.save("slow", _some, by="ada", snapshot=2**60, **ABOUT)
    assert (str(first), first.units, first.unit, first.snapshot, first.saved_by) == (
        "slow@1",
        3,
        "user_id",
        2**60,
        "ada",
    )
    assert dict(first.chosen) == ABOUT["chosen"]
    second = registry.segments.save("slow", lambda: [["u9"]], by="eve", **ABOUT)
    assert registry.segments.get("slow") == second
    assert registry.segments.get("slow", 1) == first
    assert registry.segments.all() == (first, second)
    assert sorted(_units(registry, "slow", 1)) == ["u1", "u2", "ü3"]
    assert _units(registry, "slow") == ["u9"]


def test_a_list_that_cannot_be_read_to_its_end_is_not_kept(registry: Registry) -> None:
    """All of it or nothing."""

    def broken() -> Iterator[Sequence[str]]:
        yield ["u1"]
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        registry.segments.save("slow", broken, by="ada", **ABOUT)
    assert registry.segments.all() == ()


def test_versions_are_deleted_one_by_one_or_together(registry: Registry) -> None:
    """And what is gone is an error with the nearest name."""
    for _ in range(3):
        registry.segments.save("slow", _some, by="ada", **ABOUT)
    assert registry.segments.delete("slow", 2) == 1
    assert [one.number for one in registry.segments.all()] == [1, 3]
    assert registry.segments.delete("slow") == 2
    registry.segments.save("slower", _some, by="ada", **ABOUT)
    with pytest.raises(RegistryError, match="Did you mean slower"):
        registry.segments.get("slow")
    with pytest.raises(RegistryError) as caught:
        registry.segments.save("a b", _some, by="ada", **ABOUT)
    assert caught.value.code == "bad-segment-name"


def test_a_long_list_is_written_and_read_in_parts(registry: Registry) -> None:
    """Twenty-five thousand units."""
    units = [f"u{number:05d}" for number in range(25_000)]
    assert registry.segments.save("many", lambda: [units], by="ada", **ABOUT).units == 25_000
    assert [len(part) for part in registry.segments.units("many")] == [10_000, 10_000, 5_000]
    assert _units(registry, "many") == units
