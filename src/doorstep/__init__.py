"""Funnels that give the same number twice, and can say why.

``load`` reads a definition, ``run`` counts a funnel over events, ``replay`` places accounts in the stages of a journey,
``explain`` tells one unit's story, ``run_examples`` runs a definition's own tests. ``open_lake`` opens a place where
events live. What they raise descends from ``DoorstepError``.
"""

from importlib import import_module

TYPE_CHECKING = False  # type checkers know the name; `typing` itself is slow to load, and Ctrl-C is not heard till then
if TYPE_CHECKING:
    from doorstep.definitions import Funnel, Journey
    from doorstep.definitions.reading import load_any as load
    from doorstep.errors import (
        DefinitionError,
        DoorstepError,
        Issue,
        RegistryError,
        RunError,
        SourceError,
        StoreError,
    )
    from doorstep.funnels.breakdowns import Breakdown
    from doorstep.funnels.compare import Comparison, compare
    from doorstep.funnels.drivers import Drivers, drivers
    from doorstep.funnels.experiment import Experiment, experiment
    from doorstep.funnels.explain import Story, explain
    from doorstep.funnels.previous import compare_previous
    from doorstep.funnels.result import FunnelResult
    from doorstep.funnels.run import run
    from doorstep.funnels.sensitivity import Sensitivity, sensitivity
    from doorstep.journeys.examples import ExampleResult, run_examples
    from doorstep.journeys.result import JourneyResult
    from doorstep.journeys.run import replay
    from doorstep.lake import Lake, open_lake

__all__ = [
    "Breakdown",
    "Comparison",
    "DefinitionError",
    "DoorstepError",
    "Drivers",
    "ExampleResult",
    "Experiment",
    "Funnel",
    "FunnelResult",
    "Issue",
    "Journey",
    "JourneyResult",
    "Lake",
    "RegistryError",
    "RunError",
    "Sensitivity",
    "SourceError",
    "StoreError",
    "Story",
    "compare",
    "compare_previous",
    "drivers",
    "experiment",
    "explain",
    "load",
    "open_lake",
    "replay",
    "run",
    "run_examples",
    "sensitivity",
]

_ROOMS = {
    "doorstep.definitions": ("Funnel", "Journey"),
    "doorstep.definitions.reading": ("load",),
    "doorstep.errors": (
        *("DefinitionError", "DoorstepError", "Issue", "RegistryError", "RunError", "SourceError", "StoreError"),
    ),
    "doorstep.funnels.breakdowns": ("Breakdown",),
    "doorstep.journeys.examples": ("ExampleResult", "run_examples"),
    "doorstep.funnels.compare": ("Comparison", "compare"),
    "doorstep.funnels.drivers": ("Drivers", "drivers"),
    "doorstep.funnels.experiment": ("Experiment", "experiment"),
    "doorstep.funnels.explain": ("Story", "explain"),
    "doorstep.funnels.previous": ("compare_previous",),
    "doorstep.funnels.result": ("FunnelResult",),
    "doorstep.funnels.run": ("run",),
    "doorstep.funnels.sensitivity": ("Sensitivity", "sensitivity"),
    "doorstep.journeys.result": ("JourneyResult",),
    "doorstep.journeys.run": ("replay",),
    "doorstep.lake": ("Lake", "open_lake"),
}


_CALLED = {"load": "load_any"}


def __getattr__(name: str) -> object:
    """Imports on first use: checking a definition need not wait for the compiler and the engine."""
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(room), _CALLED.get(name, name))
    raise AttributeError(f"module 'doorstep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
