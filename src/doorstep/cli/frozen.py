"""Commands on frozen runs: freeze, list, count again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from doorstep.cli import terminal
from doorstep.cli.commands import AsOf, Breakdowns, FirstTime, Since, Timezone, Top, Until
from doorstep.cli.options import AsJson
from doorstep.cli.published import DATA, By, Data, opened, who

if TYPE_CHECKING:
    from doorstep.registry import FrozenRun

app: Final = typer.Typer()

Lake = Annotated[
    Path | None, typer.Option("--lake", help="The lake's directory; default: that of --data.", show_default=False)
]


@app.command("freeze-run")
def freeze_run(
    name: Annotated[str, typer.Argument(help="A published definition: name@version.", show_default=False)],
    data: Data = DATA,
    lake: Lake = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    timezone: Timezone = "UTC",
    first_time: FirstTime = False,
    breakdown: Breakdowns = None,
    top: Top = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Count a published funnel over a lake, and keep all that it takes to count the same again."""
    from doorstep.cli import report
    from doorstep.frozen import freeze
    from doorstep.funnels.run import run
    from doorstep.lake import open_lake
    from doorstep.registry import RunBounds, reference

    wanted, by_values = reference(name), tuple(breakdown or ())
    with opened(data) as registry, open_lake(lake or data, create=False) as store, terminal.progress() as told:
        version = registry.version(wanted.name, wanted.version)
        result = run(
            version.funnel(),
            store.at(store.snapshot().id),
            since=since,
            until=until,
            as_of=as_of,
            timezone=timezone,
            first_time=first_time,
            breakdown=by_values,
            top=top,
            progress=told,
        )
        counted = result.data
        bounds = RunBounds(counted.as_of, counted.since, counted.until, timezone, first_time, by_values, top)
        kept = freeze(registry, store, version.name, version.number, result, bounds, by=who(by))
    if as_json:
        terminal.show_json(_run(kept))
        return
    terminal.show(report.report(result))
    terminal.say(f"frozen as {kept.id}: doorstep rerun {kept.id}")


@app.command()
def runs(
    name: Annotated[str | None, typer.Argument(help="A definition's name; default: all.", show_default=False)] = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """List frozen runs."""
    from doorstep.funnels.result import instant

    with opened(data) as registry:
        found = registry.runs.all(name)
    if as_json:
        terminal.show_json({"runs": [_run(one) for one in found]})
        return
    for one in found:
        done = f"{one.figures['completed']:,} of {one.figures['entered']:,}"
        terminal.show(
            Text(f"{one.id}  {one.name}@{one.version}  {done}  by {one.frozen_by} at {instant(one.frozen_at)}")
        )
    if not found:
        terminal.say("nothing is frozen. `doorstep freeze-run name@version` freezes a run.")


@app.command()
def rerun(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="A frozen run.", show_default=False)],
    data: Data = DATA,
    lake: Lake = None,
    as_json: AsJson = False,
) -> None:
    """Count a frozen run again, over the lake as it was; exit code 1 when the figures are not those of then."""
    from doorstep.cli import report
    from doorstep.frozen import rerun as again
    from doorstep.lake import open_lake

    with opened(data) as registry, open_lake(lake or data, create=False) as store:
        done = again(registry, store, run_id)
    if as_json:
        shown = {"id": run_id, "same": done.same, "other_map": done.other_map, "run": done.result.to_dict()}
        terminal.show_json(shown)
    else:
        terminal.show(report.report(done.result))
        terminal.say("the figures are those of then" if done.same else "the figures are NOT those of then")
        if done.other_map is not None:
            terminal.say(done.other_map)
    if not done.same:
        raise typer.Exit(1)


def _run(one: FrozenRun) -> dict[str, Any]:
    from doorstep.frozen import map_of
    from doorstep.funnels.result import instant

    return {
        "id": one.id,
        "definition": f"{one.name}@{one.version}",
        "snapshot": one.snapshot,
        "map_version": map_of(one),
        "frozen_by": one.frozen_by,
        "frozen_at": instant(one.frozen_at),
        "run": dict(one.figures),
    }
