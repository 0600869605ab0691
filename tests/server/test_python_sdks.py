"""The official Python SDKs, unmodified, pointed at a real server: what they were told to send is what is kept."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from posthog import Posthog
from rudderstack.analytics.client import Client as Rudder
from segment.analytics.client import Client as Segment

from doorstep.ingest.records import Alias, Event, Member, Traits
from sent import SAID, in_order, untimed
from servers import KEY, post
from sinks import SqliteSink

FAR = datetime(2026, 3, 1, 12, tzinfo=UTC)


def say(client: Any) -> None:
    """The calls that both of Segment's kin know."""
    client.track("u1", "Signed Up", {"plan": "pro"})
    client.identify("u1", {"email": "a@x.test"}, anonymous_id="a1")
    client.page("u1", "Docs", "Home", {"url": "/"})
    client.group("u1", "acme", {"seats": 9})
    client.alias("old", "u1")
    client.track("u1", "Opened", context={"groupId": "acme"})


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("sync", [False, True])
def test_segments_sdk(address: str, sink: SqliteSink, gzip: bool, sync: bool) -> None:
    """Batches and one by one, packed and not."""
    failed: list[object] = []
    client = Segment(KEY, host=address, gzip=gzip, sync_mode=sync, on_error=lambda *told: failed.append(told))
    say(client)
    if not sync:
        client.flush()
        client.join()
    in_order(untimed(sink.records()), SAID)
    assert (failed, sink.rejects()) == ([], [])


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("sync", [False, True])
def test_rudderstacks_sdk(address: str, sink: SqliteSink, gzip: bool, sync: bool) -> None:
    """It puts traits into the context and takes its time from its own clock."""
    client = Rudder(KEY, host=address, gzip=gzip, sync_mode=sync)
    say(client)
    if not sync:
        client.flush()
        client.join()
    in_order(untimed(sink.records()), SAID)
    assert sink.rejects() == []


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("sync", [False, True])
def test_posthogs_sdk(address: str, sink: SqliteSink, gzip: bool, sync: bool) -> None:
    """Events, traits, an alias in its own direction, a group without a person, and no feature flags."""
    client = Posthog(KEY, host=address, gzip=gzip, sync_mode=sync)
    client.capture(
        "Signed Up", distinct_id="u1", properties={"plan": "pro", "$set": {"seen": 1}}, groups={"company": "acme"}
    )
    client.capture("Looked", properties={"$process_person_profile": False}, distinct_id="d1")
    client.set(distinct_id="u1", properties={"email": "a@x.test"})
    client.set_once(distinct_id="u1", properties={"first": "ad"})
    client.alias(previous_id="old", distinct_id="u1")
    client.group_identify("company", "acme", {"seats": 9})
    assert client.get_all_flags("u1") == {}
    client.shutdown()
    in_order(
        untimed(sink.records()),
        [
            (Event, {"event": "Signed Up", "user_id": "u1", "account_id": "acme", "properties": {"plan": "pro"}}),
            (Traits, {"holder": "user", "id": "u1", "values": {"seen": 1}}),
            (Member, {"account_id": "acme", "user_id": "u1"}),
            (Event, {"event": "Looked", "anonymous_id": "d1"}),
            (Traits, {"holder": "user", "id": "u1", "values": {"email": "a@x.test"}}),
            (Traits, {"holder": "user", "id": "u1", "values": {"first": "ad"}, "once": True}),
            (Alias, {"previous_id": "old", "user_id": "u1"}),
            (Traits, {"holder": "account", "id": "acme", "values": {"seats": 9}}),
        ],
    )
    assert sink.rejects() == []


def test_times_of_the_past_are_kept(address: str, sink: SqliteSink) -> None:
    """A sender whose clock is right may say what happened long ago, to within the time that sending takes."""
    segment = Segment(KEY, host=address, sync_mode=True)
    segment.track("u1", "e", timestamp=FAR)
    posthog = Posthog(KEY, host=address, sync_mode=True)
    posthog.capture("e", distinct_id="u1", timestamp=FAR)
    posthog.shutdown()
    for event in sink.events():
        assert 0 <= event.time - 1_772_366_400_000_000 < 2_000_000


AT_EXIT = {
    "segment": "from segment.analytics.client import Client\n"
    "client = Client({key!r}, host={address!r})\n"
    "for n in range(250): client.track('u', 'e', {{'n': n}})\n",
    "rudderstack": "import rudderstack.analytics as client\n"
    "client.write_key, client.dataPlaneUrl = {key!r}, {address!r}\n"
    "for n in range(250): client.track('u', 'e', {{'n': n}})\n",
    "posthog": "from posthog import Posthog\n"
    "client = Posthog({key!r}, host={address!r})\n"
    "for n in range(250): client.capture('e', distinct_id='u', properties={{'n': n}})\n",
}


@pytest.mark.parametrize("sdk", AT_EXIT)
def test_a_program_that_ends_sends_what_it_has(address: str, sink: SqliteSink, sdk: str) -> None:
    """In several batches, as its interpreter exits."""
    program = AT_EXIT[sdk].format(key=KEY, address=address)
    if sdk != "posthog":
        program += "client.flush()\n"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert sorted(event.properties["n"] for event in sink.events()) == list(range(250))  # type: ignore[type-var]


@pytest.mark.parametrize("sdk", ["segment", "rudderstack", "posthog"])
def test_sdks_come_again_when_they_are_asked_to(address: str, sink: SqliteSink, sdk: str) -> None:
    """A 429 costs time and no event; a call that was sent twice is kept once."""
    sink.busy = 1
    match sdk:
        case "segment":
            segment = Segment(KEY, host=address)
            segment.track("u", "e")
            segment.flush()
            segment.join()
        case "rudderstack":
            rudderstack = Rudder(KEY, host=address)
            rudderstack.track("u", "e")
            rudderstack.flush()
            rudderstack.join()
        case _:
            posthog = Posthog(KEY, host=address)
            posthog.capture("e", distinct_id="u")
            posthog.shutdown()
    assert [event.event for event in sink.events()] == ["e"]
    assert sink.busy == 0


def test_an_sdk_with_a_wrong_key_is_told_and_gives_up(address: str, sink: SqliteSink) -> None:
    """RudderStack's, which would go on for minutes if it did not understand the answer."""
    failed: list[Any] = []
    client = Rudder("nobody", host=address, on_error=lambda error, _: failed.append(error))
    client.track("u", "e")
    client.flush()
    client.join()
    assert [str(error) for error in failed] == [
        "[rudderstack] unknown-key: nobody has this write key. Make one with doorstep keys create. (401)"
    ]
    assert post(address, "/v1/track", json={"event": "e", "userId": "u"}).status_code == 200
    assert len(sink.arrivals()) == 1
