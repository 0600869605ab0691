"""Every kind of definition under one roof: funnels, journeys, segments, signals, workflows; read, named, hashed.

A document is of the kind whose key it has; one without any is a funnel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, assert_never

from doorstep.definitions import identity
from doorstep.definitions.automation_rules import Automation, broken_automation_rules
from doorstep.definitions.belonging import Ground, belonging_of, canonical_belonging, hash_of
from doorstep.definitions.difference import Change, equal, said
from doorstep.definitions.differences import difference as plain_difference
from doorstep.definitions.document import Document
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.identity import Json
from doorstep.definitions.journey import Journey
from doorstep.definitions.reading import document_of, load_any, load_any_text, opened, read_as
from doorstep.definitions.segment import Segment
from doorstep.definitions.signal import Signal
from doorstep.definitions.workflow import Workflow
from doorstep.errors import DefinitionError, Issue

Definition = Funnel | Journey | Segment | Signal | Workflow
Kind = Literal["funnel", "journey", "segment", "signal", "workflow"]

AUTOMATIONS: Final[Mapping[Kind, type[Segment] | type[Signal] | type[Workflow]]] = {
    "segment": Segment,
    "signal": Signal,
    "workflow": Workflow,
}
KINDS: Final[Mapping[str, Kind]] = {"funnel": "funnel", "journey": "journey", **{kind: kind for kind in AUTOMATIONS}}
"""By their names."""

_WORDS: Final = ("title", "description", "owner", "tags")


def kind_of(definition: Definition) -> Kind:
    """What it defines."""
    match definition:
        case Funnel():
            return "funnel"
        case Journey():
            return "journey"
        case Segment():
            return "segment"
        case Signal():
            return "signal"
        case Workflow():
            return "workflow"
        case _:
            assert_never(definition)


def name_of(definition: Definition) -> str:
    """What it is published as."""
    return str(getattr(definition, kind_of(definition)))


def load_definition(source: Path | str | Mapping[str, object]) -> Definition:
    """The definition in a YAML or JSON file, or of a mapping of the same keys. DefinitionError."""
    document, _ = opened(source, None)
    kind = _automation(document)
    return load_any(source) if kind is None else _read(document, kind)


def load_definition_text(text: str, *, file: str, name: str) -> Definition:
    """As `load_definition`, of a text; ``name`` is taken by a funnel that has none."""
    document = document_of(text, file)
    kind = _automation(document)
    return load_any_text(text, file=file, name=name) if kind is None else _read(document, kind)


def load_automation(source: Path | str | Mapping[str, object], kind: Kind) -> Automation:
    """As `load_definition`, of one kind; DefinitionError ``other-kind`` for any other."""
    document, _ = opened(source, None)
    if _automation(document) != kind:
        message = f"This document is no {kind}: it has no key `{kind}`."
        raise DefinitionError([Issue("other-kind", "error", message, document.root.position, "", None)])
    return _read(document, kind)


def automation_kind(source: Path | str | Mapping[str, object]) -> Kind | None:
    """Whether a document is one of a segment, a signal or a workflow, and of which; DefinitionError when it cannot be
    read at all.
    """
    return _automation(opened(source, None)[0])


def _automation(document: Document) -> Kind | None:
    found = [kind for kind in AUTOMATIONS if kind in document.value]
    taken = {"funnel", "journey", "steps", "stages"} & set(document.value)
    return found[0] if len(found) == 1 and not taken else None


def _read(document: Document, kind: Kind) -> Automation:
    return read_as(document, AUTOMATIONS[kind], broken_automation_rules)


# -- identity ---------------------------------------------------------


def canonical(definition: Definition) -> dict[str, Json]:
    """The definition as JSON data, one form for all its spellings."""
    if isinstance(definition, Funnel | Journey):
        return identity.canonical(definition)
    ground = ground_of(definition)
    form: dict[str, Json] = {"semantics": definition.semantics, "count_by": list(ground.unit)}
    match definition:
        case Segment():
            return {**form, "exclude": _exclusions(definition), "criteria": _belonging(definition.criteria, ground)}
        case Signal():
            rest = _plain(definition, {"signal", "where", "count_by", "exclude", "features", *_WORDS})
            where = _belonging(definition.where, ground)
            return {**form, "exclude": _exclusions(definition), **rest, "where": where}
        case Workflow():
            rest = _plain(definition, {"workflow", "where", "count_by", "exclude", "features", "actions", *_WORDS})
            actions: list[Json] = [
                {
                    **_plain(one, {"if_", "only_if"}),
                    **({} if one.if_ is None else {"if": _belonging(one.if_, ground)}),
                    **({} if one.only_if is None else {"only_if": _belonging(one.only_if, ground)}),
                }
                for one in definition.actions
            ]
            where = _belonging(definition.where, ground)
            return {**form, "exclude": _exclusions(definition), **rest, "where": where, "actions": actions}


def ground_of(definition: Automation) -> Ground:
    """What a definition's conditions stand on."""
    features: Any = definition.features
    return Ground(definition.count_by, definition.exclude, features)


