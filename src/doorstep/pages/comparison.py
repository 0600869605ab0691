"""A comparison as a page: figures side by side, and the clause behind every unit that flips."""

from __future__ import annotations

from collections.abc import Iterator

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.words import capital
from doorstep.funnels.compare import ClauseEffect, Comparison, Flips
from doorstep.funnels.counts import Counts
from doorstep.pages.parts import Bar, Key, Page, Section, Table
from doorstep.pages.rests import name_of, reading_of, span_facts, title_of
from doorstep.pages.words import counted, number, of, percent, plural, points, shown, verb


def comparison_page(found: Comparison, command: str | None = None) -> Page:
    """The report of `doorstep compare`."""
    before, after = title_of(found.before), title_of(found.after)
    return Page(
        kind="Two definitions on the same rows",
        title=before if before == after else f"{before} → {after}",
        name=f"{name_of(found.before)} → {name_of(found.after)}",
        answer=_answer(found),
        more=tuple(_more(found)),
        sections=tuple(sections_of(found)),
        facts=span_facts(found.span),
        readings=(reading_of(found.before, "The definition before"), reading_of(found.after, "The definition after")),
        command=command,
    )


def _answer(found: Comparison) -> str:
    then, now = found.counts_before, found.counts_after
    if not found.clauses:
        return "The two say the same, in words that no count depends on."
    told = capital(f"{_complete(found.before, then)} before, {_complete(found.after, now)} after")
    if then.conversion is None or now.conversion is None:
        return f"{told}."
    return f"{told}: {points(now.conversion - then.conversion)}."


def _complete(funnel: Funnel, counts: Counts) -> str:
    if not counts.entered:
        return "nobody entered"
    return f"{percent(counts.conversion)} of {counted(funnel, counts.entered)} complete"


def _more(found: Comparison) -> Iterator[str]:
    if found.apart is not None:
        yield shown(found.apart[:1].upper() + found.apart[1:])
    elif found.clauses and not found.effects:
        yield "They differ in what they say, but on these rows no unit stands otherwise."
    elif found.effects:
        units = sum(one.units for one in found.effects)
        first = found.effects[0]
        yield (
            f"{plural(units, 'unit')} {verb(units, 'stands', 'stand')} otherwise at some step, "
            f"{first.units:,} of them by: {_says(first)}."
        )


def _says(one: ClauseEffect) -> str:
    return shown(" together with ".join(clause.says for clause in one.clauses))


def sections_of(found: Comparison) -> Iterator[Section]:
    """Steps side by side, then clauses."""
    if found.flips and found.apart is None:
        yield _steps(found)
    if found.effects:
        yield _effects(found)
    silent = [one for one in found.clauses if not any(one in effect.clauses for effect in found.effects)]
    if silent and found.effects:
        yield Section("Flips nobody", tuple(shown(one.says) for one in silent))
    elif silent:
        yield Section("What they say differently", tuple(shown(one.says) for one in silent))


def _label(one: Flips) -> str:
    return shown(one.name) + ("" if one.now == one.id else f" (now {shown(one.now)})")


def _steps(found: Comparison) -> Section:
    most = max(max(one.before, one.after) for one in found.flips) or 1
    bars = []
    for one in found.flips:
        told = f"{one.gained or 0:,} only after, {one.lost or 0:,} only before." if one.gained or one.lost else ""
        then = Bar("", "", f"{one.before:,}", one.before / most, 0, 0, "")
        bars.append(Bar("", _label(one), f"{one.after:,}", one.after / most, 0, 0, told, other=then))
    rows = tuple(
        (shown(one.id), _label(one), f"{one.before:,}", f"{one.after:,}", f"{one.after - one.before:+,}", *_flips(one))
        for one in found.flips
    )
    head = ("Step", "Name", "Before", "After", "Change", "Only after", "Only before")
    old, new = found.counts_before, found.counts_after
    caption = f"Units at each step; {of(old.conversion, old.entered)} before, {of(new.conversion, new.entered)} after"
    keys = (Key("solid", "after"), Key("then", "before"))
    return Section("Who stands where", bars=tuple(bars), keys=keys, behind=(Table(caption, head, rows, words=2),))


def _flips(one: Flips) -> tuple[str, str]:
    return number(one.gained), number(one.lost)


def _effects(found: Comparison) -> Section:
    rows = tuple(
        (_says(one), ", ".join(map(shown, one.samples)), f"{one.units:,}", f"{one.gained:,}", f"{one.lost:,}")
        for one in found.effects
    )
    head = ("Clause", "Some of them", "Units", "Complete only after", "Only before")
    table = Table("Each unit that stands otherwise, by the least set of clauses that does it", head, rows, words=2)
    note = "doorstep explain FILE --events … --unit NAME tells the story of one."
    return Section("The clause behind each flip", tables=(table,), notes=(note,))


__all__ = ["comparison_page", "sections_of"]
