"""Whatever is sent, every call is kept or rejected with a reason, and a reject can be read again."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from doorstep.errors import DeliveryError
from doorstep.ingest import posthog, segment
from doorstep.ingest.again import read_again
from doorstep.ingest.calls import Reading, Rules
from doorstep.ingest.records import Arrival, Rejected
from doorstep.rows.times import FIRST, LAST

RULES = Rules(event_bytes=2_000)
NOON = 1_772_366_400_000_000
WHOLE = st.integers(-(2**63), 2**64 - 1)  # beyond these, the reader of bodies makes floats
IDS = st.one_of(
    st.sampled_from(["u", "", "null", "0"]), WHOLE, st.floats(allow_nan=False, allow_infinity=False), st.none()
)
TIMES = st.one_of(st.sampled_from(["2026-03-01", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "x", 7, None]), IDS)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), WHOLE, st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=9)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
OBJECTS = st.one_of(st.dictionaries(st.text(max_size=5), JSON, max_size=3), JSON)
SEGMENT = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(segment.KINDS), JSON)},
    optional={
        **dict.fromkeys(("userId", "anonymousId", "groupId", "previousId", "messageId", "event", "name"), IDS | JSON),
        **dict.fromkeys(("timestamp", "originalTimestamp", "sentAt"), TIMES),
        **dict.fromkeys(("properties", "traits", "context"), OBJECTS),
    },
)
NAMES = ("$identify", "$create_alias", "$groupidentify", "$set", "e", "$pageview")
POSTHOG = st.fixed_dictionaries(
    {"event": st.one_of(st.sampled_from(NAMES), JSON)},
    optional={
        **dict.fromkeys(("distinct_id", "uuid"), IDS | JSON),
        **dict.fromkeys(("timestamp", "sent_at", "offset"), TIMES),
        **dict.fromkeys(("$set", "$set_once"), OBJECTS),
        "properties": st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(("$groups", "$set", "$group_set"), OBJECTS),
                **dict.fromkeys(("alias", "$anon_distinct_id", "$device_id", "$group_key", "$group_type"), IDS),
                "$is_identified": JSON,
            },
        )
        | OBJECTS,
    },
)


def _holds(found: Reading, calls: int) -> None:
    """Every call has come to one end, and every record can be kept."""
    assert len(found.arrivals) + len(found.rejected) == calls
    assert len(found.places) == len(found.rejected)
    for arrival in found.arrivals:
        assert arrival.message_id
        for record in arrival.records:
            assert FIRST <= record.time <= LAST
        orjson.dumps(arrival)
    for one in found.rejected:
        orjson.loads(one.body)
        again = read_again(one, RULES)
        assert isinstance(again, Rejected)
        assert again.code == one.code


@given(st.lists(st.one_of(SEGMENT, JSON), max_size=4), TIMES)
def test_any_segment_batch_is_kept_or_rejected_call_by_call(calls: list[Any], sent: Any) -> None:
    """No call is lost without a word."""
    body = {"batch": calls, "sentAt": sent}
    _holds(segment.read(body, kind=None, received_at=NOON, source="s", rules=RULES), len(calls))


@given(st.lists(st.one_of(POSTHOG, JSON), max_size=4), TIMES)
def test_any_posthog_batch_is_kept_or_rejected_call_by_call(calls: list[Any], sent: Any) -> None:
    """No event is lost without a word."""
    _holds(posthog.read({"batch": calls, "sent_at": sent}, received_at=NOON, source="s", rules=RULES), len(calls))


@given(JSON)
def test_any_json_is_read_or_refused(body: Any) -> None:
    """A body is a delivery, or a DeliveryError."""
    for kind in (None, *segment.KINDS):
        with contextlib.suppress(DeliveryError):
            segment.read(body, kind=kind, received_at=NOON, source="s", rules=RULES)
    with contextlib.suppress(DeliveryError):
        posthog.read(body, received_at=NOON, source="s", rules=RULES)


def test_a_mended_reject_is_kept_as_if_it_had_come_then() -> None:
    """Its time of receipt and its correction are those of the first delivery."""
    call: Any = {"type": "track", "event": "e", "timestamp": "2026-03-01T11:00:00Z"}
    (rejected,) = segment.read(
        {"batch": [call], "sentAt": "2026-03-01T11:00:00Z"}, kind=None, received_at=NOON, source="s", rules=RULES
    ).rejected
    mended = replace(rejected, body=rejected.body.replace('"e"', '"e","userId":"u"'))
    arrival = read_again(mended, RULES)
    assert isinstance(arrival, Arrival)
    assert (arrival.received_at, arrival.records[0].time) == (NOON, NOON)
    broken = read_again(replace(rejected, body="{"), RULES)
    assert isinstance(broken, Rejected)
    assert broken.code == "not-json"
