"""The command line keeps its contracts: one JSON document, words on standard error, exit codes, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from commands import Ran, typed
from doorstep.cli.arguments import spread

FUNNEL = """
funnel: signup
count_by: user_id
exclude: [{filters: {staff: true}}]
reentry: after_completion
steps:
  - {event: signup}
  - {event: verify, window: 7d}
  - {event: session, window: 3d}
examples:
  - {name: fine, events: [{at: 0s, event: signup}, {at: 7d, event: verify}], expect: {reached: 2}}
"""

EVENTS = """user_id,event,time,staff
u1,signup,2026-03-01T00:00:00Z,
u1,verify,2026-03-09T02:00:00Z,
u2,signup,2026-03-01T00:00:00Z,
u2,verify,2026-03-02T00:00:00Z,
u2,session,2026-03-02T12:00:00Z,
u3,signup,2026-03-01T00:00:00Z,true
,signup,2026-03-01T00:00:00Z,
u4,signup,yesterday,
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a definition and its events."""
    (tmp_path / "funnel.yaml").write_text(FUNNEL, "utf-8")
    (tmp_path / "events.csv").write_text(EVENTS, "utf-8")
    return tmp_path


def _json(ran: Ran) -> Any:
    return json.loads(ran.stdout)


RUN = ("run", "funnel.yaml", "--events", "events.csv")


def test_run_prints_a_report_without_colour_when_piped(place: Path) -> None:
    """Counts, rates, what was rejected and why; no escape codes."""
    ran = typed(place, *RUN)
    assert ran.returncode == 0
    assert "\x1b" not in ran.stdout
    for told in ("signup", "100.0 %", "50.0 %", "1 unreadable time", "1 no unit", "median"):
        assert told in ran.stdout


def test_run_json_is_one_document_with_the_contract_s_keys(place: Path) -> None:
    """The keys of the contract are there, and the counts are right."""
    ran = typed(place, *RUN, "--json")
    found = _json(ran)
    assert {
        "funnel",
        "data",
        "unit",
        "count",
        "entered",
        "completed",
        "conversion",
        "open",
        "steps",
        "breakdown",
    } <= set(found)
    assert {"rows", "matched", "units", "since", "until", "as_of", "rejected"} <= set(found["data"])
    assert {
        "id", "name", "count", "from_start", "from_previous", "dropped", "optional", "entered_here",
        "median_seconds", "p90_seconds", "mean_seconds", "branches",
    } <= set(found["steps"][0])  # fmt: skip
    assert [step["count"] for step in found["steps"]] == [2, 1, 1]
    assert found["data"]["rejected"] == {"unreadable_time": 1, "no_unit": 1}


def test_attempts_are_written_with_the_contract_s_columns(place: Path) -> None:
    """unit, attempt, entered_at, entry_step, status, reached, counted, dropped, then the steps' times."""
    ran = typed(place, *RUN, "--attempts", "out.parquet", "--json")
    assert _json(ran)["entered"] == 2
    table = pq.read_table(place / "out.parquet")
    assert table.column_names == [
        "unit", "attempt", "entered_at", "entry_step", "status", "reached", "counted", "dropped",
        "at_1", "at_2", "at_3",
    ]  # fmt: skip
    assert table.column("status").to_pylist() == ["expired", "completed"]


def test_explain_names_the_rule_that_refused_a_row(place: Path) -> None:
    """The late row, how late it was, and the window."""
    ran = typed(place, "explain", "funnel.yaml", "--events", "events.csv", "--unit", "u1")
    assert "verify at 2026-03-09T02:00:00Z was not taken: it came 8d 2h after signup; the window is 7d" in ran.stdout
    story = _json(typed(place, "explain", "funnel.yaml", "--events", "events.csv", "--unit", "u1", "--json"))
    assert story["attempts"][0]["status"] == "expired"


def test_check_lists_declared_and_defaulted_rules(place: Path) -> None:
    """A valid definition: exit 0, and every rule with its state."""
    found = _json(typed(place, "check", "funnel.yaml", "--json"))
    assert found["ok"] is True
    assert {rule["state"] for rule in found["rules"]} == {"declared", "defaulted"}


def test_test_passes_and_fails_with_its_exit_code(place: Path) -> None:
    """0 when every example passes, 1 when one does not."""
    assert typed(place, "test", "funnel.yaml").returncode == 0
    (place / "funnel.yaml").write_text(FUNNEL.replace("reached: 2", "reached: 3"), "utf-8")
    ran = typed(place, "test", "funnel.yaml", "--json")
    assert ran.returncode == 1
    assert _json(ran)["ok"] is False


