"""Links become a map: every worked timeline of docs/identity.md, and what holds for all links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from doorstep.ingest.records import Identify
from doorstep.stitching import stitch
from said import Said, hold, map_of, said_links

PAGE = (Path(__file__).parent.parent.parent / "docs" / "identity.md").read_text("utf-8")
CASES = [
    case
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    if "said" in (case := yaml.safe_load(block))
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["rule"])[:60])
def test_a_timeline_gives_what_the_rule_says(case: dict[str, Any]) -> None:
    """Rows (``0s @d1``, ``0s ann``, ``0s ann@d1``) get the units, and the accounts, and links are refused as told."""
    hold(case)


def test_a_user_and_a_device_of_one_name_are_two_units() -> None:
    """However either is spelt."""
    nobody = map_of([])
    names = ["x", "anonymous:x", "known:x", "known:anonymous:x"]
    units = {nobody.unit_of(user, None, 0) for user in names} | {nobody.unit_of(None, device, 0) for device in names}
    assert len(units) == 2 * len(names)
    assert nobody.unit_of("x", None, 0) == "x"
    assert nobody.unit_of(None, "x", 0) == "anonymous:x"


def test_a_version_is_named_by_number_and_content() -> None:
    """Equal links give an equal digest; a late link that changes something another one; the number is the caller's."""
    early = [Identify("d1", "ann", 10)]
    late = [*early, Identify("d1", "ben", 5)]
    assert stitch(early).version == stitch([*early, *early]).version
    assert stitch(early).digest != stitch(late).digest
    assert stitch(late, number=2).version.startswith("2-")
    assert stitch(late).user_of("d1", 0) == "ben"
    assert stitch([*early, Identify("d1", "ann", 20)]).digest == stitch(early).digest


def test_nothing_said_is_an_empty_map() -> None:
    """With tables that have their columns all the same."""
    tables = stitch([]).tables()
    assert {name: table.column_names for name, table in tables.items()} == {
        "intervals": ["anonymous_id", "from_us", "until_us", "user_id"],
        "names": ["user_id", "kept"],
        "memberships": ["unit", "from_us", "until_us", "account_id"],
    }
    assert not any(len(table) for table in tables.values())


SAID = said_links()


@given(SAID.flatmap(lambda said: st.tuples(st.just(said), st.permutations(said))))
def test_the_order_of_arrival_makes_no_difference(both: tuple[list[Said], list[Said]]) -> None:
    """Nor does repetition; refusals included."""
    said, shuffled = both
    assert map_of(said) == map_of([*shuffled, *said])


@given(SAID)
def test_a_map_is_sound(said: list[Said]) -> None:
    """Intervals of an id follow each other without gaps; a name that is kept is never given up, nor another's device
    at all times.
    """
    found = map_of(said)
    kept = dict(found.names)
    assert not set(kept.values()) & set(kept)
    for before, after in zip(found.intervals, found.intervals[1:], strict=False):
        if before.anonymous_id == after.anonymous_id:
            assert before.until_us == after.from_us
            assert before.user_id != after.user_id
    assert not {one.user_id for one in found.intervals} & set(kept)
    known = {one.user_id for one in said if isinstance(one, Identify)}
    for one in found.refused:
        if one.reason == "two-users":
            assert set(one.ids) <= known


@given(SAID, st.sampled_from(["a", "b", "c"]))
def test_who_was_first_stays_first(said: list[Said], device: str) -> None:
    """Links later than all others never move what came before them."""
    later = [*said, Identify(device, "zoe", 9)]
    before, after = map_of(said), map_of(later)
    for time in range(9):
        owner = before.user_of(device, time)
        if owner in {one.user_id for one in said if isinstance(one, Identify)}:
            assert after.user_of(device, time) == owner
