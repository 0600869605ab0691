"""PostHog's capture API as records."""

from __future__ import annotations

from typing import Any

import pytest

from doorstep.errors import DeliveryError
from doorstep.ingest import posthog
from doorstep.ingest.calls import Reading, Rules
from doorstep.ingest.records import Alias, Event, Identify, Member, Record, Traits

RULES = Rules(event_bytes=1 << 20)
NOON = 1_772_366_400_000_000
"""2026-03-01 12:00 UTC."""
SECOND = 1_000_000
AT_NOON = "2026-03-01T12:00:00Z"


def reading(body: Any, rules: Rules = RULES, received_at: int = NOON) -> Reading:
    return posthog.read(body, received_at=received_at, source="shop", rules=rules)


def records(
    event: str,
    properties: dict[str, Any] | None = None,
    rules: Rules = RULES,
    *,
    distinct_id: str = "u",
    beside: dict[str, Any] | None = None,
) -> tuple[Record, ...]:
    call = {"event": event, "distinct_id": distinct_id, "timestamp": AT_NOON, "properties": properties or {}}
    found = reading(call | (beside or {}), rules)
    assert found.rejected == ()
    return found.arrivals[0].records


def test_an_event_keeps_its_name_and_properties() -> None:
    """PostHog's own events too; the key and the ids among the properties are not properties."""
    sent = {"plan": "pro", "$lib": "web", "token": "k", "distinct_id": "u", "$ip": "192.0.2.1", "$session_id": "s"}
    kept = {"plan": "pro", "$lib": "web", "$session_id": "s"}
    for name in ("signed up", "$pageview", "$feature_flag_called", "$exception"):
        assert records(name, sent) == (Event(name, NOON, user_id="u", session_id="s", properties=kept),)


@pytest.mark.parametrize("body", ["batch", "one", "list"])
def test_all_forms_of_a_body_mean_the_same(body: str) -> None:
    """A batch, a lone event, and the list that browsers send."""
    event = {"event": "e", "distinct_id": "u", "uuid": "1", "timestamp": AT_NOON}
    sent = {"batch": {"api_key": "k", "batch": [event]}, "one": {"api_key": "k", **event}, "list": [event]}[body]
    (arrival,) = reading(sent).arrivals
    assert (arrival.message_id, arrival.records) == ("1", (Event("e", NOON, user_id="u"),))


@pytest.mark.parametrize(
    ("hints", "anonymous"),
    [
        ({}, False),
        ({"$is_identified": False}, True),
        ({"$is_identified": True, "$process_person_profile": False}, False),
        ({"$process_person_profile": False}, True),
        ({"$process_person_profile": True}, False),
        ({"$device_id": "u"}, True),
        ({"$device_id": "u", "$is_identified": True}, False),
        ({"$device_id": "d"}, False),
    ],
)
def test_a_distinct_id_is_a_users_unless_the_event_says_that_it_is_the_devices(
    hints: dict[str, Any], anonymous: bool
) -> None:
    """The event alone decides."""
    (event,) = records("e", hints)
    assert isinstance(event, Event)
    assert (event.user_id, event.anonymous_id) == ((None, "u") if anonymous else ("u", None))


def test_identify_links_the_devices_id_and_sets_traits() -> None:
    """$set and $set_once may stand beside the properties or among them."""
    sent = records(
        "$identify", {"$anon_distinct_id": "d", "$set": {"plan": "pro"}}, beside={"$set_once": {"first": "ad"}}
    )
    assert sent == (
        Traits("user", "u", NOON, {"plan": "pro"}),
        Traits("user", "u", NOON, {"first": "ad"}, once=True),
        Identify("d", "u", NOON),
    )
    assert records("$identify", {"$set": {"plan": "pro"}}) == (Traits("user", "u", NOON, {"plan": "pro"}),)


def test_traits_can_come_with_any_event() -> None:
    """They are traits then, not properties."""
    assert records("e", {"$set": {"plan": "pro"}}) == (
        Event("e", NOON, user_id="u"),
        Traits("user", "u", NOON, {"plan": "pro"}),
    )
    assert records("$set", beside={"$set": {"plan": "pro"}}) == (Traits("user", "u", NOON, {"plan": "pro"}),)


