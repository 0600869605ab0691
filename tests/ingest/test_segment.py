"""Segment's tracking API as records."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from doorstep.errors import DeliveryError
from doorstep.ingest import segment
from doorstep.ingest.calls import Reading, Rules
from doorstep.ingest.records import Alias, Event, Identify, Member, Record, Traits

RULES = Rules(event_bytes=32 * 1024)
NOON = 1_772_366_400_000_000
"""2026-03-01 12:00 UTC."""
SECOND = 1_000_000
AT_NOON = "2026-03-01T12:00:00Z"


def reading(body: Any, kind: str | None = None, rules: Rules = RULES, received_at: int = NOON) -> Reading:
    return segment.read(body, kind=kind, received_at=received_at, source="shop", rules=rules)


def records(kind: str, **call: Any) -> tuple[Record, ...]:
    found = reading({"timestamp": AT_NOON, **call}, kind)
    assert found.rejected == ()
    (arrival,) = found.arrivals
    return arrival.records


def why(kind: str, **call: Any) -> str:
    found = reading(call, kind)
    assert found.arrivals == ()
    assert found.places == (0,)
    return found.rejected[0].code


def test_a_track_call_is_an_event_with_the_senders_properties() -> None:
    """Name, identities and properties are kept as they were sent."""
    expected = Event("Order Placed", NOON, user_id="u1", anonymous_id="a1", properties={"total": 9.5, "items": [1]})
    sent = records(
        "track", event="Order Placed", userId="u1", anonymousId="a1", properties={"total": 9.5, "items": [1]}
    )
    assert sent == (expected,)


def test_pages_and_screens_are_events_of_one_name_each() -> None:
    """Which page it was is a property, so that one step of a funnel can mean any page or one."""
    seen = {"name": "Pricing", "category": "Docs"}
    assert records("page", anonymousId="a", **seen) == (Event("Page Viewed", NOON, anonymous_id="a", properties=seen),)
    assert records("screen", userId="u", name="Home") == (
        Event("Screen Viewed", NOON, user_id="u", properties={"name": "Home"}),
    )


def test_what_the_sender_says_wins_over_what_is_derived() -> None:
    """A property of the sender's own is never overwritten by a page's name or by the context."""
    own = {"name": "mine", "context_page_url": "mine"}
    context = {"page": {"url": "/pricing", "path": "/pricing"}}
    (event,) = records("page", userId="u", name="Pricing", properties=own, context=context)
    assert isinstance(event, Event)
    assert event.properties == {**own, "context_page_path": "/pricing"}


def test_the_context_becomes_properties_under_segments_own_warehouse_names() -> None:
    """What analysts ask about is kept; an address only when the settings say so."""
    context: dict[str, Any] = {
        "page": {"url": "https://x.test/a", "title": None},
        "os": {"name": "iOS", "version": "18"},
        "device": {"type": "ios", "id": "not kept"},
        "campaign": {"source": "newsletter"},
        "library": {"name": "analytics.js"},
        "locale": "de-DE",
        "userAgent": "Mozilla",
        "ip": "192.0.2.1",
        "sessionId": 17,
    }
    expected = {
        "context_page_url": "https://x.test/a",
        "context_os_name": "iOS",
        "context_os_version": "18",
        "context_device_type": "ios",
        "context_campaign_source": "newsletter",
        "context_library_name": "analytics.js",
        "context_locale": "de-DE",
        "context_user_agent": "Mozilla",
    }
    call = {"event": "e", "userId": "u", "context": context, "timestamp": AT_NOON}
    assert records("track", **call) == (Event("e", NOON, user_id="u", session_id="17", properties=expected),)
    with_ip = reading(call, "track", Rules(32 * 1024, keep_ip=True)).arrivals[0].records[0]
    assert isinstance(with_ip, Event)
    assert with_ip.properties == {**expected, "context_ip": "192.0.2.1"}


def test_identify_sets_traits_and_links_when_both_ids_are_there() -> None:
    """Traits of the call go before those of the context, where RudderStack puts them."""
    both = records(
        "identify", userId="u", anonymousId="a", traits={"plan": "pro"}, context={"traits": {"plan": "x", "n": 1}}
    )
    assert both == (Traits("user", "u", NOON, {"plan": "pro", "n": 1}), Identify("a", "u", NOON))
    assert records("identify", anonymousId="a", traits={"plan": "pro"}) == (Traits("user", "a", NOON, {"plan": "pro"}),)
    assert records("identify", userId="u", anonymousId="u") == ()


def test_group_sets_the_accounts_traits_and_makes_a_member() -> None:
    """A group call says who belongs to which account, and what that account is like."""
    assert records("group", userId="u", groupId="acme", traits={"seats": 9}) == (
        Traits("account", "acme", NOON, {"seats": 9}),
        Member("acme", NOON, "u"),
    )


@pytest.mark.parametrize("place", [{"context": {"groupId": "acme"}}, {"groupId": "acme"}])
def test_an_event_in_a_group_is_the_accounts(place: dict[str, Any]) -> None:
    """The event carries its account, and its user is a member from then on."""
    assert records("track", event="e", anonymousId="a", **place) == (
        Event("e", NOON, anonymous_id="a", account_id="acme"),
        Member("acme", NOON, None, "a"),
    )


def test_an_alias_joins_two_ids() -> None:
    """The user's id is the one to keep."""
    assert records("alias", previousId="old", userId="new") == (Alias("old", "new", NOON),)


