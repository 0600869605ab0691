"""What is drawn fits the width there is, and cannot steer the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console, RenderableType

import doorstep
from doorstep.cli import report, screens
from doorstep.cli.drawing import number_of
from doorstep.cli.terminal import visible
from doorstep.definitions import load
from doorstep.definitions.checklist import checklist
from doorstep.funnels.examples import run_examples
from doorstep.funnels.lengths import duration

WIDTHS = (40, 60, 80, 100, 140)
FUNNEL = {
    "funnel": "trial",
    "title": "Trial activation",
    "count_by": "user_id",
    "steps": [
        {"id": "trial", "event": "trial_started", "name": "Trial started"},
        {
            "event": "project_created",
            "name": "Invited a teammate or created a first project",
            "window": "7d",
        },
        {"event": "report_viewed", "name": "Looked at a report", "window": "7d"},
    ],
    "examples": [
        {"name": "too late", "events": [{"at": "0s", "event": "trial_started"}], "expect": {"reached": 3}},
    ],
}


def _rows() -> pa.Table:
    rows = []
    for unit in range(1200):
        rows.append({"user_id": f"u{unit}", "event": "trial_started", "time": 1_770_000_000_000_000, "plan": "pro"})
        if unit % 2:
            rows.append(
                {"user_id": f"u{unit}", "event": "project_created", "time": 1_770_000_123_000_000, "plan": None}
            )
        if unit % 4 == 1:
            rows.append({"user_id": f"u{unit}", "event": "report_viewed", "time": 1_770_200_000_000_000, "plan": None})
    return pa.Table.from_pylist(rows)


def _drawn(what: RenderableType, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, no_color=True, highlight=False).print(what)
    return file.getvalue()


@pytest.fixture(scope="module")
def result() -> doorstep.FunnelResult:
    """A run with a breakdown, of steps with long names."""
    return doorstep.run(FUNNEL, _rows(), breakdown="plan")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_report_has_whole_numbers_and_whole_words_at_every_width(result: doorstep.FunnelResult, width: int) -> None:
    """Counts and rates are never cut, names break between words, and no line is longer than the screen."""
    drawn = _drawn(report.report(result), width)
    assert "…" not in drawn
    assert max(map(len, drawn.splitlines())) <= width
    for told in ("1,200", "600", "300", "50.0 %", "Trial", "started", "teammate", "created", "project", "completed"):
        assert told in drawn, (told, drawn)
    assert ("p90" in drawn, "median" in drawn) == (width >= 100, width >= 80)


@pytest.mark.parametrize("width", WIDTHS)
def test_rules_and_prose_have_room_to_be_read_at_every_width(width: int) -> None:
    """The meaning of a rule takes most of the line, also where the columns cannot stand side by side."""
    funnel = load(FUNNEL)
    rules = _drawn(screens.checked(funnel, "abc", checklist(funnel), []), width)
    assert max(map(len, rules.splitlines())) <= width
    assert len(rules.splitlines()) < 12 * len(checklist(funnel))
    described = _drawn(screens.described(funnel), width)
    assert max(map(len, described.splitlines())) <= width
    assert "project_created" in described
    told = _drawn(screens.example_results(run_examples(funnel)), width)
    assert max(map(len, told.splitlines())) <= width
    story = _drawn(screens.story(doorstep.explain(FUNNEL, _rows(), "u1")), width)
    assert max(map(len, story.splitlines())) <= width
    assert "trial_started" in story


def test_control_characters_are_shown_and_not_sent() -> None:
    """Neither an escape of colours nor one of eight bits, nor a change of writing direction, reaches the terminal."""
    assert visible("a\x1b[31mb\x9bc\u202ed\n") == "a␛[31mb�c�d\n"


def test_short_times_and_single_things_read_well() -> None:
    """No powers of ten, no `1 units`."""
    assert [duration(one) for one in (0.000001, 0.012, 0.4, 0.0, 93784)] == ["1µs", "12ms", "0.4s", "0s", "1d 2h"]
    assert (number_of(1, "unit"), number_of(2_000, "unit")) == ("1 unit", "2,000 units")


def test_a_long_example_is_described_at_every_width() -> None:
    """Also one with branches, exclusions and long conditions."""
    path = Path(__file__).parents[2] / "examples" / "subscription.yaml"
    funnel = load(path)
    for width in WIDTHS:
        assert max(map(len, _drawn(screens.described(funnel), width).splitlines())) <= width
