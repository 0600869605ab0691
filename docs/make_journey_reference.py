"""Writes docs/journey-definitions.md, the keys of a journey, from the models' own descriptions and defaults.

Run it after a change of the models: ``python docs/make_journey_reference.py``. A test holds the page
equal to its output.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from doorstep.definitions.schema import journey_schema

HERE = Path(__file__).parent
PAGE = HERE / "journey-definitions.md"

PARTS = {
    "": ("A journey", "The keys of a document."),
    "Stage": ("A stage", "An entry of `stages`. The first has no criteria: every account is born into it."),
    "Criteria": ("Criteria", "Several keys in one mapping must all hold."),
    "Occurrence": ("did and did_not", "An event's name, a list of names, or a mapping."),
    "Counted": ("count", "With no bound, `at_least: 1`."),
    "Summed": ("sum", "One of the bounds must be given."),
    "DistinctOf": ("distinct", "With no bound, `at_least: 1`."),
    "FeatureUse": ("feature", "A feature's name, or a mapping."),
    "FeaturesUsed": ("The criterion features", "How many different features; with no bound, `at_least: 1`."),
    "Age": ("account_age", "A duration, or a mapping."),
    "TimeInStage": ("time_in_stage", "A duration, or a mapping."),
    "Movement": ("movement", "How accounts move."),
    "FeatureProperty": ("features by a property", "In place of a catalogue with names."),
    "StitchOf": ("Stitched ids", "A form of `count_by`: users across their devices, by [who is who](identity.md)."),
    "Stitch": ("The ids that are stitched", "Two columns."),
    "AccountOf": ("Accounts of stitched users", "A form of `count_by`: accounts, with rows of members that name none."),
    "Selector": ("A selector", "An entry of `exclude`, and a feature's rows."),
    "JourneyExample": ("An example", "An entry of `examples`: the life of one account, and what must come of it."),
    "ExampleEvent": ("An example's event", "Any other key is a property."),
    "ExampleTraits": ("An example's traits", "Any other key is a trait; `created_at` may be an offset too."),
    "ExampleMove": ("An example's move by hand", "An entry of `moves`."),
    "JourneyExpectation": ("What an example expects", "Only what is given is compared."),
    "ExpectedTransition": ("A transition that an example expects", "An entry of `transitions`."),
}

HEAD = """# Journeys: every key

A journey is a YAML or JSON document with the key `journey`. This page lists every key, made from the models themselves;
what they mean is told in [What a definition means](semantics.md) and shown in [Journeys](journeys.md). `doorstep schema
--journey` prints the JSON Schema. Durations and filters are those of [funnels](definitions.md); filters under
`trait` test the account's traits.
"""


def page() -> str:
    """The whole page."""
    funnels = runpy.run_path(str(HERE / "make_reference.py"))
    table: Any = funnels["_table"]
    funnels["PARTS"].clear()
    funnels["PARTS"].update(PARTS)
    schema = journey_schema()
    parts = [HEAD]
    for name, (title, words) in PARTS.items():
        part = schema if not name else schema["$defs"].get(name)
        if part is not None:
            parts.append(f"## {title}\n\n{words}\n\n{table(part)}")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
