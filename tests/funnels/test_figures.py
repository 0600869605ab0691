"""The figures of a report, worked out by hand (semantics 8)."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import doorstep
from timelines import rows_of

HOUR = 3_600


def _run(document: dict[str, Any], units: dict[str, str], **options: Any) -> doorstep.FunnelResult:
    rows = [{**row, "user_id": unit} for unit, text in units.items() for row in rows_of(text)]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: pa.array([row.get(name) for row in rows]) for name in names}
    columns["time"] = columns["time"].cast(pa.timestamp("us", tz="UTC"))
    return doorstep.run({"count_by": "user_id", **document}, pa.table(columns), **options)


STEPS = {"steps": [{"event": "a"}, {"event": "b", "window": "10h"}, {"event": "c", "window": "10h"}]}
UNITS = {
    "u1": "0h a; 1h b; 2h c",
    "u2": "0h a; 3h b",
    "u3": "0h a; 5h b; 9h c",
    "u4": "0h a",
    "u5": "38h a; 39h b; 40h page",
}


def test_counts_rates_and_drop_off() -> None:
    """Of five entered, four reached b and two reached c."""
    result = _run(STEPS, UNITS)
    assert [step.count for step in result.steps] == [5, 4, 2]
    assert [step.from_start for step in result.steps] == [1.0, 0.8, 0.4]
    assert [step.from_previous for step in result.steps] == [None, 0.8, 0.5]
    assert [step.dropped for step in result.steps] == [0, 1, 2]
    assert [step.entered_here for step in result.steps] == [5, 0, 0]


def test_times_are_interpolated_between_order_statistics() -> None:
    """Delays of 1, 1, 3 and 5 hours: median 2, p90 4.4, mean 2.5."""
    step = _run(STEPS, UNITS).steps[1]
    assert step.median_seconds == pytest.approx(2 * HOUR)
    assert step.p90_seconds == pytest.approx(4.4 * HOUR)
    assert step.mean_seconds == pytest.approx(2.5 * HOUR)
    assert _run(STEPS, UNITS).steps[2].from_entry.median == pytest.approx(5.5 * HOUR)


def test_open_attempts_are_told_apart_and_mature_rates_leave_them_out() -> None:
    """u5 may still reach c: two of four settled attempts completed."""
    figures = _run(STEPS, UNITS).figures
    assert (figures.entered, figures.completed, figures.open, figures.mature) == (5, 2, 1, 4)
    assert (figures.conversion, figures.mature_conversion) == (0.4, 0.5)


def test_a_ratio_over_zero_is_null() -> None:
    """Nobody entered: every ratio and time is None, in JSON null."""
    result = _run({"steps": [{"event": "zzz"}, {"event": "b"}]}, UNITS)
    assert (result.figures.entered, result.figures.conversion) == (0, None)
    told = result.to_dict()["steps"]
    assert [step["from_start"] for step in told] == [None, None]
    assert told[1]["median_seconds"] is None


def test_time_goes_on_from_the_clock_when_a_step_came_early() -> None:
    """A webhook an hour before its payment: no time after it, not minus an hour."""
    document = {"steps": [{"event": "pay"}, {"event": "active", "out_of_order": "2h"}]}
    result = _run(document, {"u": "0h active; 1h pay"})
    assert result.steps[1].median_seconds == 0.0


def test_of_previous_leaves_out_who_entered_at_the_step_itself() -> None:
    """Two entered at b; of the one who came from a, all went on."""
    document = {"entry": "any_step", "steps": [{"event": "a"}, {"event": "b"}, {"event": "c"}]}
    result = _run(document, {"u1": "0h a; 1h b", "u2": "0h b; 1h c", "u3": "0h b"})
    assert [step.count for step in result.steps] == [1, 3, 1]
    assert [step.entered_here for step in result.steps] == [1, 2, 0]
    assert result.steps[1].from_previous == 1.0
    assert (result.figures.entered, result.figures.completed) == (3, 1)


def test_a_step_is_split_by_branch() -> None:
    """The branch that each took, first declared first."""
    document = {"steps": [{"event": "a"}, {"any_of": [{"event": "x"}, {"event": "y", "name": "why"}]}]}
    result = _run(document, {"u1": "0h a; 1h x", "u2": "0h a; 1h y", "u3": "0h a; 1h y; 2h x"})
    assert [(branch.name, branch.count) for branch in result.steps[1].branches] == [("x", 1), ("why", 2)]


def test_a_breakdown_reads_the_property_at_the_entry_row() -> None:
    """Values at the entry, most entered first; None where there is none."""
    units = {"u1": "0h a p=x; 1h b p=y", "u2": "0h a p=x", "u3": "0h a; 1h b"}
    result = _run({"steps": [{"event": "a"}, {"event": "b"}]}, units, breakdown="p")
    assert [(value, one.entered, one.completed) for value, one in result.breakdown] == [("x", 2, 1), (None, 1, 1)]


def test_any_order_counts_how_many_steps_were_filled() -> None:
    """Step k counts who filled k steps, in whatever order; times lie between one filled step and the next."""
    document = {"order": "any", "window": "9h", "steps": [{"event": "a"}, {"event": "b"}, {"event": "c"}]}
    result = _run(document, {"u1": "0h c; 2h a", "u2": "0h b"})
    assert [step.count for step in result.steps] == [2, 1, 0]
    assert result.steps[1].median_seconds == 2 * HOUR


def test_html_shows_the_steps_and_escapes_names() -> None:
    """A notebook shows a table; a name with markup is text in it."""
    shown = _run({"steps": [{"event": "a", "name": "<b>A</b>"}]}, UNITS)._repr_html_()
    assert "&lt;b&gt;A&lt;/b&gt;" in shown
    assert "100.0\u00a0%" in shown


def test_a_literal_that_a_typed_column_can_never_equal_is_refused() -> None:
    """A text where the column holds whole numbers would count nobody, silently."""
    with pytest.raises(doorstep.RunError, match="whole numbers"):
        _run({"steps": [{"event": "a", "filters": {"n": "1"}}]}, {"u": "0h a n=1"})


def test_bounds_that_hold_nothing_and_unknown_zones_are_refused() -> None:
    """since after until, a zone that is none, a bound that is no time."""
    with pytest.raises(doorstep.RunError, match="since is not before until"):
        _run(STEPS, UNITS, since="2026-01-02", until="2026-01-01")
    with pytest.raises(doorstep.RunError, match="IANA"):
        _run(STEPS, UNITS, timezone="Mars/Olympus")
    with pytest.raises(doorstep.RunError, match="neither a date nor a time"):
        _run(STEPS, UNITS, since="last week")
