"""What a sender is told, and what is kept when it is told so."""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from doorstep.errors import StoreError
from doorstep.ingest.records import Event
from doorstep.server import Settings
from servers import KEY, SOURCE, client, post, running
from sinks import SqliteSink

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "src" / "doorstep"
CALL = {"event": "e", "userId": "u", "messageId": "m", "timestamp": "2026-03-01T12:00:00Z"}
EVENT = {"event": "e", "distinct_id": "u", "uuid": "m", "timestamp": "2026-03-01T12:00:00Z"}
KEPT = Event("e", 1_772_366_400_000_000, user_id="u")


def error(response: httpx.Response) -> tuple[int, str]:
    """Status and code, after the envelope was held to its form."""
    told = response.json()
    assert told["error"] == {"code": told["code"], "message": told["message"]}
    assert told["message"].endswith(".")
    return response.status_code, told["code"]


def test_health_is_good_once_it_answers(address: str) -> None:
    """Anybody may ask."""
    assert httpx.get(f"{address}/api/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/track", CALL),
        ("/v1/t", CALL),
        ("/v1/batch", {"batch": [{**CALL, "type": "track"}]}),
        ("/v1/b", {"batch": [{**CALL, "type": "track"}]}),
    ],
)
def test_segments_addresses_keep_what_is_sent(address: str, sink: SqliteSink, path: str, body: Any) -> None:
    """A 200 means that it is there."""
    answered = post(address, path, json=body)
    assert (answered.status_code, answered.json()) == (200, {"success": True})
    (arrival,) = sink.arrivals()
    assert (arrival.message_id, arrival.source, arrival.records) == ("m", SOURCE, (KEPT,))


@pytest.mark.parametrize("path", ["/batch/", "/batch", "/capture/", "/e/", "/i/v0/e/", "/i/v0/e", "/track/"])
@pytest.mark.parametrize("body", [{"api_key": KEY, "batch": [EVENT]}, {"token": KEY, **EVENT}])
def test_posthogs_addresses_keep_what_is_sent(address: str, sink: SqliteSink, path: str, body: Any) -> None:
    """Its SDKs want exactly this answer."""
    answered = httpx.post(address + path, json=body)
    assert (answered.status_code, answered.text) == (200, '{"status":1}')
    assert sink.records() == [KEPT]


def test_every_way_of_packing_a_body_is_read(address: str, sink: SqliteSink) -> None:
    """gzip with and without a header, zlib, several members, a form with base64, a list with its key inside."""
    raw = json.dumps({"api_key": KEY, **EVENT}).encode()
    packed = gzip.compress(raw)
    form = b"data=" + base64.b64encode(raw).replace(b"+", b"%2B") + b"&compression=base64"
    sent: list[tuple[str, bytes, dict[str, str]]] = [
        ("/e/", packed, {"content-encoding": "gzip"}),
        ("/e/?compression=gzip-js", packed, {"content-type": "text/plain"}),
        ("/e/", gzip.compress(raw[:20]) + gzip.compress(raw[20:]), {"content-encoding": "gzip"}),
        ("/e/", zlib.compress(raw), {"content-encoding": "deflate"}),
        ("/e/", form, {"content-type": "application/x-www-form-urlencoded"}),
        ("/e/", raw, {"content-type": "application/x-www-form-urlencoded"}),
        ("/e/", json.dumps([{**EVENT, "properties": {"token": KEY}}]).encode(), {}),
    ]
    for number, (path, content, headers) in enumerate(sent):
        assert httpx.post(address + path, content=content, headers=headers).text == '{"status":1}', number
    assert sink.records() == [KEPT]


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic " + base64.b64encode(f"{KEY}:".encode()).decode(),
        "basic " + base64.b64encode(f"{KEY}:any password".encode()).decode(),
        f"Bearer {KEY}",
    ],
)
def test_a_key_in_the_header_is_enough(address: str, authorization: str) -> None:
    """Basic with any password, or Bearer."""
    for path, body in (("/v1/track", CALL), ("/batch/", EVENT)):
        assert httpx.post(address + path, json=body, headers={"authorization": authorization}).status_code == 200


