"""Every command in one application."""

from __future__ import annotations

from doorstep.cli import (
    audit,
    compare,
    deliveries,
    destinations,
    drift,
    experiment,
    frozen,
    identity,
    journey,
    journey_figures,
    journey_life,
    journey_preview,
    keys,
    lake,
    people,
    publishing,
    segments,
    sensitivity,
    serve,
    signals,
    tasks,
    why,
    workflows,
)
from doorstep.cli.commands import app, main

app.command("import")(lake.import_)
app.add_typer(lake.app)
app.add_typer(identity.app)
app.add_typer(publishing.app)
app.add_typer(frozen.app)
app.add_typer(drift.app)
app.add_typer(sensitivity.app)
app.add_typer(compare.app)
app.add_typer(experiment.app)
app.add_typer(why.app)
journey.journey.add_typer(journey_figures.figures)
journey.journey.add_typer(journey_preview.previews)
app.add_typer(journey.journey, name="journey")
app.add_typer(journey_life.app)
app.add_typer(keys.app, name="keys")
app.add_typer(serve.app)
app.add_typer(people.app)
app.add_typer(destinations.app, name="destinations")
app.add_typer(deliveries.app, name="deliveries")
app.command("deliver")(deliveries.deliver)
app.command("audit")(audit.audit)
app.add_typer(segments.app, name="segments")
app.add_typer(signals.app, name="signals")
app.add_typer(workflows.app, name="workflow")
app.add_typer(tasks.app, name="tasks")

__all__ = ["app", "main"]
