"""Instants: how the times of a source are read, in SQL and for a single text (semantics 1).

An instant is a whole number of microseconds since 1970-01-01 UTC, between the years 1 and 9999. Texts are ISO 8601:
a date, or date and time with up to any number of decimals (cut to microseconds), with or without an offset. A time
without one is read in the source's zone; where that zone's clocks skip an hour, such a time is read as if they had not
yet been put forward; where they repeat one, the second pass is meant (both as ICU does).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from doorstep.errors import SourceError, nearest
from doorstep.rows import quoting

FIRST: Final = -62_135_596_800_000_000
"""The first instant of the year 1."""
LAST: Final = 253_402_300_799_999_999
"""The last instant of the year 9999."""

_DATE: Final = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_CLOCK: Final = r"(?:[01]\d|2[0-3]):[0-5]\d"
_SECONDS: Final = r":[0-5]\d(?:\.\d+)?"
_OFFSET: Final = r"(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)"
_NAIVE: Final = f"{_DATE}(?:[T ]{_CLOCK}(?:{_SECONDS})?)?"
_WITH_OFFSET: Final = f"{_DATE}[T ]{_CLOCK}{_SECONDS} ?{_OFFSET}"
_WITH_OFFSET_NO_SECONDS: Final = f"{_DATE}[T ]{_CLOCK} ?{_OFFSET}"
_PARTS: Final = re.compile(
    rf"({_DATE})(?:[T ]({_CLOCK})(:[0-5]\d)?(?:\.(\d+))? ?({_OFFSET})?)?", re.ASCII | re.IGNORECASE
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = 86_400_000_000
_INTEGERS: Final = frozenset(
    {"tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"}
)


def check_timezone(name: str) -> str:
    """``name`` when it is an IANA time zone; else SourceError ``unknown-timezone``."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        import zoneinfo  # noqa: PLC0415 - the list of all zones is read from disk, for this message only

        near = nearest(name, zoneinfo.available_timezones())
        raise SourceError(
            "unknown-timezone",
            f"{name!r} is not a time zone. Give an IANA name such as "
            + (f"{near}." if near else "UTC, Europe/Berlin or America/New_York."),
        ) from None
    return name


def instant(value: str) -> int | None:
    """Microseconds of an ISO 8601 text, naive ones read as UTC; None when it is not one."""
    found = _PARTS.fullmatch(value.strip(" "))
    if found is None or (found[4] and not found[3]):
        return None
    day, clock, seconds, fraction, offset = found.groups()
    text = f"{day}T{clock or '00:00'}{seconds or ':00'}.{(fraction or '').ljust(6, '0')[:6]}"
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    return in_range(microseconds(local) - _offset(offset))


def microseconds(value: date) -> int:
    """Microseconds of a Python date or datetime; naive ones read as UTC."""
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def in_range(us: int) -> int | None:
    """``us`` when it lies in the years 1 to 9999, else None."""
    return us if FIRST <= us <= LAST else None


def _offset(text: str | None) -> int:
    if text is None or text in "Zz":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    size = (int(digits[:2]) * 60 + int(digits[2:])) * 60_000_000
    return -size if text[0] == "-" else size


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """The SQL of a time column. ``kind`` says what the raw column holds.

    ``guarded``: values outside the years 1 to 9999 may occur and must be read as null. No readable time is earlier than
    ``low`` or later than ``high``, where those are known.
    """

    raw: str
    kind: str
    zone: str
    guarded: bool = True
    low: int = FIRST
    high: int = LAST

    @property
    def us(self) -> str:
        """BIGINT microseconds UTC; NULL where the value is absent or unreadable."""
        found = _EXPRESSIONS[self.kind](self.raw, self.zone)
        return f"(CASE WHEN {found} BETWEEN {FIRST} AND {LAST} THEN {found} END)" if self.guarded else found

    def bound(self, operator: str, us: int) -> str:
        """SQL of ``time operator us`` (``>=`` or ``<=``) that a Parquet scan can use to skip row groups."""
        if us <= self.low if operator == ">=" else us >= self.high:
            return f"({self.us} IS NOT NULL)" if self.guarded else "true"
        if us > self.high if operator == ">=" else us < self.low:
            return "false"
        exact = f"{self.us} {operator} {us}"
        if self.kind == "integer":
            return f"({self.raw} {operator} {us})" if not self.guarded else f"({self.raw} {operator} {us} AND {exact})"
        if self.kind not in {"timestamp", "timestamptz", "timestamp_ns"}:
            return f"({exact})"
        local = self.kind != "timestamptz" and self.zone != "UTC"
        nano = self.kind == "timestamp_ns"
        slack = 2 * _DAY if local else 1_000 if nano else 0
        coarse = self._literal(us - slack if operator == ">=" else us + slack)
        rough = f"{self.raw} {operator} {coarse}" if coarse else "true"
        return f"({rough} AND {exact})" if slack or self.guarded else f"({rough})"

    def _literal(self, us: int) -> str | None:
        """``us`` in the raw column's own type; None when the type's literals do not reach so far."""
        if not FIRST <= us <= LAST or (self.kind == "timestamp_ns" and abs(us) > 9_000_000_000_000_000):
            return None
        moment = (_EPOCH + us * _MICROSECOND).replace(tzinfo=None).isoformat(" ", "microseconds")
        if self.kind == "timestamptz":
            return f"TIMESTAMPTZ '{moment}+00'"
        return f"TIMESTAMP_NS '{moment}'" if self.kind == "timestamp_ns" else f"TIMESTAMP '{moment}'"


