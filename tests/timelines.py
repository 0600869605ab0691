"""Timelines as a person would write them: ``0s signup; 10m verify plan=pro``, and the attempts they give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from doorstep.definitions.durations import format_duration, parse_duration
from walks import Case, Outcome, case_of


def rows_of(timeline: str, user: str | None = "u") -> list[dict[str, Any]]:
    """The rows of one unit, or with ids of their own; property values are JSON where they can be, else text."""
    rows = []
    for text in filter(None, (part.strip() for part in timeline.split(";"))):
        at, event, *properties = text.split()
        row: dict[str, Any] = {"user_id": user, "event": event, "time": parse_duration(at)}
        for given in properties:
            name, _, value = given.partition("=")
            row[name] = _value(value)
        rows.append(row)
    return rows


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def case_from(given: Mapping[str, Any]) -> Case:
    """A case with the keys ``funnel``, ``timeline`` and any of ``since until as_of first_time``."""
    options: dict[str, Any] = {
        name: parse_duration(given[name]) for name in ("since", "until", "as_of") if name in given
    }
    options["first_time"] = given.get("first_time", False)
    document = {"count_by": "user_id", **given["funnel"]}
    user = None if "stitch" in str(document["count_by"]) else "u"
    return case_of(document, rows_of(given["timeline"], user), options)


def told(case: Case, outcome: Outcome) -> str:
    """``completed 2: 0s 10s``: status, steps that count, and when each step was reached."""
    times = " ".join("-" if at is None else format_duration(at) for at in outcome.times)
    dropped = " dropped" if outcome.dropped else ""
    return f"{outcome.status} {outcome.reached}{dropped}: {times}"
