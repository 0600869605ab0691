"""Clients that send Segment batches as fast as they are acknowledged: ``python -m benchmarks.senders ADDRESS KEY``."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from base64 import b64encode
from urllib.parse import urlsplit

import orjson


def bodies(name: str, batches: int, size: int) -> list[bytes]:
    """Batches of events like those of a product, each event once."""
    made = []
    for batch in range(batches):
        calls = [
            {
                "type": "track",
                "messageId": f"{name}-{batch}-{n}-5b7f3f5e-7d5c-4a6e",
                "event": ("page opened", "trial started", "report shared")[n % 3],
                "userId": f"user-{(batch * size + n) * 7919 % 100_000}",
                "anonymousId": f"a0a1-{n}",
                "timestamp": "2026-03-01T12:00:00.000Z",
                "context": {"library": {"name": "analytics-node", "version": "2"}, "page": {"url": "https://x.test/a"}},
                "properties": {"plan": "pro", "seats": n, "amount": 9.99, "country": "DE", "beta": True},
            }
            for n in range(size)
        ]
        made.append(orjson.dumps({"batch": calls, "sentAt": "2026-03-01T12:00:00.000Z"}))
    return made


async def send(address: str, key: str, sent: list[bytes], took: list[float]) -> int:
    """One connection; how long each request took, and how often it was asked to wait."""
    where = urlsplit(address)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    login = b64encode(f"{key}:".encode()).decode()
    waits = 0
    for body in sent:
        head = (
            f"POST /v1/batch HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Basic {login}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        begun, status = time.perf_counter(), 429
        while status == 429:
            writer.write(head.encode() + body)
            answered = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            status = int(answered.split(maxsplit=2)[1])
            length = int(answered.partition("content-length: ")[2].partition("\r\n")[0])
            await reader.readexactly(length)
            if status == 429:
                waits += 1
                await asyncio.sleep(0.1)
        if status != 200:
            raise RuntimeError(f"answered {status}")
        took.append(time.perf_counter() - begun)
    writer.close()
    return waits


async def measure(address: str, key: str, *, clients: int, batches: int, size: int) -> dict[str, float]:
    """Events a second and milliseconds of waiting for an acknowledgement, over all clients."""
    name = f"{time.time_ns():x}"
    sent = [bodies(f"{name}-{n}", batches, size) for n in range(clients)]
    took: list[float] = []
    begun = time.perf_counter()
    waits = await asyncio.gather(*(send(address, key, one, took) for one in sent))
    seconds = time.perf_counter() - begun
    took.sort()
    return {
        "clients": clients,
        "events_a_batch": size,
        "events": clients * batches * size,
        "events_a_second": round(clients * batches * size / seconds),
        "p50_ms": round(1000 * took[len(took) // 2], 1),
        "p99_ms": round(1000 * took[int(len(took) * 0.99)], 1),
        "asked_to_wait": sum(waits),
    }


def main() -> None:
    """Measures batches of several sizes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("address")
    options.add_argument("key")
    options.add_argument("--events", type=int, default=40_000, help="how many for each row")
    told = options.parse_args()
    for clients, size in ((1, 1), (16, 1), (16, 20), (8, 100), (8, 500)):
        batches = max(20, told.events // (clients * size) // (4 if size == 1 else 1))
        row = asyncio.run(measure(told.address, told.key, clients=clients, batches=min(batches, 2_000), size=size))
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
