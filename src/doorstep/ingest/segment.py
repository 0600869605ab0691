"""Segment's tracking API: ``track identify page screen group alias``, alone or in a ``batch`` (RudderStack's too).

Time: ``timestamp`` (RudderStack: ``originalTimestamp``) is what the sender's clock said and is corrected to
``timestamp + (received_at - sentAt)`` when there is a ``sentAt``. Who sends two different ones, as Segment and
RudderStack do when they forward, has corrected ``timestamp`` already. Without either, the event happened on receipt.
"""

from __future__ import annotations

from typing import Final

from doorstep.errors import DeliveryError, nearest
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
from doorstep.ingest.context import told_by
from doorstep.ingest.records import Alias, Arrival, Event, Identify, Json, Member, Record, Traits

KINDS: Final = ("track", "identify", "page", "screen", "group", "alias")
SEEN: Final = {"page": "Page Viewed", "screen": "Screen Viewed"}
"""The event names of ``page`` and ``screen`` calls; which page it was is the property ``name``."""


def read(body: Json, *, kind: str | None, received_at: int, source: str, rules: Rules) -> Reading:
    """A body sent to ``/v1/<kind>``, or to ``/v1/batch`` when ``kind`` is None. Raises DeliveryError."""
    if not isinstance(body, dict):
        raise DeliveryError("not-an-object", "the body is not a JSON object. Send one call, or {batch: [...]}.")
    calls: Json = [body] if kind else body.get("batch")
    if not isinstance(calls, list):
        raise DeliveryError("no-batch", 'the body has no list of calls. Send {"batch": [{"type": "track", ...}]}.')
    delivery = Delivery(received_at, source, rules)
    return read_each(calls, delivery, lambda call: _alone(call, body, kind), _read_call)


def _alone(call: Call, body: Call, kind: str | None) -> Call:
    """The call with what its batch and its address say of it, and without the key."""
    whole = {name: value for name, value in call.items() if name != "writeKey"}
    if isinstance(shared := body.get("context"), dict) and call is not body:
        own = call.get("context")
        whole["context"] = shared | own if isinstance(own, dict) else shared
    whole["type"] = kind or call.get("type")  # also how `read_again` knows it for Segment's
    pass_on(body.get("sentAt"), "sentAt", whole)
    return whole


def _read_call(call: Call, delivery: Delivery, place: int) -> Arrival:
    kind = call.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        near = nearest(kind, KINDS) if isinstance(kind, str) else None
        raise Unfit("unknown-type", f"type {kind!r} is not one of {', '.join(KINDS)}. Send {near or 'track'}.")
    said = _Said(call, delivery)
    if said.user_id is None and said.anonymous_id is None:
        raise Unfit("no-identity", "the call has neither userId nor anonymousId. Send one of them.")
    timed = any(call.get(name) is not None for name in ("timestamp", "originalTimestamp"))
    name = message_id(call.get("messageId"), call, delivery, place, timed=timed)
    records = (*_RECORDS[kind](said), *said.membership())
    return Arrival(name, delivery.received_at, delivery.source, records)


class _Said:
    """A call's common fields."""

    def __init__(self, call: Call, delivery: Delivery) -> None:
        self.call = call
        self.context = mapping(call, "context")
        self.user_id = identity(call.get("userId"))
        self.anonymous_id = identity(call.get("anonymousId"))
        self.account_id = identity(call.get("groupId")) or identity(self.context.get("groupId"))
        self.time = _time(call, delivery)
        self.keep_ip = delivery.rules.keep_ip

    def event(self, name: str, properties: dict[str, Json]) -> Event:
        return Event(
            name,
            self.time,
            user_id=self.user_id,
            anonymous_id=self.anonymous_id,
            account_id=self.account_id,
            session_id=identity(self.context.get("sessionId")),
            properties=told_by(self.context, keep_ip=self.keep_ip) | properties,
        )

    def membership(self) -> tuple[Member, ...]:
        if self.account_id is None:
            return ()
        return (Member(self.account_id, self.time, self.user_id, self.anonymous_id),)


def _time(call: Call, delivery: Delivery) -> int:
    timestamp, original = moment(call, "timestamp"), moment(call, "originalTimestamp")
    if timestamp is not None and original is not None and timestamp != original:
        return timestamp
    said = original if timestamp is None else timestamp
    if said is None:
        return delivery.received_at
    return corrected(said, sent_at(call.get("sentAt")), delivery.received_at)


def _track(said: _Said) -> tuple[Record, ...]:
    name = said.call.get("event")
    if not isinstance(name, str) or not name.strip():
        raise Unfit("no-event", "a track call has no event name. Send it as event.")
    return (said.event(name, mapping(said.call, "properties")),)


def _view(said: _Said) -> tuple[Record, ...]:
    told = {name: said.call[name] for name in ("name", "category") if said.call.get(name) is not None}
    return (said.event(SEEN[str(said.call["type"])], told | mapping(said.call, "properties")),)


def _identify(said: _Said) -> tuple[Record, ...]:
    traits = mapping(said.context, "traits") | mapping(said.call, "traits")
    records: list[Record] = []
    if traits:
        records.append(Traits("user", said.user_id or said.anonymous_id or "", said.time, traits))
    if said.user_id and said.anonymous_id and said.user_id != said.anonymous_id:
        known_to_be_somebody(userId=said.user_id, anonymousId=said.anonymous_id)
        records.append(Identify(said.anonymous_id, said.user_id, said.time))
    return tuple(records)


def _group(said: _Said) -> tuple[Record, ...]:
    if said.account_id is None:
        raise Unfit("no-group", "a group call has no groupId. Send the account's id as groupId.")
    traits = mapping(said.call, "traits")
    return (Traits("account", said.account_id, said.time, traits),) if traits else ()


def _alias(said: _Said) -> tuple[Record, ...]:
    previous = identity(said.call.get("previousId"))
    user_id = said.user_id
    if previous is None or user_id is None:
        raise Unfit("no-alias", "an alias call needs previousId and userId. Send both.")
    if previous == user_id:
        return ()
    known_to_be_somebody(previousId=previous, userId=user_id)
    return (Alias(previous, user_id, said.time),)


_RECORDS: Final = {
    "track": _track,
    "page": _view,
    "screen": _view,
    "identify": _identify,
    "group": _group,
    "alias": _alias,
}
