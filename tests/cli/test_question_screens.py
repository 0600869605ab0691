"""The commands for experiments, sensitivity, comparison and reasons: what they print, and that it fits."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from rich.console import Console, RenderableType

import doorstep
from commands import typed
from doorstep.cli import compare, experiment, sensitivity, why
from doorstep.demo import write

WIDTHS = (40, 60, 80, 100, 140)
SUBSCRIPTION = """funnel: subscription
title: From the prices to a subscription
count_by: account_id
steps:
  - {id: pricing, event: pricing_view}
  - {id: checkout, name: Started the checkout, event: checkout_started}
  - {id: payment, name: Submitted the payment, event: payment_submitted, window: WINDOW}
"""
SIGNUP = "count_by: user_id\nsteps: [{event: signup_started}, {event: email_verified, window: 7d}]\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events, two versions of a definition and another one."""
    directory = tmp_path_factory.mktemp("questions")
    write(directory, rows=20_000)
    (directory / "before.yaml").write_text(SUBSCRIPTION.replace("WINDOW", "48h"), "utf-8")
    (directory / "after.yaml").write_text(SUBSCRIPTION.replace("WINDOW", "1h"), "utf-8")
    (directory / "signup.yaml").write_text(SIGNUP, "utf-8")
    return directory


@pytest.fixture(scope="module")
def drawn(place: Path) -> list[RenderableType]:
    """A screen of each command."""
    events = str(place / "events.parquet")
    return [
        sensitivity.screen(doorstep.sensitivity(place / "before.yaml", events, rules=["all"])),
        compare.screen(
            doorstep.compare(place / "before.yaml", place / "after.yaml", events), "doorstep explain --unit"
        ),
        experiment.screen(doorstep.experiment(place / "signup.yaml", events, variant="signup_form", effect=0.05)),
        why.screen(doorstep.drivers(place / "before.yaml", events, step="payment", support=5)),
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_screen_fits_its_width(drawn: list[RenderableType], width: int) -> None:
    """No line is longer than the terminal is wide, from 40 to 140 columns."""
    for screen in drawn:
        console = Console(file=io.StringIO(), width=width, color_system=None)
        console.print(screen)
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert text.strip()
        assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("sensitivity", "before.yaml", "--rule", "window"), "rules"),
        (("compare", "before.yaml", "after.yaml"), "effects"),
        (
            ("experiment", "signup.yaml", "--variant", "signup_form", "--split", "control=1", "--split", "short=1"),
            "variants",
        ),
        (("why", "before.yaml", "--step", "payment"), "drivers"),
    ],
)
def test_json_is_one_document(place: Path, words: tuple[str, ...], key: str) -> None:
    """With the figures of the screen."""
    ran = typed(place, *words, "--events", "events.parquet", "--json")
    assert ran.returncode == 0, ran.stderr
    assert isinstance(json.loads(ran.stdout)[key], list)


def test_flips_are_written_to_a_file(place: Path) -> None:
    """As Parquet and as CSV, the same rows."""
    for ending in ("parquet", "csv"):
        ran = typed(
            place, "compare", "before.yaml", "after.yaml", "--events", "events.parquet", "--flips", f"f.{ending}"
        )
        assert ran.returncode == 0, ran.stderr
        assert "doorstep explain after.yaml --events events.parquet --unit acct-" in ran.stdout
    one, two = pq.read_table(place / "f.parquet"), pyarrow.csv.read_csv(place / "f.csv")
    assert one.num_rows == two.num_rows > 0
    assert one["unit"].to_pylist() == two["unit"].to_pylist()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("sensitivity", "before.yaml", "--rule", "windw"), "unknown-rule"),
        (("compare", "before.yaml", "after.yaml", "--flips", "x.txt"), "bad-flips"),
        (("experiment", "signup.yaml", "--variant", "signup_form", "--prior", "one"), "bad-prior"),
        (("why", "before.yaml", "--step", "paymnt"), "no-such-step"),
    ],
)
def test_what_cannot_be_is_one_paragraph(place: Path, words: tuple[str, ...], code: str) -> None:
    """And exit code 2."""
    ran = typed(place, *words, "--events", "events.parquet")
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"error {code}: ")
    assert "Traceback" not in ran.stderr
