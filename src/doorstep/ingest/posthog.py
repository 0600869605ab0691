"""PostHog's capture API: one event, a list of them, or ``{batch: [...]}``.

Time: ``timestamp`` is corrected to ``timestamp + (received_at - sent_at)`` when there is a ``sent_at`` (and no
``$ignore_sent_at``); without ``timestamp``, ``offset`` is how many milliseconds ago it was; without either, on receipt.

Identity: a ``distinct_id`` is a user's id, unless the event itself says that it is still the device's own:
``$is_identified`` is false, or, where that is not said, ``$process_person_profile`` is false or it equals
``$device_id``. No event is judged by what came before it, so the same events always give the same records.
"""

from __future__ import annotations

from typing import Final

from doorstep.errors import DeliveryError
from doorstep.ingest.calls import (
    Call,
    Delivery,
    Reading,
    Rules,
    Unfit,
    corrected,
    identity,
    known_to_be_somebody,
    mapping,
    message_id,
    moment,
    pass_on,
    read_each,
    sent_at,
)
from doorstep.ingest.records import Alias, Arrival, Event, Identify, Json, Member, Record, Traits

ACCOUNT: Final = "company"
"""The group type that is the account when none is set and several are sent."""
_NOT_PROPERTIES: Final = frozenset({"$set", "$set_once", "token", "distinct_id", "$ip"})
_PREVIOUS_FIRST: Final = frozenset({"posthog-python"})
"""SDKs whose alias call sends the id to give up as ``distinct_id`` and the one to keep as ``alias``."""


def read(body: Json, *, received_at: int, source: str, rules: Rules) -> Reading:
    """A body in any of the forms that PostHog's SDKs send. Raises DeliveryError."""
    envelope: Call = body if isinstance(body, dict) else {}
    calls: Json = envelope.get("batch", [body]) if isinstance(body, dict) else body
    if not isinstance(calls, list):
        raise DeliveryError("no-batch", 'the body has no list of events. Send {"api_key": ..., "batch": [...]}.')
    delivery = Delivery(received_at, source, rules)
    return read_each(calls, delivery, lambda call: _alone(call, envelope), _read_call)


def _alone(call: Call, envelope: Call) -> Call:
    """The event with what its batch says of it, and without the key."""
    whole = {name: value for name, value in call.items() if name not in {"api_key", "token", "type"}}
    pass_on(envelope.get("sent_at"), "sent_at", whole)
    return whole


def _read_call(call: Call, delivery: Delivery, place: int) -> Arrival:
    said = _Said(call, delivery)
    timed = any(call.get(name) is not None for name in ("timestamp", "offset"))
    name = message_id(call.get("uuid"), call, delivery, place, timed=timed)
    match said.name:
        case "$identify":
            records = (*said.traits(), *_identify(said))
        case "$create_alias" | "$merge_dangerously":
            records = _alias(said)
        case "$groupidentify":
            records = _group(said, delivery.rules.account_group)
        case "$set" | "$set_once":
            records = said.traits()
        case _:
            records = (_event(said, delivery.rules), *said.traits(), *said.membership(delivery.rules))
    return Arrival(name, delivery.received_at, delivery.source, records)


