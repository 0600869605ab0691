"""What is about to be published: a definition with the text it was read from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.reading import ENDINGS, load, load_text, text_of
from doorstep.errors import RegistryError
from doorstep.funnels.examples import ExampleResult, run_examples
from doorstep.registry.records import Form


@dataclass(frozen=True, slots=True)
class Draft:
    """A valid definition whose examples pass, and its text as it was written."""

    funnel: Funnel
    text: str
    form: Form


def draft(source: Path | str | Mapping[str, object]) -> Draft:
    """The draft in a YAML or JSON file, or of a mapping of the same keys (kept as JSON).

    DefinitionError when it is no definition, RegistryError ``examples-failed`` when an example of its own fails.
    """
    if isinstance(source, Mapping):
        funnel = load(source)
        return checked(Draft(funnel, json.dumps({"funnel": funnel.funnel, **source}, indent=2, default=dict), "json"))
    path = Path(source)
    text = text_of(path)
    form: Form = "json" if path.suffix == ".json" else "yaml"
    return checked(Draft(load_text(text, file=str(path), name=path.stem), text, form))


def checked(one: Draft) -> Draft:
    """The same draft, once its examples have passed."""
    failed = [result for result in run_examples(one.funnel) if not result.passed]
    if failed:
        raise RegistryError("examples-failed", " ".join(_sentences(one.funnel, failed)))
    return one


def _sentences(funnel: Funnel, failed: list[ExampleResult]) -> Iterator[str]:
    some = "An example" if len(failed) == 1 else f"{len(failed)} examples"
    yield f"{some} of {funnel.funnel} failed, so it is not published."
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
