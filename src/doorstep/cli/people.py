"""``doorstep people``: who stands where, to look at, to write to a file, or to save as a segment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
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
    Since,
    Timezone,
    Until,
    memory_of,
    source_of,
)
from doorstep.cli.drawing import Fitted, number_of
from doorstep.cli.files import Html, command, refuse_unwritable, write_page
from doorstep.cli.interruption import at_once
from doorstep.cli.options import AsJson, Map, SourceTimezone, columns_of
from doorstep.cli.published import DATA, By, Data, definition, opened, who
from doorstep.errors import RunError, writing

if TYPE_CHECKING:
    import pyarrow as pa

    from doorstep.funnels.people import Outcome
    from doorstep.funnels.result import FunnelResult
    from doorstep.registry import SavedSegment

app: Final = typer.Typer()

ENDINGS: Final = (".parquet", ".csv", ".arrow")
SHOWN: Final = 20


@app.command(cls=ManyEvents)
def people(
    file: File,
    events: Events = None,
    lake: InLake = None,
    snapshot: AtSnapshot = None,
    step: Annotated[str | None, typer.Option(help="A step's id; default: the last.", show_default=False)] = None,
    reached: Annotated[bool, typer.Option("--reached", help="Those who reached the step (default).")] = False,
    dropped: Annotated[
        bool, typer.Option("--dropped", help="Those who reached the step before, not this one, and no longer can.")
    ] = False,
    open_: Annotated[
        bool, typer.Option("--open", help="Those who reached the step before, and may still reach this one.")
    ] = False,
    excluded: Annotated[bool, typer.Option("--excluded", help="Those whom an exclusion ended before it.")] = False,
    breakdown: Annotated[
        list[str] | None, typer.Option(help="A property, as in `run`; may be repeated.", show_default=False)
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Only this value of the breakdown (one for each).", show_default=False)
    ] = None,
    where_missing: Annotated[bool, typer.Option("--where-missing", help="Only those without a value of it.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write all of them to this file (.parquet, .csv, .arrow).", show_default=False)
    ] = None,
    save: Annotated[str | None, typer.Option(help="Save them as a segment of this name.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(help="Show so many at most; files and segments get all.", min=0)] = SHOWN,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    timezone: Timezone = "UTC",
    source_timezone: SourceTimezone = "UTC",
    first_time: FirstTime = False,
    map_: Map = None,
    memory: Annotated[str | None, typer.Option(help="Memory limit, such as 2GB.")] = None,
    by: By = None,
    data: Data = DATA,
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """List who reached a step, dropped out before it, may still come, or was excluded."""
    with at_once():
        from doorstep.funnels.run import run

    outcome = _outcome({"reached": reached, "dropped": dropped, "open": open_, "excluded": excluded})
    if out is not None and out.suffix not in ENDINGS:
        raise RunError("bad-output", f"--out {str(out)!r} should end in {', '.join(ENDINGS)}.")
    refuse_unwritable(html)
    with terminal.progress() as told:
        result = run(
            definition(file, data),
            source_of(events, lake, snapshot),
            since=since,
            until=until,
            as_of=as_of,
            timezone=timezone,
            first_time=first_time,
            columns=columns_of(map_),
            breakdown=breakdown or None,
            top=1 if breakdown else None,
            source_timezone=source_timezone,
            memory=memory_of(memory),
            progress=told,
        )
        chosen = _chosen(result, step, outcome, where, where_missing)
        if out is not None:
            _write(chosen.batches(), out)
        saved = None if save is None else _save(save, chosen, data, who(by))
        shown = _first(chosen.batches(), limit)
    if html is not None:
        from doorstep.pages.people import Listed, people_page

        listed = Listed(result, chosen.step, outcome, chosen.count, shown, chosen.value)
        write_page(people_page(listed, command()), html)
    if as_json:
        terminal.show_json({**chosen.to_dict(saved), "people": [_line(one) for one in shown.to_pylist()]})
    else:
        terminal.show(_screen(chosen, shown))
    if out is not None:
        terminal.say(f"{number_of(chosen.count, 'attempt')} written to {out}")
    if saved is not None:
        terminal.say(f"saved as {saved}: {number_of(saved.units, 'unit')}")


def _outcome(given: dict[str, bool]) -> Outcome:
    asked: list[Any] = [name for name, wanted in given.items() if wanted]
    if len(asked) > 1:
        raise RunError("bad-outcome", f"--{' and --'.join(asked)} exclude each other. Give one of them.")
    chosen: Outcome = asked[0] if asked else "reached"
    return chosen


class _Chosen:
    """Who was asked for; read anew, some at a time, whenever they are wanted."""

    def __init__(self, result: FunnelResult, step: str | None, outcome: Outcome, value: object) -> None:
        self.result, self.outcome, self.value = result, outcome, value
        self.step = str(result.funnel.steps[result.funnel.required[-1]].id) if step is None else step
        self.count = sum(batch.num_rows for batch in self.batches())

    def batches(self) -> Iterator[pa.RecordBatch]:
        return self.result.people_batches(self.step, self.outcome, breakdown_value=self.value)

    def to_dict(self, saved: SavedSegment | None) -> dict[str, Any]:
        by = self.result.breakdown_by
        return {
            "funnel": {"name": self.result.funnel.funnel, "hash": self.result.hash},
            "unit": self.result.unit,
            "step": self.step,
            "outcome": self.outcome,
            "count": self.count,
            **({} if by is None else {"breakdown": by}),
            **({} if saved is None else {"segment": str(saved)}),
        }


def _chosen(
    result: FunnelResult, step: str | None, outcome: Outcome, where: list[str] | None, missing: bool
) -> _Chosen:
    from doorstep.funnels.people import ANY

    value: object = ANY
    if missing:
        value = None
    elif where:
        value = where[0] if len(where) == 1 else tuple(where)
    return _Chosen(result, step, outcome, value)


def _first(batches: Iterable[pa.RecordBatch], limit: int) -> pa.Table:
    import pyarrow as pa

    some: list[pa.RecordBatch] = []
    for batch in batches:
        some.append(batch.slice(0, limit - sum(one.num_rows for one in some)))
        if sum(one.num_rows for one in some) >= limit:
            break
    return pa.Table.from_batches(some)


def _write(batches: Iterator[pa.RecordBatch], path: Path) -> None:
    """Some at a time, as they come."""
    import pyarrow.csv
    import pyarrow.ipc
    import pyarrow.parquet

    first = next(batches)
    with writing(path):
        match path.suffix:
            case ".parquet":
                writer = pyarrow.parquet.ParquetWriter(path, first.schema)
            case ".csv":
                writer = pyarrow.csv.CSVWriter(path, first.schema)
            case _:
                writer = pyarrow.ipc.new_file(str(path), first.schema)
        with writer:
            writer.write_batch(first)
            for batch in batches:
                writer.write_batch(batch)


def _save(name: str, chosen: _Chosen, data: Path, by: str) -> SavedSegment:
    from doorstep.funnels.people import ANY
    from doorstep.funnels.spelling import instant

    result = chosen.result
    counted = result.data
    how = {
        "step": chosen.step,
        "outcome": chosen.outcome,
        "since": instant(counted.since),
        "until": instant(counted.until),
        "as_of": instant(counted.as_of),
        "breakdown": result.breakdown_by,
        "value": None if chosen.value is ANY else chosen.value,
    }

    def units() -> Iterator[list[str]]:
        for batch in chosen.batches():
            yield batch.column("unit").cast("string").to_pylist()

    with opened(data, create=True) as registry:
        return registry.segments.save(
            name,
            units,
            by=by,
            unit=result.unit,
            definition=result.funnel.funnel,
            definition_hash=result.hash,
            source=counted.description,
            snapshot=counted.snapshot,
            chosen=how,
        )


def _line(row: dict[str, Any]) -> dict[str, Any]:
    from doorstep.funnels.spelling import json_value

    return {name: json_value(value) for name, value in row.items()}


_SAID: Final = {
    "reached": "reached {step}",
    "dropped": "dropped out before {step}",
    "open": "may still reach {step}",
    "excluded": "were excluded before {step}",
}


def _screen(chosen: _Chosen, shown: pa.Table) -> Fitted:
    said = _SAID[chosen.outcome].format(step=chosen.step)
    names = [name for name in shown.column_names if name not in {"unit", "status", "value"}]
    rows = shown.to_pylist()

    def draw(width: int) -> Table:
        title = f"{number_of(chosen.count, 'attempt')} {said}"
        wanted = dict.fromkeys(["entered_at", f"at_{chosen.step}", *names])
        kept = sorted(list(wanted)[: max(1, (width - 28) // 18)], key=names.index)
        table = Table(
            box=None,
            padding=(0, 2, 0, 0),
            pad_edge=False,
            header_style="bright_black",
            title=title,
            title_justify="left",
        )
        table.add_column("unit", overflow="fold", min_width=8)
        for name in kept:
            table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=16)
        table.add_column("status", no_wrap=True)
        if "value" in shown.column_names:
            table.add_column("value", overflow="fold", min_width=5)
        for row in rows:
            times = [Text("–" if row[name] is None else row[name].strftime("%Y-%m-%d %H:%M")) for name in kept]
            value = [Text(_value(row["value"]))] if "value" in row else []
            table.add_row(Text(str(row["unit"])), *times, Text(row["status"]), *value)
        return table

    return Fitted(draw)


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return "(none)" if value is None else str(value)