def _belonging(of: Any, ground: Ground) -> Json:
    return canonical_belonging(belonging_of(of, ground))


def _exclusions(of: Automation) -> list[Json]:
    return identity.canonical(Journey.model_construct(**_empty(of)))["exclude"]  # type: ignore[return-value]


def _empty(of: Automation) -> dict[str, Any]:
    return {"journey": "none", "count_by": of.count_by, "exclude": of.exclude, "stages": ()}


def _plain(of: Any, left_out: Iterable[str]) -> dict[str, Json]:
    found: dict[str, Json] = of.model_dump(
        mode="json", by_alias=True, exclude={*left_out, "semantics"}, exclude_none=True
    )
    return found


def definition_hash(definition: Definition) -> str:
    """SHA-256, in hex, of the canonical form."""
    if isinstance(definition, Funnel | Journey):
        return identity.definition_hash(definition)
    return hash_of(canonical(definition))


def text_hash(definition: Definition) -> str:
    """SHA-256, in hex, of the words about a definition."""
    if isinstance(definition, Funnel | Journey):
        return identity.text_hash(definition)
    words: dict[str, Json] = definition.model_dump(mode="json", include={kind_of(definition), *_WORDS})
    return hash_of(words)


def difference(before: Definition, after: Definition) -> tuple[Change, ...]:
    """What two definitions of one kind say differently. DefinitionError ``other-kind`` for two of different kinds."""
    if isinstance(before, Funnel | Journey) and isinstance(after, Funnel | Journey):
        return plain_difference(before, after)
    if kind_of(before) != kind_of(after):
        message = f"A {kind_of(before)} and a {kind_of(after)} cannot be compared clause by clause."
        raise DefinitionError([Issue("other-kind", "error", message, None, "", "Name two of one kind.")])
    return (*_clauses(before, after), *_wording(before, after))


def _clauses(before: Definition, after: Definition) -> Iterable[Change]:
    old, new = canonical(before), canonical(after)
    for key in dict.fromkeys([*old, *new]):
        was, now = old.get(key), new.get(key)
        if not equal(was, now):
            what = "added" if key not in old else "removed" if key not in new else "changed"
            yield Change(key, f"{key} {what}", True)


def _wording(before: Definition, after: Definition) -> Iterable[Change]:
    for key in (kind_of(before), *_WORDS):
        was, now = (getattr(one, key) for one in (before, after))
        yield from said(key, "name" if key == kind_of(before) else key, *(_listed(one) for one in (was, now)))


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


__all__ = [
    "AUTOMATIONS",
    "KINDS",
    "Definition",
    "Kind",
    "automation_kind",
    "canonical",
    "definition_hash",
    "difference",
    "ground_of",
    "kind_of",
    "load_automation",
    "load_definition",
    "load_definition_text",
    "name_of",
    "text_hash",
]
