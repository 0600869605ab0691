"""The report of a run, for people: steps with bars, how attempts stand, and how the data was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.text import Text

from doorstep.cli.drawing import BAR, Fitted, Line, bar, bars, number_of
from doorstep.funnels.breakdowns import Other
from doorstep.funnels.figures import Figures, StepFigures
from doorstep.funnels.lengths import duration
from doorstep.funnels.result import FunnelResult, instant, percent


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
    if result.segments:
        parts += [Text(""), _segments(result)]
    return Group(*parts)


_COLUMNS = ("count", "of entered", "of previous", "dropped", "median", "p90")


def step_table(figures: Figures) -> Fitted:
    """Steps with bars; the worst drop-off is marked."""
    lines: list[Line] = []
    worst = _worst(figures.steps)
    ghost = 1.0 if figures.entered else 0.0
    for step in figures.steps:
        share = step.from_start or 0.0
        lines += _lines(step, partial(_bar, share, 0.0 if step.optional else ghost), step is worst)
        if not step.optional:
            ghost = share
    return bars("step", _COLUMNS, lines, leave=("p90", "median", "of entered"), most_bar=BAR)


def _bar(share: float, ghost: float, width: int) -> Text:
    return bar(share, ghost, width)


def _lines(step: StepFigures, drawn: Callable[[int], Text], worst: bool) -> list[Line]:
    label = Text(f"{step.id}  ", "bright_black") + Text(step.name, "italic" if step.optional else "")
    if step.optional:
        label += Text(" (optional)", "bright_black")
    dropped = Text("–" if step.dropped is None else f"{step.dropped:,}", "bold red" if worst else "")
    dropped += Text("◀" if worst else " ")
    shares = [Text(percent(step.from_start)), Text(percent(step.from_previous))]
    times = [Text(duration(step.median_seconds)), Text(duration(step.p90_seconds))]
    lines = [Line(label, drawn, [Text(f"{step.count:,}"), *shares, dropped, *times])]
    if step.entered_here and step.from_previous is not None:
        lines.append(Line(Text(f"   {step.entered_here:,} entered here", "bright_black"), None, []))
    for branch in step.branches:
        of_step = percent(branch.count / step.count if step.count else None)
        told = Text(f"   by {branch.name} ({of_step})", "bright_black")
        lines.append(Line(told, None, [Text(f"{branch.count:,}")]))
    return lines


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
            f"{number_of(data.rows, 'row')} in {data.description}; {data.matched:,} matched, "
            f"of {number_of(data.units, 'unit')}",
        )
    ]
    if data.rejected:
        told = ", ".join(f"{number:,} {_REJECTED.get(reason, reason)}" for reason, number in data.rejected.items())
        lines.append(Text.assemble(("rejected  ", "bold yellow"), told))
    if data.map_version is not None:
        lines.append(Text.assemble(("ids       ", "bold"), f"stitched by the identity map {data.map_version}"))
    lines += [Text.assemble(("note      ", "bold"), note) for note in data.notes]
    return Group(*lines)


def _breakdown(result: FunnelResult) -> RenderableType:
    lines = [_group(_value(value), figures) for value, figures in result.breakdown]
    by = str(result.breakdown_by)
    said = f"by {by} at entry" if all(one.at == "entry" for one in result.breakdowns) else f"by {by}"
    return Group(Text(said, "italic"), bars(by, _GROUP, lines, leave=("open", "completed"), most_bar=16))


_GROUP = ("entered", "completed", "open", "conversion")


def _group(label: Text, figures: Figures) -> Line:
    numbers = (figures.entered, figures.completed, figures.open)
    cells = [*(f"{number:,}" for number in numbers), percent(figures.conversion)]
    return Line(label, partial(_bar, figures.conversion or 0.0, 0.0), [Text(cell) for cell in cells])


def _value(value: object) -> Text:
    """A value as it is; nothing, and all the others, look like no value."""
    if isinstance(value, tuple):
        return Text(", ").join(_value(one) for one in value)
    if value is None or isinstance(value, Other):
        return Text("(none)" if value is None else f"({value})", "bright_black")
    return Text(str(value))


def _segments(result: FunnelResult) -> RenderableType:
    lines = [_group(Text(one.name), one.figures) for one in result.segments]
    lines.append(_group(Text("everyone", "bold"), result.figures))
    table = bars("segment", _GROUP, lines, leave=("open", "completed"), most_bar=16)
    return Group(Text("segments (they may overlap)", "italic"), table)
