"""What tipped each transition, from small lives told as a person would tell them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from doorstep.definitions.reading import load_journey
from doorstep.journeys.evidence import AccountHistory, account_history, history_told, ordinal
from doorstep.journeys.explain import LONG, explain_account, life_of, tell

DAY = "2026-03-{:02d}T{}:00Z"


def _journey(*stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"journey": "small", "count_by": "account_id", "stages": [{"id": "new"}, *stages], **more}


def _history(journey: dict[str, Any], rows: list[tuple[str, str]], **more: Any) -> AccountHistory:
    table = pa.Table.from_pylist([{"account_id": "x", "event": event, "time": time} for time, event in rows])
    return account_history(journey, table, "x", **more)


def _words(told: AccountHistory, step: int = 0) -> list[tuple[str, bool]]:
    return [(one.words, one.tipped) for one in told.steps[step].evidence]


BUSY = {"id": "busy", "criteria": {"count": {"at_least": 3, "in_last": "7d"}}}


def test_the_row_that_fills_a_count_is_named_with_its_number() -> None:
    """The third of three, by its event and its time."""
    rows = [(DAY.format(day, "10:00"), event) for day, event in ((1, "a"), (2, "b"), (4, "report_viewed"))]
    told = _history(_journey(BUSY), rows)
    assert _words(told) == [
        ("3 activities in the last 7 days: the third, report_viewed on Wednesday 2026-03-04 10:00 UTC", True)
    ]
    assert [(row.event, row.did) for row in told.steps[0].evidence[0].rows] == [("report_viewed", "came")]


def test_the_row_that_leaves_its_window_is_named_with_the_grace_behind_it() -> None:
    """The account falls two days after the first row left; the evidence is of the instant at which it began to fail."""
    rows = [(DAY.format(day, "10:00"), event) for day, event in ((1, "first"), (2, "b"), (3, "c"), (20, "late"))]
    told = _history(_journey(BUSY, movement={"backward": True, "grace": "2d"}), rows)
    fall = told.steps[1]
    assert (fall.from_stage, fall.to_stage, fall.occurred_at) == ("busy", "new", "2026-03-10T10:00:00Z")
    assert _words(told, 1) == [
        ("2 of 3 activities in the last 7 days: first of Sunday 2026-03-01 10:00 UTC left the window", True)
    ]


def test_what_held_before_is_evidence_that_did_not_tip() -> None:
    """A trait set long ago stands beside the age that was reached now; what fails is no evidence of an `any`."""
    stage = {
        "id": "grown",
        "criteria": {"account_age": "3d", "any": [{"trait": {"plan": "pro"}}, {"did": "never_seen"}]},
    }
    told = _history(
        _journey(stage),
        [(DAY.format(1, "10:00"), "a"), (DAY.format(9, "10:00"), "a")],
        traits=[{"account_id": "x", "plan": "pro"}],
    )
    assert told.steps[0].occurred_at == "2026-03-04T10:00:00Z"
    assert [(one.criterion.split(" such")[0], one.tipped) for one in told.steps[0].evidence] == [
        ("the account is at least 3 days old", True),
        ("the account's traits are", False),
    ]


def test_a_trait_that_is_set_tips_and_says_when() -> None:
    """The name of the trait and the instant at which it came to hold."""
    told = _history(
        _journey({"id": "paying", "criteria": {"trait": {"plan": "pro"}}}),
        [(DAY.format(1, "10:00"), "a"), (DAY.format(9, "10:00"), "a")],
        traits=[{"account_id": "x", "time": DAY.format(5, "09:30"), "plan": "pro"}],
    )
    assert _words(told) == [("traits: plan is pro; plan set on Thursday 2026-03-05 09:30 UTC", True)]


def test_moves_by_hand_say_who_and_why_and_have_no_evidence() -> None:
    """Person and reason come from the move."""
    move = {"account_id": "x", "at": DAY.format(2, "12:00"), "to": "busy", "by": "ines", "reason": "migrated"}
    told = _history(_journey(BUSY), [(DAY.format(1, "10:00"), "a"), (DAY.format(3, "10:00"), "a")], moves=[move])
    assert [(one.cause, one.by, one.reason, one.evidence) for one in told.steps] == [("manual", "ines", "migrated", ())]


def test_features_name_the_row_that_used_a_new_one() -> None:
    """A second use of a feature beside it tips nothing."""
    journey = _journey(
        {"id": "broad", "criteria": {"features": {"at_least": 2}}}, features={"reports": "report", "exports": "export"}
    )
    at = DAY.format(2, "10:00")
    told = _history(journey, [(DAY.format(1, "10:00"), "report"), (at, "report"), (at, "export")])
    assert _words(told) == [("2 features used: export on Monday 2026-03-02 10:00 UTC", True)]


@pytest.mark.parametrize(
    ("number", "said"), [(1, "first"), (10, "tenth"), (11, "11th"), (21, "21st"), (112, "112th"), (1003, "1,003rd")]
)
def test_ordinals(number: int, said: str) -> None:
    """Words up to ten, then figures."""
    assert ordinal(number) == said


def test_a_long_life_is_told_as_a_short_one_is() -> None:
    """Where the kernel finds the history of thousands of rows, it is the one that the reference finds."""
    often = {"id": "often", "criteria": {"count": {"event": "a", "at_least": 4, "in_last": "3h"}}}
    stayed, did = {"time_in_stage": {"at_least": "2h", "stage": "often"}}, {"did": {"event": "b", "in_last": "2h"}}
    long = {"id": "long", "criteria": {"all": [stayed, did]}}
    journey = _journey(often, long, movement={"backward": True})
    start = datetime(2026, 3, 1, tzinfo=UTC)
    times = [start + timedelta(minutes=7 * n + 400 * (n // 25)) for n in range(LONG + 100)]
    rows = [("b" if n % 60 == 3 else "a", time.isoformat()) for n, time in enumerate(times)]
    table = pa.Table.from_pylist([{"account_id": "x", "event": event, "time": time} for event, time in rows])
    life = life_of(load_journey(journey), table, "x", None, None, None, None, "UTC", "UTC")
    assert life.history is not None
    assert len(life.history.transitions) > 100
    told = account_history(journey, table, "x")
    assert told == history_told(life.journey, "x", life.account, life.until)
    ours, theirs = explain_account(journey, table, "x"), tell(life.journey, "x", life.account, life.until)
    assert replace(ours, next_at=None) == replace(theirs, next_at=None)  # the kernel knows better when to look again
