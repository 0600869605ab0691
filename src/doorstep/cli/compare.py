"""`doorstep compare`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.arguments import ManyEvents
from doorstep.cli.commands import (
    AsOf,
    AtSnapshot,
    Events,
    FirstTime,
    InLake,
    Memory,
    Since,
    Timezone,
    Until,
    memory_of,
    source_of,
)
from doorstep.cli.drawing import Line, bars, number_of
from doorstep.cli.files import AsCsv, Html, command, refuse_unwritable, show_csv, write_page
from doorstep.cli.interruption import at_once
from doorstep.cli.options import AsJson, Map, SourceTimezone, columns_of
from doorstep.cli.published import DATA, Data, definition
from doorstep.errors import RunError, writing

if TYPE_CHECKING:
    from doorstep.funnels.compare import ClauseEffect, Comparison

app: Final = typer.Typer()
ENDINGS: Final = {".parquet", ".csv"}


@app.command(cls=ManyEvents)
def compare(
    before: Annotated[Path, typer.Argument(help="A definition: a file, or name@version.", show_default=False)],
    after: Annotated[Path, typer.Argument(help="The one to hold against it.", show_default=False)],
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    flips: Annotated[
        Path | None,
        typer.Option(help="Write every unit that flipped to this file (.parquet or .csv).", show_default=False),
    ] = None,
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
    """Count two definitions on the same rows, and name the clause behind every unit that flips."""
    with at_once():
        from doorstep.funnels.compare import compare as hold_against

    if flips is not None and flips.suffix not in ENDINGS:
        raise RunError("bad-flips", f"--flips {str(flips)!r} should end in .parquet or .csv.")
    refuse_unwritable(html)
    with terminal.progress() as told:
        found = hold_against(
            definition(before, data),
            definition(after, data),
            source_of(events, lake, snapshot),
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
    written = None if flips is None else _write(found, flips)
    if html is not None:
        from doorstep.pages.comparison import comparison_page

        write_page(comparison_page(found, command()), html)
    if as_json:
        terminal.show_json(found.to_dict())
    elif as_csv:
        show_csv(*_csv(found))
    else:
        words = ["--lake", str(lake)] if lake else ["--events", *(events or [])]
        given = {"--snapshot": snapshot, "--since": since, "--until": until, "--as-of": as_of}
        words += [word for name, value in given.items() if value is not None for word in (name, str(value))]
        words += [word for pair in map_ or () for word in ("--map", pair)]
        terminal.show(screen(found, shlex.join(["doorstep", "explain", str(after), *words, "--unit"])))
    if written is not None:
        terminal.say(f"{number_of(written, 'flip')} written to {flips}")


def _write(found: Comparison, path: Path) -> int:
    """Some units at a time; how many rows."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    schema = found.table_schema()
    rows = 0
    with writing(path):
        if path.suffix == ".parquet":
            with parquet.ParquetWriter(path, schema) as writer:
                for batch in found.batches():
                    writer.write_batch(batch)
                    rows += batch.num_rows
        else:
            plain = schema.set(3, pa.field("clauses", pa.string()))
            with csv.CSVWriter(path, plain) as lines:
                for batch in found.batches():
                    said = pa.array([" + ".join(one) for one in batch.column(3).to_pylist()], pa.string())
                    lines.write_batch(pa.record_batch([*batch.columns[:3], said], schema=plain))
                    rows += batch.num_rows
    return rows


_CSV: Final = ("kind", "step", "name", "before", "after", "gained", "lost", "units", "clauses")


def _csv(found: Comparison) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
    """A line for each step, then one for each set of clauses that flips units."""
    return _CSV, _lines(found)


def _lines(found: Comparison) -> Iterator[Sequence[object]]:
    if found.apart is not None or not found.flips:
        for side, counts in (("before", found.counts_before), ("after", found.counts_after)):
            for step, count in (("entered", counts.entered), ("completed", counts.completed)):
                told = (count, None) if side == "before" else (None, count)
                yield ("apart", step, step, *told, None, None, None, None)
        return
    for one in found.flips:
        yield ("step", one.id, one.name, one.before, one.after, one.gained, one.lost, None, None)
    for effect in found.effects:
        says = " + ".join(clause.says for clause in effect.clauses)
        yield ("clauses", None, None, None, None, effect.gained, effect.lost, effect.units, says)


def screen(found: Comparison, explain: str) -> RenderableType:
    """Figures side by side, then clauses by how many units they flip; ``explain`` and a unit's name open the unit."""
    return Group(*_parts(found, explain))


def _parts(found: Comparison, explain: str) -> Iterator[RenderableType]:
    from doorstep.definitions.identity import definition_hash
    from doorstep.funnels.result import percent

    for name, funnel, counts in (
        ("before", found.before, found.counts_before),
        ("after ", found.after, found.counts_after),
    ):
        yield Text.assemble(
            (f"{name}  ", "bright_black"),
            (funnel.title or funnel.funnel, "bold"),
            (f"  {funnel.funnel}@{definition_hash(funnel)[:12]}  ", "bright_black"),
            f"{counts.completed:,} of {counts.entered:,} complete ({percent(counts.conversion)})",
        )
    yield Text(f"data up to {found.span.as_of}", "bright_black")
    yield Text("")
    if not found.clauses:
        yield Text("The two say the same, in words that no count depends on.", "green")
        return
    if found.apart is not None:
        yield Text(found.apart[:1].upper() + found.apart[1:], "yellow")
        return
    yield _steps(found)
    yield Text("")
    if not found.effects:
        yield Text("They differ in what they say, but on these rows no unit stands otherwise.", "green")
    for one in found.effects:
        yield from _effect(one, explain)
    silent = [one for one in found.clauses if not any(one in effect.clauses for effect in found.effects)]
    if silent and found.effects:
        yield Text("")
        yield Text(f"Flips nobody: {'; '.join(one.says for one in silent)}.", "bright_black")


def _steps(found: Comparison) -> RenderableType:
    lines = []
    for one in found.flips:
        label = one.id if one.id == one.name else f"{one.id}  {one.name}"
        label += "" if one.now == one.id else f" (now {one.now})"
        cells = [f"{one.before:,}", f"{one.after:,}", f"{one.after - one.before:+,}"]
        cells += [f"{one.gained or 0:,}", f"{one.lost or 0:,}"]
        lines.append(Line(Text(label), None, [*map(Text, cells)]))
    return bars("units at", ("before", "after", "change", "gained", "lost"), lines, leave=("change",), most_bar=0)


def _effect(one: ClauseEffect, explain: str) -> Iterator[RenderableType]:
    says = " together with ".join(clause.says for clause in one.clauses)
    told = f"{number_of(one.units, 'unit')} by  "
    yield Text.assemble((told, "bold"), says)
    ends = f"{one.gained:,} complete only after, {one.lost:,} only before"
    yield Padding(Text(ends, "bright_black"), (0, 0, 0, 4), expand=False)
    for unit in one.samples:
        yield Padding(Text(f"{explain} {shlex.quote(unit)}", "cyan"), (0, 0, 0, 4), expand=False)