def test_whole_numbers_are_ids_too() -> None:
    """A sender that has numbers for ids is understood."""
    assert records("track", event="e", userId=42) == (Event("e", NOON, user_id="42"),)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"timestamp": AT_NOON, "sentAt": "2026-03-01T12:00:30Z"}, NOON + 30 * SECOND),
        ({"timestamp": AT_NOON, "sentAt": "2026-03-01T12:02:00Z"}, NOON - 60 * SECOND),
        ({"timestamp": AT_NOON}, NOON),
        ({"timestamp": "2026-03-01T12:00:00"}, NOON),
        ({"timestamp": "2026-03-01T13:00:00+01:00", "sentAt": "nonsense"}, NOON),
        ({"originalTimestamp": AT_NOON, "sentAt": "2026-03-01T12:00:30Z"}, NOON + 30 * SECOND),
        ({"timestamp": AT_NOON, "originalTimestamp": "2020-01-01", "sentAt": "2020-01-01"}, NOON),
        ({"sentAt": "2020-01-01"}, NOON + 60 * SECOND),
    ],
)
def test_times_are_corrected_by_how_wrong_the_senders_clock_is(times: dict[str, str], expected: int) -> None:
    """timestamp + (received_at - sentAt): a clock that is an hour slow when sending was so before."""
    found = reading({"event": "e", "userId": "u", **times}, "track", received_at=NOON + 60 * SECOND)
    assert found.arrivals[0].records == (Event("e", expected, user_id="u"),)


def test_a_batch_gives_its_time_of_sending_and_its_context_to_its_calls() -> None:
    """A call's own goes first."""
    calls: list[Any] = [
        {"type": "track", "event": "e", "userId": "u", "timestamp": AT_NOON},
        {
            "type": "track",
            "event": "f",
            "userId": "u",
            "timestamp": AT_NOON,
            "sentAt": AT_NOON,
            "context": {"locale": "fr"},
        },
    ]
    body = {"batch": calls, "sentAt": "2026-03-01T11:59:59Z", "context": {"locale": "de"}}
    assert [arrival.records for arrival in reading(body).arrivals] == [
        (Event("e", NOON + SECOND, user_id="u", properties={"context_locale": "de"}),),
        (Event("f", NOON, user_id="u", properties={"context_locale": "fr"}),),
    ]