class _Said:
    """An event's common fields."""

    def __init__(self, call: Call, delivery: Delivery) -> None:
        name = call.get("event")
        if not isinstance(name, str) or not name.strip():
            raise Unfit("no-event", "the event has no name. Send it as event.")
        self.call = call
        self.name = name
        self.properties = mapping(call, "properties")
        self.time = _time(call, self.properties, delivery)
        found = identity(call.get("distinct_id")) or identity(self.properties.get("distinct_id"))
        if found is None:
            raise Unfit("no-identity", "the event has no distinct_id. Send who did it.")
        self.distinct_id = found

    def anonymous(self) -> bool:
        """Whether the ``distinct_id`` is still the device's own."""
        identified = self.properties.get("$is_identified")
        return identified is False or (
            identified is not True
            and (
                self.properties.get("$process_person_profile") is False
                or identity(self.properties.get("$device_id")) == self.distinct_id
            )
        )

    def traits(self) -> tuple[Record, ...]:
        """What ``$set`` and ``$set_once`` set, wherever they stand."""
        found: list[Record] = []
        for name, once in (("$set", False), ("$set_once", True)):
            values = mapping(self.properties, name) | mapping(self.call, name)
            if values:
                found.append(Traits("user", self.distinct_id, self.time, values, once=once))
        return tuple(found)

    def account(self, rules: Rules) -> str | None:
        groups = mapping(self.properties, "$groups")
        wanted = rules.account_group or (ACCOUNT if ACCOUNT in groups or len(groups) != 1 else next(iter(groups)))
        return identity(groups.get(wanted))

    def membership(self, rules: Rules) -> tuple[Record, ...]:
        account_id = self.account(rules)
        if account_id is None:
            return ()
        user_id, anonymous_id = (None, self.distinct_id) if self.anonymous() else (self.distinct_id, None)
        return (Member(account_id, self.time, user_id, anonymous_id),)


def _time(call: Call, properties: Call, delivery: Delivery) -> int:
    said = moment(call, "timestamp")
    if said is not None:
        sent = None if properties.get("$ignore_sent_at") is True else sent_at(call.get("sent_at"))
        return corrected(said, sent, delivery.received_at)
    offset = call.get("offset")
    if isinstance(offset, int | float) and not isinstance(offset, bool):
        if abs(offset) > 1e15:
            raise Unfit("bad-time", "offset is too many milliseconds. Send how long ago it was.")
        return corrected(delivery.received_at - round(offset * 1000), None, delivery.received_at)
    return delivery.received_at


def _event(said: _Said, rules: Rules) -> Event:
    dropped = _NOT_PROPERTIES - {"$ip"} if rules.keep_ip else _NOT_PROPERTIES
    anonymous = said.anonymous()
    return Event(
        said.name,
        said.time,
        user_id=None if anonymous else said.distinct_id,
        anonymous_id=said.distinct_id if anonymous else None,
        account_id=said.account(rules),
        session_id=identity(said.properties.get("$session_id")),
        properties={name: value for name, value in said.properties.items() if name not in dropped},
    )


def _identify(said: _Said) -> tuple[Record, ...]:
    anonymous_id = identity(said.properties.get("$anon_distinct_id"))
    if anonymous_id is None or anonymous_id == said.distinct_id:
        return ()
    known_to_be_somebody(distinct_id=said.distinct_id, anon_distinct_id=anonymous_id)
    return (Identify(anonymous_id, said.distinct_id, said.time),)


def _alias(said: _Said) -> tuple[Record, ...]:
    alias = identity(said.properties.get("alias"))
    kept = identity(said.properties.get("distinct_id")) or said.distinct_id
    if alias is None:
        raise Unfit("no-alias", "the event has no alias among its properties. Send the person's other id.")
    if alias == kept:
        return ()
    known_to_be_somebody(distinct_id=kept, alias=alias)
    if said.properties.get("$lib") in _PREVIOUS_FIRST:
        alias, kept = kept, alias
    return (Alias(alias, kept, said.time),)


def _group(said: _Said, account_group: str | None) -> tuple[Record, ...]:
    kind, key = said.properties.get("$group_type"), identity(said.properties.get("$group_key"))
    if not isinstance(kind, str) or key is None:
        raise Unfit("no-group", "$groupidentify needs $group_type and $group_key. Send both.")
    if account_group is not None and kind != account_group:
        raise Unfit("other-group", f"groups of type {kind!r} are not kept: accounts are of type {account_group!r}.")
    traits = mapping(said.properties, "$group_set")
    return (Traits("account", key, said.time, traits),) if traits else ()
