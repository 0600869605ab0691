"""What ``doorstep journey show|accounts|history`` draw, for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from doorstep.cli.drawing import BAR, Fitted, Line, bar, bars, number_of
from doorstep.funnels.lengths import duration

if TYPE_CHECKING:
    import pyarrow as pa

    from doorstep.journeys.cohorts import Cohorts
    from doorstep.journeys.evidence import AccountHistory, Step
    from doorstep.journeys.periods import Distribution, Flow
    from doorstep.journeys.result import JourneyResult
    from doorstep.ledger.records import Line as Told
    from doorstep.ledger.records import Standing

_QUIET = "bright_black"


def state(result: JourneyResult, told: Mapping[str, Any], stuck: str, more: Mapping[str, Any]) -> RenderableType:
    """The stages as bars, then what else was asked for."""
    total = max(1, told["accounts"])
    lines = []
    last = max((place for place, one in enumerate(result.journey.stages) if one.rank is None), default=-1)
    for place, one in enumerate(told["stages"]):
        share = one["accounts"] / total
        stays = Text("–" if place == last else f"{one['stuck']:,}")
        cells = [Text(f"{one['accounts']:,}"), Text(f"{share * 100:.1f} %"), _net(one["net_this_week"])]
        cells += [Text(duration(one["stay"]["median_seconds"])), Text(_percent(one["conversion"])), stays]
        lines.append(Line(Text(one["name"]), lambda width, share=share: bar(share, share, width), cells))  # type: ignore[misc]
    columns = ["accounts", "share", "this week", "median stay", "to the next", f"stuck > {stuck}"]
    named = Text.assemble((result.journey.title or result.journey.journey, "bold"), f"  {result.journey.journey}")
    parts: list[RenderableType] = [
        named + Text(f"@{result.hash[:12]}", _QUIET),
        Text(_sentence(told, stuck)),
        Text(""),
        bars("stage", columns, lines, leave=("share", "this week"), most_bar=BAR),
    ]
    for name, drawn in (("distribution", _distribution), ("flow", _flow), ("cohorts", _cohorts)):
        if name in more:
            parts += [Text(""), *drawn(result, more[name])]
    parts += [
        Text(""),
        Text(f"{number_of(result.rows, 'row')}, up to {told['data']['until']}", _QUIET),
        *(Text(f"note: {note}", "yellow") for note in result.notes),
    ]
    return Group(*parts)


def _sentence(told: Mapping[str, Any], stuck: str) -> str:
    """The answer first."""
    held = sum(one["stuck"] for one in told["stages"][:-1])
    most = max(told["stages"], key=lambda one: one["accounts"])
    if not told["accounts"]:
        return "No account is born yet."
    found = f"{number_of(told['accounts'], 'account')}; most are in {most['name']} ({most['accounts']:,})"
    return f"{found}; {held:,} have been longer than {stuck} in a stage before the last."


def _net(net: int) -> Text:
    return Text(f"{net:+,}" if net else "0", "green" if net > 0 else "red" if net < 0 else _QUIET)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f} %"


def _distribution(result: JourneyResult, found: Distribution) -> Iterator[RenderableType]:
    yield Text(f"At the end of each {found.by}", "bold")
    lines = []
    for one in found.periods:
        label = Text(one.start.isoformat() + (" (so far)" if one.partial else ""))
        lines.append(Line(label, None, [Text(f"{stage.accounts:,}") for stage in one.stages]))
    names = [stage.label for stage in result.journey.stages]
    yield bars(found.by, names, lines, leave=(), most_bar=BAR)


def _flow(result: JourneyResult, found: Flow) -> Iterator[RenderableType]:
    names = {stage.id: stage.label for stage in result.journey.stages}
    yield Text("Moved from stage to stage", "bold")
    most = max((one.count for one in found.passages), default=1)
    lines = []
    for one in found.passages:
        share = one.count / most
        came = "(born)" if one.from_stage is None else names[one.from_stage]
        label = Text(f"{came} → {names[one.to_stage]}")
        lines.append(Line(label, lambda width, share=share: bar(share, share, width), [Text(f"{one.count:,}")]))  # type: ignore[misc]
    yield bars("from → to", ["accounts"], lines, leave=(), most_bar=BAR)


def _cohorts(result: JourneyResult, found: Cohorts) -> Iterator[RenderableType]:
    ages = max((sum(number > 0 for number in one.observed) for one in found.cohorts), default=0)
    for place, stage in enumerate(result.journey.stages[1:], 1):
        if stage.rank is not None:
            continue
        yield Text(f"Reached {stage.label} or went past it, by age in {found.by}s", "bold")
        lines = [
            Line(
                Text(one.start.isoformat()),
                None,
                [Text(f"{one.accounts:,}"), *(Text(_percent(share)) for share in one.stages[place].reached[:ages])],
            )
            for one in found.cohorts
            if one.accounts
        ]
        yield bars("born", ["accounts", *map(str, range(ages))], lines, leave=(), most_bar=BAR)


def stages_csv(told: Mapping[str, Any]) -> str:
    """The stages as one table."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    flat = ("stage", "name", "accounts", "net_this_week", "stuck", "reached", "conversion", "visits", "open")
    lines.writerow([*flat, "median_seconds", "p90_seconds", "onward", "back"])
    for one in told["stages"]:
        stay, leaving = one["stay"], one["leaving"]
        numbers = [stay["visits"], stay["open"], stay["median_seconds"], stay["p90_seconds"]]
        lines.writerow([one["id"], *(one[name] for name in flat[1:7]), *numbers, leaving["onward"], leaving["back"]])
    return text.getvalue().rstrip("\n")


