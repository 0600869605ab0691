"""What one call of a sender amounts to. Times are microseconds since 1970 UTC; identities are non-empty texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

Holder = Literal["user", "account"]
"""Who has a trait."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened: one row of semantics 1. At least one of the three identities is given."""

    event: str
    time: int
    user_id: str | None = None
    anonymous_id: str | None = None
    account_id: str | None = None
    session_id: str | None = None
    properties: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traits:
    """Traits set for a user or an account. ``once``: only those that have no value yet are set; a null value leaves the
    trait as it was.
    """

    holder: Holder
    id: str
    time: int
    values: Mapping[str, Json]
    once: bool = False


@dataclass(frozen=True, slots=True)
class Identify:
    """``anonymous_id`` was seen to be ``user_id``."""

    anonymous_id: str
    user_id: str
    time: int


@dataclass(frozen=True, slots=True)
class Alias:
    """Two ids of one person, neither said to be the anonymous one; ``user_id`` is the one to keep."""

    previous_id: str
    user_id: str
    time: int


@dataclass(frozen=True, slots=True)
class Member:
    """``user_id`` (or the device ``anonymous_id``) belongs to ``account_id`` from ``time`` on."""

    account_id: str
    time: int
    user_id: str | None = None
    anonymous_id: str | None = None


Record: TypeAlias = Event | Traits | Identify | Alias | Member


@dataclass(frozen=True, slots=True)
class Arrival:
    """One accepted call. ``message_id`` (never empty) is kept for ever: a second arrival of the same adds nothing."""

    message_id: str
    received_at: int
    source: str
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """One call of a batch that cannot be kept: a stable ``code``, a sentence with the remedy, and what was sent."""

    code: str
    message: str
    received_at: int
    source: str
    body: str
