"""Funnels that give the same number twice, and can say why.

``load`` reads a definition, ``run`` counts it over events, ``explain`` tells one unit's story, ``run_examples`` runs a
definition's own tests. ``open_lake`` opens a place where events live. What they raise descends from ``DoorstepError``.
"""

from importlib import import_module

TYPE_CHECKING = False  # type checkers know the name; `typing` itself is slow to load, and Ctrl-C is not heard till then
if TYPE_CHECKING:
    from doorstep.definitions import Funnel, load
    from doorstep.errors import (
        DefinitionError,
        DoorstepError,
        Issue,
        RegistryError,
        RunError,
        SourceError,
        StoreError,
    )
    from doorstep.funnels.compare import Comparison, compare
    from doorstep.funnels.drivers import Drivers, drivers
    from doorstep.funnels.examples import ExampleResult, run_examples
    from doorstep.funnels.experiment import Experiment, experiment
    from doorstep.funnels.explain import Story, explain
    from doorstep.funnels.result import FunnelResult
    from doorstep.funnels.run import run
    from doorstep.funnels.sensitivity import Sensitivity, sensitivity
    from doorstep.lake import Lake, open_lake

__all__ = [
    "Comparison",
    "DefinitionError",
    "DoorstepError",
    "Drivers",
    "ExampleResult",
    "Experiment",
    "Funnel",
    "FunnelResult",
    "Issue",
    "Lake",
    "RegistryError",
    "RunError",
    "Sensitivity",
    "SourceError",
    "StoreError",
    "Story",
    "compare",
    "drivers",
    "experiment",
    "explain",
    "load",
    "open_lake",
    "run",
    "run_examples",
    "sensitivity",
]

_ROOMS = {
    "doorstep.definitions": ("Funnel", "load"),
    "doorstep.errors": (
        *("DefinitionError", "DoorstepError", "Issue", "RegistryError", "RunError", "SourceError", "StoreError"),
    ),
    "doorstep.funnels.compare": ("Comparison", "compare"),
    "doorstep.funnels.drivers": ("Drivers", "drivers"),
    "doorstep.funnels.examples": ("ExampleResult", "run_examples"),
    "doorstep.funnels.experiment": ("Experiment", "experiment"),
    "doorstep.funnels.explain": ("Story", "explain"),
    "doorstep.funnels.result": ("FunnelResult",),
    "doorstep.funnels.run": ("run",),
    "doorstep.funnels.sensitivity": ("Sensitivity", "sensitivity"),
    "doorstep.lake": ("Lake", "open_lake"),
}


def __getattr__(name: str) -> object:
    """Imports on first use: checking a definition need not wait for the compiler and the engine."""
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(room), name)
    raise AttributeError(f"module 'doorstep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
