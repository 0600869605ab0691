"""A run as a page: the answer in a sentence, the steps as bars, then whatever else was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from doorstep.definitions.funnel import Funnel
from doorstep.funnels.figures import Figures, StepFigures
from doorstep.funnels.people import with_outcome
from doorstep.funnels.previous import PreviousPeriod
from doorstep.funnels.result import FunnelResult
from doorstep.funnels.spelling import instant
from doorstep.funnels.times import TimeFigures
from doorstep.funnels.trend import Trend
from doorstep.pages.parts import Bar, Key, Page, Section, Table
from doorstep.pages.rests import data_facts, name_of, reading_of, title_of
from doorstep.pages.words import counted, day, duration, number, of, percent, points, shown, verb, which


@dataclass(frozen=True, slots=True)
class Asked:
    """What else a report of a run shows."""

    trend: Trend | None = None
    times: TimeFigures | None = None
    branches: bool = False
    before: PreviousPeriod | None = None


def funnel_page(result: FunnelResult, asked: Asked, command: str | None = None) -> Page:
    """The report of a run."""
    return Page(
        kind="Funnel",
        title=title_of(result.funnel),
        name=name_of(result.funnel),
        answer=answer_of(result),
        more=tuple(_more(result)),
        sections=tuple(sections_of(result, asked)),
        facts=data_facts(result.data),
        readings=(reading_of(result.funnel),),
        command=command,
        warnings=tuple(map(shown, result.data.notes)),
    )


def answer_of(result: FunnelResult) -> str:
    """How many of whom came how far, how soon, and how many may still."""
    funnel, figures = result.funnel, result.figures
    first, last = funnel.steps[funnel.required[0]], funnel.steps[funnel.required[-1]]
    if not figures.entered:
        return f"Nobody entered: no row in the range matches “{shown(first.label)}”, so that there is no rate to give."
    who = counted(funnel, figures.entered)
    started = (
        f" {which(funnel)} started with “{shown(first.label)}”"
        if funnel.entry_positions == (funnel.required[0],)
        else f" {which(funnel)} entered"
    )
    reached = "did every step" if funnel.order == "any" else f"reached “{shown(last.label)}”"
    told = f"{percent(figures.conversion)} of {who}{started} {reached}"
    median = next(one.from_entry.median for one in figures.steps if str(one.id) == str(last.id))
    told += "" if median is None else f"; half of these within {duration(median)}"
    if not figures.open:
        return f"{told}. Nobody is still on the way: the figure is final."
    return f"{told}. {figures.open:,} {verb(figures.open, 'is', 'are')} still on their way."


def _more(result: FunnelResult) -> Iterator[str]:
    figures = result.figures
    if figures.open and figures.mature:
        yield f"Of those whose outcome is settled, {of(figures.mature_conversion, figures.mature)} completed."
    others = {name: found for name, found in figures.statuses.items() if found and name in ("excluded", "interrupted")}
    if others:
        told = " and ".join(f"{found:,} {verb(found, 'was', 'were')} {name}" for name, found in others.items())
        yield f"Of those that entered, {told}."


def sections_of(result: FunnelResult, asked: Asked) -> Iterator[Section]:
    """The steps, then each thing that was asked."""
    yield steps_section(result)
    if asked.before is not None:
        yield before_section(asked.before)
    if result.breakdown or result.segments or asked.branches or asked.trend or asked.times:
        from doorstep.pages import answers  # noqa: PLC0415 - loads the charts, which a plain run does not need

        yield from answers.sections_of(result, asked.trend, asked.times, asked.branches)


# -- the steps -------------------------------------------------------------------------------------------------------


def steps_section(result: FunnelResult) -> Section:
    """Bars: solid reached, hatched still open, ghost of the step before."""
    waiting = _waiting(result)
    bars = tuple(_bars(result.funnel, result.figures, waiting))
    keys = [Key("solid", "reached"), Key("ghost", "the step before, lost since")]
    keys[1:1] = [Key("hatch", "still open: may yet reach it")] if any(waiting) else []
    return Section("Step by step", bars=bars, keys=tuple(keys), behind=(step_table(result.figures, waiting),))


def _waiting(result: FunnelResult) -> list[int]:
    """How many may still reach each step, of those at the step before."""
    found = []
    for position, step in enumerate(result.funnel.steps):
        at = with_outcome(result.funnel, result.counted, position, "open")
        found.append(0 if step.optional else int(at.sum()))
    return found


def _bars(funnel: Funnel, figures: Figures, waiting: Sequence[int]) -> Iterator[Bar]:
    entered = figures.entered or 1
    worst = _worst(figures.steps)
    before: StepFigures | None = None
    rank = 0
    for step, still in zip(figures.steps, waiting, strict=True):
        ghost = before.count if before is not None and not step.optional else 0
        yield Bar(
            id="" if step.optional else str(rank := rank + 1),
            label=shown(step.name),
            count=f"{step.count:,}",
            solid=step.count / entered,
            hatch=still / entered,
            ghost=ghost / entered,
            sentence=_sentence(funnel, step, before, still, entered),
            before=_between(step),
            marked="largest drop" if step is worst else "",
            remark=f"{still:,} still open" if still else "",
            optional=step.optional,
            ways=tuple(_ways(step)),
        )
        before = before if step.optional else step


def _between(step: StepFigures) -> str:
    if step.from_previous is None:
        return ""
    took = "" if step.median_seconds is None else f" · median {duration(step.median_seconds)}"
    return f"{percent(step.from_previous)} {'also took it' if step.optional else 'went on'}{took}"


def _sentence(funnel: Funnel, step: StepFigures, before: StepFigures | None, still: int, entered: int) -> str:
    name = shown(step.name)
    if step.optional:
        return f"{step.count:,} did “{name}”, which the funnel does not ask for."
    if before is None:
        if step.count == entered:
            return f"All {counted(funnel, entered)} {which(funnel)} entered began with “{name}”."
        return f"{step.count:,} of {counted(funnel, entered)} {which(funnel)} entered began with “{name}”."
    lost = (step.dropped or 0) - still
    told = f"{lost:,} of those at “{shown(before.name)}” did not reach “{name}”"
    told = told if lost else f"Nobody at “{shown(before.name)}” is lost before “{name}”"
    late = f"; {still:,} may still" if still else ""
    entrants = f" {step.entered_here:,} entered here." if step.entered_here else ""
    return f"{told}{late}. {percent(step.from_start)} of the {entered:,} that entered came this far.{entrants}"


def _ways(step: StepFigures) -> Iterator[str]:
    for one in step.branches:
        yield f"{shown(one.name)}: {one.count:,} ({of(one.count / step.count if step.count else None, step.count)})"


def _worst(steps: Sequence[StepFigures]) -> StepFigures | None:
    losing = [step for step in steps if step.dropped]
    return max(losing, key=lambda step: step.dropped or 0) if len(losing) > 1 else None


_STEPS = (
    *("Step", "Name", "Count", "Of entered", "Of the step before", "Dropped", "Still open"),
    *("Median", "90 % within", "Mean"),
)


def step_table(figures: Figures, waiting: Sequence[int]) -> Table:
    """All figures of each step."""
    rows = []
    for step, still in zip(figures.steps, waiting, strict=True):
        lost = None if step.dropped is None else step.dropped - still
        rates = (percent(step.from_start), percent(step.from_previous))
        times = (duration(one) for one in (step.median_seconds, step.p90_seconds, step.mean_seconds))
        name = shown(step.name) + (" (optional)" if step.optional else "")
        rows.append((shown(step.id), name, f"{step.count:,}", *rates, number(lost), number(still), *times))
    caption = f"Every step, of {figures.entered:,} that entered; times are since the step before"
    return Table(caption, _STEPS, tuple(rows), words=2)


# -- the period before -----------------------------------------------------------------------------------------------


def before_section(both: PreviousPeriod) -> Section:
    """Two bars in each row: this range, and the one before."""
    now, then = both.current.figures, both.previous.figures
    since, until = instant(both.previous.data.since), instant(both.previous.data.until)
    told = (
        f"{of(now.conversion, now.entered)} completed, after {of(then.conversion, then.entered)} in the period of "
        f"equal length before ({day(since)} to {day(until)}, seen from as early a horizon): {points(both.difference)}."
    )
    bars = []
    for one, other in zip(now.steps, then.steps, strict=True):
        moved = None if one.from_start is None or other.from_start is None else one.from_start - other.from_start
        share = f"{of(one.from_start, now.entered)}, before {of(other.from_start, then.entered)}: {points(moved)}."
        then_bar = Bar("", "", f"{other.count:,}", other.from_start or 0, 0, 0, "")
        bars.append(
            Bar(
                *("", shown(one.name), f"{one.count:,}", one.from_start or 0, 0, 0, share),
                optional=one.optional,
                other=then_bar,
            )
        )
    rows = tuple(
        (shown(one.id), shown(one.name), *_side(one, now), *_side(other, then))
        for one, other in zip(now.steps, then.steps, strict=True)
    )
    head = ("Step", "Name", "Count", "Of entered", "Count before", "Of entered before")
    keys = (Key("solid", "this period, of those that entered in it"), Key("then", "the one before"))
    table = Table(f"{now.entered:,} entered in this period, {then.entered:,} in the one before", head, rows, words=2)
    return Section("Against the period before", (told,), tuple(bars), keys, behind=(table,))


def _side(step: StepFigures, figures: Figures) -> tuple[str, str]:
    return f"{step.count:,}", percent(step.from_start) if figures.entered else "–"


__all__ = ["Asked", "funnel_page", "sections_of"]
