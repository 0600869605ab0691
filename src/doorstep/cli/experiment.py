"""`doorstep experiment`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.arguments import ManyEvents
from doorstep.cli.commands import (
    AsOf,
    AtSnapshot,
    Events,
    File,
    FirstTime,
    InLake,
    Memory,
    Since,
    Timezone,
    Until,
    memory_of,
    source_of,
)
from doorstep.cli.drawing import Line, bar, bars, number_of
from doorstep.cli.files import AsCsv, Html, command, refuse_unwritable, show_csv, write_page
from doorstep.cli.interruption import at_once
from doorstep.cli.options import AsJson, Map, SourceTimezone, columns_of
from doorstep.cli.published import DATA, Data, definition
from doorstep.errors import RunError

if TYPE_CHECKING:
    from doorstep.funnels.experiment import Experiment, Variant
    from doorstep.statistics.proportions import Estimate

app: Final = typer.Typer()


@app.command(cls=ManyEvents)
def experiment(
    file: File,
    variant: Annotated[str, typer.Option(help="The property that holds the variant.", show_default=False)],
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    exposure: Annotated[
        str | None,
        typer.Option(help="The event that exposes a unit, such as $feature_flag_called; default: the entry."),
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="The variant to compare with; default: the one called control.")
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option("--split", help="A declared share, such as A=50; may be repeated.", show_default=False),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Intervals leave out this much; 0.05 makes them 95 % wide.")] = 0.05,
    prior: Annotated[str, typer.Option(help="The two numbers of the Beta prior.")] = "1,1",
    effect: Annotated[
        float | None, typer.Option(help="A difference, such as 0.02, whose power is asked for.", show_default=False)
    ] = None,
    mature: Annotated[bool, typer.Option("--mature", help="Without units that may still go on.")] = False,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    timezone: Timezone = "UTC",
    source_timezone: SourceTimezone = "UTC",
    first_time: FirstTime = False,
    map_: Map = None,
    memory: Memory = None,
    data: Data = DATA,
    html: Html = None,
    as_csv: AsCsv = False,
    as_json: AsJson = False,
) -> None:
    """Compare a funnel's variants: intervals, tests, chances, and whether the split can be trusted."""
    with at_once():
        from doorstep.funnels.experiment import experiment as judge

    refuse_unwritable(html)
    with terminal.progress() as told:
        found = judge(
            definition(file, data),
            source_of(events, lake, snapshot),
            variant=variant,
            exposure=exposure,
            control=control,
            split=_split(split),
            alpha=alpha,
            prior=_prior(prior),
            effect=effect,
            mature_only=mature,
            since=since,
            until=until,
            as_of=as_of,
            timezone=timezone,
            first_time=first_time,
            columns=columns_of(map_),
            source_timezone=source_timezone,
            memory=memory_of(memory),
            progress=told,
        )
    if html is not None:
        from doorstep.pages.experiment import experiment_page

        write_page(experiment_page(found, command()), html)
    if as_json:
        terminal.show_json(found.to_dict())
    elif as_csv:
        show_csv(*_csv(found))
    else:
        terminal.show(screen(found))


_CSV: Final = (
    *("variant", "control", "step", "name", "units", "count", "share", "low", "high", "difference", "difference_low"),
    *("difference_high", "ratio", "p", "chance_best", "expected_loss"),
)


def _csv(found: Experiment) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
    """For each variant a line for each step, then one for completion with what it is worth."""
    return _CSV, _lines(found)


def _lines(found: Experiment) -> Iterator[Sequence[object]]:
    for one in found.variants:
        for step in one.steps:
            yield (
                *(one.name, one.control, step.id, step.name, one.units, step.count),
                *_estimates(step.share, step.difference),
                *(step.ratio.value, None, None, None),
            )
        yield (
            *(one.name, one.control, "completed", "completed", one.units, one.completed),
            *_estimates(one.conversion, one.difference),
            *(one.ratio.value, one.p_value, one.chance_best, one.expected_loss),
        )


def _estimates(*estimates: Estimate) -> Iterator[float | None]:
    for one in estimates:
        yield from (one.value, one.low, one.high)


def _split(pairs: list[str] | None) -> dict[str, float] | None:
    found = {}
    for pair in pairs or ():
        name, _, number = pair.rpartition("=")
        try:
            found[name] = float(number)
        except ValueError:
            name = ""
        if not name:
            raise RunError(
                "bad-split", f"--split {pair!r} is not of the form NAME=SHARE. Write --split A=50 --split B=50."
            )
    return found or None