def test_a_key_in_the_body_is_enough(address: str) -> None:
    """Segment's writeKey, as browsers send it."""
    assert httpx.post(f"{address}/v1/t", json={**CALL, "writeKey": KEY}).status_code == 200


@pytest.mark.parametrize(
    ("code", "headers", "body"),
    [
        ("no-key", {}, CALL),
        ("no-key", {"authorization": "Digest x"}, {**CALL, "writeKey": 7}),
        ("unknown-key", {"authorization": "Bearer nobody"}, {**CALL, "writeKey": KEY}),
        ("unknown-key", {"authorization": "Basic ???"}, CALL),
        ("unknown-key", {}, {**CALL, "writeKey": "nobody"}),
    ],
)
def test_strangers_are_refused(
    address: str, sink: SqliteSink, code: str, headers: dict[str, str], body: dict[str, Any]
) -> None:
    """401, and nothing is kept, not even among the rejects."""
    answered = httpx.post(f"{address}/v1/track", json=body, headers=headers)
    assert error(answered) == (401, code)
    assert answered.headers["www-authenticate"] == "Bearer"
    assert (sink.arrivals(), sink.rejects()) == ([], [])


class LockedKeys:
    """A store of keys that cannot be read just now."""

    def verify(self, key: str) -> str | None:
        raise StoreError("locked", f"the store is locked; {len(key)} letters were not looked at. Send again later.")


def test_trouble_that_is_not_the_senders_is_no_reason_to_give_up(sink: SqliteSink) -> None:
    """SDKs drop what is answered with 400, and send again after a 503."""
    with running(sink, keys=LockedKeys()) as address:
        answered = post(address, "/v1/track", json=CALL)
    assert error(answered) == (503, "locked")
    assert answered.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("status", "code", "content", "headers"),
    [
        (400, "not-json", b"", {}),
        (400, "not-json", b"{", {}),
        (400, "not-json", b"\xff\xfe", {}),
        (400, "not-json", b"[" * 100_000, {}),
        (400, "not-an-object", b"[]", {}),
        (400, "no-batch", b"{}", {}),
        (400, "bad-encoding", b"{}", {"content-encoding": "gzip"}),
        (400, "bad-encoding", gzip.compress(b"{}", mtime=0)[:-9], {}),
        (400, "bad-encoding", gzip.compress(b"{}", mtime=0) + b"garbage", {}),
        (415, "unsupported-encoding", b"{}", {"content-encoding": "br"}),
        (413, "body-too-large", b" " * 512_001, {}),
        (413, "body-too-large", gzip.compress(b" " * 512_001, mtime=0), {}),
    ],
)
def test_a_body_that_is_no_delivery_is_refused(
    address: str, status: int, code: str, content: bytes, headers: dict[str, str]
) -> None:
    """What is wrong, in the one envelope."""
    with client(address) as sender:
        assert error(sender.post("/v1/batch", content=content, headers=headers)) == (status, code)
        assert sender.get("/api/health").status_code == 200


def test_a_body_may_be_as_large_as_is_said(address: str, sink: SqliteSink) -> None:
    """500 KB are taken, packed or not."""
    head = b'{"batch":[{"type":"track","event":"e","userId":"u"}]'
    whole = head + b" " * (512_000 - len(head) - 1) + b"}"
    for content in (whole, gzip.compress(whole)):
        assert post(address, "/v1/batch", content=content).json() == {"success": True}
    assert len(sink.events()) == 2


def test_bad_calls_of_a_batch_are_told_by_place_and_kept_as_rejects(address: str, sink: SqliteSink) -> None:
    """The rest is kept; a reason is given for each."""
    sent = {"batch": [{"type": "track", "event": "e"}, {**CALL, "type": "track"}, {"type": "x", "userId": "u"}]}
    told = post(address, "/v1/batch", json=sent).json()
    assert (told["success"], told["accepted"], told["rejected"]) == (True, 1, 2)
    assert [(one["index"], one["code"]) for one in told["reasons"]] == [(0, "no-identity"), (2, "unknown-type")]
    assert [one.code for one in sink.rejects()] == ["no-identity", "unknown-type"]
    assert sink.records() == [KEPT]


