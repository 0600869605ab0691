"""Trouble, made for real: nothing is lost that was acknowledged, nothing doubled, and there is a clear answer."""

from __future__ import annotations

import resource
import socket
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson

from doorstep.ingest.records import Arrival, Rejected
from doorstep.ingest.sink import Accepted
from doorstep.server import Settings
from servers import KEY, client, post, running
from sinks import SqliteSink


def batch(size: int, first: int = 0) -> dict[str, Any]:
    calls = [{"type": "track", "event": "e", "userId": "u", "messageId": f"m{first + n}"} for n in range(size)]
    return {"batch": calls}


def code(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


def in_parallel(
    address: str, bodies: Sequence[Any], sink: SqliteSink | None = None, refused: int | None = None
) -> list[httpx.Response]:
    """All at once, each on a connection of its own. A ``sink`` that is closed is opened when so many were refused, or,
    where that is not said, when all should have come.
    """
    with ThreadPoolExecutor(len(bodies)) as threads:
        sent = [threads.submit(post, address, "/v1/batch", json=one) for one in bodies]
        if refused is not None:
            wait_for(lambda: sum(one.done() for one in sent) == refused)
        elif sink is not None:
            time.sleep(0.8)
        if sink is not None:
            sink.gate.set()
        return [one.result() for one in sent]


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_gzip_bomb_is_refused_before_it_grows(address: str, sink: SqliteSink) -> None:
    """A megabyte that would be a gigabyte: 413, soon, and memory stays where it was."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb, more = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    bomb += 1023 * more
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with client(address) as sender:
        for path in ("/v1/batch", "/batch/"):
            assert code(sender.post(path, content=bomb, headers={"content-encoding": "gzip"})) == "body-too-large"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024  # KiB
    assert sink.commits == 0


def test_who_hangs_up_in_the_middle_leaves_nothing(address: str, sink: SqliteSink) -> None:
    """Half a body is no delivery, and the server goes on."""
    host, port = address.removeprefix("http://").split(":")
    body = orjson.dumps({**batch(50), "writeKey": KEY})
    for _ in range(20):
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST /v1/batch HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body[: len(body) // 2])
    assert post(address, "/v1/batch", json=batch(3)).status_code == 200
    assert len(sink.arrivals()) == 3
    assert sink.commits == 1


def test_who_dawdles_is_told_so(sink: SqliteSink) -> None:
    """A body has a time to arrive in."""
    with running(sink, Settings(body_seconds=0.2)) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"POST /v1/batch HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\n{{".encode())
            connection.settimeout(20)
            assert b" 408 " in connection.recv(4096).split(b"\r\n")[0]


def test_a_hundred_thousand_tiny_events_get_a_clear_answer(address: str, sink: SqliteSink) -> None:
    """In one batch they are too many, by size or by number; in batches as large as is allowed each of them is kept."""
    with client(address) as sender:
        assert code(sender.post("/v1/batch", json=batch(100_000))) == "body-too-large"
        tiny = [{"event": "e", "distinct_id": "u"}] * 100_000
        assert code(sender.post("/batch/", json={"batch": tiny})) == "too-many-calls"
        assert sink.commits == 0
    most = 7_500  # just below 500 KB
    sent = [batch(most, first=n * most) for n in range(6)]
    assert 470_000 < len(orjson.dumps(sent[-1])) < 512_000
    for answered in in_parallel(address, sent):
        assert answered.json() == {"success": True}
    assert len({arrival.message_id for arrival in sink.arrivals()}) == 6 * most


def test_duplicates_in_parallel_are_kept_once(address: str, sink: SqliteSink) -> None:
    """Each delivery is acknowledged, since each event of it is kept."""
    for answered in in_parallel(address, [batch(200)] * 16):
        assert answered.json() == {"success": True}
    assert len(sink.arrivals()) == 200


def test_what_waits_is_kept_together(address: str, sink: SqliteSink) -> None:
    """Many requests, few commits."""
    sink.gate.clear()
    for answered in in_parallel(address, [batch(5, first=5 * n) for n in range(24)], sink):
        assert answered.status_code == 200
    assert len(sink.arrivals()) == 120
    assert sink.commits <= 12


def test_senders_are_asked_to_wait_when_too_much_waits_already(sink: SqliteSink) -> None:
    """429 with Retry-After; who was let in is kept, who comes again later is too."""
    sink.gate.clear()
    sent = [batch(10, first=10 * n) for n in range(12)]
    with running(sink, Settings(queued_calls=30)) as address:
        asked = [one for one in in_parallel(address, sent, sink, refused=9) if one.status_code == 429]
        assert {(code(one), one.headers["retry-after"]) for one in asked} == {("queue-full", "1")}
        assert (len(asked), len(sink.arrivals())) == (9, 30)
        for one in sent:
            assert post(address, "/v1/batch", json=one).status_code == 200
    assert len(sink.arrivals()) == 120


def test_bodies_in_memory_have_a_limit_together(sink: SqliteSink) -> None:
    """Beyond it a sender is asked to wait, however few calls wait."""
    sink.gate.clear()
    padded = [{**batch(1, first=n), "pad": "x" * 90_000} for n in range(10)]
    with running(sink, Settings(in_flight_bytes=300_000)) as address:
        asked = [one for one in in_parallel(address, padded, sink, refused=7) if one.status_code == 429]
        assert {code(one) for one in asked} == {"too-much-at-once"}
        assert (len(asked), len(sink.arrivals())) == (7, 3)
        assert post(address, "/v1/batch", json=padded[0]).status_code == 200  # all of it was given back


def test_a_sink_that_asks_to_wait_is_passed_on(address: str, sink: SqliteSink) -> None:
    """With its code, and seconds rounded up."""
    sink.busy = 1
    with client(address) as sender:
        answered = sender.post("/v1/batch", json=batch(1))
        assert (answered.status_code, code(answered), answered.headers["retry-after"]) == (429, "asked-to-wait", "1")
        assert sender.post("/v1/batch", json=batch(1)).status_code == 200


class PoisonedSink(SqliteSink):
    """Cannot keep one message."""

    def accept(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> Accepted:
        self.gate.wait()
        if any(arrival.message_id == "m7" for arrival in arrivals):
            raise ValueError("poison")
        return super().accept(arrivals, rejected)


def test_what_cannot_be_kept_costs_only_its_own_request(tmp_path: Any) -> None:
    """The others of the same group are kept and acknowledged; a 503 is no acknowledgement."""
    sink = PoisonedSink(tmp_path / "kept.sqlite")
    sink.gate.clear()
    with running(sink) as address:
        answers = in_parallel(address, [batch(1, first=n) for n in range(12)], sink)
        assert [one.status_code for one in answers] == [503 if n == 7 else 200 for n in range(12)]
        assert (code(answers[7]), answers[7].headers["retry-after"]) == ("not-kept", "5")
    assert len(sink.arrivals()) == 11
    sink.close()


def test_a_shutdown_in_order_keeps_what_was_taken(sink: SqliteSink) -> None:
    """Who waits gets an answer, and it is true."""
    sink.gate.clear()
    with ThreadPoolExecutor(8) as threads:
        with running(sink) as address:
            sent = [threads.submit(post, address, "/v1/batch", json=batch(5, first=5 * n)) for n in range(8)]
            time.sleep(0.3)
            threading.Timer(0.3, sink.gate.set).start()
        assert [one.result().status_code for one in sent] == [200] * 8
    assert len(sink.arrivals()) == 40


def test_a_clock_that_jumps_back_loses_nothing(sink: SqliteSink) -> None:
    """Receipt is what the clock says then, and is no reason to think that something came before."""
    times = iter([1_772_366_400_000_000, 1_772_366_300_000_000, 1_772_366_300_000_000])
    with running(sink, clock=lambda: next(times)) as address:
        for n in range(3):
            assert post(address, "/v1/batch", json=batch(2, first=2 * n)).status_code == 200
    assert [arrival.received_at - 1_772_366_400_000_000 for arrival in sink.arrivals()] == 4 * [-100_000_000] + 2 * [0]
