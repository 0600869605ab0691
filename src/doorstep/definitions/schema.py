"""The published JSON Schema of funnel documents, made from the models, so that editors complete and check them.

It describes documents as people write them: short forms, ``optional_between``, and keys that have a default. What the
models check by code (rules between keys, regular expressions) it leaves to ``doorstep check``.
"""

from __future__ import annotations

from typing import Any, Final, cast

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.journey import Journey
from doorstep.definitions.segment import Segment
from doorstep.definitions.shorthand import OPTIONAL_BETWEEN
from doorstep.definitions.signal import Signal
from doorstep.definitions.workflow import Workflow

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema (JSON Schema draft 2020-12) of a funnel document, in YAML or JSON."""
    schema = cast("dict[str, Any]", _tidy(Funnel.model_json_schema()))
    definitions = schema["$defs"]
    definitions["Step"]["required"] = []
    definitions["OptionalBetween"] = _optional_between(definitions["Step"], definitions["ExcludeBetween"])
    schema["properties"][OPTIONAL_BETWEEN] = {
        "type": "array",
        "items": {"$ref": "#/$defs/OptionalBetween"},
        "description": "Optional steps, each placed between two required ones: short for steps with `optional: true`.",
    }
    schema["required"] = [key for key in schema["required"] if key != "funnel"]
    return {"$schema": DIALECT, "title": "Doorstep funnel", **{key: schema[key] for key in schema if key != "title"}}


def journey_schema() -> dict[str, Any]:
    """The schema (JSON Schema draft 2020-12) of a journey document, in YAML or JSON."""
    schema = cast("dict[str, Any]", _tidy(Journey.model_json_schema()))
    return {"$schema": DIALECT, "title": "Doorstep journey", **{key: schema[key] for key in schema if key != "title"}}


def automation_schema(model: type[Segment] | type[Signal] | type[Workflow]) -> dict[str, Any]:
    """The schema (JSON Schema draft 2020-12) of a segment's, a signal's or a workflow's document, in YAML or JSON."""
    schema = cast("dict[str, Any]", _tidy(model.model_json_schema()))
    title = f"Doorstep {model.__name__.lower()}"
    return {"$schema": DIALECT, "title": title, **{key: schema[key] for key in schema if key != "title"}}


def _optional_between(step: dict[str, Any], between: dict[str, Any]) -> dict[str, Any]:
    left_out = {"optional", "dedupe", "min_gap", "out_of_order"}
    place = between["properties"]
    return {
        "type": "object",
        "description": "A step that may happen between two required ones; it gates nothing.",
        "properties": {
            "after": {**place["after"], "description": "The required step before it."},
            "before": {**place["before"], "description": "The required step behind it."},
            **{key: value for key, value in step["properties"].items() if key not in left_out},
        },
        "required": ["after", "before"],
        "additionalProperties": False,
    }


def _tidy(part: object) -> object:
    """Without titles that only repeat a key."""
    if isinstance(part, list):
        return [_tidy(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: {name: _tidy(inner) for name, inner in value.items()} if key in {"properties", "$defs"} else _tidy(value)
        for key, value in part.items()
        if not (key == "title" and isinstance(value, str))
    }


__all__ = ["automation_schema", "journey_schema", "json_schema"]
