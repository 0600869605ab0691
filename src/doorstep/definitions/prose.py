"""A definition in plain English: every rule that bears on its counts, defaults too, for people to agree on.

`describe` is the whole story, `as_table` one line a step, `as_markdown` both, ready for a tracking plan. Two
definitions that can count differently read differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from doorstep.definitions import step_words, words
from doorstep.definitions.funnel import Funnel, Selector, branch_label
from doorstep.definitions.sections import sections
from doorstep.definitions.words import Line, duration


@dataclass(frozen=True, slots=True)
class Table:
    """One row a step, and one a way through it; every cell is a text."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def describe(funnel: Funnel) -> str:
    """The definition as prose (semantics 1-8): a title, then sections of paragraphs and points, in plain text."""
    blocks = [title(funnel)]
    for section in sections(funnel):
        lines = [f"{'  ' * max(depth, 1)}{'- ' if depth else ''}{sentence}" for depth, sentence in section.lines]
        blocks.append("\n".join([section.title, *lines]))
    return "\n\n".join(blocks) + "\n"


def title(funnel: Funnel) -> str:
    """The name people use and the slug: ``Mobile onboarding (mobile-onboarding, semantics 1)``."""
    inside = [funnel.funnel] if funnel.title else []
    return f"{funnel.title or funnel.funnel} ({', '.join([*inside, f'semantics {funnel.semantics}'])})"


# -- table ----------------------------------------

_HEADER: Final = ("Step", "Event", "Conditions", "When", "Which of several", "Notes")


def as_table(funnel: Funnel) -> Table:
    """One row a step, and one more for each way through an ``any_of`` step."""
    return Table(_HEADER, tuple(row for position in range(len(funnel.steps)) for row in _rows(funnel, position)))


def _rows(funnel: Funnel, position: int) -> Iterator[tuple[str, ...]]:
    step = funnel.steps[position]
    head = f"{step.id} {step.name}" if step.name else str(step.id)
    events = "any one of the ways below" if step.any_of else words.events(step.event)
    conditions = "" if step.any_of else _conditions(step)
    yield (
        head,
        events,
        conditions,
        _when(funnel, position),
        step_words.which(funnel, position),
        "; ".join(_notes(funnel, position)),
    )
    before = step_words.previous(funnel, position) or step_words.START
    for number, one in enumerate(step.any_of, start=1):
        name = f"{step.id}, way {number}" + (f" {one.name}" if one.name else "")
        if one.steps:
            yield name, branch_label(one), "", "", "", step_words.walk(funnel, one, before)
        else:
            limits = ", ".join(words.window(limit, before) for limit in one.window)
            yield name, words.events(one.event), _conditions(one), limits, "", ""


def _when(funnel: Funnel, position: int) -> str:
    if funnel.order == "any":
        return f"at most {duration(funnel.window)} after the first row, in any order" if funnel.window else "any time"
    return step_words.when(funnel, position) or "the start"


def _conditions(selector: Selector) -> str:
    return words.where(selector.condition).removeprefix(" where ")


def _notes(funnel: Funnel, position: int) -> Iterator[str]:
    step = funnel.steps[position]
    if step.optional:
        yield "optional"
    if position in funnel.entry_positions and len(funnel.entry_positions) > 1:
        yield "an attempt may start here"
    if step.first_time:
        kind = "such row" if step.first_time == "matching" else "row of the event"
        yield f"only the first ever {kind} of the {words.unit(funnel)}"
    for rule in funnel.exclude_between:
        if str(rule.before) == str(step.id):
            yield f"no {words.rows(rule)} since {words.step(rule.after)}, else {rule.effect}"


# -- Markdown ----------------------------------------


def as_markdown(funnel: Funnel) -> str:
    """Title, who answers for it, the table of steps and the whole prose, for pasting into a tracking plan."""
    table = as_table(funnel)
    blocks = [f"# {_escaped(title(funnel))}"]
    if funnel.description:
        blocks.append(funnel.description.strip())
    facts = {"Owner": funnel.owner, "Tags": ", ".join(funnel.tags)}
    if any(facts.values()):
        blocks.append("\n".join(f"- {name}: {_escaped(value)}" for name, value in facts.items() if value))
    rule = "|" + " --- |" * len(table.header)
    blocks.append("\n".join([_table_line(table.header), rule, *map(_table_line, table.rows)]))
    for section in sections(funnel):
        blocks += [f"## {section.title}", _markdown_lines(section.lines)]
    return "\n\n".join(blocks) + "\n"


def _markdown_lines(lines: Iterable[Line]) -> str:
    text, before = "", 0
    for depth, sentence in lines:
        gap = "" if not text else "\n" if depth and before else "\n\n"
        text += f"{gap}{'  ' * (depth - 1)}{'- ' if depth else ''}{_escaped(sentence)}"
        before = depth
    return text


def _table_line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_escaped(cell).replace("|", "\\|") for cell in cells) + " |"


_SPECIAL: Final = re.compile(r"(?P<code>(?P<fence>`+).+?(?<!`)(?P=fence)(?!`))|(?P<mark>[\\*<\[\]#~]|(?<!\w)_|_(?!\w))")


def _escaped(text: str) -> str:
    """On one line, with what Markdown would read as its own set off by a backslash; names set in code are left be."""
    return _SPECIAL.sub(lambda found: found["code"] or f"\\{found['mark']}", " ".join(text.split()))


__all__ = ["Table", "as_markdown", "as_table", "describe", "sections", "title"]
