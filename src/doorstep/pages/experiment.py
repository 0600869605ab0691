"""An experiment as a page: did it work, how sure is that, and can the split be trusted."""

from __future__ import annotations

from collections.abc import Iterator

from doorstep.funnels.experiment import MISMATCH, Experiment, Variant
from doorstep.pages.charts import Interval, intervals, picture
from doorstep.pages.parts import Key, Page, Picture, Section, Table
from doorstep.pages.rests import name_of, reading_of, span_facts, title_of
from doorstep.pages.words import between, chance, decimal, of, percent, shown, signed
from doorstep.statistics.proportions import Estimate

POINTS = "format(datum.value * 100, '+~g')"


def experiment_page(found: Experiment, command: str | None = None) -> Page:
    """The report of `doorstep experiment`."""
    return Page(
        kind="Experiment",
        title=title_of(found.funnel),
        name=name_of(found.funnel),
        answer=_answer(found),
        more=(_how(found),),
        sections=tuple(sections_of(found)),
        facts=(*span_facts(found.span), ("Prior", f"Beta({found.prior[0]:g}, {found.prior[1]:g})"), *_left_out(found)),
        readings=(reading_of(found.funnel),),
        command=command,
        warnings=tuple(map(shown, found.notes)),
    )


def _answer(found: Experiment) -> str:
    if found.mismatch is not None and found.mismatch < MISMATCH:
        return f"The units are not split as declared (p {_p(found.mismatch)}): trust nothing below."
    tested = [one for one in found.variants if not one.control and one.difference.value is not None]
    if not tested:
        return "There is nothing to hold against control: at least two variants with units are needed."
    return " ".join(_verdict(found, one) for one in tested[:3])


def _verdict(found: Experiment, one: Variant) -> str:
    gap = one.difference
    sure = one.p_value is not None and one.p_value < found.alpha
    level = _level(found)
    moved = (
        f"{signed(gap.value)} points against {shown(found.control)} ({signed(gap.low)} to {signed(gap.high)}, {level})"
    )
    word = "more than chance would do" if sure else "no more than chance could do"
    done = f"{of(one.conversion.value, one.units)} completed with {shown(one.name)}"
    return f"{done}: {moved}, {word} (p {_p(one.p_value)})."


def _p(value: float | None) -> str:
    told = chance(value)
    return told if told.startswith("<") or value is None else f"= {told}"


def _how(found: Experiment) -> str:
    at = "entry" if found.exposure is None else f"“{shown(found.exposure)}”"
    mature = " Units that may still go on are left out." if found.mature_only else ""
    return f"Variants are values of {shown(found.variant)} at the first {at}; each unit counts once.{mature}"


def _left_out(found: Experiment) -> tuple[tuple[str, str], ...]:
    out = (
        (found.two_variants, "seen in two variants"),
        (found.no_variant, "exposed without a variant"),
        (found.dropped, "excluded by the definition"),
    )
    told = ", ".join(f"{count:,} {why}" for count, why in out if count) or "nobody"
    split = "–" if found.mismatch is None else f"as declared? p {_p(found.mismatch)}"
    return ("Left out", told), ("Split", split)


def sections_of(found: Experiment) -> Iterator[Section]:
    """Conversions, differences, and step by step."""
    if not found.variants:
        return
    pictures = [_conversions(found)]
    if any(one.difference.value is not None for one in found.variants):
        pictures.append(_differences(found))
    yield Section("The variants", pictures=tuple(pictures))
    rows = []
    for place, step in enumerate(found.variants[0].steps):
        for one in found.variants:
            here = one.steps[place]
            cells = (of(here.share.value, one.units), _interval(here.share), signed(here.difference.value))
            rows.append((shown(step.name), shown(one.name), f"{here.count:,}", *cells))
    head = ("Step", "Variant", "Count", "Of the variant", "Between", "Points")
    yield Section("Step by step", tables=(Table("Units that count at each step", head, tuple(rows), words=2),))


def _interval(one: Estimate) -> str:
    return between(one.low, one.high)


def _name(one: Variant) -> str:
    return shown(one.name) + (" (control)" if one.control and one.name != "control" else "")


def _level(found: Experiment) -> str:
    return f"{(1 - found.alpha) * 100:g}\u00a0%"


def _conversions(found: Experiment) -> Picture:
    rows = []
    for one in found.variants:
        share = one.conversion
        rows.append(Interval(_name(one), share.value, share.low, share.high, of(share.value, one.units)))
    cells = tuple(
        (
            *(_name(one), f"{one.units:,}", f"{one.completed:,}", f"{one.open:,}"),
            *(percent(one.conversion.value), _interval(one.conversion)),
        )
        for one in found.variants
    )
    head = ("Variant", "Units", "Completed", "Still open", "Conversion", f"{_level(found)} interval")
    keys = (Key("dot", "conversion"), Key("line", f"its {_level(found)} interval"))
    told = f"The share of each variant's units that completed, with its {_level(found)} interval."
    return picture("Conversion", told, intervals(rows), Table("Conversion of each variant", head, cells), keys)


def _differences(found: Experiment) -> Picture:
    tested = [one for one in found.variants if not one.control]
    rows = [
        Interval(
            *(shown(one.name), one.difference.value, one.difference.low, one.difference.high),
            f"{signed(one.difference.value)} (p {_p(one.p_value)})",
        )
        for one in tested
    ]
    cells = tuple(
        (
            *(shown(one.name), f"{one.units:,}", signed(one.difference.value)),
            f"{signed(one.difference.low)} to {signed(one.difference.high)}",
            *(decimal(one.ratio.value), chance(one.p_value), percent(one.chance_best), percent(one.expected_loss)),
            *(percent(one.power), signed(one.detectable)),
        )
        for one in tested
    )
    head = (
        *("Variant", "Units", "Points", f"{_level(found)} interval", "Ratio", "p", "Chance to be best"),
        *("Expected loss", "Power", "Detectable"),
    )
    told = f"Points of conversion more or less than {shown(found.control)}; an interval that holds 0 may be chance."
    table = Table(f"Against {shown(found.control)}", head, cells)
    drawn = intervals(rows, line=0.0, labels=POINTS, title="points")
    return picture(f"Difference to {shown(found.control)}", told, drawn, table, (Key("dashed", "no difference"),))


__all__ = ["experiment_page", "sections_of"]
