"""What a journey would do on past data, and beside another."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import doorstep
from doorstep.errors import RunError
from doorstep.journeys.preview import Reach, preview

DRAFT: dict[str, Any] = {
    "journey": "draft",
    "count_by": "account_id",
    "movement": {"backward": True},
    "stages": [{"id": "new"}, {"id": "busy", "criteria": {"count": {"at_least": 2, "in_last": "3d"}}}],
}
WIDER = {**DRAFT, "stages": [{"id": "new"}, {"id": "busy", "criteria": {"count": {"at_least": 2, "in_last": "30d"}}}]}
ROWS = [("flaps", day) for day in (1, 2, 6, 7, 20)] + [("once", 3), ("late", 18), ("late", 19)]


def _table(rows: list[tuple[str, int]]) -> pa.Table:
    return pa.Table.from_pylist(
        [{"account_id": unit, "event": "a", "time": f"2026-01-{day:02}T00:00:00Z"} for unit, day in rows]
    )


def test_past_weeks_are_what_a_replay_up_to_their_end_says() -> None:
    """The count at the end of each week is the count of now, replayed until then."""
    found = preview(DRAFT, _table(ROWS), weeks=3)
    assert [one.start.isoformat() for one in found.weeks] == ["2026-01-05", "2026-01-12", "2026-01-19"]
    for week in found.weeks[:-1]:
        then = doorstep.replay(DRAFT, _table(ROWS), until=f"{week.end}T00:00:00Z")
        before = doorstep.replay(DRAFT, _table(ROWS), until=f"{week.end}T00:00:00Z").distribution("week").periods[-2]
        assert [one.accounts for one in week.stages] == [one.accounts for one in before.stages]
        assert sum(one.accounts for one in week.stages) == then.accounts.num_rows
    assert [one.accounts for one in found.weeks[-1].stages] == [one.accounts for one in found.result.stages]


def test_an_account_that_is_back_within_the_period_flaps() -> None:
    """Busy from the 2nd to the 4th, new until the 7th, busy again: one stay in each that was short."""
    flaps = preview(DRAFT, _table(ROWS), flap_within=4 * 86_400_000_000).flaps
    assert flaps.accounts == (("flaps", 3),)
    assert set(flaps.stages) == {("new", "busy", 2), ("busy", "new", 1)}
    assert preview(DRAFT, _table(ROWS), flap_within=3_600_000_000).flaps.trips == 0


def test_two_drafts_are_told_apart_account_by_account() -> None:
    """A matrix of all accounts, and a list of those that stand elsewhere, or that one of the two does not know."""
    staff = {**DRAFT, "exclude": [{"filters": {"account_id": "once"}}]}
    found = preview(staff, _table(ROWS), against=WIDER)
    assert found.against is not None
    assert found.against.matrix == (("new", None, 1), ("busy", "new", 1), ("busy", "busy", 1))
    assert found.against.changed.to_pylist() == [
        {"unit": "flaps", "before": "busy", "after": "new"},
        {"unit": "once", "before": "new", "after": None},
    ]
    assert found.to_dict()["against"]["changed"] == 2
    same = preview(DRAFT, _table(ROWS), against=DRAFT)
    assert same.against is not None
    assert same.against.changed.num_rows == 0
    with pytest.raises(RunError, match="counts by"):
        preview({**DRAFT, "count_by": "event"}, _table(ROWS), against=DRAFT)


@pytest.mark.parametrize(
    ("times", "reach"),
    [
        ([None], "without history"),
        (["2026-01-05T00:00:00Z"], "known only from 2026-01-05"),
        ([None, "2026-01-05T00:00:00Z"], "known only from 2026-01-05, and some values without a time"),
        (["2025-12-01T00:00:00Z"], None),
    ],
)
def test_traits_that_cannot_be_replayed_are_named(times: list[str | None], reach: str | None) -> None:
    """By the day since which they are known; one that is known from the first birth on is not."""
    paying = {**DRAFT, "stages": [{"id": "new"}, {"id": "pro", "criteria": {"trait": {"plan": "pro"}}}]}
    traits = [{"account_id": "flaps", "time": time, "plan": "pro"} for time in times]
    found: tuple[Reach, ...] = preview(paying, _table(ROWS), traits=traits).reach
    assert [one.words.startswith(reach or "") for one in found] == ([] if reach is None else [True])