def _prior(text: str) -> tuple[float, float]:
    try:
        one, two = map(float, text.split(","))
    except ValueError:
        raise RunError("bad-prior", f"--prior {text!r} is not two numbers. Write --prior 1,1.") from None
    return one, two


# -- the screen ----------------------------------------


def screen(found: Experiment) -> RenderableType:
    """Variants by their conversion, against control, and step by step."""
    return Group(*_parts(found))


def _parts(found: Experiment) -> Iterator[RenderableType]:
    funnel = found.funnel
    yield Text.assemble(
        (funnel.title or funnel.funnel, "bold"), (f"  {funnel.funnel}@{found.hash[:12]}", "bright_black")
    )
    at = "entry" if found.exposure is None else found.exposure
    held = "" if found.control is None else f"; control is {found.control}"
    level = f"{(1 - found.alpha) * 100:g} % intervals"
    yield Text(f"by {found.variant} at the first {at}{held}; {level}; data up to {found.span.as_of}", "bright_black")
    yield Text("")
    if found.variants:
        yield _conversions(found)
        yield Text("")
        if len(found.variants) > 1:
            yield _against(found)
            yield Text("")
        yield _steps(found)
        yield Text("")
    out = [
        (found.two_variants, "seen in two variants"),
        (found.no_variant, "exposed without a variant"),
        (found.dropped, "excluded by the definition"),
    ]
    if any(number for number, _ in out):
        told = ", ".join(f"{number:,} {why}" for number, why in out if number)
        yield Text.assemble(("left out  ", "bold"), told)
    if found.mismatch is not None:
        yield Text.assemble(("split     ", "bold"), f"as declared? p = {_p(found.mismatch)}")
    for note in found.notes:
        yield Text.assemble(("note      ", "bold yellow"), note)


def _p(value: float | None) -> str:
    return "–" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def _conversions(found: Experiment) -> RenderableType:
    from doorstep.funnels.result import percent

    lines = []
    for one in found.variants:
        cells = [f"{one.units:,}", f"{one.completed:,}", percent(one.conversion.value), _interval(one.conversion)]
        label = Text(one.name) + Text(" (control)" if one.control else "", "bright_black")
        lines.append(Line(label, partial(_bar, one.conversion.value), [*map(Text, cells)]))
    columns = ("units", "completed", "conversion", "between")
    return bars("variant", columns, lines, leave=("completed",), most_bar=20)


def _bar(share: float | None, width: int) -> Text:
    return bar(share or 0.0, 0.0, width)


def _interval(estimate: Estimate) -> str:
    from doorstep.funnels.result import percent

    return "–" if estimate.low is None else f"{percent(estimate.low)} – {percent(estimate.high)}"


def _points(estimate: Estimate, of: float | None = None) -> str:
    value = estimate.value if of is None else of
    return "–" if value is None else f"{value * 100:+.1f}"


def _against(found: Experiment) -> RenderableType:
    lines = [_compared(one) for one in found.variants]
    columns = ("points", "from", "to", "ratio", "p", "best", "loss", "detectable")
    return bars("against control", columns, lines, leave=("detectable", "loss", "ratio"), most_bar=0)


def _compared(one: Variant) -> Line:
    gap = one.difference
    cells = [
        _points(gap),
        _points(gap, gap.low) if gap.low is not None else "–",
        _points(gap, gap.high) if gap.high is not None else "–",
        "–" if one.ratio.value is None else f"{one.ratio.value:.2f}",
        _p(one.p_value),
        "–" if one.chance_best is None else f"{one.chance_best * 100:.1f} %",
        "–" if one.expected_loss is None else f"{one.expected_loss * 100:.2f}",
        "–" if one.detectable is None else f"{one.detectable * 100:+.1f}",
    ]
    power = "" if one.power is None else f", power {one.power * 100:.0f} %"
    return Line(Text(one.name) + Text(power, "bright_black"), None, [*map(Text, cells)])


def _steps(found: Experiment) -> RenderableType:
    from doorstep.funnels.result import percent

    lines = []
    for place in range(len(found.variants[0].steps)):
        lines.append(Line(Text(found.variants[0].steps[place].name, "bold"), None, []))
        for one in found.variants:
            step = one.steps[place]
            cells = [f"{step.count:,}", percent(step.share.value), _interval(step.share), _points(step.difference)]
            lines.append(Line(Text(f"  {one.name}"), None, [*map(Text, cells)]))
    columns = ("count", f"of {number_of(2, 'unit').split()[1]}", "between", "points")
    return bars("step", columns, lines, leave=("between",), most_bar=0)
