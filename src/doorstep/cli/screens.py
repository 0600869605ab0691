"""What the commands draw: reports, stories and findings, for people (see `terminal` for where it goes)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.prose import as_table, describe
from doorstep.errors import Issue
from doorstep.funnels.examples import ExampleResult
from doorstep.funnels.explain import AttemptStory, StepStory, Story
from doorstep.funnels.figures import Figures, StepFigures
from doorstep.funnels.result import FunnelResult, instant, percent

if TYPE_CHECKING:
    from doorstep.definitions.checklist import Rule

BAR = 28
"""Width of a bar, in characters."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, ghost: float, width: int = BAR) -> Text:
    """A horizontal bar of ``share`` (0 to 1); the part up to ``ghost``, where the previous step stood, is shaded."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[rest] if rest else "")
    shaded = max(0, round(max(0.0, min(1.0, ghost)) * width) - len(drawn))
    return Text(drawn, "blue") + Text("░" * shaded, "bright_black") + Text(" " * (width - len(drawn) - shaded))


def duration(seconds: float | None) -> str:
    """``2d 4h``, ``3m 20s``, ``0.4s``; a dash for none."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.3g}s"
    parts, rest = [], round(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


# -- run -------------------------------------------------------------------------------------------------------------


def report(result: FunnelResult) -> RenderableType:
    """The report of a run."""
    funnel, figures, data = result.funnel, result.figures, result.data
    what = "attempts" if funnel.count == "attempts" else f"{result.unit}, each once"
    since, until = instant(data.since) or "the first row", instant(data.until) or "the last"
    parts: list[RenderableType] = [
        Text(funnel.title or funnel.funnel, "bold") + Text(f"  {funnel.funnel}@{result.hash[:12]}", "bright_black"),
        Text(f"counts {what}; entries from {since} to {until}; data up to {instant(data.as_of)}", "bright_black"),
        Text(""),
        step_table(figures),
        Text(""),
        Text.assemble(
            ("completed ", "bold"),
            f"{figures.completed:,} of {figures.entered:,} entered ({percent(figures.conversion)})",
        ),
        Text.assemble(
            ("open      ", "bold"),
            f"{figures.open:,} may still go on; of the {figures.mature:,} that are settled "
            f"{percent(figures.mature_conversion)} completed",
        ),
    ]
    others = {name: number for name, number in figures.statuses.items() if number and name not in {"completed", "open"}}
    if others:
        told = ", ".join(f"{number:,} {name}" for name, number in others.items())
        parts.append(Text.assemble(("others    ", "bold"), told))
    parts.append(_data(result))
    if result.breakdown:
        parts += [Text(""), _breakdown(result)]
    return Group(*parts)


def step_table(figures: Figures) -> Table:
    """Steps with bars; the worst drop-off is marked."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
    table.add_column("step", max_width=38, overflow="fold")
    table.add_column("", no_wrap=True)
    for name in ("count", "of entered", "of previous", "dropped", "median", "p90"):
        table.add_column(name, justify="right", no_wrap=True)
    worst = _worst(figures.steps)
    ghost = 1.0 if figures.entered else 0.0
    for step in figures.steps:
        share = step.from_start or 0.0
        label = Text(f"{step.id}  ", "bright_black") + Text(step.name, "italic" if step.optional else "")
        if step.optional:
            label += Text(" (optional)", "bright_black")
        dropped = Text("–" if step.dropped is None else f"{step.dropped:,}", "bold red" if step is worst else "")
        if step is worst:
            dropped += Text(" ◀")
        cells = [f"{step.count:,}", percent(step.from_start), percent(step.from_previous)]
        times = [duration(step.median_seconds), duration(step.p90_seconds)]
        table.add_row(label, bar(share, 0.0 if step.optional else ghost), *cells, dropped, *times)
        if step.entered_here and step.from_previous is not None:
            table.add_row(Text(f"   {step.entered_here:,} entered here", "bright_black"))
        for branch in step.branches:
            of_step = percent(branch.count / step.count if step.count else None)
            table.add_row(
                Text(f"   by {branch.name}", "bright_black"), "", f"{branch.count:,}", Text(of_step, "bright_black")
            )
        if not step.optional:
            ghost = share
    return table


def _worst(steps: Sequence[StepFigures]) -> StepFigures | None:
    losing = [step for step in steps if step.dropped]
    return max(losing, key=lambda step: step.dropped or 0) if len(losing) > 1 else None


_REJECTED = {
    "unreadable_line": "unreadable line",
    "no_time": "no time",
    "unreadable_time": "unreadable time",
    "no_event": "no event name",
    "duplicate": "repeated message",
    "no_unit": "no unit",
    "no_held_value": "no value to hold constant",
}


def _data(result: FunnelResult) -> RenderableType:
    data = result.data
    lines = [
        Text.assemble(
            ("data      ", "bold"),
            f"{data.rows:,} rows in {data.description}; {data.matched:,} matched, of {data.units:,} units",
        )
    ]
    if data.rejected:
        told = ", ".join(f"{number:,} {_REJECTED.get(reason, reason)}" for reason, number in data.rejected.items())
        lines.append(Text.assemble(("rejected  ", "bold yellow"), told))
    lines += [Text.assemble(("note      ", "bold"), note) for note in data.notes]
    return Group(*lines)


def _breakdown(result: FunnelResult) -> Table:
    table = Table(
        box=None, padding=(0, 2, 0, 0), header_style="bright_black", title=f"by {result.breakdown_by} at entry"
    )
    table.title_justify = "left"
    table.add_column(str(result.breakdown_by))
    table.add_column("")
    for name in ("entered", "completed", "conversion"):
        table.add_column(name, justify="right")
    for value, figures in result.breakdown:
        shown = Text("(none)", "bright_black") if value is None else Text(str(value))
        cells = [f"{figures.entered:,}", f"{figures.completed:,}", percent(figures.conversion)]
        table.add_row(shown, bar(figures.conversion or 0.0, 0.0, 16), *cells)
    return table


# -- explain ---------------------------------------------------------------------------------------------------------


def story(told: Story) -> RenderableType:
    """The story of one unit."""
    parts: list[RenderableType] = [
        Text(told.unit, "bold") + Text(f"  {told.rows:,} rows, data up to {told.as_of}", "bright_black"),
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
    head = Text.assemble(
        (f"Attempt {attempt.number}{session} ", "bold"),
        (attempt.status, _COLOURS[attempt.status]),
        f", entered {attempt.entered_at}",
        "" if attempt.counted else " (not counted)",
    )
    parts: list[RenderableType] = [head, _indented(Text(attempt.summary))]
    for step in attempt.steps:
        parts += [_indented(line) for line in _step(step)]
    for row in attempt.next:
        parts.append(_indented(Text(f"↻ {row.event} at {row.at}: {row.why}")))
    return Group(*parts)


def _indented(line: Text) -> Padding:
    return Padding(line, (0, 0, 0, 2), expand=False)


def _step(step: StepStory) -> Iterable[Text]:
    optional = " (optional)" if step.optional else ""
    if step.reached:
        after = f", {step.after_previous}" if step.after_previous else ""
        branch = f", by {step.branch}" if step.branch and step.branch != step.event else ""
        yield Text.assemble(
            ("✓ ", "green"), f"{step.id}  {step.name}{optional}: {step.event} at {step.at}{after}{branch}"
        )
    else:
        deadline = f": {step.deadline}" if step.deadline else ""
        yield Text.assemble(
            ("· " if step.optional else "✗ ", "bright_black" if step.optional else "red"),
            f"{step.id}  {step.name}{optional} not reached{deadline}",
        )
    for row in step.refused:
        yield Text(f"    {row.event} at {row.at} was not taken: {row.why}", "bright_black")
    if step.more_refused:
        yield Text(f"    and {step.more_refused:,} more rows of its events", "bright_black")


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
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
    for column in ("rule", "", "means"):
        table.add_column(column, overflow="fold")
    topic = ""
    for rule in rules:
        shown = Text(rule.topic if rule.topic != topic else "", "bold")
        topic = rule.topic
        where = "" if rule.where == "funnel" else f"step {rule.where}: "
        state = Text(rule.state, "green" if rule.state == "declared" else "yellow")
        table.add_row(shown, state, f"{where}{rule.means}")
    errors = sum(issue.level == "error" for issue in issues)
    verdict = Text(f"{errors} errors", "bold red") if errors else Text("valid", "bold green")
    head = Text.assemble(
        (funnel.title or funnel.funnel, "bold"), (f"  {funnel.funnel}@{name[:12]}  ", "bright_black"), verdict
    )
    parts: list[RenderableType] = [head, Text(""), table]
    if issues:
        parts += [Text(""), findings(issues)]
    return Group(*parts)


def described(funnel: Funnel) -> RenderableType:
    """The definition in plain words, then its steps as a table."""
    grid = as_table(funnel)
    table = Table(box=None, padding=(0, 2, 1, 0), header_style="bold")
    for column in grid.header:
        table.add_column(column, overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(cell) for cell in row))
    return Group(Text(describe(funnel)), Text(""), table)


def example_results(results: Sequence[ExampleResult]) -> RenderableType:
    """One line an example, and what went wrong with those that failed."""
    lines: list[Text] = []
    for one in results:
        mark = ("✓ ", "green") if one.passed else ("✗ ", "red")
        lines.append(Text.assemble(mark, one.name))
        lines += [Text(f"    {failure}", "red") for failure in one.failures]
    passed = sum(one.passed for one in results)
    lines.append(Text(f"{passed} of {len(results)} examples pass", "bold"))
    return Group(*lines)
