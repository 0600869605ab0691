"""The definitions under examples/ mean what their timelines say, and run over the demo data."""

from __future__ import annotations

from pathlib import Path

import pytest

import doorstep
from doorstep.definitions import definition_hash, load
from doorstep.definitions.reading import is_journey
from doorstep.demo import write

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "examples").glob("*.*"))
FUNNELS = [file for file in EXAMPLES if not is_journey(file)]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up product's events."""
    return write(tmp_path_factory.mktemp("demo"), rows=60_000)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_every_timeline_of_an_example_passes(file: Path) -> None:
    """Each example carries at least five timelines, and all of them come out as they say."""
    results = doorstep.run_examples(doorstep.load(file))
    assert len(results) >= 5
    assert {one.name: one.message for one in results if not one.passed} == {}


@pytest.mark.parametrize("file", FUNNELS, ids=lambda file: file.name)
def test_every_example_counts_something_believable_in_the_demo_data(file: Path, events: Path) -> None:
    """Some enter, fewer complete, and every step loses some."""
    result = doorstep.run(file, events)
    required = [step.count for step in result.steps if not step.optional]
    assert required[0] > 100
    assert required == sorted(required, reverse=True)
    assert 0 < required[-1] < required[0]


def test_the_short_json_form_is_the_same_definition() -> None:
    """mobile-onboarding in YAML and in the short JSON form have one hash."""
    folder = EXAMPLES[0].parent
    yaml, json = load(folder / "mobile-onboarding.yaml"), load(folder / "mobile-onboarding.json")
    assert definition_hash(yaml) == definition_hash(json)
    assert json.funnel == "mobile-onboarding"
