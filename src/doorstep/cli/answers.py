"""What a report shows when more is asked for (a trend, times, branches, the period before), and all as one table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from doorstep.cli.drawing import Line, bar, bars
from doorstep.funnels.breakdowns import Other
from doorstep.funnels.figures import Figures
from doorstep.funnels.lengths import duration
from doorstep.funnels.previous import PreviousPeriod
from doorstep.funnels.result import FunnelResult, instant, json_value, percent
from doorstep.funnels.times import Distribution, TimeFigures
from doorstep.funnels.trend import Period, Trend

if TYPE_CHECKING:
    from doorstep.pages.parts import Page


@dataclass(frozen=True, slots=True)
class Answer:
    """A run, and what else was asked of it."""

    result: FunnelResult
    trend: Trend | None
    times: TimeFigures | None
    branches: bool
    before: PreviousPeriod | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of a run, with a key for each thing more."""
        found = self.result.to_dict()
        if self.trend is not None:
            found["trend"] = self.trend.to_dict()
        if self.times is not None:
            found["times"] = self.times.to_dict()
        if self.branches:
            found["branches"] = [one.to_dict() for one in self.result.branches()]
            found["optional_steps"] = [one.to_dict() for one in self.result.optional_steps()]
        if self.before is not None:
            found["previous"] = self.before.previous.to_dict()
            found["difference"] = self.before.difference
        return found

    def to_page(self, command: str | None = None) -> Page:
        """The same as a report."""
        from doorstep.pages.funnel import Asked, funnel_page

        return funnel_page(self.result, Asked(self.trend, self.times, self.branches, self.before), command)

    def to_csv(self) -> str:
        """One line for each step of each group: everyone, breakdown values, segments, periods, the period before."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_CSV)
        for kind, value, figures in self._groups():
            for step in figures.steps:
                cells = [step.id, step.name, step.count, step.from_start, step.from_previous, step.dropped]
                times = [step.median_seconds, step.p90_seconds, step.mean_seconds]
                writer.writerow([kind, value, figures.entered, figures.open, *cells, *times])
        return text.getvalue().rstrip("\n")

    def _groups(self) -> Iterator[tuple[str, object, Figures]]:
        yield "everyone", "", self.result.figures
        for value, figures in self.result.breakdown:
            kind = "other" if isinstance(value, Other) else "missing" if value is None else "value"
            yield kind, "" if kind != "value" else json_value(value), figures
        for one in self.result.segments:
            yield "segment", one.name, one.figures
        for period in self.trend.periods if self.trend else ():
            yield ("immature period" if period.immature else "period"), period.start.isoformat(), period.figures
        if self.before is not None:
            yield "previous", instant(self.before.previous.data.since), self.before.previous.figures


_CSV = (
    *("group", "value", "entered", "open", "step", "name", "count", "from_start", "from_previous", "dropped"),
    *("median_seconds", "p90_seconds", "mean_seconds"),
)


def screens(answer: Answer) -> Iterator[RenderableType]:
    """What is drawn below the report."""
    if answer.before is not None:
        yield from (Text(""), _before(answer.before))
    if answer.trend is not None:
        yield from (Text(""), _trend(answer.trend))
    if answer.times is not None:
        yield from (Text(""), _times(answer.times))
    if answer.branches:
        yield from _ways(answer.result)


def _drawn(share: float | None, ghost: float | None = None) -> Any:
    return partial(_bar, share or 0.0, ghost or 0.0)


def _bar(share: float, ghost: float, width: int) -> Text:
    return bar(share, ghost, width)


def _cells(*cells: str) -> list[Text]:
    return [Text(cell) for cell in cells]


def _before(both: PreviousPeriod) -> RenderableType:
    lines = []
    for name, result in (("this period", both.current), ("the one before", both.previous)):
        one = result.figures
        cells = _cells(f"{one.entered:,}", f"{one.completed:,}", f"{one.open:,}", percent(one.conversion))
        lines.append(Line(Text(name), _drawn(one.conversion), cells))
    table = bars("", ("entered", "completed", "open", "conversion"), lines, leave=("open", "completed"), most_bar=16)
    moved = both.difference
    told = "no difference can be told" if moved is None else f"{moved * 100:+.1f} points"
    before = both.previous.data
    since, until = instant(before.since), instant(before.until)
    note = f"{told} against entries from {since} to {until}, seen from as early a horizon"
    return Group(Text("previous period", "italic"), table, Text(note, "bright_black"))


def _trend(trend: Trend) -> RenderableType:
    lines = [_period(one) for one in trend.periods]
    columns = ("entered", "completed", "open", "conversion", "expected")
    table = bars(trend.by, columns, lines, leave=("completed", "expected", "open"), most_bar=24)
    note = "░ and ~: still open, the conversion may yet rise to what is expected; (part): not a whole period"
    said = Text(f"by {trend.by} of entry, {trend.timezone}", "italic")
    return Group(said, table, *([Text(note, "bright_black")] if any(one.immature for one in trend.periods) else []))


def _period(one: Period) -> Line:
    figures, expected = one.figures, one.projected
    label = Text(one.start.isoformat()) + Text(" (part)" if one.partial else "", "bright_black")
    mark = "~" if one.immature else " "
    projected = "" if expected is None else f"{expected.low * 100:.1f}-{expected.high * 100:.1f} %"
    numbers = _cells(f"{figures.entered:,}", f"{figures.completed:,}", f"{figures.open:,}")
    cells = [*numbers, *_cells(percent(figures.conversion) + mark, projected)]
    return Line(label, _drawn(figures.conversion, expected.conversion if expected else 0.0), cells)


def _times(times: TimeFigures) -> RenderableType:
    lines = [_taken(Text(f"{one.id}  ", "bright_black") + Text(one.name), one.from_previous) for one in times.steps]
    lines.append(_taken(Text("entry to completion", "bold"), times.overall))
    head = bars("time since the step before", ("count", "median", "p90", "mean"), lines, leave=("mean",), most_bar=0)
    parts: list[RenderableType] = [Text("times", "italic"), head]
    if times.overall.count:
        parts += [Text(""), _histogram(times.overall)]
    if times.curve.points:
        parts += [Text(""), _curve(times)]
    return Group(*parts)


def _taken(label: Text, one: Distribution) -> Line:
    return Line(label, None, _cells(f"{one.count:,}", duration(one.median), duration(one.p90), duration(one.mean)))


def _histogram(one: Distribution) -> RenderableType:
    most = max(found.count for found in one.bins)
    lines = []
    for found in one.bins:
        until = "longer" if found.high is None else f"to {duration(found.high)}"
        label = Text(f"{duration(found.low)} {until}")
        lines.append(Line(label, _drawn(found.count / most), _cells(f"{found.count:,}")))
    return bars("entry to completion", ("count",), lines, leave=(), most_bar=28)


SHOWN = 12


def _curve(times: TimeFigures) -> RenderableType:
    points = _some(times.curve.points)
    lines = [
        Line(
            Text(f"within {duration(one.seconds)}"),
            _drawn(one.share, one.high),
            _cells(percent(one.share), f"{one.low * 100:.1f}-{one.high * 100:.1f} %", f"{one.at_risk:,}"),
        )
        for one in points
    ]
    table = bars("since the entry", ("completed", "95 %", "at risk"), lines, leave=("at risk", "95 %"), most_bar=28)
    told: list[RenderableType] = [table]
    if times.projected is not None:
        one = times.projected
        said = f"expected once nothing is open: {percent(one.conversion)} ({one.low * 100:.1f}-{one.high * 100:.1f} %)"
        told.append(Text(f"{said}, as far as {duration(one.horizon_seconds)} after the entry"))
    return Group(*told)


def _some(points: Sequence[Any]) -> list[Any]:
    if len(points) <= SHOWN:
        return list(points)
    step = (len(points) - 1) / (SHOWN - 1)
    return [points[round(number * step)] for number in range(SHOWN)]


def _ways(result: FunnelResult) -> Iterator[RenderableType]:
    branches, optional = result.branches(), result.optional_steps()
    if branches:
        lines = []
        for one in branches:
            lines.append(Line(Text(f"{one.step} by {one.branch}"), _drawn(one.conversion), _cells(f"{one.count:,}")))
            lines += [
                Line(
                    Text(f"   then {later.id}", "bright_black"), None, _cells(f"{later.count:,}", percent(later.share))
                )
                for later in one.steps
            ]
        yield from (
            Text(""),
            Text("branches", "italic"),
            bars("branch", ("count", "of these"), lines, leave=(), most_bar=16),
        )
    if optional:
        lines = []
        for step in optional:
            for name, fared in ((f"{step.step} taken", step.took), (f"{step.step} not taken", step.did_not)):
                cells = _cells(f"{fared.count:,}", f"{fared.completed:,}", f"{fared.open:,}", percent(fared.conversion))
                lines.append(Line(Text(name), _drawn(fared.conversion), cells))
        columns = ("came", "completed", "open", "conversion")
        table = bars("optional step", columns, lines, leave=("open", "completed"), most_bar=16)
        note = Text("who took it chose to, and who is slow has more time to: no proof of an effect", "bright_black")
        yield from (Text(""), Text("optional steps", "italic"), table, note)