BOMB = "".join(f"b{n}: &b{n} [*b{n - 1}, *b{n - 1}]\n" for n in range(1, 40))

WRONG = {
    "unknown key": ("funnel.yaml", FUNNEL.replace("exclude:", "exlude:"), "exclude"),
    "65 steps": ("funnel.yaml", "count_by: u\nsteps:\n" + "  - {event: a}\n" * 65, "64"),
    "zero window": ("funnel.yaml", FUNNEL.replace("7d", "0s"), "0s"),
    "negative duration": ("funnel.yaml", FUNNEL.replace("window: 7d", "window: -7d"), "-7d"),
    "bomb": ("funnel.yaml", "b0: &b0 [x, x]\n" + BOMB, "error"),
    "exploding expression": (
        "funnel.yaml",
        FUNNEL.replace("event: signup}", "event: signup, filters: {p: {matches: '(a+)+\\1'}}}"),
        "RE2",
    ),
    "empty definition": ("funnel.yaml", "", "empty"),
    "no rows": ("events.csv", "user_id,event,time\n", "no event"),
    "empty file": ("events.csv", "", "empty"),
    "no time column": ("events.csv", "user_id,event\nu1,signup\n", "time"),
    "no unit column": ("events.csv", "userr,event,time\nu1,signup,2026-01-01\n", "user_id"),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(WRONG))
def test_bad_input_is_one_paragraph_and_exit_code_2(place: Path, what: str) -> None:
    """What is wrong and the mend, on standard error; nothing on standard output."""
    name, text, told = WRONG[what]
    (place / name).write_text(text, "utf-8")
    ran = typed(place, *RUN)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert told.lower() in ran.stderr.lower()
    assert "error" in _json(typed(place, *RUN, "--json"))


def test_invalid_utf8_and_missing_files_are_told(place: Path) -> None:
    """Neither shows a traceback; a missing file offers the nearest name."""
    (place / "funnel.yaml").write_bytes(b"funnel: \xff\xfe")
    assert typed(place, *RUN).returncode == 2
    ran = typed(place, "run", "funel.yaml", "--events", "events.csv")
    assert ran.returncode == 2
    assert "funnel.yaml" in ran.stderr
    ran = typed(place, "run", "funnel.yaml")
    assert ran.returncode == 2
    assert "--events" in ran.stderr


