"""The public functions refuse what they cannot use in one sentence, and stories tell the whole truth."""

from __future__ import annotations

import json
import math
from typing import Any

import pyarrow as pa
import pytest

import doorstep
from doorstep.funnels.explain import Story

DAY = 86_400_000_000
STEPS = [{"event": "a"}, {"event": "b", "window": "7d"}, {"event": "c", "window": "7d"}]
FUNNEL: dict[str, object] = {"funnel": "f", "count_by": "user_id", "steps": STEPS}


def _rows(*rows: tuple[int, str], **more: list[Any]) -> pa.Table:
    columns = {"time": [time for time, _ in rows], "event": [name for _, name in rows], "user_id": ["u"] * len(rows)}
    return pa.table({**columns, **more})


PLAIN = _rows((0, "a"), (1, "b"), (2, "c"))


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("bad-bound", {"since": 5}),
        ("bad-bound", {"as_of": [1]}),
        ("unknown-timezone", {"timezone": 5}),
        ("bad-map", {"columns": 5}),
        ("bad-map", {"columns": {"evnt": "event"}}),
        ("unknown-definition", {"funnel": 5}),
    ],
)
def test_an_argument_of_a_wrong_kind_is_an_error_of_ours(code: str, given: dict[str, Any]) -> None:
    """With a stable code and the mend, from `run` as from `explain`."""
    arguments: dict[str, Any] = {"funnel": FUNNEL, "source": PLAIN, **given}
    for call in (doorstep.run, lambda **named: doorstep.explain(**named, unit="u")):
        with pytest.raises(doorstep.DoorstepError) as caught:
            call(**arguments)
        assert caught.value.code == code


def test_a_misspelt_name_among_the_columns_is_named_with_the_nearest() -> None:
    """Ours, not theirs."""
    with pytest.raises(doorstep.RunError, match=r"'evnt' is mapped.*Did you mean 'event'"):
        doorstep.run(FUNNEL, PLAIN, columns={"evnt": "event"})


def test_impossible_literals_are_told_in_sentences_of_their_own() -> None:
    """Each begins with a capital."""
    steps = [{"event": "a", "filters": {"n": "x", "m": "y"}}, {"event": "b"}]
    with pytest.raises(doorstep.RunError) as caught:
        doorstep.run({**FUNNEL, "steps": steps}, _rows((0, "a"), n=[1], m=[2]))
    assert str(caught.value).count("The column ") == 2


def test_json_has_a_form_for_numbers_that_are_none() -> None:
    """`to_dict` can be written as strict JSON whatever the values are."""
    rows = pa.table(
        {"time": [0, 1, 2], "event": ["a"] * 3, "user_id": ["u", "v", "w"], "p": [math.nan, math.inf, -math.inf]}
    )
    found = doorstep.run(FUNNEL, rows, breakdown="p").to_dict()
    json.dumps(found, allow_nan=False)
    assert {one["value"] for one in found["breakdown"]} == {"NaN", "Infinity", "-Infinity"}


def _story(rows: pa.Table, unit: str = "u", **keys: object) -> Story:
    return doorstep.explain({**FUNNEL, **keys}, rows, unit)


def test_a_step_behind_the_row_that_stopped_the_attempt_is_not_ticked() -> None:
    """With `effect: stop` the row came, and says what had come before it."""
    rows = _rows((0, "a"), (1_000_000, "b"), (2_000_000, "k"), (3_000_000, "c"))
    (attempt,) = _story(rows, exclude_between=[{"event": "k", "after": 1, "before": 3, "effect": "stop"}]).attempts
    assert [step.reached for step in attempt.steps] == [True, True, False]
    assert [row.why for row in attempt.steps[2].refused] == [
        "k at 1970-01-01T00:00:02Z had stopped the attempt (exclude_between, effect: stop)"
    ]


def test_a_refusal_is_as_precise_as_it_must_be() -> None:
    """One microsecond late does not read as in time."""
    (attempt,) = _story(_rows((0, "a"), (7 * DAY + 1, "b"))).attempts
    assert attempt.steps[1].refused[0].why == "it came 7d and 1 µs after a; the window is 7d"


def test_an_unknown_session_is_refused_and_a_session_counts_its_own_rows() -> None:
    """As an unknown unit is."""
    by = {"session_of": "user_id", "gap": "30m"}
    rows = _rows((0, "a"), (1, "b"), (DAY, "a"))
    with pytest.raises(doorstep.RunError, match="has 2 of them"):
        _story(rows, "u#99", count_by=by)
    assert (_story(rows, "u#1", count_by=by).rows, _story(rows, "u#2", count_by=by).rows) == (2, 1)


def test_an_attempt_says_what_it_holds_constant_and_times_are_iso() -> None:
    """The value it belongs to; T and Z everywhere."""
    (attempt,) = _story(_rows((0, "a"), (1, "b"), project=["p1", "p1"]), hold_constant="project").attempts
    assert attempt.held == {"project": "p1"}
    assert attempt.entered_at == "1970-01-01T00:00:00Z"
