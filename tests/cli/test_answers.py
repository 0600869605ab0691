"""What follows a count, on the command line: one JSON document, one CSV table, lists that stream, screens that fit."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet
import pytest
from rich.console import Console, Group

import doorstep
from cli.test_cli import _json
from commands import typed
from doorstep.cli.answers import Answer, screens
from doorstep.cli.people import _Chosen, _first, _screen
from doorstep.cli.report import report
from doorstep.demo import write
from doorstep.funnels.previous import compare_previous

FUNNEL = """
funnel: signup
count_by: user_id
steps:
  - {id: signup, event: signup_started}
  - {id: page, name: Looked at a page of the product, event: page_view, optional: true}
  - {id: in, any_of: [{event: email_verified, name: by mail}, {event: project_created}], window: 7d}
  - {id: session, name: First session, event: first_session, window: 3d}
"""
RUN = ("run", "funnel.yaml", "--events", "events.parquet")
PEOPLE = ("people", "funnel.yaml", "--events", "events.parquet")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a definition and the example events."""
    directory = tmp_path_factory.mktemp("place")
    write(directory, rows=10_000)
    (directory / "funnel.yaml").write_text(FUNNEL, "utf-8")
    (directory / "paid.yaml").write_text("plan: [pro, team]\n", "utf-8")
    return directory


def test_everything_that_was_asked_for_is_in_one_document(place: Path) -> None:
    """Under keys of its own; what was not asked for is not there."""
    asked = (
        "--breakdown",
        "platform@last",
        "--top",
        "2",
        "--segment",
        "Paid=paid.yaml",
        "--segment",
        "DE={country: DE}",
    )
    more = ("--trend", "month", "--times", "--branches", "--compare-previous", "--since", "2026-02-01")
    found = _json(typed(place, *RUN, *asked, *more, "--json"))
    assert [one["property"] for one in found["breakdown"]] == ["platform@last"] * len(found["breakdown"])
    assert found["breakdown"][-1]["other"] is True
    assert [one["name"] for one in found["segments"]] == ["Paid", "DE"]
    assert len(found["trend"]["periods"]) == 3
    assert found["times"]["curve"]["entered"] == found["entered"]
    assert [one["branch"] for one in found["branches"]] == ["by mail", "project_created"]
    assert [one["step"] for one in found["optional_steps"]] == ["page"]
    assert found["previous"]["entered"] > 0
    plain = _json(typed(place, *RUN, "--json"))
    assert not {"segments", "trend", "times", "branches", "optional_steps", "previous"} & set(plain)


def test_csv_has_a_line_for_each_step_of_each_group(place: Path) -> None:
    """Everyone, values, segments and periods in one table, nothing where a ratio is undefined."""
    ran = typed(place, *RUN, "--breakdown", "platform", "--segment", "No={plan: none}", "--trend", "month", "--csv")
    lines = list(csv.DictReader(io.StringIO(ran.stdout)))
    kinds = [line["group"] for line in lines[::4]]
    assert kinds[:5] == ["everyone", "value", "value", "value", "segment"]
    assert set(kinds[5:]) <= {"period", "immature period"}
    nobody = [line for line in lines if line["group"] == "segment"]
    assert [line["from_start"] for line in nobody] == [""] * 4


