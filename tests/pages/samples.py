"""A page of each kind: over the example data, and over data and definitions that would break one if they could."""

from __future__ import annotations

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow as pa

import doorstep
from doorstep.demo import write
from doorstep.funnels.previous import compare_previous
from doorstep.pages.comparison import comparison_page
from doorstep.pages.drivers import drivers_page
from doorstep.pages.experiment import experiment_page
from doorstep.pages.funnel import Asked, funnel_page
from doorstep.pages.people import Listed, people_page
from doorstep.pages.sensitivity import sensitivity_page
from doorstep.pages.writing import page_of
from funnels.world import DAY, HOUR

SUBSCRIBED: dict[str, Any] = {
    "funnel": "subscribed",
    "count_by": "account_id",
    "steps": [
        {"id": "pricing", "event": "pricing_view"},
        {"id": "checkout", "event": "checkout_started"},
        {"id": "payment", "event": "payment_submitted", "window": "48h"},
    ],
}
SETTLED: dict[str, Any] = {
    **SUBSCRIBED,
    "represent": "best",
    "steps": [SUBSCRIBED["steps"][0], {**SUBSCRIBED["steps"][1], "window": "24h"}, SUBSCRIBED["steps"][2]],
}
SIGNUP: dict[str, Any] = {
    "funnel": "signup",
    "count_by": "user_id",
    "steps": [
        {"id": "signup", "event": "signup_started"},
        {"id": "page", "event": "page_view", "optional": True},
        {"id": "in", "any_of": [{"event": "email_verified"}, {"event": "project_created"}], "window": "7d"},
        {"id": "session", "name": "First session", "event": "first_session", "window": "3d"},
    ],
}
COMMAND = "doorstep run signup.yaml --events 'my events.parquet'"


@cache
def events() -> str:
    """The example data, in one process once."""
    place = Path(mkdtemp(prefix="doorstep-pages-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    write(place, rows=20_000)
    return str(place / "events.parquet")


@cache
def figures() -> dict[str, Any]:
    """A figure of each kind."""
    asked: dict[str, Any] = {
        "breakdown": ["platform"],
        "segments": {"Paid": {"plan": ["pro", "team"]}},
        "since": "2026-02-01",
    }
    both = compare_previous(SIGNUP, events(), **asked)
    return {
        "funnel": both.current,
        "previous": both,
        "trend": both.current.trend("week"),
        "times": both.current.times(),
        "sensitivity": doorstep.sensitivity(SUBSCRIBED, events(), rules=["all"]),
        "comparison": doorstep.compare(SUBSCRIBED, SETTLED, events()),
        "experiment": doorstep.experiment(SIGNUP, events(), variant="signup_form", effect=0.05),
        "drivers": doorstep.drivers(SUBSCRIBED, events(), step="payment", support=5),
    }


@cache
def page(kind: str, of_hostile: bool = False) -> str:
    """The page of a kind, drawn once."""
    return made(kind, hostile() if of_hostile else figures())


def made(kind: str, found: dict[str, Any]) -> str:
    """The page of a kind."""
    match kind:
        case "funnel":
            both = found["previous"]
            asked = Asked(found["trend"], found["times"], True, both)
            return page_of(funnel_page(both.current, asked, COMMAND))
        case "sensitivity":
            return page_of(sensitivity_page(found[kind], COMMAND))
        case "comparison":
            return page_of(comparison_page(found[kind], COMMAND))
        case "experiment":
            return page_of(experiment_page(found[kind], COMMAND))
        case "people":
            return page_of(people_page(_listed(found["funnel"]), COMMAND))
        case _:
            return page_of(drivers_page(found["drivers"], COMMAND))


def _listed(result: doorstep.FunnelResult) -> Listed:
    """The first of those who dropped before the last step."""
    step = str(result.funnel.steps[-1].id)
    dropped = result.people(step, "dropped")
    return Listed(result, step, "dropped", dropped.num_rows, dropped.slice(0, 12))


NAMES = ("funnel", "previous", "trend", "times", "sensitivity", "comparison", "experiment", "drivers")
KINDS = ("funnel", "sensitivity", "comparison", "experiment", "drivers", "people")
SCRIPT = "<script>alert(1)</script>"
QUOTES = "\"'><img src=http://evil.example/x onerror=alert(1)>&amp;<b>bold</b>"
LEFTWARD = "\u202eevil\u202c \u05e9\u05dc\u05d5\u05dd\u200f \x1b[31m\x00"
HOSTILE = (SCRIPT, QUOTES, LEFTWARD)


@cache
def hostile() -> dict[str, Any]:
    """The same of data and a definition whose every name is hostile."""
    document: dict[str, Any] = {
        "funnel": "hostile",
        "title": SCRIPT + QUOTES,
        "description": QUOTES,
        "count_by": "user_id",
        "steps": [
            {"id": "a", "event": "a", "name": SCRIPT},
            {"id": "o", "event": "o", "name": QUOTES, "optional": True},
            {"id": "b", "any_of": [{"event": "b", "name": QUOTES}, {"event": "c", "name": SCRIPT}], "window": "2d"},
            {"id": "d", "event": "d", "name": "d " + QUOTES, "window": "1d"},
        ],
    }
    rows = _rows()
    both = compare_previous(
        document, rows, since="1970-01-03", breakdown=["kind"], segments={SCRIPT: {"kind": list(HOSTILE)}}
    )
    later = {**document, "steps": [*document["steps"][:3], {**document["steps"][3], "window": "1h"}]}
    return {
        "funnel": both.current,
        "previous": both,
        "trend": both.current.trend("day"),
        "times": both.current.times(),
        "sensitivity": doorstep.sensitivity(document, rows, rules=["all"]),
        "comparison": doorstep.compare(document, later, rows),
        "experiment": doorstep.experiment(document, rows, variant="kind"),
        "drivers": doorstep.drivers(document, rows, step="d", support=2),
    }


def _rows() -> pa.Table:
    """Ninety units, one after another, a third of each kind; of the first kind more drop out."""
    rows: list[dict[str, Any]] = []
    for number in range(90):
        kind, entered = HOSTILE[number % 3], DAY + number * HOUR
        later = {0: [], 1: [("b", 26)], 2: [("o", 26), ("c", 27), ("d", 28 - number % 2)]}
        went = later[number // 3 % 3 if number % 3 else number % 2]
        rows += [
            {"user_id": f"{kind}{number}", "event": event, "time": entered + hours * HOUR, "kind": kind}
            for event, hours in [("a", 0), *went]
        ]
    found = pa.Table.from_pylist(rows)
    return found.set_column(2, "time", found["time"].cast(pa.timestamp("us", tz="UTC")))
