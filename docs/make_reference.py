"""Writes docs/definitions.md, the language reference, from the models' own descriptions and defaults.

Run it after a change of the models: ``python docs/make_reference.py``. A test holds the page equal to its output.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from doorstep.definitions import json_schema

PAGE = Path(__file__).parent / "definitions.md"

PARTS = {
    "": ("A funnel", "The keys of a document. The JSON form in common use has the same keys, as JSON."),
    "Step": ("A step", "An entry of `steps`: one event and its filters, or `any_of`."),
    "OptionalBetween": ("optional_between", "Short for optional steps; each is placed between two required ones."),
    "Alternative": ("An alternative", "An entry of `any_of`: an event, or a walk of its own."),
    "SubStep": ("A step of a walk", "An entry of an alternative's `steps`."),
    "Selector": ("A selector", "An entry of `exclude` and `exclude_units`, and re-entry's `event`."),
    "ExcludeBetween": ("exclude_between", "An entry of `exclude_between`."),
    "Reentry": (
        "reentry",
        "An object, or a list of objects any of which may hold. Short forms: `never`, `always`, `after_completion`, "
        "`after_timeout`, `no_within_<duration>`.",
    ),
    "StitchOf": (
        "Stitched ids",
        "`count_by` as an object with `stitch` follows users across their anonymous ids "
        "([Who is who](identity.md)); `session_of` takes it too.",
    ),
    "Stitch": ("stitch", "The two columns."),
    "AccountOf": (
        "Accounts of users",
        "`count_by` as an object with `account_of` counts accounts, by the rows that name one and the rows of their "
        "members ([Who is who](identity.md#accounts)); `session_of` takes it too.",
    ),
    "SessionOf": ("Sessions", "`count_by` as an object counts sessions."),
    "Filters": ("Filters", "Any other key is a property, with a value, a list of values, or operators."),
    "Operators": ("Operators", "All given must hold."),
    "Example": ("An example", "An entry of `examples`: a timeline of one unit, and what must come of it."),
    "ExampleEvent": ("An example's event", "Any other key is a property."),
    "Expectation": ("What an example expects", "Only what is given is compared."),
    "ExpectedAttempt": ("An attempt that an example expects", "An entry of `attempts`."),
}

HEAD = """# Language reference

A definition is a YAML or JSON document. This page lists every key, made from the models themselves; what the keys mean
for counts is told, with timelines, in [What a definition means](semantics.md). `doorstep schema` prints the JSON
Schema.

**Durations**: `90s`, `15m`, `24h`, `7d`, `2w`, and compounds such as `1d12h`; a day is 24 hours. **Windows**:
`7d_after_prev` (or just `7d`), `24h_after_entry`, `2d_after_step_<id>`; a list means all of them; both ends included.

```yaml
funnel: signup
title: Sign-up to first session
count_by: user_id
exclude: [{filters: {staff: true}}]
reentry: {no_within: 14d, below_step: verified}
steps:
  - {event: signup_started, filters: {platform: [web, ios, android]}}
  - {id: verified, event: email_verified, window: 7d}
  - {id: tour, event: tour_opened, optional: true}
  - {event: first_session, window: 3d}
examples:
  - name: verified in time
    events:
      - {at: 0s, event: signup_started, platform: web}
      - {at: 7d, event: email_verified}
      - {at: 8d, event: first_session}
    expect: {status: completed, reached: 3, at: {verified: 7d}}
```
"""


def page() -> str:
    """The whole page."""
    schema = json_schema()
    parts = [HEAD]
    for name, (title, words) in PARTS.items():
        part = schema if not name else schema["$defs"][name]
        parts.append(f"## {title}\n\n{words}\n\n{_table(part)}")
    return "\n".join(parts)


def _table(part: dict[str, Any]) -> str:
    required = set(part.get("required", []))
    lines = ["| key | value | default | |", "|---|---|---|---|"]
    for key, value in part.get("properties", {}).items():
        default = "*required*" if key in required else _default(value)
        words = value.get("description", "")
        lines.append(f"| `{key}` | {_kind(value)} | {default} | {_cell(words)} |")
    return "\n".join(lines) + "\n"


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    if default is None or default in ([], {}):
        return ""
    shown = default[0] if isinstance(default, list) and len(default) == 1 else default
    shown = (
        ", ".join(map(str, shown))
        if isinstance(shown, list)
        else str(shown).lower()
        if isinstance(shown, bool)
        else shown
    )
    return f"`{shown}`"


def _kind(value: dict[str, Any]) -> str:
    if "enum" in value:
        return _cell(", ".join(f"`{_literal(one)}`" for one in value["enum"]))
    if "const" in value:
        return f"`{_literal(value['const'])}`"
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[-1]
        title = PARTS[name][0] if name in PARTS else name
        return f"[{title}](#{title.lower().replace(' ', '-').replace(chr(39), '')})"
    for key in ("anyOf", "oneOf"):
        if key in value:
            kinds = [_kind(one) for one in value[key] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(kind for kind in kinds if kind))
    match value.get("type"):
        case "array":
            items = value.get("items") or (value.get("prefixItems") or [{}])[0]
            return f"list of {_kind(items) or 'values'}"
        case "string":
            return (
                "duration"
                if "pattern" in value and "wdhms" in value["pattern"] and "after" not in value["pattern"]
                else ("window" if "after" in value.get("pattern", "") else "text")
            )
        case "boolean":
            return "true or false"
        case "object":
            return "mapping"
        case kind:
            return str(kind or "")


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
