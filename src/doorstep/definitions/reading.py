"""From a file or plain data to a `Funnel`, or to everything that is wrong with it, in document order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from doorstep.definitions.complaints import complaints, describe_value, settle
from doorstep.definitions.document import MOST_BYTES, Document, Path, decode, from_mapping, parse, spell
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.journey import Journey
from doorstep.definitions.journey_rules import broken_journey_rules
from doorstep.definitions.json_text import parse_json
from doorstep.definitions.rules import Violation, broken_rules
from doorstep.definitions.salvage import beside_the_faults
from doorstep.definitions.shorthand import WrittenOut, written_out
from doorstep.definitions.yaml_text import parse_yaml
from doorstep.errors import DefinitionError, Issue, nearest

M = TypeVar("M", bound=BaseModel)

SEMANTICS: Final = 1
"""The version of the semantics that this program implements."""

MOST_ISSUES: Final = 200

ENDINGS: Final = (".yaml", ".yml", ".json")
"""How the names of files that hold definitions end."""


def load(source: FilePath | str | Mapping[str, object], *, name: str | None = None) -> Funnel:
    """The funnel that a YAML or JSON file, or a mapping of the same keys, defines (semantics 2).

    A text is always a path. ``name`` is taken when the document has no ``funnel``; default: the file's name. Raises
    `DefinitionError` with every issue found, in document order; issues of a file carry line and column.
    """
    return load_placed(source, name=name).funnel


@dataclass(frozen=True, slots=True)
class Placed:
    """A funnel beside the document that defines it, to find the place of what is said about the funnel."""

    funnel: Funnel
    _document: Document
    _written: WrittenOut

    def located(self, issues: Iterable[Issue]) -> tuple[Issue, ...]:
        """The issues with their places: ``path`` as the document writes it, ``position`` in the file."""
        return tuple(self._located(issue) for issue in issues)

    def _located(self, issue: Issue) -> Issue:
        if issue.position or not issue.path:
            return issue
        path = _as_written(parse(issue.path), self._document, self._written)
        return replace(issue, path=spell(path), position=self._document.position(path))


def load_placed(source: FilePath | str | Mapping[str, object], *, name: str | None = None) -> Placed:
    """As `load`, with the places of all parts."""
    return _read(*opened(source, name))


def opened(source: FilePath | str | Mapping[str, object], name: str | None) -> tuple[Document, str]:
    """The document, and what to call what it defines where it does not say."""
    if isinstance(source, Mapping):
        return from_mapping(source, ""), name or "funnel"
    if not isinstance(source, str | FilePath):
        message = f"A definition cannot be read from a {type(source).__name__}."
        raise _unreadable("unknown-definition", message, "Give a path, or a mapping of the document's keys.")
    path = FilePath(source)
    return document_of(text_of(path), str(path)), name or path.stem


def load_any(source: FilePath | str | Mapping[str, object], *, name: str | None = None) -> Funnel | Journey:
    """The funnel or the journey that a YAML or JSON file, or a mapping of the same keys, defines: a document with the
    key ``journey`` is one, every other a funnel. Otherwise as `load`.
    """
    document, called = opened(source, name)
    return _read_journey(document).journey if _is_journey(document) else _read(document, called).funnel


def load_journey(source: FilePath | str | Mapping[str, object]) -> Journey:
    """As `load_any`, of a journey; DefinitionError ``not-a-journey`` for a funnel."""
    return load_placed_journey(source).journey


@dataclass(frozen=True, slots=True)
class PlacedJourney:
    """A journey beside the document that defines it."""

    journey: Journey
    _document: Document

    def located(self, issues: Iterable[Issue]) -> tuple[Issue, ...]:
        """The issues with their places in the file."""
        return tuple(
            issue
            if issue.position or not issue.path
            else replace(issue, position=self._document.position(settle(parse(issue.path), self._document.value)))
            for issue in issues
        )


def load_placed_journey(source: FilePath | str | Mapping[str, object]) -> PlacedJourney:
    """As `load_journey`, with the places of all parts."""
    document, _ = opened(source, None)
    if not _is_journey(document):
        message = "This document defines no journey, and one is meant."
        raise _unreadable("not-a-journey", message, "A journey has the keys `journey` and `stages`.")
    return _read_journey(document)


def is_journey(source: FilePath | str | Mapping[str, object]) -> bool:
    """Whether a document is one of a journey. DefinitionError when it cannot be read at all."""
    return _is_journey(opened(source, None)[0])


def _is_journey(document: Document) -> bool:
    return "journey" in document.value and "funnel" not in document.value


def _read_journey(document: Document) -> PlacedJourney:
    return PlacedJourney(read_as(document, Journey, broken_journey_rules), document)


def read_as(document: Document, model: type[M], rules: Callable[[M], Sequence[Violation]]) -> M:
    """What a document says as a value of ``model`` that breaks none of the rules; DefinitionError with all that is
    wrong, in document order.
    """
    _stop_at_other_semantics(document)
    value = document.value
    found: M | None = None
    try:
        found = model.model_validate(value)
        violations = rules(found)
    except ValidationError as error:
        violations = complaints(error.errors(include_url=False), value, model)
    taken = {issue.position or issue.path for issue in document.issues}
    told = [_issue(document, _settled(one.path, value), one) for one in violations]
    issues = [*document.issues, *(issue for issue in told if (issue.position or issue.path) not in taken)]
    if found is None or issues:
        raise DefinitionError(_in_order(document, issues))
    return found


def _settled(path: Path, value: Mapping[str, object]) -> Path:
    """The path as the document writes it; a missing key keeps its name."""
    place = settle(path, value)
    absent = isinstance(path[-1], str) and (not place or place[-1] != path[-1])
    return (*place, path[-1]) if absent else place


def load_text(text: str, *, file: str, name: str) -> Funnel:
    """The funnel that a text defines. ``file`` tells the form (JSON where it ends in ``.json``) and stands in issues;
    ``name`` is taken when the text has no ``funnel``.
    """
    return _read(document_of(text, file), name).funnel


def load_any_text(text: str, *, file: str, name: str) -> Funnel | Journey:
    """As `load_text`, of a funnel or a journey."""
    document = document_of(text, file)
    return _read_journey(document).journey if _is_journey(document) else _read(document, name).funnel


def document_of(text: str, file: str) -> Document:
    """A text as a document: JSON where the file's name ends so, else YAML."""
    return parse_json(text, file) if file.endswith(".json") else parse_yaml(text, file)


