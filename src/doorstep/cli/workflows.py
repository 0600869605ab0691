"""Commands on workflows: publishing them, their runs, and dry runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from doorstep.cli import automations, terminal
from doorstep.cli.options import AsJson
from doorstep.cli.published import DATA, At, By, Data, databased, instant_of
from doorstep.cli.signals import moment

if TYPE_CHECKING:
    from doorstep.automations.doing import Effect
    from doorstep.automations.rehearsing import Rehearsal
    from doorstep.definitions.workflow import Workflow

app: Final = typer.Typer(help="Workflows: what is done when something is noticed.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The workflow's name.", show_default=False)]


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(help="The workflow: YAML or JSON.", show_default=False)],
    data: Data = DATA,
    at: At = None,
    by: By = None,
    message: Annotated[str | None, typer.Option("--message", help="Why; kept with the version.")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish a workflow: from then on it is at work. Runs under way keep their version."""
    automations.publish(file, "workflow", data, at, by, message, as_json)


@app.command("list")
def list_(data: Data = DATA, as_json: AsJson = False) -> None:
    """List the workflows that are published."""
    automations.at_work("workflow", data, as_json, _about)


def _about(workflow: Workflow) -> str:
    actions = ", ".join(one.kind.replace("_", " ") for one in workflow.actions)
    return f"on {workflow.trigger.kind.replace('_', ' ')}: {actions}"


@app.command()
def pause(name: Name, data: Data = DATA, at: At = None, by: By = None, as_json: AsJson = False) -> None:
    """Keep a workflow from starting, and its runs from going on."""
    automations.turn("workflow", name, data, at, by, as_json, paused=True)


@app.command()
def resume(name: Name, data: Data = DATA, at: At = None, by: By = None, as_json: AsJson = False) -> None:
    """Set a workflow to work again: runs go on, and what happened meanwhile starts none."""
    automations.turn("workflow", name, data, at, by, as_json, paused=False)


@app.command()
def runs(
    name: Annotated[str | None, typer.Argument(help="A workflow; default: all.", show_default=False)] = None,
    most: Annotated[int, typer.Option(help="How many, latest first.", min=1, max=100_000)] = 100,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """List runs, and the steps that each took."""
    from doorstep.automations.runs import listed, steps_of

    with databased(data, create=False) as database:
        found = [(run, steps_of(database, run.id)) for run in listed(database, name, most)]
    if as_json:
        terminal.show_json({"runs": [_plain(run, steps) for run, steps in found]})
        return
    if not found:
        terminal.say("no workflow was set off.")
        return
    rows = []
    for run, steps in found:
        took = ", ".join(_step(one.action, one.outcome) for one in steps)
        state = f"waiting until {moment(run.wake_at)}" if run.state == "waiting" else run.state
        rows.append((run.id[:8], str(run.workflow), run.account, state, took))
    automations.table(("id", "workflow", "account", "state", "steps"), rows)


def _step(action: str, outcome: str) -> str:
    told = action.replace("_", " ")
    return told if outcome == "done" else f"{told} ({outcome})"


def _plain(run: Any, steps: Any) -> dict[str, Any]:
    import json

    return {
        "id": run.id,
        "workflow": run.workflow,
        "version": run.version,
        "account": run.account or None,
        "cause": run.cause,
        "state": run.state,
        "started_at": moment(run.started_at),
        "wake_at": moment(run.wake_at) if run.state == "waiting" else None,
        "ended_at": moment(run.ended_at) or None,
        "note": run.note,
        "steps": [
            {"action": one.action, "outcome": one.outcome, "at": moment(one.at), "told": json.loads(one.told)}
            for one in steps
        ],
    }


@app.command("dry-run")
def dry_run(
    named: Annotated[str, typer.Argument(help="A workflow's document, or the name of a published one.")],
    transition: Annotated[str | None, typer.Option(help="The id of a transition; default: the last that fits.")] = None,
    account: Annotated[str | None, typer.Option(help="The last transition of this account.")] = None,
    data: Data = DATA,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Show exactly what a past transition would send, by what is known now; nothing is sent. Exit code 1 where it would
    not set the workflow off.
    """
    from doorstep.automations.rehearsing import rehearse
    from doorstep.cli.journey_life import opened

    with opened(data) as (lake, ledger):
        meant = _workflow(named, ledger.database)
        found = rehearse(lake, ledger.database, meant, instant_of(at), transition=transition, account=account)
    if as_json:
        steps = [{"position": one.position, "at": moment(one.at), **_effect(one.effect)} for one in found.steps]
        told = {"fits": found.fits, "meets": found.meets, "transition": _transition(found), "steps": steps}
        terminal.show_json({"workflow": found.workflow, "account": found.account, **told})
    else:
        _show(found)
    if not (found.fits and found.meets):
        raise typer.Exit(1)


def _workflow(named: str, database: Any) -> Workflow:
    from doorstep.automations.active import published, unknown
    from doorstep.definitions.kinds import load_automation
    from doorstep.definitions.reading import ENDINGS
    from doorstep.definitions.workflow import Workflow

    if Path(named).suffix in ENDINGS:
        meant = load_automation(Path(named), "workflow")
    else:
        with database.reading() as session:
            known = {one.name: one.definition for one in published(session, "workflow")}
        if named not in known:
            raise unknown(named, list(known), "workflow")
        meant = known[named]
    assert isinstance(meant, Workflow)
    return meant


def _show(found: Rehearsal) -> None:
    told = found.transition
    moved = f"{found.account} from {told['from']} to {told['to']} at {moment(told['occurred_at'])}"
    terminal.show(Text.assemble((found.workflow, "bold"), f"  {moved}"))
    if not found.fits:
        terminal.show(Text("this transition does not set it off"))
    if not found.meets:
        terminal.show(Text("the account does not meet its conditions now"))
    for one in found.steps:
        effect = one.effect
        terminal.show(Text(f"{moment(one.at)}  {_step(effect.action, effect.outcome)}{_sent(effect)}"))
    terminal.say("nothing was sent.")


def _sent(effect: Effect) -> str:
    from doorstep.definitions.durations import format_duration

    if effect.message is not None:
        import json

        return f" to {effect.message.destination}: {json.dumps(effect.message.body, ensure_ascii=False)}"
    if effect.task is not None:
        return f": {effect.task.title}" + (f" ({effect.task.owner})" if effect.task.owner else "")
    if effect.traits:
        return ": " + ", ".join(f"{key} = {value!r}" for key, value in effect.traits.items())
    if effect.tag is not None:
        return f": {effect.tag}"
    return f": {format_duration(effect.wait)}" if effect.wait else ""


def _effect(effect: Effect) -> dict[str, Any]:
    return effect.to_dict()


def _transition(found: Rehearsal) -> dict[str, Any]:
    return {**found.transition, "occurred_at": moment(found.transition["occurred_at"])}


__all__ = ["app"]