def test_a_lone_call_that_is_rejected_is_refused_and_kept_as_a_reject(address: str, sink: SqliteSink) -> None:
    """Who sends one call sees what is wrong with it."""
    with client(address) as sender:
        assert error(sender.post("/v1/track", json={"event": "e"})) == (400, "no-identity")
        assert error(sender.post("/v1/track", json={**CALL, "properties": {"x": "y" * 40_000}}))[0] == 413
        assert error(sender.post("/e/", json={"event": "e"})) == (400, "no-identity")
        assert sender.post("/batch/", json={"batch": [{"event": "e"}, {"event": "f"}]}).text == '{"status":1}'
    assert len(sink.rejects()) == 5


@pytest.mark.parametrize("odd", ["NaN", "-Infinity", "1e999", '"\\ud83d"', "123456789012345678901234567890"])
def test_one_odd_value_does_not_cost_a_batch(address: str, sink: SqliteSink, odd: str) -> None:
    """What other languages' JSON writers make is read as well as it can be."""
    body = f'{{"event": "e", "userId": "u", "properties": {{"odd": {odd}, "x": 1}}}}'
    assert post(address, "/v1/track", content=body).status_code == 200
    (event,) = sink.events()
    assert event.properties["x"] == 1
    assert event.properties["odd"] in {None, "?", 123456789012345678901234567890.0}


@pytest.mark.parametrize("path", ["/flags/?v=2", "/flags", "/decide/?v=3"])
def test_there_are_no_feature_flags(address: str, path: str) -> None:
    """SDKs that ask are told so; strangers are refused here too."""
    told = httpx.post(address + path, json={"token": KEY, "distinct_id": "u"}).json()
    assert (told["flags"], told["featureFlags"], told["errorsWhileComputingFlags"]) == ({}, {}, False)
    assert error(httpx.post(address + path, json={"token": "nobody"})) == (401, "unknown-key")


def test_browsers_may_send_from_any_page(address: str) -> None:
    """The preflight is answered, and so is what follows."""
    origin = {"origin": "https://shop.example"}
    asked = {**origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    preflight = httpx.options(f"{address}/v1/t", headers=asked)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "*")
    sent = httpx.post(f"{address}/v1/t", json={**CALL, "writeKey": KEY}, headers=origin)
    assert sent.headers["access-control-allow-origin"] == "*"


def test_other_addresses_and_methods_have_the_envelope_too(address: str) -> None:
    """Nothing answers in another form."""
    assert error(httpx.get(f"{address}/nowhere")) == (404, "not-found")
    assert error(httpx.get(f"{address}/v1/track")) == (405, "no-such-method")


def test_the_settings_reach_the_readers(sink: SqliteSink) -> None:
    """The group type that is the account, and addresses."""
    with running(sink, Settings(account_group="team", keep_ip=True)) as address:
        groups = {"$groups": {"team": "t", "company": "c"}, "$ip": "192.0.2.1"}
        post(address, "/e/", json={**EVENT, "properties": groups})
        post(address, "/v1/track", json={**CALL, "messageId": "n", "context": {"ip": "192.0.2.1"}})
    posthog, segment = sink.events()
    assert (posthog.account_id, posthog.properties["$ip"]) == ("t", "192.0.2.1")
    assert segment.properties == {"context_ip": "192.0.2.1"}


def test_the_api_is_described(address: str) -> None:
    """Every address is in the OpenAPI document, once."""
    paths = httpx.get(f"{address}/api/openapi.json").json()["paths"]
    assert {"/v1/batch", "/v1/track", "/batch/", "/i/v0/e/", "/flags/", "/api/health"} <= set(paths)
    assert not {"/v1/t", "/batch"} & set(paths)


def test_every_code_is_documented() -> None:
    """A sender can look up whatever it is told."""
    page = (ROOT / "docs" / "sending-events.md").read_text("utf-8")
    sources = [path.read_text("utf-8") for room in ("ingest", "server") for path in (PACKAGE / room).glob("*.py")]
    raised = r"(?:DeliveryError|Unfit|Busy|StoreError|refusal)\(\s*\"([a-z-]+)\""
    codes = {code for source in sources for code in re.findall(raised, source)}
    assert len(codes) > 20
    assert {code for code in codes if f"`{code}`" not in page} == set()
