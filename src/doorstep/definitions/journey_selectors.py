"""Every place in a journey that chooses rows, with its path in the document."""

from __future__ import annotations

from collections.abc import Iterator

from doorstep.definitions.document import spell
from doorstep.definitions.funnel import Selector
from doorstep.definitions.journey import FeatureProperty, Journey
from doorstep.definitions.journey_rules import all_criteria


def journey_selectors(journey: Journey) -> Iterator[tuple[str, Selector]]:
    """Exclusions, the rows of criteria, and those of features, in document order."""
    yield from ((f"exclude[{index}]", rule) for index, rule in enumerate(journey.exclude))
    for path, criteria in all_criteria(journey):
        for key in ("did", "did_not", "count", "sum", "distinct"):
            selector = getattr(criteria, key)
            if selector is not None:
                yield spell((*path, key)), selector
    if not isinstance(journey.features, FeatureProperty):
        yield from ((spell(("features", name)), rows) for name, rows in journey.features.items())


__all__ = ["journey_selectors"]