@pytest.mark.parametrize(
    ("code", "kind", "call"),
    [
        ("no-identity", "track", {"event": "e"}),
        ("no-identity", "group", {"groupId": "g"}),
        ("no-identity", "track", {"event": "e", "userId": "  ", "anonymousId": True}),
        ("no-event", "track", {"userId": "u", "event": ""}),
        ("no-event", "track", {"userId": "u", "event": 7}),
        ("no-group", "group", {"userId": "u"}),
        ("no-alias", "alias", {"userId": "u"}),
        ("bad-time", "track", {"userId": "u", "event": "e", "timestamp": "yesterday"}),
        ("bad-time", "track", {"userId": "u", "event": "e", "timestamp": 1_772_366_400}),
        ("bad-time", "track", {"userId": "u", "event": "e", "timestamp": "9999-12-31", "sentAt": "0001-01-01"}),
        ("not-an-object", "track", {"userId": "u", "event": "e", "properties": [1]}),
        ("event-too-large", "track", {"userId": "u", "event": "e", "properties": {"x": "y" * 33_000}}),
        ("illegal-id", "identify", {"userId": "u", "anonymousId": "undefined"}),
        ("illegal-id", "alias", {"userId": "null", "previousId": "p"}),
    ],
)
def test_a_call_that_cannot_be_kept_says_why(code: str, kind: str, call: dict[str, Any]) -> None:
    """Each reason has its code."""
    assert why(kind, **call) == code


@pytest.mark.parametrize("kind", ["track", None])
def test_a_call_may_be_as_large_as_is_said(kind: str | None) -> None:
    """32 KB as it was sent, alone or in a batch; one byte more is too much."""
    call = {"type": "track", "event": "e", "userId": "u", "properties": {"x": ""}}
    room = 32 * 1024 - len(orjson.dumps(call))
    for size, rejected in ((room, 0), (room + 1, 1)):
        sent: Any = {**call, "properties": {"x": "y" * size}}
        body = sent if kind else {"batch": [sent], "sentAt": AT_NOON, "context": {"locale": "de"}}
        assert len(reading(body, kind).rejected) == rejected


def test_bad_calls_cost_only_themselves() -> None:
    """The rest of the batch is kept; the reject holds what was sent and can be read again."""
    good = {"type": "track", "event": "e", "userId": "u", "messageId": "m1"}
    found = reading({"batch": [good, {"type": "track", "event": "e"}, 7, {**good, "type": "trck"}], "writeKey": "k"})
    assert [arrival.message_id for arrival in found.arrivals] == ["m1"]
    assert found.places == (1, 2, 3)
    assert [one.code for one in found.rejected] == ["no-identity", "not-an-object", "unknown-type"]
    assert found.rejected[0].body == '{"type":"track","event":"e"}'
    assert found.rejected[2].message.endswith("Send track.")


@pytest.mark.parametrize("body", [[], "x", None, {}, {"batch": {}}])
def test_a_body_that_is_no_batch_is_refused_whole(body: Any) -> None:
    """There is nothing to keep of it."""
    with pytest.raises(DeliveryError):
        reading(body)


def test_too_many_calls_are_refused_whole() -> None:
    """A batch has a limit of calls too."""
    with pytest.raises(DeliveryError, match="at most 20,000 calls, not 20,001"):
        reading({"batch": [{}] * 20_001})


def test_a_call_without_a_message_id_gets_one_from_its_content() -> None:
    """A repeated delivery is known by it, also when only its time of sending differs."""
    call = {"event": "e", "userId": "u", "timestamp": AT_NOON}
    first, again, other = (
        reading(body, "track", received_at=NOON + at).arrivals[0].message_id
        for at, body in enumerate(
            [{**call, "sentAt": "2026-03-02"}, {**call, "sentAt": "2026-03-03"}, {**call, "userId": "v"}]
        )
    )
    assert first == again
    assert first != other
    assert reading({**call, "messageId": "m"}, "track").arrivals[0].message_id == "m"


def test_a_call_that_says_neither_id_nor_time_happens_with_each_delivery() -> None:
    """Two clicks that were sent the same way are two clicks."""
    call = {"type": "track", "event": "click", "userId": "u"}
    found = [*reading({"batch": [call, call]}).arrivals, *reading({"batch": [call]}, received_at=NOON + 1).arrivals]
    assert len({arrival.message_id for arrival in found}) == 3
    assert reading({"batch": [call]}) == reading({"batch": [call]})