def test_an_alias_keeps_the_distinct_id() -> None:
    """But for the SDK that calls the id to give up by that name."""
    assert records("$create_alias", {"distinct_id": "u", "alias": "old"}) == (Alias("old", "u", NOON),)
    python = {"distinct_id": "old", "alias": "u", "$lib": "posthog-python"}
    assert records("$create_alias", python, distinct_id="old") == (Alias("old", "u", NOON),)


def test_groupidentify_makes_no_person() -> None:
    """Its distinct_id is made up by SDKs; only the account has traits from it."""
    sent = {"$group_type": "company", "$group_key": "acme", "$group_set": {"seats": 9}}
    assert records("$groupidentify", sent, distinct_id="$company_acme") == (
        Traits("account", "acme", NOON, {"seats": 9}),
    )


@pytest.mark.parametrize(
    ("groups", "setting", "account"),
    [
        ({"company": "acme", "team": "t"}, None, "acme"),
        ({"team": "t"}, None, "t"),
        ({"team": "t", "project": "p"}, None, None),
        ({"company": "acme", "team": "t"}, "team", "t"),
        ({"company": "acme"}, "team", None),
        ({"company": 7}, None, "7"),
        ({}, None, None),
    ],
)
def test_one_group_type_is_the_account(groups: dict[str, Any], setting: str | None, account: str | None) -> None:
    """The one that the settings name, else company, else the only one."""
    found = records("e", {"$groups": groups}, Rules(1 << 20, account_group=setting))
    event = Event("e", NOON, user_id="u", account_id=account, properties={"$groups": groups})
    assert found == ((event,) if account is None else (event, Member(account, NOON, "u")))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"timestamp": AT_NOON, "sent_at": "2026-03-01T12:00:30Z"}, NOON + 30 * SECOND),
        ({"timestamp": AT_NOON, "sent_at": "2026-03-01T12:00:30Z", "properties": {"$ignore_sent_at": True}}, NOON),
        ({"timestamp": AT_NOON}, NOON),
        ({"offset": 1500}, NOON + 58_500_000),
        ({"sent_at": "2020-01-01"}, NOON + 60 * SECOND),
    ],
)
def test_times_are_corrected_by_how_wrong_the_senders_clock_is(times: dict[str, Any], expected: int) -> None:
    """timestamp + (received_at - sent_at), or so many milliseconds ago."""
    found = reading({"event": "e", "distinct_id": "u", **times}, received_at=NOON + 60 * SECOND).arrivals[0].records[0]
    assert found.time == expected


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("no-event", {"distinct_id": "u"}),
        ("no-identity", {"event": "e"}),
        ("no-identity", {"event": "e", "distinct_id": ""}),
        ("no-alias", {"event": "$create_alias", "distinct_id": "u"}),
        ("no-group", {"event": "$groupidentify", "distinct_id": "u"}),
        ("illegal-id", {"event": "$identify", "distinct_id": "u", "properties": {"$anon_distinct_id": "None"}}),
        ("illegal-id", {"event": "$create_alias", "distinct_id": "anonymous", "properties": {"alias": "a"}}),
        ("not-an-object", {"event": "e", "distinct_id": "u", "properties": "x"}),
        ("not-an-object", {"event": "e", "distinct_id": "u", "properties": {"$groups": "acme"}}),
        ("bad-time", {"event": "e", "distinct_id": "u", "timestamp": "noon"}),
        ("bad-time", {"event": "e", "distinct_id": "u", "offset": 1e300}),
        ("event-too-large", {"event": "e", "distinct_id": "u", "properties": {"x": "y" * (1 << 20)}}),
    ],
)
def test_an_event_that_cannot_be_kept_says_why(code: str, call: dict[str, Any]) -> None:
    """Each reason has its code, and the rest of the batch is kept."""
    found = reading({"api_key": "k", "batch": [call, {"event": "e", "distinct_id": "u"}]})
    assert [one.code for one in found.rejected] == [code]
    assert found.places == (0,)
    assert len(found.arrivals) == 1


def test_a_group_of_another_type_is_told_apart() -> None:
    """It is kept among the rejects until the settings say otherwise."""
    sent = {"event": "$groupidentify", "distinct_id": "u", "properties": {"$group_type": "team", "$group_key": "t"}}
    assert reading(sent, Rules(1 << 20, account_group="company")).rejected[0].code == "other-group"


@pytest.mark.parametrize("body", ["x", None, 7, {"batch": 7}])
def test_a_body_that_is_no_batch_is_refused_whole(body: Any) -> None:
    """There is nothing to keep of it."""
    with pytest.raises(DeliveryError):
        reading(body)