def load_journey_text(text: str, *, file: str) -> Journey:
    """As `load_text`, of a journey."""
    return _read_journey(document_of(text, file)).journey


def read(document: Document, *, name: str) -> Funnel:
    """The funnel that a document defines; ``name`` is taken when it has no ``funnel``."""
    return _read(document, name).funnel


def _read(document: Document, name: str) -> Placed:
    _stop_at_other_languages(document)
    written = written_out(document.value, name)
    funnel, violations = _judged(written)
    taken = {issue.position or issue.path for issue in document.issues}
    found = [_issue(document, _as_written(one.path, document, written), one) for one in violations]
    issues = [*document.issues, *(issue for issue in found if (issue.position or issue.path) not in taken)]
    if funnel is None or issues:
        raise DefinitionError(_in_order(document, issues))
    return Placed(funnel, document, written)


def _judged(written: WrittenOut) -> tuple[Funnel | None, Sequence[Violation]]:
    """The funnel, if the types of its parts are right, and everything that is wrong (of far too much: just that)."""
    if any(one.code == "too-many-steps" for one in written.violations):
        return None, written.violations
    try:
        funnel = Funnel.model_validate(written.value)
    except ValidationError as error:
        faults = complaints(error.errors(include_url=False), written.value)
        return None, [*written.violations, *faults, *beside_the_faults(written.value, faults)]
    return funnel, [*written.violations, *broken_rules(funnel)]


