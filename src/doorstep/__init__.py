"""Funnels that give the same number twice, and can say why.

``load`` reads a definition, ``run`` counts it over events, ``explain`` tells one unit's story.
"""

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.reading import load
from doorstep.errors import DefinitionError, DoorstepError, Issue, RunError, SourceError
from doorstep.funnels.examples import ExampleResult, run_examples
from doorstep.funnels.explain import Story, explain
from doorstep.funnels.result import FunnelResult
from doorstep.funnels.run import run

__all__ = [
    "DefinitionError",
    "DoorstepError",
    "ExampleResult",
    "Funnel",
    "FunnelResult",
    "Issue",
    "RunError",
    "SourceError",
    "Story",
    "explain",
    "load",
    "run",
    "run_examples",
]