def test_a_list_is_shown_written_saved_and_used_again(place: Path) -> None:
    """The same people in each file, and as a segment of the next run."""
    chosen = ("--step", "in", "--dropped", "--breakdown", "platform", "--where", "web")
    found = _json(typed(place, *PEOPLE, *chosen, "--limit", "3", "--json"))
    assert (found["outcome"], found["step"], len(found["people"])) == ("dropped", "in", 3)
    for ending in ("parquet", "csv", "arrow"):
        ran = typed(place, *PEOPLE, *chosen, "--out", f"lost.{ending}")
        assert f"{found['count']:,} attempts written" in ran.stderr
    tables = [
        pyarrow.parquet.read_table(place / "lost.parquet"),
        pyarrow.csv.read_csv(place / "lost.csv"),
        pyarrow.ipc.open_file(place / "lost.arrow").read_all(),
    ]
    assert len({tuple(one.column("unit").to_pylist()) for one in tables}) == 1
    assert tables[0].num_rows == found["count"]
    ran = typed(place, *PEOPLE, *chosen, "--save", "lost", "--by", "ada", "--data", "reg")
    assert "saved as lost@1" in ran.stderr
    (kept,) = _json(typed(place, "segments", "list", "--data", "reg", "--json"))["segments"]
    assert (kept["units"], kept["chosen"]["value"], kept["saved_by"]) == (found["count"], "web", "ada")
    again = _json(typed(place, *RUN, "--segment", "Lost=saved:lost@1", "--data", "reg", "--json"))
    assert again["segments"][0]["entered"] == found["count"]
    assert again["segments"][0]["completed"] == 0
    assert _json(typed(place, "segments", "show", "lost", "--data", "reg", "--limit", "2", "--json"))["list"]
    assert _json(typed(place, "segments", "delete", "lost", "--data", "reg", "--json")) == {"deleted": 1}


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("bad-breakdown", (*RUN, "--breakdown", "platform@nowhere")),
        ("bad-segment", (*RUN, "--segment", "plan=pro")),
        ("bad-segment", (*RUN, "--segment", "pro")),
        ("bad-segment", (*RUN, "--segment", "A=[1]")),
        ("bad-segment", (*RUN, "--segment", "A={plan: ")),
        ("no-registry", (*RUN, "--segment", "A=saved:x")),
        ("bad-period", (*RUN, "--trend", "year")),
        ("no-range", (*RUN, "--compare-previous")),
        ("bad-outcome", (*PEOPLE, "--open", "--dropped")),
        ("bad-output", (*PEOPLE, "--out", "lost.xls")),
        ("cannot-write", (*PEOPLE, "--out", "nowhere/lost.csv")),
        ("no-such-step", (*PEOPLE, "--step", "sesion")),
        ("no-such-value", (*PEOPLE, "--breakdown", "platform", "--where", "webb")),
    ],
)
def test_what_cannot_be_done_is_one_paragraph(code: str, arguments: tuple[str, ...], place: Path) -> None:
    """With a stable code and exit code 2."""
    ran = typed(place, *arguments, "--json")
    assert ran.returncode == 2
    assert json.loads(ran.stdout)["error"]["code"] == code


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_screens_fit_their_width(width: int, place: Path) -> None:
    """Reports with all that can be asked for, and lists of people."""
    options: dict[str, Any] = {
        "breakdown": ["platform", "country@last"],
        "top": 2,
        "segments": {"Paid": {"plan": "pro"}},
    }
    both = compare_previous(place / "funnel.yaml", place / "events.parquet", since="2026-02-01", **options)
    result = both.current
    answer = Answer(result, result.trend("week"), result.times(), branches=True, before=both)
    chosen = _Chosen(result, "session", "reached", ("web", "US"))
    drawn = Group(report(result), *screens(answer), _screen(chosen, _first(chosen.batches(), 5)))
    text = io.StringIO()
    Console(file=text, width=width, no_color=True).print(drawn)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert any("everyone" in line for line in lines)


def test_a_trait_is_read_as_of_the_entry(tmp_path: Path) -> None:
    """Over a lake: as a breakdown, and in a segment."""
    from lake.test_traits import _set
    from lakes import event

    with doorstep.open_lake(tmp_path / "lake") as lake:
        lake.accept(
            [
                event(str(number), "signup", user="u1" if number < 2 else "u2", hours=2 * number, ref=number)
                for number in range(3)
            ]
        )
        lake.accept([_set("a", 1, plan="free"), _set("b", 3, plan="pro")])
        lake.settle()
        definition = {"funnel": "f", "count_by": "user_id", "count": "attempts", "reentry": "always"}
        document = {**definition, "steps": [{"event": "signup"}, {"event": "never"}]}
        result = doorstep.run(document, lake, breakdown="unit.plan", segments={"Free": {"unit.plan": "free"}})
        assert {value: one.entered for value, one in result.breakdown} == {"free": 1, None: 2}
        assert result.segments[0].figures.entered == 1
        touched = doorstep.run(document, lake, breakdown="ref@first_touch").breakdown
        assert {value: one.entered for value, one in touched} == {0: 2, 2: 1}
        assert sorted(result.people("1", breakdown_value=None).column("unit").to_pylist()) == ["u1", "u2"]
