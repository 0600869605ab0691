"""What ``check``, ``describe``, ``test`` and ``schema`` do with the document of a journey."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Group
from rich.text import Text

from doorstep.cli import screens, terminal
from doorstep.cli.drawing import number_of
from doorstep.cli.published import Located, clock, journey_definition, place
from doorstep.definitions.identity import canonical, definition_hash, text_hash
from doorstep.definitions.journey import Journey
from doorstep.definitions.reading import is_journey, load_placed_journey
from doorstep.errors import DefinitionError


def means_journey(named: Path, data: Path) -> bool:
    """Whether a journey is meant; what cannot be read is left to the road of funnels, which says why."""
    if "@" in str(named):
        from doorstep.registry import any_definition

        return isinstance(any_definition(named, place(data), clock), Journey)
    try:
        return is_journey(named)
    except DefinitionError:
        return False


def check_journey(
    file: Path,
    data: Path,
    source: object | None,
    traits: Path | None,
    columns: dict[str, str],
    source_timezone: str,
    *,
    as_json: bool,
) -> None:
    """Errors and findings, those against a source of events among them; exit code 1 where there is an error."""
    from doorstep.definitions.journey_lint import lint_journey

    try:
        journey, located = _placed(file, data)
    except DefinitionError as error:
        if not as_json:
            raise
        terminal.show_json({"ok": False, "issues": [_issue(one) for one in error.issues]})
        raise typer.Exit(1) from None
    found = list(lint_journey(journey))
    if source is not None:
        from doorstep.journeys.data_check import check_against

        found += check_against(journey, source, traits=traits, columns=columns, source_timezone=source_timezone)
    issues = located(found)
    errors = sum(issue.level == "error" for issue in issues)
    if as_json:
        named = {"name": journey.journey, "hash": definition_hash(journey), "text_hash": text_hash(journey)}
        terminal.show_json({"ok": not errors, "journey": named, "issues": [_issue(one) for one in issues]})
    else:
        verdict = Text(number_of(errors, "error"), "bold red") if errors else Text("valid", "bold green")
        name = f"  {journey.journey}@{definition_hash(journey)[:12]}  "
        head = Text.assemble((journey.title or journey.journey, "bold"), (name, "bright_black"), verdict)
        terminal.show(Group(head, Text(f"{len(journey.stages)} stages"), screens.findings(issues)))
    if errors:
        raise typer.Exit(1)


def _placed(file: Path, data: Path) -> tuple[Journey, Located]:
    if "@" in str(file):
        return journey_definition(file, data), tuple
    placed = load_placed_journey(file)
    return placed.journey, placed.located


def _issue(issue: object) -> dict[str, object]:
    return asdict(issue)  # type: ignore[call-overload,no-any-return]


def describe_journey(file: Path, data: Path, *, as_json: bool) -> None:
    """The journey in plain words."""
    from doorstep.definitions.journey_words import describe_journey as in_words

    journey = journey_definition(file, data)
    if as_json:
        terminal.show_json(
            {
                "journey": journey.journey,
                "hash": definition_hash(journey),
                "prose": in_words(journey),
                "canonical": canonical(journey),
            }
        )
    else:
        terminal.show_text(in_words(journey).rstrip("\n"))


__all__ = ["check_journey", "describe_journey", "means_journey"]
