"""`--html` and `--csv` of every command that answers a question."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from commands import typed
from doorstep.demo import write
from pages.samples import SETTLED, SIGNUP, SUBSCRIBED

EVENTS = ("--events", "events.parquet")
COMMANDS = {
    "run": ("run", "signup.json", *EVENTS, "--breakdown", "platform", "--trend", "month", "--times", "--branches"),
    "sensitivity": ("sensitivity", "subscribed.json", *EVENTS),
    "compare": ("compare", "subscribed.json", "settled.json", *EVENTS),
    "experiment": ("experiment", "signup.json", *EVENTS, "--variant", "signup_form"),
    "why": ("why", "subscribed.json", *EVENTS, "--step", "payment", "--support", "5"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Definitions, and the example events."""
    directory = tmp_path_factory.mktemp("reports")
    write(directory, rows=10_000)
    for name, document in (("signup", SIGNUP), ("subscribed", SUBSCRIBED), ("settled", SETTLED)):
        (directory / f"{name}.json").write_text(json.dumps(document), "utf-8")
    return directory


@pytest.mark.parametrize("name", COMMANDS)
def test_a_report_is_written_beside_the_answer(place: Path, name: str) -> None:
    """The file is whole and names its command; the answer still comes, here as one CSV table: as many cells in every
    line as in the head.
    """
    ran = typed(place, *COMMANDS[name], "--html", f"{name}.html", "--csv")
    assert ran.returncode == 0, ran.stderr
    assert f"report written to {name}.html" in ran.stderr
    text = (place / f"{name}.html").read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.endswith("</html>\n")
    assert f"doorstep {name} " in text
    assert f"--html {name}.html" in text
    head, *lines = list(csv.reader(io.StringIO(ran.stdout)))
    assert lines
    assert {len(line) for line in lines} == {len(head)}
    assert "nan" not in ran.stdout.lower().split(",")


def test_a_list_of_people_is_a_report_too(place: Path) -> None:
    """Who, how many of how many, their times; no more lines than were asked for, and it says so."""
    asked = ("people", "subscribed.json", *EVENTS, "--step", "payment", "--dropped", "--limit", "3")
    ran = typed(place, *asked, "--breakdown", "platform", "--html", "people.html", "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    text = (place / "people.html").read_text("utf-8")
    assert f"{told['count']:,} accounts dropped out before “payment_submitted”" in text
    assert "The first 3 are listed" in text
    who = text.split("Who they are", 1)[1].split("</table>", 1)[0]
    assert who.count("<tr>") == 4
    assert all(one["unit"] in who and one["value"] in who for one in told["people"])
    none = typed(place, *asked, "--since", "2030-01-01", "--html", "none.html")
    assert none.returncode == 0, none.stderr
    assert "0 accounts dropped out" in (place / "none.html").read_text("utf-8")


def test_csv_and_json_have_the_same_figures(place: Path) -> None:
    """A cell is the number of the document, unrounded."""
    found = json.loads(typed(place, *COMMANDS["sensitivity"], "--json").stdout)
    lines = list(csv.DictReader(io.StringIO(typed(place, *COMMANDS["sensitivity"], "--csv").stdout)))
    assert float(lines[0]["conversion"]) == found["conversion"]
    tried = [one for rule in found["rules"] for one in rule["alternatives"]]
    assert [float(line["conversion"]) for line in lines[1:]] == [one["conversion"] for one in tried]
    tested = json.loads(typed(place, *COMMANDS["experiment"], "--json").stdout)
    lines = list(csv.DictReader(io.StringIO(typed(place, *COMMANDS["experiment"], "--csv").stdout)))
    ends = {line["variant"]: line for line in lines if line["step"] == "completed"}
    assert {name: int(line["count"]) for name, line in ends.items()} == {
        one["name"]: one["completed"] for one in tested["variants"]
    }


@pytest.mark.parametrize(("path", "code"), [("report.txt", "bad-html"), ("no/such/place.html", "cannot-write")])
def test_a_report_that_cannot_be_written_is_told(place: Path, path: str, code: str) -> None:
    """A sentence and exit 2, whether the name or the place is wrong."""
    ran = typed(place, *COMMANDS["run"], "--html", path)
    assert ran.returncode == 2
    assert f"error {code}:" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_nothing_is_loaded_for_reports_that_nobody_asked_for(place: Path) -> None:
    """Charts take a second to load: a plain run does not, nor does a report without charts."""
    start = "from doorstep.cli import main; main()"
    plain = (sys.executable, "-X", "importtime", "-c", start, "run", "signup.json", *EVENTS)
    for words, absent in (
        ((), ("altair", "vl_convert", "jinja2")),
        (("--html", "plain.html"), ("altair", "vl_convert")),
    ):
        ran = subprocess.run([*plain, *words], cwd=place, capture_output=True, text=True, check=True)
        loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
        assert "doorstep.funnels.run" in loaded
        assert not loaded & set(absent)
