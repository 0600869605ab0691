"""What changed, in words, and which steps it touches: so that "conversion fell" is told apart from "tracking broke"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from doorstep.definitions.words import code, listed
from doorstep.drift.bands import Band, differ, usual
from doorstep.drift.expected import Use
from doorstep.drift.profile import RECENT, Profile, PropertyProfile
from doorstep.errors import nearest

FEWEST_PERIODS: Final = 3
"""With fewer earlier periods than this nothing is usual yet."""

LEAST_SHARE: Final = 0.05
"""A share of rows that moved by less is not worth a word, however sure it is."""

COMMON: Final = 0.01
"""A value that at least this share of the rows has belongs to a property's vocabulary."""

Code = Literal[
    "event-vanished",
    "event-appeared",
    "volume-low",
    "volume-high",
    "property-vanished",
    "property-rarer",
    "property-appeared",
    "type-changed",
    "value-vanished",
    "value-appeared",
    "little-history",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One change. ``touches``: funnel → the places in it that rely on what changed (none: nothing does, so far).
    ``recent`` and the ``low`` and ``high`` of what is usual are rows, or shares of rows (0 to 1), as the code says.
    """

    code: Code
    message: str
    event: str | None
    property: str | None
    touches: Mapping[str, tuple[str, ...]]
    recent: float | None = None
    low: float | None = None
    high: float | None = None


def findings(found: Profile, uses: Sequence[Use]) -> tuple[Finding, ...]:
    """Everything that changed and that some definition relies on, events first; in a settled order."""
    if len(found.baseline) < FEWEST_PERIODS:
        message = (
            f"the rows cover {len(found.baseline)} whole periods before the recent one; at least {FEWEST_PERIODS} are "
            "needed to tell what is usual. Give more history, or a shorter --recent."
        )
        return (Finding("little-history", message, None, None, {}),)
    events = dict.fromkeys(use.event for use in uses)
    told = [one for event in events for one in _event(found, uses, event)]
    quiet = {one.event for one in told if one.code == "event-vanished"}
    for event, name in dict.fromkeys((use.event, use.property) for use in uses):
        if name is not None and event not in quiet:
            told += _property(found, uses, event, name)
    return tuple(told)


def _touches(uses: Sequence[Use], event: str, name: str | None = None) -> dict[str, tuple[str, ...]]:
    touched: dict[str, dict[str, None]] = {}
    for use in uses:
        if (use.event, use.property) == (event, name):
            touched.setdefault(use.funnel, {})[use.place] = None
    return {funnel: tuple(places) for funnel, places in touched.items()}


def _event(found: Profile, uses: Sequence[Use], event: str) -> Iterator[Finding]:
    counts = found.events.get(event, {})
    before = [counts.get(number, 0) for number in found.baseline]
    recent, band, touched = counts.get(RECENT, 0), usual(before), _touches(uses, event)
    told = f"{recent:,} in the recent period, where {_range(band)} would be usual"
    if recent == 0 and band.low > 0:
        other = _stand_in(found, event, band)
        mend = f" {code(other)} appeared in its place: was the event renamed?" if other else ""
        message = f"{code(event)} has vanished: {told}.{mend}"
        yield Finding("event-vanished", message, event, None, touched, 0, band.low, band.high)
    elif recent < band.low:
        yield Finding(
            "volume-low", f"{code(event)} is rare: {told}.", event, None, touched, recent, band.low, band.high
        )
    elif recent > band.high and any(before):
        message = f"{code(event)} is frequent: {told}."
        yield Finding("volume-high", message, event, None, touched, recent, band.low, band.high)
    elif recent and not any(before):
        message = f"{code(event)} has appeared: {recent:,} in the recent period, none in those before it."
        yield Finding("event-appeared", message, event, None, touched, recent, 0, 0)


def _range(band: Band) -> str:
    return f"{round(band.low):,} to {round(band.high):,}"


def _stand_in(found: Profile, event: str, band: Band) -> str | None:
    """A new event of a like name, or else the only new one of about as many rows."""
    new = [
        name
        for name, counts in found.events.items()
        if counts.get(RECENT, 0) and not any(counts.get(number, 0) for number in found.baseline)
    ]
    alike = [name for name in new if band.low <= found.events[name][RECENT] <= band.high]
    return nearest(event, new) or (alike[0] if len(alike) == 1 else None)


def _property(found: Profile, uses: Sequence[Use], event: str, name: str) -> Iterator[Finding]:
    counts, known = found.events.get(event, {}), found.properties[event, name]
    rows, rows_before = counts.get(RECENT, 0), sum(counts.get(number, 0) for number in found.baseline)
    if not rows or not rows_before:
        return
    has, had = known.present.get(RECENT, 0), sum(known.present.get(number, 0) for number in found.baseline)
    touched = _touches(uses, event, name)
    what = f"{code(name)} of {code(event)}"
    told = f"{has / rows:.1%} of the rows have it in the recent period, {had / rows_before:.1%} before"
    shares = (has / rows, had / rows_before, had / rows_before)
    if differ(has, rows, had, rows_before, least=LEAST_SHARE):
        if has == 0:
            yield Finding("property-vanished", f"{what} has vanished: {told}.", event, name, touched, *shares)
        elif shares[0] < shares[1]:
            yield Finding("property-rarer", f"{what} is missing more often: {told}.", event, name, touched, *shares)
        else:
            yield Finding("property-appeared", f"{what} is there more often: {told}.", event, name, touched, *shares)
    if has and had:
        yield from _types(found, known, what, event, name, touched)
        yield from _vocabulary(uses, known, what, event, name, touched)


def _types(
    found: Profile, known: PropertyProfile, what: str, event: str, name: str, touched: Mapping[str, tuple[str, ...]]
) -> Iterator[Finding]:
    now = known.types.get(RECENT, {})
    before: dict[str, int] = {}
    for number in found.baseline:
        for kind, count in known.types.get(number, {}).items():
            before[kind] = before.get(kind, 0) + count
    for kind in sorted({*now, *before}):
        shares = now.get(kind, 0), sum(now.values()), before.get(kind, 0), sum(before.values())
        if differ(*shares, least=LEAST_SHARE) and shares[0] * shares[3] > shares[2] * shares[1]:
            message = (
                f"{what} has changed its type: {shares[0] / shares[1]:.1%} of its values are now of type {kind}, "
                f"{shares[2] / shares[3]:.1%} were before. Types are never coerced: filters may have stopped matching."
            )
            yield Finding(
                "type-changed", message, event, name, touched, shares[0] / shares[1], *[shares[2] / shares[3]] * 2
            )


def _vocabulary(
    uses: Sequence[Use],
    known: PropertyProfile,
    what: str,
    event: str,
    name: str,
    touched: Mapping[str, tuple[str, ...]],
) -> Iterator[Finding]:
    if known.values is None or any(use.unit for use in uses if (use.event, use.property) == (event, name)):
        return
    now, before = known.values
    total, total_before = sum(now.values()), sum(before.values())
    literals = {one for use in uses if (use.event, use.property) == (event, name) for one in use.literals}
    gone = [
        value
        for value, count in before.items()
        if value not in now and differ(0, total, count, total_before, least=0 if value in literals else COMMON)
    ]
    new = [
        value
        for value, count in now.items()
        if value not in before and differ(count, total, 0, total_before, least=COMMON)
    ]
    if gone:
        share = sum(before[value] for value in gone) / total_before
        message = f"{_values(gone)} of {what} no longer comes; {share:.1%} of the values were that before."
        yield Finding("value-vanished", message, event, name, touched, 0.0, share, share)
    if new:
        share = sum(now[value] for value in new) / total
        message = f"{_values(new)} of {what} is new; {share:.1%} of the recent values are that."
        yield Finding("value-appeared", message, event, name, touched, share, 0.0, 0.0)


def _values(values: Sequence[str]) -> str:
    shown = [repr(value) for value in sorted(values)]
    return f"the value {shown[0]}" if len(shown) == 1 else f"each of the values {listed(shown)}"
