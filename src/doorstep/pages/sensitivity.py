"""Sensitivity as a page: which open rule matters, and by how much."""

from __future__ import annotations

from collections.abc import Iterator

from doorstep.funnels.sensitivity import RuleEffect, Sensitivity, Tried
from doorstep.pages.charts import Spread, dumbbells, picture
from doorstep.pages.parts import Key, Page, Section, Table
from doorstep.pages.rests import name_of, reading_of, span_facts, title_of
from doorstep.pages.words import between, counted, number, of, percent, plural, shown, signed


def sensitivity_page(found: Sensitivity, command: str | None = None) -> Page:
    """The report of `doorstep sensitivity`."""
    return Page(
        kind="Which rule matters",
        title=title_of(found.funnel),
        name=name_of(found.funnel),
        answer=_answer(found),
        more=(_as_it_is(found),),
        sections=tuple(sections_of(found)),
        facts=span_facts(found.span),
        readings=(reading_of(found.funnel),),
        command=command,
    )


def _as_it_is(found: Sensitivity) -> str:
    counts = found.counts
    return f"As it is written: {percent(counts.conversion)} of {counted(found.funnel, counts.entered)}."


def _answer(found: Sensitivity) -> str:
    if not found.rules:
        return "Every rule is declared, so that nothing is open."
    first = found.rules[0]
    if not first.spread:
        return "However the open rules are meant, the conversion stays the same on these rows."
    least, most = min(_ends(found, first)), max(_ends(found, first))
    return f"If two analysts disagree on the {_name(first)}, the answer is anything from {between(least, most)}."


def sections_of(found: Sensitivity) -> Iterator[Section]:
    """The ranking, then each rule that moves a count."""
    moving = [one for one in found.rules if one.spread or any(_moves(found, each) for each in one.tried)]
    if any(one.spread for one in moving):
        yield _ranking(found, [one for one in moving if one.spread])
    for rule in moving:
        yield _rule(found, rule)
    quiet = [_name(rule) for rule in found.rules if rule not in moving]
    if quiet:
        yield Section("Whatever is meant, no count changes here", (", ".join(quiet) + ".",))
    if found.settled:
        told = ", ".join(map(shown, found.settled))
        yield Section("Declared, so not tried", (f"{told}. --rule NAME tries one, --rule all each.",))


def _moves(found: Sensitivity, one: Tried) -> bool:
    return one.counts != found.counts or bool(one.gained or one.lost)


def _name(rule: RuleEffect) -> str:
    return shown(rule.topic if rule.where == "funnel" else f"{rule.topic} of {rule.where}")


def _ends(found: Sensitivity, rule: RuleEffect) -> tuple[float, ...]:
    values = (one.counts.conversion for one in rule.tried)
    return tuple(value for value in (found.counts.conversion, *values) if value is not None)


def _ranking(found: Sensitivity, moving: list[RuleEffect]) -> Section:
    own = found.counts.conversion or 0.0
    rows, cells = [], []
    for rule in moving:
        ends = _ends(found, rule)
        range_ = between(min(ends), max(ends))
        rows.append(Spread(_name(rule), ends, range_))
        cells.append((_name(rule), rule.state, f"{(rule.spread or 0) * 100:.1f}", range_))
    table = Table(
        f"Rules by how far they move the conversion, {of(own, found.counts.entered)} as it is",
        ("Rule", "State", "Points apart", "Between"),
        tuple(cells),
        words=2,
    )
    told = (
        f"{plural(len(moving), 'rule')} can move the conversion from {percent(own)}; "
        f"{_name(moving[0])} furthest, by {(moving[0].spread or 0) * 100:.1f} points."
    )
    keys = (Key("diamond", "as it is"), Key("ring", "settled otherwise"), Key("line", "from the least to the greatest"))
    return Section(
        "How far each rule moves the answer", pictures=(picture("Ranking", told, dumbbells(rows, own), table, keys),)
    )


_TRIED = ("Settled as", "Entered", "Completed", "Conversion", "Points", "Gained", "Lost")


def _rule(found: Sensitivity, rule: RuleEffect) -> Section:
    base = found.counts
    first = (f"{base.entered:,}", f"{base.completed:,}", percent(base.conversion), "", "", "")
    rows = [(f"{shown(rule.says)} (as it is)", *first)]
    for one in rule.tried:
        counts = one.counts
        known = counts.conversion is not None and base.conversion is not None
        moved = (counts.conversion or 0) - (base.conversion or 0) if known else None
        figures = (f"{counts.entered:,}", f"{counts.completed:,}", percent(counts.conversion), signed(moved))
        rows.append((shown(one.says), *figures, number(one.gained), number(one.lost)))
    caption = f"{rule.state.capitalize()}; gained: complete only then; lost: no longer"
    return Section(_name(rule).capitalize(), (shown(rule.sentence),), tables=(Table(caption, _TRIED, tuple(rows)),))


__all__ = ["sections_of", "sensitivity_page"]
