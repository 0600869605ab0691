"""What is about to be published: a definition with the text it was read from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.journey import Journey
from doorstep.definitions.kinds import Definition, Kind, kind_of, load_definition, load_definition_text, name_of
from doorstep.definitions.reading import ENDINGS, text_of
from doorstep.errors import RegistryError
from doorstep.journeys.examples import ExampleResult, run_examples
from doorstep.registry.records import Form


@dataclass(frozen=True, slots=True)
class Draft:
    """A valid definition whose examples pass, and its text as it was written."""

    definition: Definition
    text: str
    form: Form

    @property
    def kind(self) -> Kind:
        """What it defines."""
        return kind_of(self.definition)

    @property
    def name(self) -> str:
        """What it is published as."""
        return name_of(self.definition)


def draft(source: Path | str | Mapping[str, object]) -> Draft:
    """The draft in a YAML or JSON file, or of a mapping of the same keys (kept as JSON).

    DefinitionError when it is no definition, RegistryError ``examples-failed`` when an example of its own fails.
    """
    if isinstance(source, Mapping):
        found = load_definition(source)
        named = {"funnel": found.funnel, **source} if isinstance(found, Funnel) else dict(source)
        return checked(Draft(found, json.dumps(named, indent=2, default=dict), "json"))
    path = Path(source)
    text = text_of(path)
    form: Form = "json" if path.suffix == ".json" else "yaml"
    return checked(Draft(load_definition_text(text, file=str(path), name=path.stem), text, form))


def checked(one: Draft) -> Draft:
    """The same draft, once its examples have passed."""
    if not isinstance(one.definition, Funnel | Journey):
        return one
    failed = [result for result in run_examples(one.definition) if not result.passed]
    if failed:
        raise RegistryError("examples-failed", " ".join(_sentences(one.name, failed)))
    return one


def _sentences(name: str, failed: list[ExampleResult]) -> Iterator[str]:
    some = "An example" if len(failed) == 1 else f"{len(failed)} examples"
    yield f"{some} of {name} failed, so it is not published."
    yield from (f"{result.name}: {result.message}." for result in failed[:5])
    yield "Mend the definition or what its examples expect; `doorstep test` runs them."


def files_in(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The files to publish: those named, and of directories every YAML and JSON file in them, however deep, but for
    hidden ones; each once, in order.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for one in _within(path) if path.is_dir() else [path]:
            found.setdefault(one.resolve(), one)
    return tuple(found.values())


def _within(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(directory).parts)
        if path.suffix in ENDINGS and path.is_file() and not hidden:
            yield path


__all__ = ["Draft", "checked", "draft", "files_in"]