def test_a_million_character_property_is_just_a_property(place: Path) -> None:
    """It neither fails nor is lost."""
    row = {"user_id": "u1", "event": "signup", "time": "2026-03-01T00:00:00Z", "note": "x" * 1_000_000}
    (place / "events.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    found = _json(typed(place, "run", "funnel.yaml", "--events", "events.jsonl", "--json"))
    assert found["entered"] == 1


def test_a_full_disk_is_one_line_and_exit_code_2(place: Path) -> None:
    """Standard output that cannot be written is an error like any other."""
    for command in ("doorstep run funnel.yaml --events events.csv --json", "doorstep schema"):
        ran = _shell(place, f"{command} > /dev/full")
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.startswith("error cannot-write: standard output")
        assert ran.stderr.count("\n") == 1


def _shell(place: Path, command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=place, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_reader_who_leaves_early_changes_no_exit_code(place: Path) -> None:
    """0 stays 0 and *no* stays *no*, without a word."""
    for command, code in (("schema", 0), ("describe funnel.yaml", 0), ("check funnel.yaml --json", 0)):
        ran = _shell(place, f"doorstep {command} > >(true); exit $?")
        assert (ran.returncode, ran.stderr) == (code, "")
    (place / "funnel.yaml").write_text(FUNNEL.replace("7d}\n  -", "0s}\n  -"), "utf-8")
    assert _shell(place, "doorstep check funnel.yaml --json | true").returncode == 1


def test_interruption_while_modules_load_is_one_line(place: Path) -> None:
    """Ctrl-C from the first moment: no traceback, exit code 130."""
    code = (
        "import os, signal, sys; from doorstep.cli import interruption\n"
        "with interruption.at_once(): os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(5)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (130, "error interrupted: stopped before it was done; nothing was kept.\n")


def test_a_place_that_cannot_be_written_is_told(place: Path) -> None:
    """Examples and rejects too: a sentence that names the place and the reason, and nothing is imported."""
    (place / "file").touch()
    for words in ("demo file/x", "journey demo file/x", "import events.csv --lake kept --rejects file/x.jsonl"):
        ran = typed(place, *words.split())
        assert ran.returncode == 2
        assert ran.stderr.startswith("error cannot-write: file/x")
    again = typed(place, "import", "events.csv", "--lake", "kept", "--json")
    assert (_json(again)["added"], _json(again)["duplicates"]) == (7, 0)


def test_ctrl_c_again_and_late_changes_nothing(place: Path) -> None:
    """Who is impatient gets the one line too; and when the answer is there, so is its exit code."""
    code = (
        "import atexit, os, signal, sys, time\n"
        "atexit.register(lambda: [os.kill(os.getpid(), signal.SIGINT) for _ in range(3)])\n"
        "from doorstep.cli import commands, main, whole\n"
        "if sys.argv[1] == 'stop': commands.app = lambda **_: signal.raise_signal(2) or time.sleep(9)\n"
        "main()"
    )
    for argument, exits, told in (("schema", 0, ""), ("stop", 130, "error interrupted: stopped before it was done")):
        ran = subprocess.run([sys.executable, "-c", code, argument], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stderr.partition(";")[0]) == (exits, told)


SPREAD = [
    ("FILE --events a b", "FILE --events a --events b"),
    ("--events a b -- FILE", "--events a --events b -- FILE"),
    ("--events a b FILE", "--events a --events b FILE"),
    ("--events a FILE", "--events a FILE"),
    ("FILE --events a --since s --events b c --json", "FILE --events a --since s --events b --events c --json"),
    ("--since s --events a b FILE --json", "--since s --events a --events b FILE --json"),
    ("--events a FILE --events b", "--events a FILE --events b"),
]


@pytest.mark.parametrize(("given", "meant"), SPREAD)
def test_one_events_option_takes_several_paths(given: str, meant: str) -> None:
    """As a shell's glob gives them; the FILE is never taken for one of them."""
    assert spread(given.split(), {"--since"}) == meant.split()


def test_a_glob_that_the_shell_wrote_out_is_read_whole(place: Path) -> None:
    """Two files after one option, before and behind the definition."""
    (place / "more.csv").write_text("user_id,event,time,staff\nu9,signup,2026-03-01T00:00:00Z,\n", "utf-8")
    for arguments in (
        ("run", "funnel.yaml", "--events", "events.csv", "more.csv", "--json"),
        ("run", "--json", "--events", "events.csv", "more.csv", "--", "funnel.yaml"),
        ("run", "--json", "--events", "events.csv", "more.csv", "funnel.yaml"),
    ):
        assert _json(typed(place, *arguments))["entered"] == 3


def test_findings_have_their_places(place: Path) -> None:
    """Of the definition itself and of the data: file, line and column."""
    text = FUNNEL.replace("event: verify, window: 7d", "event: verfy").replace("staff: true", "staff: 'yes'")
    (place / "funnel.yaml").write_text(text, "utf-8")
    found = _json(typed(place, "check", "funnel.yaml", "--events", "events.csv", "--json"))
    places = {one["code"]: (one["position"]["file"], one["position"]["line"]) for one in found["issues"]}
    assert places["no-window"] == ("funnel.yaml", 8)
    assert places["unknown-event"] == ("funnel.yaml", 8)
    assert places["impossible-literal"] == ("funnel.yaml", 4)
    assert all(one["position"] is not None for one in found["issues"])
    assert "funnel.yaml:8:" in typed(place, "check", "funnel.yaml").stdout


def test_an_example_that_expects_nothing_is_an_error(place: Path) -> None:
    """It would always pass."""
    (place / "funnel.yaml").write_text(FUNNEL.replace("{reached: 2}", "{}"), "utf-8")
    ran = typed(place, "test", "funnel.yaml")
    assert ran.returncode == 2
    assert "expects-nothing" in ran.stderr


def test_a_breakdown_by_nothing_is_noted(place: Path) -> None:
    """That all entries stand in one line without a value is said, in case it was not meant."""
    lines = EVENTS.splitlines()
    (place / "events.csv").write_text("\n".join([f"{lines[0]},plan", *(f"{one}," for one in lines[1:])]), "utf-8")
    found = _json(typed(place, *RUN, "--breakdown", "plan", "--json"))
    assert "no entry has a value of plan." in found["data"]["notes"]


def test_a_command_waits_for_its_own_libraries_only() -> None:
    """Help, and completion in a shell, load neither the engine nor the compiler."""
    script = "import sys; import doorstep.cli.whole; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    slow = {"duckdb", "fastapi", "numba", "numpy", "polars", "pyarrow", "pydantic", "scipy", "sqlalchemy", "yaml"}
    assert not slow & set(loaded)