def table_csv(table: pa.Table) -> str:
    """A table as CSV, times in ISO 8601."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(table.column_names)
    for row in table.to_pylist():
        lines.writerow([one.isoformat() if hasattr(one, "isoformat") else one for one in row.values()])
    return text.getvalue().rstrip("\n")


def accounts(result: JourneyResult, count: int, rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A line an account: where it is, since when, and what it lacks."""
    names = {stage.id: stage.label for stage in result.journey.stages}

    def draw(width: int) -> RenderableType:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=_QUIET)
        table.add_column("account", overflow="fold", min_width=6)
        table.add_column("stage", overflow="fold")
        if width >= 72:
            table.add_column("since", no_wrap=True)
        table.add_column("for", no_wrap=True)
        table.add_column("lacks for the next stage", overflow="fold", ratio=1)
        for row in rows:
            past = (result.until - _microseconds(row["since"])) / 1e6
            cells = [Text(str(row["unit"])), Text(names[row["stage"]])]
            cells += [Text(row["since"].strftime("%Y-%m-%d %H:%M"))] if width >= 72 else []
            table.add_row(*cells, Text(duration(past)), _lacks(row, names))
        return table

    title = Text(number_of(count, "account"), "bold")
    if count > len(rows):
        title += Text(f", {len(rows):,} shown", _QUIET)
    return Group(title, Fitted(draw)) if rows else Group(title)


def _lacks(row: Mapping[str, Any], names: Mapping[str, str]) -> Text:
    if row["next_stage"] is None:
        return Text("nothing further on", _QUIET)
    return Text(f"{names[row['next_stage']]}: ", _QUIET) + Text(
        row["lacks"] or "nothing; it holds, but may not move yet"
    )


def _microseconds(time: Any) -> int:
    from doorstep.rows.times import microseconds

    return microseconds(time)


def history(told: AccountHistory) -> RenderableType:
    """A block a transition."""
    head = Text(told.unit, "bold") + Text(f"  as of {told.at}", _QUIET)
    if told.stage is None:
        return Group(head, Text("It is not born yet."))
    parts: list[RenderableType] = [head, Text(f"born {told.born_at}; in {told.stage} since {told.since}")]
    for step in told.steps:
        parts += [Text(""), *_step(step)]
    return Group(*parts)


def kept(unit: str, at: str | None, stands: Standing | None, lines: Sequence[Told]) -> RenderableType:
    """A block a line of the ledger: what it says, when it was found out, and why."""
    from doorstep.funnels.result import instant

    parts: list[RenderableType] = [Text(unit, "bold") + Text(f"  as of {at}", _QUIET)]
    if stands is None or stands.stage is None:
        parts.append(Text("It is in no stage."))
    else:
        parts.append(Text(f"born {instant(stands.born_at)}; in {stands.stage} since {instant(stands.since)}"))
    for one in lines:
        over = f", over {', '.join(one.skipped)}" if one.skipped else ""
        found = f"{one.change} on {instant(one.detected_at)} by version {one.version}: {one.cause}"
        parts += [Text(""), Text(f"{instant(one.occurred_at)}  {one.from_stage} → {one.to_stage}{over}")]
        parts.append(Padding(Text(found, _QUIET), (0, 0, 0, 2), expand=False))
        if one.by is not None:
            parts.append(Padding(Text(f"moved by hand by {one.by}: {one.reason}"), (0, 0, 0, 2), expand=False))
        parts += _evidence((bool(each["tipped"]), str(each["words"])) for each in one.evidence or ())
    return Group(*parts)


def _step(step: Step) -> Iterator[RenderableType]:
    over = f", over {', '.join(step.skipped)}" if step.skipped else ""
    yield Text(f"{step.occurred_at}  {step.from_stage} → {step.to_stage}{over}")
    if step.cause == "manual":
        by = f" by {step.by}" if step.by else ""
        yield Padding(Text(f"moved by hand{by}{f': {step.reason}' if step.reason else ''}"), (0, 0, 0, 2), expand=False)
    yield from _evidence((one.tipped, one.words) for one in step.evidence)


def _evidence(told: Iterable[tuple[bool, str]]) -> Iterator[RenderableType]:
    for tipped, words in told:
        mark = "▸" if tipped else " "
        yield Padding(Text(f"{mark} {words}", "" if tipped else _QUIET), (0, 0, 0, 2), expand=False)


__all__ = ["accounts", "history", "kept", "stages_csv", "state", "table_csv"]
