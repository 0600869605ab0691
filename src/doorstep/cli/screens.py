"""What the commands draw: reports, stories and findings, for people (see `terminal` for where it goes)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from doorstep.cli.drawing import Fitted, number_of
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.prose import as_table, describe
from doorstep.errors import Issue

if TYPE_CHECKING:
    from doorstep.definitions.checklist import Rule
    from doorstep.funnels.examples import ExampleResult
    from doorstep.funnels.explain import AttemptStory, StepStory, Story

# -- explain ---------------------------------------------------------------------------------------------------------


def story(told: Story) -> RenderableType:
    """The story of one unit."""
    parts: list[RenderableType] = [
        Text(told.unit, "bold") + Text(f"  {number_of(told.rows, 'row')}, data up to {told.as_of}", "bright_black"),
        Text(told.summary),
    ]
    if told.excluded:
        parts.append(Text(f"{told.excluded:,} of its rows never count (`exclude`).", "bright_black"))
    for attempt in told.attempts:
        parts += [Text(""), _attempt(attempt)]
    return Group(*parts)


_COLOURS = {"completed": "green", "open": "cyan", "expired": "yellow", "excluded": "red", "interrupted": "magenta"}


def _attempt(attempt: AttemptStory) -> RenderableType:
    session = f" in session {attempt.session}" if attempt.session else ""
    held = "".join(f" of {name} {value}" for name, value in attempt.held.items())
    head = Text.assemble(
        (f"Attempt {attempt.number}{session}{held} ", "bold"),
        (attempt.status, _COLOURS[attempt.status]),
        f", entered {attempt.entered_at}",
        "" if attempt.counted else " (not counted)",
    )
    parts: list[RenderableType] = [head, _indented(Text(attempt.summary))]
    for step in attempt.steps:
        parts += _step(step)
    for row in attempt.next:
        parts.append(_indented(Text(f"↻ {row.event} at {row.at}: {row.why}")))
    return Group(*parts)


def _indented(line: Text, by: int = 2) -> Padding:
    return Padding(line, (0, 0, 0, by), expand=False)


def _step(step: StepStory) -> Iterable[Padding]:
    optional = " (optional)" if step.optional else ""
    if step.reached:
        after = f", {step.after_previous}" if step.after_previous else ""
        branch = f", by {step.branch}" if step.branch and step.branch != step.event else ""
        told = f"{step.id}  {step.name}{optional}: {step.event} at {step.at}{after}{branch}"
        yield _indented(Text.assemble(("✓ ", "green"), told))
    else:
        deadline = f": {step.deadline}" if step.deadline else ""
        mark = ("· ", "bright_black") if step.optional else ("✗ ", "red")
        yield _indented(Text.assemble(mark, f"{step.id}  {step.name}{optional} not reached{deadline}"))
    for row in step.refused:
        yield _indented(Text(f"{row.event} at {row.at} was not taken: {row.why}", "bright_black"), 6)
    if step.more_refused:
        yield _indented(Text(f"and {number_of(step.more_refused, 'more row')} of its events", "bright_black"), 6)


# -- check and test --------------------------------------------------------------------------------------------------


def findings(issues: Sequence[Issue]) -> RenderableType:
    """Issues, one a line, worst first."""
    colours = {"error": "bold red", "warning": "yellow", "note": "cyan"}
    lines = []
    for issue in sorted(issues, key=lambda one: ("error", "warning", "note").index(one.level)):
        place = str(issue.position) if issue.position else issue.path
        line = Text.assemble(
            (issue.level, colours[issue.level]),
            f" {issue.code}",
            (f"  {place}\n" if place else "\n", "bright_black"),
            f"  {issue.message}",
        )
        if issue.suggestion:
            line += Text(f" {issue.suggestion}", "green")
        lines.append(line)
    return Group(*lines)


def checked(funnel: Funnel, name: str, rules: Sequence[Rule], issues: Sequence[Issue]) -> RenderableType:
    """What a definition declares, what is defaulted and what that means, then the findings."""
    errors = sum(issue.level == "error" for issue in issues)
    verdict = Text(number_of(errors, "error"), "bold red") if errors else Text("valid", "bold green")
    head = Text.assemble(
        (funnel.title or funnel.funnel, "bold"), (f"  {funnel.funnel}@{name[:12]}  ", "bright_black"), verdict
    )
    parts: list[RenderableType] = [head, Text(""), Fitted(lambda width: _rules(rules, width))]
    if issues:
        parts += [Text(""), findings(issues)]
    return Group(*parts)


ROOMY = 100
"""From this width on, tables of words stand side by side; below it each column would be too narrow to read."""


def _rules(rules: Sequence[Rule], width: int) -> RenderableType:
    """Topic, state and meaning side by side; where that leaves little room the topic stands above."""
    roomy = width >= ROOMY
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black", show_header=roomy)
    for column in ("rule", "", "means") if roomy else ("", "means"):
        table.add_column(column, overflow="fold", no_wrap=roomy and column == "rule")
    parts: list[RenderableType] = []
    topic = ""
    for rule in rules:
        new = rule.topic if rule.topic != topic else ""
        topic = rule.topic
        where = "" if rule.where == "funnel" else f"step {rule.where}: "
        state = Text(rule.state, "green" if rule.state == "declared" else "yellow")
        if roomy:
            table.add_row(Text(new, "bold"), state, Text(f"{where}{rule.means}"))
            continue
        if new:
            parts.append(Text(new, "bold"))
        parts.append(_stacked(state, f"{where}{rule.means}", width))
    return table if roomy else Group(*parts)


def _stacked(head: Text, words: str, width: int) -> RenderableType:
    """The words beside their head, or under it when the width is small."""
    if width < 60:
        return Group(_indented(head), _indented(Text(words), 4))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=11, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(_indented(head), Text(words))
    return table


def described(funnel: Funnel) -> RenderableType:
    """The definition in plain words, then its steps as a table."""
    return Group(Text(describe(funnel)), Text(""), Fitted(lambda width: _steps(funnel, width)))


def _steps(funnel: Funnel, width: int) -> RenderableType:
    grid = as_table(funnel)
    if width < ROOMY:
        parts: list[RenderableType] = []
        for row in grid.rows:
            parts.append(Text(f"{grid.header[0]} {row[0]}", "bold"))
            told = zip(grid.header[1:], row[1:], strict=True)
            parts += [_indented(Text.assemble((f"{name}: ", "bright_black"), cell)) for name, cell in told if cell]
        return Group(*parts)
    table = Table(box=None, padding=(0, 2, 1, 0), header_style="bold")
    for column in grid.header:
        table.add_column(column, overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def example_results(results: Sequence[ExampleResult]) -> RenderableType:
    """One line an example, and what went wrong with those that failed."""
    lines: list[RenderableType] = []
    for one in results:
        mark = ("✓ ", "green") if one.passed else ("✗ ", "red")
        lines.append(Text.assemble(mark, one.name))
        lines += [_indented(Text(failure, "red"), 4) for failure in one.failures]
    passed = sum(one.passed for one in results)
    lines.append(Text(f"{passed} of {len(results)} examples pass", "bold"))
    return Group(*lines)
