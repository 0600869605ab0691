"""Which of a source's names stand for ours: declared by the caller, else found among the common spellings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from doorstep.definitions.against_data import ACCOUNTS, USERS
from doorstep.errors import SourceError, nearest

EVENT: Final = "event"
TIME: Final = "time"
MESSAGE_ID: Final = "message_id"

COMMON: Final[dict[str, tuple[str, ...]]] = {
    EVENT: ("event", "event_name", "eventname", "name", "event_type", "type", "action"),
    TIME: (
        "time",
        "timestamp",
        "ts",
        "event_time",
        "event_timestamp",
        "occurred_at",
        "created_at",
        "time_utc",
        "datetime",
    ),
    "user_id": USERS,
    "account_id": ACCOUNTS,
    "session_id": ("session_id", "sessionid", "$session_id"),
    "anonymous_id": ("anonymous_id", "anonymousid", "anon_id", "device_id"),
    MESSAGE_ID: ("message_id", "messageid", "$insert_id", "insert_id", "uuid"),
}
"""Ours → theirs, best first; capitals do not matter."""


@dataclass(frozen=True, slots=True)
class Names:
    """Ours → theirs for every name that is not the same on both sides or is one of `COMMON`, and what was chosen."""

    theirs: Mapping[str, str]
    notes: tuple[str, ...]

    def of(self, ours: str) -> str:
        """What the source calls our name."""
        return self.theirs.get(ours, ours)


def match_names(known: Sequence[str], columns: Mapping[str, str], where: str) -> Names:
    """Match our names with those the source has; SourceError when a declared one, event or time is not there."""
    theirs: dict[str, str] = {}
    notes: list[str] = []
    for ours, name in columns.items():
        if name not in known and not _inside(name, known):
            raise SourceError(
                "no-such-column", f"{ours} is mapped to {name!r}, but {where} has {_or_near(name, known)}"
            )
        theirs[ours] = name
    taken = set(theirs.values())
    for ours, spellings in COMMON.items():
        if ours in theirs:
            continue
        found = _candidates(spellings, [name for name in known if name not in taken])
        if found:
            theirs[ours] = found[0]
            if len(found) > 1 and found[0] != ours:
                others = ", ".join(found[1:])
                notes.append(f"{found[0]} is read as {ours}; {others} could be it too (map {ours} to choose).")
    return Names(theirs, tuple(notes))


def require(names: Names, ours: str, known: Sequence[str], where: str) -> str:
    """What the source calls ``event`` or ``time``; SourceError when nothing stands for it."""
    if ours in names.theirs:
        return names.theirs[ours]
    shown = ", ".join(known[:30]) + (", …" if len(known) > 30 else "")
    raise SourceError(
        f"no-{ours}-column",
        f"{where} has no column that is the {_MEANING[ours]}. Its columns are: {shown or 'none'}. "
        f"Say which it is: --map {ours}=COLUMN, or columns={{{ours!r}: 'COLUMN'}} in Python.",
    )


_MEANING: Final = {EVENT: "event's name", TIME: "event's time"}


def _candidates(spellings: Iterable[str], known: Sequence[str]) -> list[str]:
    return [name for spelling in spellings for name in _spelt(spelling, known)]


def _spelt(spelling: str, known: Sequence[str]) -> list[str]:
    """Exactly so first, then whatever its capitals."""
    exact = [name for name in known if name == spelling]
    return exact + [name for name in known if name != spelling and name.casefold() == spelling]


def _inside(name: str, known: Sequence[str]) -> bool:
    """Whether a dotted name may lie inside a column, at any depth."""
    head, dot, _ = name.partition(".")
    return bool(dot) and head in known


def _or_near(name: str, known: Sequence[str]) -> str:
    near = nearest(name, known)
    listed = ", ".join(known[:30]) + (", …" if len(known) > 30 else "")
    return f"no such column. Did you mean {near!r}?" if near else f"no such column. Its columns are: {listed}."


def refuse_repeated(names: Iterable[str], where: str) -> None:
    """SourceError for two columns of one name, capitals aside: which of them is meant, nobody could tell."""
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise SourceError(
                "repeated-column", f"{where} has two columns named {name!r} (capitals aside). Rename one of them."
            )
        seen.add(name.casefold())