def _in_order(document: Document, issues: Sequence[Issue]) -> list[Issue]:
    """Issues in document order, each once, and not more of them than anyone would read."""
    order = {spell(path): index for index, path in enumerate(document.paths())}

    def key(issue: Issue) -> tuple[int, int, int]:
        place = issue.position
        path = issue.path if issue.path in order else issue.path.rpartition(".")[0]
        return (place.line, place.column, 0) if place else (0, 0, order.get(path, 0))

    listed = sorted(dict.fromkeys(issues), key=key)
    if len(listed) > MOST_ISSUES:
        more = len(listed) - MOST_ISSUES
        listed = [*listed[:MOST_ISSUES], Issue("more-issues", "note", f"There are {more:,} more issues.")]
    return listed


def text_of(path: FilePath) -> str:
    """The text of a definition's file; DefinitionError when it cannot be read as text."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable("no-such-file", f"There is no file {path}.", _nearest_file(path)) from None
    except IsADirectoryError:
        files = sorted(one.name for one in path.iterdir() if one.suffix in ENDINGS)
        mend = f"Name one of the files in it: {', '.join(files[:5])}." if files else "Name a YAML or JSON file."
        raise _unreadable("is-a-directory", f"{path} is a folder.", mend) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable("unreadable-file", f"{path} cannot be read: {reason}.") from None
    return decode(data, str(path))


def _unreadable(code: str, message: str, mend: str | None = None) -> DefinitionError:
    return DefinitionError([Issue(code, "error", message, None, "", mend)])


def _nearest_file(path: FilePath) -> str | None:
    try:
        names = [one.name for one in path.parent.iterdir()]
    except OSError:
        return f"There is no folder {path.parent} either."
    near = nearest(path.name, names)
    return f"Did you mean {path.parent / near}?" if near else None


def _stop_at_other_languages(document: Document) -> None:
    """A journey, or another version of the semantics: nothing else that could be said about it would be right."""
    if _is_journey(document):
        message = "This document defines a journey, where a funnel is meant."
        mend = "Journeys are replayed: `doorstep journey replay`, or doorstep.replay in Python."
        raise DefinitionError([_issue(document, ("journey",), Violation("not-a-funnel", message, ("journey",), mend))])
    found = [one for one in ("segment", "signal", "workflow") if one in document.value]
    if found and not {"funnel", "steps"} & set(document.value):
        message = f"This document defines a {found[0]}, where a funnel is meant."
        mend = "`doorstep describe` says it in words, `doorstep publish` sets it to work."
        raise DefinitionError([_issue(document, (found[0],), Violation("not-a-funnel", message, (found[0],), mend))])
    _stop_at_other_semantics(document)


def _stop_at_other_semantics(document: Document) -> None:
    version = document.value.get("semantics", SEMANTICS)
    if type(version) is not int or version != SEMANTICS:
        message = f"`semantics` is {describe_value(version)}; this version of Doorstep knows semantics 1."
        mend = "Write semantics: 1, or use a version of Doorstep that knows this one."
        violation = Violation("semantics-version", message, ("semantics",), mend)
        raise DefinitionError([*document.issues, _issue(document, ("semantics",), violation)])


def _as_written(path: Path, document: Document, written: WrittenOut) -> Path:
    """Where a path of the unfolded document stands in the document itself; a missing key keeps its name."""
    origin = written.origin(path)
    place = settle(origin, document.value)
    absent = isinstance(origin[-1], str) and (not place or place[-1] != origin[-1])
    return (*place, origin[-1]) if absent else place


def _issue(document: Document, path: Path, violation: Violation) -> Issue:
    position = document.position(path, key=violation.on_key)
    return Issue(violation.code, "error", violation.message, position, spell(path), violation.suggestion)


__all__ = [
    "ENDINGS",
    "Placed",
    "PlacedJourney",
    "document_of",
    "is_journey",
    "load",
    "load_any",
    "load_any_text",
    "load_journey",
    "load_placed",
    "load_placed_journey",
    "load_text",
    "opened",
    "read",
    "read_as",
    "text_of",
]
