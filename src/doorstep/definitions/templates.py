"""Texts with variables, such as ``{{account.name}}``: what they may say, and what they say of an account.

A template only shows values: no loops, calls, arithmetic or macros, and few filters, so that it ends, stays short, and
can be judged when it is saved. Rendering goes through jinja2's sandbox all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, nodes
from jinja2.sandbox import SandboxedEnvironment

from doorstep.definitions.quoting import cut
from doorstep.errors import RunError, nearest

ANYTHING: Final = "*"
"""Stands for any name below a variable, as for traits."""

LONGEST: Final = 50_000
"""Characters of a rendered text; what is longer is cut."""

ACCOUNT: Final = (
    *("account.id", "account.name", "account.owner", "account.stage", "account.high_water", "account.since"),
    f"account.traits.{ANYTHING}",
)
WORKFLOW: Final = ("workflow.name", "workflow.title", "run.id", "now")
SIGNAL: Final = (
    *("signal.id", "signal.name", "signal.title", "signal.kind", "signal.priority", "signal.why"),
    "signal.occurred_at",
)
TRANSITION: Final = (
    *("transition.id", "transition.journey", "transition.from", "transition.to", "transition.skipped"),
    *("transition.occurred_at", "transition.cause"),
)
SEGMENT: Final = ("segment.name", "segment.occurred_at")

_FILTERS: Final = (
    *("capitalize", "default", "first", "int", "join", "last", "length", "lower", "replace", "round", "title"),
    *("tojson", "trim", "truncate", "upper"),
)
_ALLOWED: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const),
    *(nodes.Filter, nodes.Keyword, nodes.If, nodes.CondExpr, nodes.Test, nodes.Compare, nodes.Operand, nodes.And),
    *(nodes.Or, nodes.Not, nodes.Concat),
)


def faults(text: str, declared: tuple[str, ...]) -> Iterator[tuple[str, str, str | None]]:
    """What is wrong with a template: (code, sentence, mend); codes ``bad-template``, ``unknown-variable``."""
    try:
        tree = _environment().parse(text)
    except TemplateSyntaxError as error:
        reason = (error.message or "it cannot be read").rstrip(".")
        yield "bad-template", f"The template cannot be read: {reason}.", "Write variables as {{account.name}}."
        return
    for node in _nodes(tree):
        if not isinstance(node, _ALLOWED):
            what = type(node).__name__.lower()
            yield "bad-template", f"A template shows values; `{what}` cannot stand in it.", None
        elif isinstance(node, nodes.Getattr | nodes.Getitem) and _dotted(node) is None:
            yield "bad-template", "Only variables have parts, named by words.", "Write {{account.name}}, say."
        elif isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            yield "bad-template", f"There is no filter `{cut(node.name)}`.", f"The filters are {', '.join(_FILTERS)}."
    yield from (_unknown(name, declared) for name in dict.fromkeys(_named(tree)) if not _is_declared(name, declared))


def rendered(text: str, values: Mapping[str, Any]) -> str:
    """What a template says; a value that there is not is no text. RunError ``template-failed`` where a filter or a
    comparison cannot take what a value is.
    """
    try:
        return _compiled(text).render(values)[:LONGEST]
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        reason = str(error).rstrip(".")
        raise RunError("template-failed", f"The template {cut(text)!r} cannot be filled in: {reason}.") from None


@lru_cache(maxsize=1_000)
def _compiled(text: str) -> Template:
    return _environment().from_string(text)


class _Sandbox(SandboxedEnvironment):
    """A sandbox in which there are keys of mappings and nothing else; what is not there, or null, is no text."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self._key(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self._key(obj, argument)

    @staticmethod
    def _key(obj: Any, name: Any) -> Any:
        found = obj.get(name) if isinstance(obj, Mapping) else None
        return Undefined(name=str(name)) if found is None else found


@cache
def _environment() -> SandboxedEnvironment:
    made = _Sandbox(undefined=StrictUndefined, autoescape=False, finalize=lambda value: "" if value is None else value)
    for name in set(made.filters) - set(_FILTERS):
        del made.filters[name]
    made.globals.clear()
    return made


def _nodes(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for inner in node.iter_child_nodes():
        yield from _nodes(inner)


def _named(node: nodes.Node) -> Iterator[str]:
    """Every variable that is looked at, as ``account.name``."""
    told = _dotted(node)
    if told is not None:
        yield told
        return
    for inner in node.iter_child_nodes():
        yield from _named(inner)


def _dotted(node: nodes.Node) -> str | None:
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            inner = _dotted(node.node)
            return None if inner is None else f"{inner}.{node.attr}"
        case nodes.Getitem(arg=nodes.Const(value=str() as key)):
            inner = _dotted(node.node)
            return None if inner is None else f"{inner}.{key}"
        case _:
            return None


def _is_declared(name: str, declared: tuple[str, ...]) -> bool:
    return any(
        name == one or (one.endswith(f".{ANYTHING}") and name.startswith(one.removesuffix(ANYTHING)))
        for one in declared
    )


def _unknown(name: str, declared: tuple[str, ...]) -> tuple[str, str, str | None]:
    near = nearest(name, declared)
    mend = f"Did you mean {{{{{near}}}}}?" if near else f"The variables here are {', '.join(declared)}."
    return "unknown-variable", f"There is no variable `{cut(name)}` here.", mend


__all__ = ["ACCOUNT", "SEGMENT", "SIGNAL", "TRANSITION", "WORKFLOW", "faults", "rendered"]
