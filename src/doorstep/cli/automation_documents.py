"""What ``check``, ``describe`` and ``schema`` do with documents of segments, signals and workflows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.published import clock, place
from doorstep.errors import DefinitionError, RunError, nearest

if TYPE_CHECKING:
    from doorstep.definitions.automation_rules import Automation


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of document. RunError ``no-such-kind``."""
    from doorstep.definitions.kinds import AUTOMATIONS, KINDS
    from doorstep.definitions.schema import automation_schema, journey_schema, json_schema

    if kind not in KINDS:
        near = nearest(kind, KINDS)
        mend = f"Did you mean {near}?" if near else f"The kinds are {', '.join(KINDS)}."
        raise RunError("no-such-kind", f"There is no kind {kind!r} of definitions. {mend}")
    if kind == "funnel":
        return json_schema()
    return journey_schema() if kind == "journey" else automation_schema(AUTOMATIONS[KINDS[kind]])


def automation_in(named: Path, data: Path) -> Automation | None:
    """The segment, signal or workflow that is meant; None where a funnel or a journey is. DefinitionError."""
    from doorstep.definitions.funnel import Funnel
    from doorstep.definitions.journey import Journey
    from doorstep.definitions.kinds import automation_kind, load_automation

    if "@" in str(named):
        from doorstep.registry import any_definition

        found = any_definition(named, place(data), clock)
        return None if isinstance(found, Funnel | Journey) else found
    try:
        kind = automation_kind(named)
    except DefinitionError:  # what cannot be read at all is left to the road of funnels, which says why
        return None
    return None if kind is None else load_automation(named, kind)


def describe_automation(named: Path, data: Path, *, as_json: bool) -> bool:
    """Says it in plain words; False where a funnel or a journey is meant."""
    from doorstep.definitions.automation_words import describe_automation as in_words
    from doorstep.definitions.kinds import canonical, definition_hash, kind_of, name_of

    found = automation_in(named, data)
    if found is None:
        return False
    if as_json:
        about = {kind_of(found): name_of(found), "hash": definition_hash(found), "prose": in_words(found)}
        terminal.show_json({**about, "canonical": canonical(found)})
    else:
        terminal.show_text(in_words(found).rstrip("\n"))
    return True


def check_automation(named: Path, data: Path, *, as_json: bool) -> bool:
    """Says whether it is valid, by itself; False where a funnel or a journey is meant. Exit code 1 where it is not."""
    from doorstep.definitions.kinds import definition_hash, kind_of, name_of, text_hash

    try:
        found = automation_in(named, data)
    except DefinitionError as error:
        if not as_json:
            raise
        terminal.show_json({"ok": False, "issues": [asdict(one) for one in error.issues]})
        raise typer.Exit(1) from None
    if found is None:
        return False
    if as_json:
        about = {"name": name_of(found), "hash": definition_hash(found), "text_hash": text_hash(found)}
        terminal.show_json({"ok": True, kind_of(found): about, "issues": []})
    else:
        name = f"  {name_of(found)}@{definition_hash(found)[:12]}  "
        head = (found.title or name_of(found), "bold")
        terminal.show(Text.assemble(head, (name, "bright_black"), Text("valid", "bold green")))
    return True


__all__ = ["automation_in", "check_automation", "describe_automation", "schema_of"]
