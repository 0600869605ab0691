"""What was said about ids, as a person would write it, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from doorstep.definitions.durations import parse_duration
from doorstep.ingest.records import Alias, Identify, Member
from doorstep.stitching import IdentityMap, stitch

Said = Identify | Alias | Member


def parts(timeline: str) -> list[list[str]]:
    """The words of each part between semicolons."""
    return [part.split() for part in timeline.split(";") if part.strip()]


def said_in(timeline: str) -> list[Said]:
    """``0s identify d1 ann; 5s alias d2 ann; 9s member @d1 acme`` as records; ``@`` marks a device."""
    found: list[Said] = []
    for at, what, one, other in parts(timeline):
        time = parse_duration(at)
        match what:
            case "identify":
                found.append(Identify(one, other, time))
            case "alias":
                found.append(Alias(one, other, time))
            case "member":
                device, user = (one[1:], None) if one.startswith("@") else (None, one)
                found.append(Member(other, time, user, device))
            case _:
                raise AssertionError(what)
    return found


def map_of(said: Sequence[Said]) -> IdentityMap:
    """The map of these records."""
    return stitch(
        [one for one in said if isinstance(one, Identify)],
        [one for one in said if isinstance(one, Alias)],
        [one for one in said if isinstance(one, Member)],
    )


def said_links() -> st.SearchStrategy[list[Said]]:
    """Few ids at few times, so that they meet in every way."""
    ids, times = st.sampled_from(["a", "b", "c", "d", "anonymous:a"]), st.integers(0, 4)
    return st.lists(
        st.one_of(
            st.builds(Identify, ids, ids, times),
            st.builds(Alias, ids, ids, times),
            st.builds(Member, st.sampled_from(["acme", "bolt"]), times, st.none() | ids, st.none() | ids),
        ),
        max_size=12,
    )


def hold(case: Mapping[str, Any]) -> None:
    """Rows (``0s @d1``, ``0s ann``, ``0s ann@d1``) get the units, and the accounts, and links are refused as told."""
    found = map_of(said_in(case["said"]))
    units, accounts = [], []
    for at, who in parts(case["rows"]):
        user, _, device = who.partition("@")
        unit = found.unit_of(user or None, device or None, parse_duration(at))
        units.append(unit)
        accounts.append(found.account_of(unit, parse_duration(at)))
    assert units == case["units"], case["rule"]
    if "accounts" in case:
        assert accounts == case["accounts"], case["rule"]
    assert [f"{one.reason} {' '.join(one.ids)}" for one in found.refused] == case.get("refused", []), case["rule"]
