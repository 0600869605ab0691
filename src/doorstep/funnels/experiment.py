"""Did it work? A funnel by variant, with what the difference is worth (semantics 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from doorstep.definitions.funnel import Funnel, SessionOf
from doorstep.definitions.identity import definition_hash
from doorstep.engines.duckdb import Progress
from doorstep.engines.grouping import code
from doorstep.engines.several import Asked, Batch, batches, needs_of_all
from doorstep.errors import RunError, nearest
from doorstep.funnels.bounds import Instant
from doorstep.funnels.counts import SESSION_BITS, Integers, standing
from doorstep.funnels.notebook import Shown
from doorstep.funnels.opening import Given, Opened, Scope, Span, defined, opened
from doorstep.matching.attempts import STATUSES
from doorstep.matching.plan import FOREVER, Question
from doorstep.matching.reference import Bounds
from doorstep.statistics.posterior import choices
from doorstep.statistics.proportions import (
    ALPHA,
    NOTHING,
    Estimate,
    detectable,
    difference,
    holm,
    power,
    ratio,
    share,
    split_mismatch,
    two_shares,
)

MOST_VARIANTS: Final = 30
"""More values than this are no variants of an experiment."""

MISMATCH: Final = 0.001
"""Below this p-value the split is not the declared one, and nothing else in the report should be believed."""


@dataclass(frozen=True, slots=True)
class VariantStep:
    """Units that count at a step, as a share of those in the variant, and that share held against control's."""

    id: str
    name: str
    count: int
    share: Estimate
    difference: Estimate
    ratio: Estimate


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant. ``difference`` and ``ratio`` are of the conversion against control's; ``p_value`` is corrected for
    how many variants were tested (``p_raw``: before that). ``chance_best`` and ``expected_loss`` follow from the
    posterior. What is undefined is None, as are comparisons of control with itself.
    """

    name: str
    control: bool
    units: int
    completed: int
    open: int
    conversion: Estimate
    difference: Estimate
    ratio: Estimate
    p_raw: float | None
    p_value: float | None
    test: str | None
    chance_best: float | None
    expected_loss: float | None
    power: float | None
    detectable: float | None
    steps: tuple[VariantStep, ...]


@dataclass(frozen=True, slots=True)
class Experiment(Shown):
    """An experiment's figures. ``two_variants``: units that were seen in several variants, ``no_variant``: that were
    exposed without one, ``dropped``: that the definition excludes; none of them is in a variant. ``immature``:
    units that may still go on. ``mismatch`` is the p-value of the split.
    """

    funnel: Funnel
    hash: str
    variant: str
    exposure: str | None
    control: str | None
    alpha: float
    prior: tuple[float, float]
    effect: float | None
    mature_only: bool
    variants: tuple[Variant, ...]
    two_variants: int
    no_variant: int
    dropped: int
    immature: int
    mismatch: float | None
    notes: tuple[str, ...]
    span: Span

    def to_dict(self) -> dict[str, Any]:
        """What ``doorstep experiment --json`` prints."""
        found = {
            name: getattr(self, name)
            for name in (
                *("variant", "exposure", "control", "alpha", "effect", "mature_only", "two_variants", "no_variant"),
                *("dropped", "immature", "mismatch"),
            )
        }
        return {
            "funnel": {"name": self.funnel.funnel, "hash": self.hash, "semantics": self.funnel.semantics},
            "data": asdict(self.span),
            **found,
            "prior": list(self.prior),
            "variants": [{**asdict(one), "steps": [asdict(step) for step in one.steps]} for one in self.variants],
            "notes": list(self.notes),
        }


def experiment(
    funnel: Given,
    source: object,
    *,
    variant: str,
    exposure: str | None = None,
    control: str | None = None,
    split: Mapping[str, float] | None = None,
    alpha: float = ALPHA,
    prior: tuple[float, float] = (1.0, 1.0),
    effect: float | None = None,
    mature_only: bool = False,
    since: Instant = None,
    until: Instant = None,
    as_of: Instant = None,
    timezone: str = "UTC",
    first_time: bool = False,
    columns: Mapping[str, str] | None = None,
    source_timezone: str = "UTC",
    memory: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Experiment:
    """Counts ``funnel`` for each value of the property ``variant``, each unit once, however the definition counts.

    A unit's variant is the value at its first exposure with one: an entry row within the bounds or, with ``exposure``,
    a row of that event; then a unit counts as exposed though it never enters, and what it did before does not count.
    Units seen in two variants are left out. ``control`` is the name to compare with (default: one called control, else
    the first by name), ``split`` the declared shares (default: equal), ``prior`` a Beta distribution, ``effect`` a
    difference whose power is asked for. ``mature_only`` leaves out units whose attempt may still go on. Other arguments
    are those of `run`. Raises DefinitionError, SourceError or RunError.
    """
    definition = defined(funnel)
    _refuse(definition, alpha, prior, effect, split)
    scope = Scope(since, until, as_of, timezone, first_time, columns, source_timezone, memory, threads, progress)
    asked = Asked.of(definition)
    exposed = None if exposure is None else Question((exposure,))
    with opened(source, needs_of_all([asked], [variant]), scope) as open_:
        open_.refuse_impossible([asked])
        seen = _Seen(definition, variant, mature_only)
        for batch in _batches(open_, asked, variant, exposed):
            seen.add(batch, asked, open_.bounds, exposed)
        span = open_.span
    names = sorted({*seen.tallies, *(split or {})})
    chosen = _control(names, control)
    told = _variants(definition, [seen.tally(name) for name in names], names, chosen, alpha, prior, effect)
    counts = [one.units for one in told]
    mismatch = split_mismatch(counts, [(split or {}).get(name, 0.0 if split else 1.0) for name in names])
    return Experiment(
        funnel=definition,
        hash=definition_hash(definition),
        variant=variant,
        exposure=exposure,
        control=chosen,
        alpha=alpha,
        prior=prior,
        effect=effect,
        mature_only=mature_only,
        variants=told,
        two_variants=seen.two_variants,
        no_variant=seen.no_variant,
        dropped=seen.dropped,
        immature=seen.immature,
        mismatch=mismatch,
        notes=tuple(_notes(told, seen, mismatch, split, names, mature_only)),
        span=span,
    )


def _refuse(
    funnel: Funnel,
    alpha: float,
    prior: tuple[float, float],
    effect: float | None,
    split: Mapping[str, float] | None,
) -> None:
    if isinstance(funnel.count_by, SessionOf):
        raise RunError(
            "session-experiment",
            "a variant is given to a user or an account, and this definition counts sessions, of which one unit has "
            "many. Count by the unit itself.",
        )
    if not 0 < alpha < 1:
        raise RunError(
            "bad-alpha", f"alpha is {alpha}, and must lie between 0 and 1. Write 0.05 for intervals of 95 %."
        )
    if not all(0 < one < float("inf") for one in prior):
        raise RunError("bad-prior", f"the prior is {prior}; both numbers of a Beta distribution must be above 0.")
    if effect is not None and not -1 < effect < 1:
        raise RunError("bad-effect", f"the effect is {effect}; a difference of shares lies between -1 and 1.")
    if split is not None and not (split and all(0 < one < float("inf") for one in split.values())):
        raise RunError("bad-split", "the split must give each variant a share above 0, such as A=50 and B=50.")


def _batches(open_: Opened, asked: Asked, variant: str, exposed: Question | None) -> Any:
    return batches(
        open_.engine,
        open_.rows,
        [asked],
        open_.bounds,
        first_time=open_.scope.first_time,
        carry=[variant],
        more=[] if exposed is None else [exposed],
    )


# -- who is in which variant ----------------------------------------


@dataclass(slots=True)
class _Tally:
    units: int
    open: int
    steps: Integers
    completed: int


class _Seen:
    """What is added up, batch by batch."""

    def __init__(self, funnel: Funnel, variant: str, mature_only: bool) -> None:
        self.funnel, self.variant, self.mature_only = funnel, variant, mature_only
        self.tallies: dict[str, _Tally] = {}
        self.two_variants = self.no_variant = self.dropped = self.immature = 0

    def tally(self, name: str) -> _Tally:
        """Of a variant; nothing where nobody was in it."""
        return self.tallies.get(name) or _Tally(0, 0, np.zeros(len(self.funnel.steps), np.int64), 0)

    def add(self, batch: Batch, asked: Asked, bounds: Bounds, exposed: Question | None) -> None:
        if not len(batch.rows):
            return
        coded = code([batch.column(self.variant)])
        if len(coded) > MOST_VARIANTS:
            coded = self._few(coded, batch)
        names = [_name(value) for value in coded.values[0].to_pylist()]
        codes = coded.codes[batch.rows["place"]]
        at, low, high = _exposures(batch, asked, bounds, exposed, codes)
        if exposed is not None:
            batch = batch.after(at, _lasting(asked))
        attempts = batch.walk(0)
        counted = attempts.where(attempts.counted)
        units = np.arange(batch.units)
        stands = standing(self.funnel, counted, units << SESSION_BITS)
        still = np.zeros(batch.units, bool)
        still[counted.unit[counted.status == STATUSES.index("open")]] = True
        entered = stands[:, -2]
        out = np.zeros(batch.units, bool)
        out[attempts.unit] = True
        out &= ~entered
        if asked.plan.vanish_bit is not None:
            out |= _any(batch, np.int64(1) << asked.plan.vanish_bit)
        here = (at < FOREVER) & ~out if exposed is not None else entered
        self.dropped += int((out & (high >= 0)).sum())
        self.no_variant += int((here & (high < 0)).sum())
        self.two_variants += int((here & (high > low)).sum())
        sure = here & (high >= 0) & (low == high)
        self.immature += int((sure & still).sum())
        if self.mature_only:
            sure &= ~still
        for number in np.unique(high[sure]):
            mine = sure & (high == number)
            part = _Tally(
                int(mine.sum()),
                int((mine & still).sum()),
                stands[mine, :-2].sum(axis=0).astype(np.int64),
                int(stands[mine, -1].sum()),
            )
            name = names[int(number)]
            known = self.tally(name)
            self.tallies[name] = _Tally(
                known.units + part.units,
                known.open + part.open,
                known.steps + part.steps,
                known.completed + part.completed,
            )

    def _few(self, coded: Any, batch: Batch) -> Any:
        raise RunError(
            "too-many-values",
            f"{self.variant} has {len(coded):,} values among the rows that are looked at; an experiment has at most "
            f"{MOST_VARIANTS} variants. Name the property that holds the variant.",
        )


def _name(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _exposures(
    batch: Batch, asked: Asked, bounds: Bounds, exposed: Question | None, codes: NDArray[np.int32]
) -> tuple[Integers, Integers, Integers]:
    """Of each unit: the time of its first exposure (`FOREVER`: none), and the least and greatest number of the values
    at its exposures; -1 where it has none. Without any value an exposure is one without a variant.
    """
    questions = [asked.plan.questions[one] for one in asked.funnel.entry_positions] if exposed is None else [exposed]
    mask = np.bitwise_or.reduce([np.int64(1) << np.int64(batch.bit(one)) for one in questions])
    rows, starts = batch.rows, batch.starts[:-1]
    shown = ((rows["word"] & mask) != 0) & (rows["time"] >= bounds.since) & (rows["time"] < bounds.until)
    valued = shown & (codes >= 0)
    has = np.logical_or.reduceat(valued, starts)
    first_any = np.minimum.reduceat(np.where(shown, rows["time"], FOREVER), starts)
    first = np.minimum.reduceat(np.where(valued, rows["time"], FOREVER), starts)
    high = np.maximum.reduceat(np.where(valued, codes, -1), starts)
    low = np.minimum.reduceat(np.where(valued, codes, np.iinfo(np.int32).max), starts)
    return np.where(has, first, first_any), np.where(has, low, -1), high


def _any(batch: Batch, mask: Any) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.logical_or.reduceat((batch.rows["word"] & mask) != 0, batch.starts[:-1])
    return found


def _lasting(asked: Asked) -> int:
    """The bits that mean something also before the exposure: of units that vanish, and of first times."""
    plan = asked.plan
    bits = [one.among_bit for one in plan.firsts if one.among_bit >= len(plan.steps)]
    bits += [] if plan.vanish_bit is None else [plan.vanish_bit]
    mask = sum(1 << bit for bit in set(bits))
    return mask - (1 << 64) if mask >> 63 else mask


# -- what it is worth ----------------------------------------


def _control(names: Sequence[str], wanted: str | None) -> str | None:
    if wanted is not None and wanted not in names and names:
        near = nearest(wanted, names)
        mend = f"Did you mean {near!r}?" if near else f"There are {', '.join(names)}."
        raise RunError("no-such-variant", f"no unit was in a variant {wanted!r}. {mend}")
    if wanted is not None:
        return wanted
    return next((name for name in names if name.casefold() == "control"), names[0] if names else None)


def _variants(
    funnel: Funnel,
    tallies: Sequence[_Tally],
    names: Sequence[str],
    control: str | None,
    alpha: float,
    prior: tuple[float, float],
    effect: float | None,
) -> tuple[Variant, ...]:
    base = next((one for name, one in zip(names, tallies, strict=True) if name == control), None)
    tests = [
        two_shares(one.completed, one.units, base.completed, base.units)
        if base is not None and name != control
        else None
        for name, one in zip(names, tallies, strict=True)
    ]
    corrected = holm([None if one is None else one.p_value for one in tests])
    believed = choices([(one.completed, one.units) for one in tallies], prior)
    seen = sum(one.units > 0 for one in tallies)
    found = []
    for name, one, test, p_value, belief in zip(names, tallies, tests, corrected, believed, strict=True):
        other = None if name == control else base
        ends = None if other is None else other.completed
        rate = None if base is None or not base.units else base.completed / base.units
        found.append(
            Variant(
                name=name,
                control=name == control,
                units=one.units,
                completed=one.completed,
                open=one.open,
                conversion=share(one.completed, one.units, alpha),
                difference=_against(difference, one.completed, one, ends, other, alpha),
                ratio=_against(ratio, one.completed, one, ends, other, alpha),
                p_raw=None if test is None else test.p_value,
                p_value=p_value,
                test=None if test is None else test.method,
                chance_best=belief.chance_best if seen > 1 and one.units else None,
                expected_loss=belief.expected_loss if seen > 1 and one.units else None,
                power=None
                if other is None or rate is None or effect is None
                else power(effect, rate, one.units, other.units, alpha),
                detectable=None if other is None or rate is None else detectable(rate, one.units, other.units, alpha),
                steps=tuple(_steps(funnel, one, other, alpha)),
            )
        )
    return tuple(found)


def _steps(funnel: Funnel, one: _Tally, other: _Tally | None, alpha: float) -> Any:
    for place, step in enumerate(funnel.steps):
        count = int(one.steps[place])
        base = None if other is None else int(other.steps[place])
        yield VariantStep(
            id=str(step.id),
            name=step.label,
            count=count,
            share=share(count, one.units, alpha),
            difference=_against(difference, count, one, base, other, alpha),
            ratio=_against(ratio, count, one, base, other, alpha),
        )


def _against(by: Any, count: int, one: _Tally, base: int | None, other: _Tally | None, alpha: float) -> Estimate:
    if other is None or base is None:
        return NOTHING
    found: Estimate = by(count, one.units, base, other.units, alpha)
    return found


def _notes(
    variants: Sequence[Variant],
    seen: _Seen,
    mismatch: float | None,
    split: Mapping[str, float] | None,
    names: Sequence[str],
    mature_only: bool,
) -> Any:
    exposed = sum(one.units for one in variants)
    if not exposed:
        yield "no unit was exposed, so there is nothing to compare."
    elif sum(one.units > 0 for one in variants) == 1:
        yield "only one variant was seen, so there is nothing to compare it with."
    for one in variants:
        if exposed and not one.units:
            yield f"nobody was in {one.name}."
    for name in names:
        if split and name not in split:
            yield f"{name} is not in the declared split, so that the split cannot be checked."
    if mismatch is not None and mismatch < MISMATCH:
        yield (
            f"the split is not the declared one (p = {mismatch:.2g}): units went missing on one side, and no other "
            "figure here should be believed before it is known why."
        )
    if seen.immature and not mature_only:
        yield (
            f"{seen.immature:,} of {exposed:,} units may still go on, and count as not converted yet; --mature leaves "
            "them out."
        )
    if seen.immature and mature_only:
        yield (
            f"{seen.immature:,} units that may still go on are left out. Those of them that completed early are in, so "
            "compare variants, and do not take the conversion for the final one."
        )


__all__ = ["Experiment", "Variant", "VariantStep", "experiment"]
