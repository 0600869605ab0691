"""What every tracking API has in common: a delivery of calls, each of which is kept or rejected for itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import orjson

from doorstep.errors import DeliveryError
from doorstep.ingest.records import Arrival, Json, Rejected
from doorstep.rows.times import in_range, instant

Call: TypeAlias = Mapping[str, Json]

NOBODY: Final = frozenset(
    {"anonymous", "guest", "distinctid", "distinct_id", "id", "not_authenticated", "email", "undefined", "null", "none"}
    | {"nil", "nan", "true", "false", "0", "[object object]", "unknown", "00000000-0000-0000-0000-000000000000"}
)
"""What broken code sends for an id, in lower case; a link to one of these would make one person of many."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is read and how: bytes of one call as compact JSON, calls of one batch, the group type that is the account
    (None: see the PostHog reader), and whether addresses of senders are kept.
    """

    event_bytes: int
    batch_calls: int = 20_000
    account_group: str | None = None
    keep_ip: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """What holds for all calls that came together."""

    received_at: int
    source: str
    rules: Rules


@dataclass(frozen=True, slots=True)
class Reading:
    """What a delivery amounts to. ``places``: where each rejected call stood in the batch, from 0."""

    arrivals: tuple[Arrival, ...]
    rejected: tuple[Rejected, ...]
    places: tuple[int, ...]


class Unfit(Exception):  # noqa: N818 - not an error of ours: a reason that `read_each` turns into a `Rejected`
    """Why one call is not kept."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


Read = Callable[[Call, Delivery, int], Arrival]
"""One call and its place in the batch, read; raises `Unfit`."""


def read_each(calls: Sequence[Json], delivery: Delivery, alone: Callable[[Call], Call], read: Read) -> Reading:
    """Every call for itself. ``alone`` makes of a call what it would be without its batch, so that a reject can be read
    again. Raises DeliveryError ``too-many-calls``.
    """
    if len(calls) > delivery.rules.batch_calls:
        raise DeliveryError(
            "too-many-calls",
            f"a batch holds at most {delivery.rules.batch_calls:,} calls, not {len(calls):,}. Send several batches.",
        )
    arrivals: list[Arrival] = []
    rejected: list[Rejected] = []
    places: list[int] = []
    for place, call in enumerate(calls):
        whole: Json = call
        try:
            if not isinstance(call, dict):
                raise Unfit("not-an-object", "a call is a JSON object. Send one for each event.")
            whole = dict(alone(call))
            _check_size(call, delivery.rules.event_bytes)
            arrivals.append(read(whole, delivery, place))
        except Unfit as why:
            rejected.append(Rejected(why.code, why.message, delivery.received_at, delivery.source, _text(whole)))
            places.append(place)
    return Reading(tuple(arrivals), tuple(rejected), tuple(places))


def _check_size(call: Call, most: int) -> None:
    try:
        size = len(orjson.dumps(call))
    except orjson.JSONEncodeError:
        raise Unfit("too-deep", "a call is nested deeper than 250 levels. Send flatter properties.") from None
    if size > most:
        raise Unfit(
            "event-too-large", f"a call may take {most:,} bytes as JSON, not {size:,}. Send shorter properties."
        )


def _text(call: Json) -> str:
    """JSON of what was sent, so that it can be mended and sent again."""
    try:
        return orjson.dumps(call).decode()
    except orjson.JSONEncodeError:
        return json.dumps(_shallow(call, 20), ensure_ascii=False)


def _shallow(value: Json, levels: int) -> Json:
    if levels == 0 and isinstance(value, dict | list):
        return "(nested deeper)"
    if isinstance(value, dict):
        return {name: _shallow(one, levels - 1) for name, one in value.items()}
    return [_shallow(one, levels - 1) for one in value] if isinstance(value, list) else value


def message_id(said: Json, call: Call, delivery: Delivery, place: int, *, timed: bool) -> str:
    """What the sender calls the call; else a digest of its content, so that a repeated delivery is known.

    A call that says neither its id nor its time (not ``timed``) means "now": each delivery of it is one of its own.
    """
    found = identity(said)
    if found is not None:
        return found
    content = {name: value for name, value in call.items() if name not in {"sentAt", "sent_at"}}
    digest = hashlib.sha256(orjson.dumps([delivery.source, content], option=orjson.OPT_SORT_KEYS))
    if not timed:
        digest.update(f"{delivery.received_at} {place}".encode())
    return f"content-{digest.hexdigest()[:40]}"


def identity(value: Json) -> str | None:
    """An id as text; None where there is none. Whole numbers are ids too."""
    match value:
        case bool():
            return None
        case str():
            return value if value.strip() else None
        case int():
            return str(value)
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return None


def known_to_be_somebody(**ids: str) -> None:
    """Refuses to link ids that broken code sends for everybody."""
    for name, value in ids.items():
        if value.strip().casefold() in NOBODY:
            raise Unfit("illegal-id", f"{name} {value!r} stands for nobody. Link only ids of one person each.")


def mapping(call: Call, name: str) -> dict[str, Json]:
    """The object under ``name``, or an empty one."""
    value = call.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unfit("not-an-object", f"{name} is not a JSON object. Send names with values.")
    return value


def moment(call: Call, name: str) -> int | None:
    """The instant under ``name``, naive ones read as UTC; None when there is none."""
    value = call.get(name)
    if value is None or value == "":
        return None
    found = instant(value) if isinstance(value, str) else None
    if found is None:
        raise Unfit("bad-time", f"{name} {str(value)[:60]!r} is no ISO 8601 time. Write 2026-03-01T12:00:00Z.")
    return found


def sent_at(value: Json) -> int | None:
    """When the sender's clock says that it sent; an unreadable time is none, so that no event is lost to it."""
    return _instant_sent(value) if isinstance(value, str) else None


@lru_cache(maxsize=64)
def _instant_sent(value: str) -> int | None:
    """Kept, since all calls of a batch have the same."""
    return instant(value)


def pass_on(sent: Json, name: str, call: dict[str, Json]) -> None:
    """Gives a call its batch's time of sending under ``name``, unless it has a readable one of its own."""
    if sent is not None and sent_at(call.get(name)) is None:
        call[name] = sent


def corrected(said: int, sent: int | None, received_at: int) -> int:
    """``said`` by our clock: a clock that was wrong when sending was as wrong before. said + (received - sent)."""
    time = in_range(said if sent is None else said + received_at - sent)
    if time is None:
        raise Unfit("bad-time", "the event's time lies outside of the years 1 to 9999. Check the sender's clock.")
    return time
