"""Writes docs/automation-definitions.md, the keys of segments, signals and workflows, from the models' own words.

Run it after a change of the models: ``python docs/make_automation_reference.py``. A test holds the page equal to its
output.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from doorstep.definitions.kinds import AUTOMATIONS
from doorstep.definitions.kinds import KINDS as KINDS_OF
from doorstep.definitions.schema import automation_schema

HERE = Path(__file__).parent
PAGE = HERE / "automation-definitions.md"

KINDS = {"segment": "A segment", "signal": "A signal", "workflow": "A workflow"}
PARTS = {
    "Membership": ("Conditions", "`criteria`, `where`, `if` and `only_if`. Several keys in one mapping must all hold."),
    "InStage": ("stage", "The account is in one of these stages."),
    "HighWater": ("high_water", "How far it ever came."),
    "TimeInStageOf": ("time_in_stage", "How long it has stayed."),
    "When": ("when", "Exactly one of these."),
    "OfStage": ("entered, left and skipped", "A stage of a journey."),
    "MovedBack": ("moved_back", "A move to a lower stage."),
    "Stuck": ("stuck", "Too long in a stage."),
    "NoActivity": ("no_activity", "A duration, or a mapping."),
    "Conversion": ("conversion", "One of the bounds must be given."),
    "Drift": ("drift", "See `doorstep drift`."),
    "QuietHours": ("quiet_hours", "When nobody is told."),
    "Announce": ("announce", "One, or a list of them."),
    "Trigger": ("trigger", "Exactly one of these."),
    "OnTransition": ("transition", "Which transitions set it off."),
    "Schedule": ("schedule", "Times of day."),
    "Action": ("An action", "Exactly one thing, and `if`."),
    "ToWebhook": ("webhook", "A signed POST."),
    "ToSlack": ("slack", "A message."),
    "ToEmail": ("email", "A mail."),
    "Task": ("task", "Something for a person to do."),
}

HEAD = """# Segments, signals and workflows: every key

Each is a YAML or JSON document with the key `segment`, `signal` or `workflow`. This page lists every key, made from
the models themselves; what they mean is told in [Telling the owner](telling-the-owner.md). `doorstep schema --kind
signal` prints the JSON Schema. `did`, `count` and the other criteria of rows, age and traits are those of
[journeys](journey-definitions.md); durations and filters those of [funnels](definitions.md).
"""


def page() -> str:
    """The whole page."""
    funnels = runpy.run_path(str(HERE / "make_reference.py"))
    table: Any = funnels["_table"]
    funnels["PARTS"].clear()
    funnels["PARTS"].update(PARTS)
    parts, known = [HEAD], dict[str, Any]()
    for kind, title in KINDS.items():
        schema = automation_schema(AUTOMATIONS[KINDS_OF[kind]])
        known.update(schema["$defs"])
        parts.append(f"## {title}\n\nThe keys of a document.\n\n{table(schema)}")
    parts += [f"## {title}\n\n{words}\n\n{table(known[name])}" for name, (title, words) in PARTS.items()]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
