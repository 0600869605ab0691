"""What follows a count, with charts: breakdowns, segments, trends, times, branches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

from doorstep.funnels.breakdowns import Other
from doorstep.funnels.figures import Figures
from doorstep.funnels.result import FunnelResult
from doorstep.funnels.times import Distribution, TimeFigures
from doorstep.funnels.trend import Period, Trend
from doorstep.pages.charts import Moment, Rate, curve, picture, rates, trend
from doorstep.pages.parts import Key, Picture, Section, Table
from doorstep.pages.words import between, duration, number, of, percent, plural, shown, value_of, verb

EACH = "Each step on its own"
MOST_DRAWN = 20
"""Rows of a chart; the table beside it has all."""


def sections_of(
    result: FunnelResult, over_time: Trend | None, times: TimeFigures | None, branches: bool
) -> Iterator[Section]:
    """A section for each thing asked."""
    if over_time is not None:
        yield trend_section(over_time)
    if result.breakdown:
        by = shown(result.breakdown_by)
        rows = [(value_of(value), figures) for value, figures in result.breakdown]
        yield _groups(f"By {by}", by, rows, result.figures, _extremes(result))
    if result.segments:
        rows = [(shown(one.name), one.figures) for one in result.segments]
        said = "Segments may overlap; everyone is the dashed line."
        yield _groups("Segments", "Segment", [*rows, ("everyone", result.figures)], result.figures, said)
    if times is not None:
        yield times_section(times)
    if branches:
        yield from ways_sections(result)


# -- groups ----------------------------------------------------------------------------------------------------------


def _rate(name: str, completed: int, entered: int, still: int) -> Rate:
    share = completed / entered if entered else None
    return Rate(name, share, (completed + still) / entered if entered else None, of(share, entered))


_OPEN = Key("hatch", "still open: may yet complete")


def _keys(still: bool, solid: str = "completed") -> tuple[Key, ...]:
    return (Key("solid", solid), *([_OPEN] if still else []), Key("dashed", "everyone"))


def _extremes(result: FunnelResult) -> str:
    known = [
        (value_of(value), figures)
        for value, figures in result.breakdown
        if figures.conversion is not None and not isinstance(value, Other)
    ]
    if len(known) < 2:
        return ""
    best, least = (choose(known, key=lambda one: one[1].conversion or 0.0) for choose in (max, min))
    if best[1].conversion == least[1].conversion:
        return f"All of them alike: {of(result.figures.conversion, result.figures.entered)}."
    return (
        f"From {of(least[1].conversion, least[1].entered)} ({least[0]}) to "
        f"{of(best[1].conversion, best[1].entered)} ({best[0]}); everyone together: "
        f"{of(result.figures.conversion, result.figures.entered)}."
    )


def _groups(title: str, head: str, rows: Sequence[tuple[str, Figures]], everyone: Figures, said: str) -> Section:
    drawn = rows[:MOST_DRAWN]
    bars = [_rate(name, one.completed, one.entered, one.open) for name, one in drawn]
    table = Table(
        f"{title}: conversion, of those that entered",
        (head, "Entered", "Completed", "Still open", "Conversion", "Of the settled", "Settled"),
        tuple(
            (
                *(name, f"{one.entered:,}", f"{one.completed:,}", f"{one.open:,}", percent(one.conversion)),
                *(percent(one.mature_conversion), f"{one.mature:,}"),
            )
            for name, one in rows
        ),
    )
    told = f"The share of each that completed; everyone: {of(everyone.conversion, everyone.entered)}."
    told += f" The {len(drawn)} with most entries of {len(rows)}." if len(drawn) < len(rows) else ""
    keys = _keys(any(one.open for _, one in drawn))
    chart = picture("Conversion", told, rates(bars, everyone.conversion), table, keys)
    return Section(title, (said,) if said else (), pictures=(chart,))


# -- trend -----------------------------------------------------------------------------------------------------------

_DATES = {"day": "%b %e", "week": "%b %e", "month": "%b %Y"}


def trend_section(found: Trend) -> Section:
    """Conversion by period, and how many entered."""
    title = f"By {found.by} of entry"
    if not found.periods:
        return Section(title, ("Nobody entered, so that there is nothing to draw.",))
    said = _trend_sentence(found)
    moments = [_moment(one) for one in found.periods]
    young = any(one.immature for one in found.periods)
    keys = [Key("line", "settled: nobody is still on the way"), Key("dashed", "not settled")]
    if young:
        keys += [Key("ring", "not settled yet, may rise"), Key("hatch", "those that entered in such a period")]
    table = Table(
        f"By {found.by} of entry, {shown(found.timezone)}",
        (found.by.capitalize(), "Entered", "Completed", "Still open", "Conversion", "Expected, 95 %", "State"),
        tuple(_period_row(one) for one in found.periods),
    )
    drawn = picture(f"Conversion by {found.by}", said, trend(moments, _DATES[found.by], "conversion"), table, keys)
    notes = (
        ("The grey bar at an unsettled period is what its conversion is expected to come to (95 %).",) if young else ()
    )
    return Section(title, pictures=(drawn,), notes=notes)


def _trend_sentence(found: Trend) -> str:
    settled = [one for one in found.periods if not (one.immature or one.partial) and one.figures.conversion is not None]
    young = sum(one.immature for one in found.periods)
    waits = f" {plural(young, 'period')} {verb(young, 'is', 'are')} not settled yet." if young else ""
    if not settled:
        return f"{plural(len(found.periods), found.by)}, none of them both whole and settled.{waits}"
    first, last = settled[0], settled[-1]
    low = min(settled, key=lambda one: one.figures.conversion or 0.0)
    high = max(settled, key=lambda one: one.figures.conversion or 0.0)
    zone = shown(found.timezone)
    if len(settled) == 1:
        return f"One whole {found.by} ({zone}) is settled: {_at(first)}.{waits}"
    told = (
        f"Of whole, settled {found.by}s ({zone}), from {_at(first)} to {_at(last)}; least {_at(low)}, most {_at(high)}."
    )
    return told + waits


def _at(period: Period) -> str:
    return f"{of(period.figures.conversion, period.figures.entered)} ({period.start.isoformat()})"


def _moment(period: Period) -> Moment:
    expected = period.projected
    return Moment(
        start=_milliseconds(period.start),
        end=_milliseconds(period.end),
        entered=period.figures.entered,
        share=period.figures.conversion,
        immature=period.immature,
        low=None if expected is None else expected.low,
        high=None if expected is None else expected.high,
    )


def _milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000


def _period_row(one: Period) -> tuple[str, ...]:
    figures, expected = one.figures, one.projected
    state = [name for name, holds in (("not settled", one.immature), ("part of a period", one.partial)) if holds]
    return (
        *(one.start.isoformat(), f"{figures.entered:,}", f"{figures.completed:,}", f"{figures.open:,}"),
        percent(figures.conversion),
        "–" if expected is None else between(expected.low, expected.high),
        ", ".join(state) or "settled",
    )


# -- times -----------------------------------------------------------------------------------------------------------

_UNITS = ((86_400 * 3, 86_400, "days"), (3_600 * 3, 3_600, "hours"), (180, 60, "minutes"), (0, 1, "seconds"))


def times_section(times: TimeFigures) -> Section:
    """How long the steps took, the conversion over time, and how the times lie."""
    pictures = []
    if times.curve.points:
        pictures.append(_curve(times))
    if times.overall.count:
        pictures.append(_histogram("From the entry to completion", times.overall))
    folded = [
        _histogram(f"To “{shown(one.name)}” from the step before", one.from_previous)
        for one in times.steps
        if one.from_previous.count and len(times.steps) > 2
    ]
    rows = [(shown(one.id), shown(one.name), *_taken(one.from_previous)) for one in times.steps]
    rows.append(("", "from the entry to completion", *_taken(times.overall)))
    head = ("Step", "Name", "Reached both", "Median", "90 % within", "Mean")
    table = Table("How long each step took since the step before", head, tuple(rows), words=2)
    return Section(
        "How long it takes",
        tables=(table,),
        pictures=tuple(pictures),
        folded=tuple(folded),
        folded_as="Each step on its own",
    )


def _taken(one: Distribution) -> tuple[str, ...]:
    return f"{one.count:,}", duration(one.median), duration(one.p90), duration(one.mean)


def _curve(times: TimeFigures) -> Picture:
    found = times.curve
    final = found.points[-1]
    told = (
        f"{of(final.share, found.entered)} that entered had completed {duration(final.seconds)} after the entry "
        f"({between(final.low, final.high)}, 95 %)."
    )
    if found.open:
        told += f" {found.open:,} were still open and count for as long as they were watched, not as lost."
    if times.projected is not None:
        one = times.projected
        told += f" Once nothing is open, {percent(one.conversion)} are expected ({between(one.low, one.high)})."
    last = found.points[-1].seconds
    size, unit = next((size, unit) for least, size, unit in _UNITS if last >= least)
    points = [(one.seconds / size, one.share, one.low, one.high) for one in found.points]
    start = [] if found.points[0].seconds == 0 else [(0.0, 0.0, 0.0, 0.0)]
    rows = tuple(
        (f"within {duration(one.seconds)}", percent(one.share), between(one.low, one.high), f"{one.at_risk:,}")
        for one in found.points
    )
    table = Table(
        f"The share that had completed, of {found.entered:,} that entered",
        ("Since the entry", "Completed", "95 % interval", "Still at risk"),
        rows,
    )
    keys = (Key("line", "completed by then"), Key("ghost", "its 95 % interval"))
    return picture("Conversion over the time since the entry", told, curve([*start, *points], unit), table, keys)


def _histogram(title: str, one: Distribution) -> Picture:
    told = (
        f"Half took no longer than {duration(one.median)}, nine of ten no longer than {duration(one.p90)}; "
        f"n = {one.count:,}."
    )
    names = [_bin(each.low, each.high) for each in one.bins]
    bars = [Rate(name, float(each.count), None, f"{each.count:,}") for name, each in zip(names, one.bins, strict=True)]
    rows = tuple(
        (name, f"{each.count:,}", of(each.count / one.count, one.count))
        for name, each in zip(names, one.bins, strict=True)
    )
    table = Table(title, ("Took", "How many", "Share"), rows)
    return picture(title, told, rates(bars, None, counts=True), table)


def _bin(low: float, high: float | None) -> str:
    return f"over {duration(low)}" if high is None else f"{duration(low) if low else '0s'} to {duration(high)}"


# -- branches and optional steps -------------------------------------------------------------------------------------


def ways_sections(result: FunnelResult) -> Iterator[Section]:
    """How those went on who took each way."""
    branches, optional = result.branches(), result.optional_steps()
    whole = result.figures.conversion
    if branches:
        bars = []
        rows = []
        for one in branches:
            name = f"{shown(one.step)} by {shown(one.branch)}"
            bars.append(Rate(name, one.conversion, None, of(one.conversion, one.count)))
            rows.append((name, "took it", f"{one.count:,}", "–"))
            rows += [(name, f"then {shown(later.id)}", f"{later.count:,}", percent(later.share)) for later in one.steps]
        table = Table(
            "By branch, to the end", ("Branch", "Step", "Count", "Of those who took it"), tuple(rows), words=2
        )
        told = "Of those who took each branch, the share that completed."
        drawn = picture("Conversion by branch", told, rates(bars, whole), table, _keys(False))
        yield Section("Branches", pictures=(drawn,))
    if optional:
        bars, lines = [], []
        for step in optional:
            for name, fared in (("taken", step.took), ("not taken", step.did_not)):
                label = f"{shown(step.step)} {name}"
                bars.append(_rate(label, fared.completed, fared.count, fared.open))
                cells = (f"{fared.count:,}", f"{fared.completed:,}", f"{fared.open:,}", percent(fared.conversion))
                lines.append((label, *cells, number(fared.next_count), percent(fared.next_share)))
        head = ("Optional step", "Came as far", "Completed", "Still open", "Conversion", "Reached the next", "Share")
        table = Table("By optional step, of those who reached the step before it", head, tuple(lines))
        told = "Of those who came as far, who took an optional step beside who did not."
        keys = _keys(any(one.took.open or one.did_not.open for one in optional))
        drawn = picture("Conversion by optional step", told, rates(bars, whole), table, keys)
        note = "Who took it chose to, and who is slow has more time to: no proof of an effect."
        yield Section("Optional steps", pictures=(drawn,), notes=(note,))
    if not branches and not optional:
        yield Section("Branches", ("This funnel has no step with alternatives, and no optional one.",))


__all__ = ["sections_of", "times_section", "trend_section"]