def kind_of(type_id: str, type_name: str) -> str | None:
    """How a column of this DuckDB type is read as time; None when it cannot be."""
    if type_name == "JSON":
        return "json"
    if type_id in _INTEGERS:
        return "integer"
    return {
        "timestamp": "timestamp",
        "timestamp_s": "timestamp_other",
        "timestamp_ms": "timestamp_other",
        "date": "timestamp_other",
        "timestamp_ns": "timestamp_ns",
        "timestamp with time zone": "timestamptz",
        "varchar": "text",
        "enum": "text",
        "double": "number",
        "float": "number",
        "decimal": "number",
    }.get(type_id)


def _local(raw: str, zone: str) -> str:
    """Microseconds of a naive timestamp read in ``zone``; infinity is null."""
    return f"epoch_us({raw})" if zone == "UTC" else f"epoch_us(timezone({quoting.text(zone)}, {raw}))"


def _nanoseconds(raw: str, zone: str) -> str:
    ns = f"epoch_ns({raw})"
    floor = f"(({ns} - (({ns} % 1000) + 1000) % 1000) // 1000)"
    return floor if zone == "UTC" else _local(f"make_timestamp({floor})", zone)


def _text(raw: str, zone: str) -> str:
    t = f"upper(trim({raw}))"
    return (
        f"(CASE WHEN regexp_full_match({t}, '{_WITH_OFFSET}') THEN epoch_us(TRY_CAST({_tight(t)} AS TIMESTAMPTZ))"
        f" WHEN regexp_full_match({t}, '{_NAIVE}') THEN {_local(f'TRY_CAST({t} AS TIMESTAMP)', zone)}"
        f" WHEN regexp_full_match({t}, '{_WITH_OFFSET_NO_SECONDS}') THEN"
        f" epoch_us(TRY_CAST(left({_tight(t)}, 16) || ':00' || substr({_tight(t)}, 17) AS TIMESTAMPTZ)) END)"
    )


def _tight(t: str) -> str:
    """Date and time joined by T and the offset right behind, as DuckDB wants it."""
    return f"(left({t}, 10) || 'T' || replace(substr({t}, 12), ' ', ''))"


def _csv(raw: str, zone: str) -> str:
    whole = f"regexp_full_match({raw}, '-?\\d{{1,18}}')"
    return f"(CASE WHEN {whole} THEN TRY_CAST({raw} AS BIGINT) ELSE {_text(raw, zone)} END)"


def _json(raw: str, zone: str) -> str:
    string = f"({raw} ->> '$')"
    return (
        f"(CASE json_type({raw}) WHEN 'VARCHAR' THEN {_text(string, zone)}"
        f" WHEN 'UBIGINT' THEN TRY_CAST({string} AS BIGINT) WHEN 'BIGINT' THEN TRY_CAST({string} AS BIGINT)"
        f" WHEN 'DOUBLE' THEN {_number(f'TRY_CAST({string} AS DOUBLE)', zone)} END)"
    )


def _number(raw: str, _zone: str) -> str:
    return f"(CASE WHEN {raw} = trunc({raw}) AND abs({raw}) < 9007199254740992 THEN CAST({raw} AS BIGINT) END)"


_EXPRESSIONS: Final[dict[str, Callable[[str, str], str]]] = {
    "timestamp": _local,
    "timestamp_other": lambda raw, zone: _local(f"CAST({raw} AS TIMESTAMP)", zone),
    "timestamp_ns": _nanoseconds,
    "timestamptz": lambda raw, _zone: f"epoch_us({raw})",
    "integer": lambda raw, _zone: f"TRY_CAST({raw} AS BIGINT)",
    "number": _number,
    "text": lambda raw, zone: _text(f"CAST({raw} AS VARCHAR)", zone),
    "csv": _csv,
    "json": _json,
    "us": lambda raw, _zone: raw,
}
