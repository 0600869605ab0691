"""`make bench-ingest`: `doorstep serve` under load, where each answer means that it is on disk, beside the cost of the
same batches as bare Parquet files, synced one by one. Both take turns; ratios, never assertions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.senders import bodies, measure

DOORSTEP = str(Path(sys.executable).parent / "doorstep")


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """The address of a server of its own process, which is ended in order."""
    command = [DOORSTEP, "serve", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def _key(data: Path) -> str:
    command = [DOORSTEP, "keys", "create", "--data", str(data), "--name", "bench", "--json"]
    return str(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["key"])


def _client(address: str, key: str, clients: int, batches: int, size: int) -> dict[str, float]:
    return asyncio.run(measure(address, key, clients=clients, batches=batches, size=size))


def sent(address: str, key: str, *, clients: int, batches: int, size: int) -> dict[str, float]:
    """What the clients, in a process of their own, got done."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_client, (address, key, clients, batches, size))


def written(directory: Path, *, clients: int, batches: int, size: int) -> float:
    """Events a second when each batch is parsed, made a Parquet file, and synced with its directory: no ids are looked
    up, nothing is numbered, and whoever asks later reads that many files.
    """
    said = [body for n in range(clients) for body in bodies(f"bare-{n}", batches, size)]
    begun = time.perf_counter()
    for number, body in enumerate(said):
        calls = [{**call, "properties": json.dumps(call["properties"])} for call in orjson.loads(body)["batch"]]
        place = directory / f"{number}.parquet"
        pq.write_table(pa.Table.from_pylist(calls), place)
        for path in (place, directory):
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
    return clients * batches * size / (time.perf_counter() - begun)


def settled(data: Path, events: int, size: int) -> float:
    """Events a second from the inbox into the tables, when that many wait."""
    from doorstep.ingest import segment
    from doorstep.ingest.calls import Rules
    from doorstep.lake import open_lake

    with open_lake(data) as lake:
        for body in bodies(f"settled-{time.time_ns()}", events // size, size):
            at = time.time_ns() // 1_000
            rules = Rules(event_bytes=1 << 20)
            lake.accept(
                segment.read(orjson.loads(body), kind=None, received_at=at, source="bench", rules=rules).arrivals
            )
        begun = time.perf_counter()
        return lake.settle(wait=60).arrivals / (time.perf_counter() - begun)


def main() -> None:
    """Prints what was measured."""
    options = argparse.ArgumentParser(prog="benchmarks.ingest")
    options.add_argument("--turns", type=int, default=5)
    options.add_argument("--batches", type=int, default=60, help="batches of each client in a turn")
    options.add_argument("--clients", type=int, default=8)
    options.add_argument("--size", type=int, default=100, help="events of a batch")
    options.add_argument("--waiting", type=int, default=100_000, help="events that wait to be settled")
    told = options.parse_args()
    shape = {"clients": told.clients, "batches": told.batches, "size": told.size}
    over: list[dict[str, float]] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory(prefix="doorstep-bench") as directory:
        data = Path(directory) / "data"
        key = _key(data)
        with serving(data) as address:
            for turn in range(told.turns):
                over.append(sent(address, key, **shape))
                place = Path(directory) / f"bare-{turn}"
                place.mkdir()
                bare.append(written(place, **shape))
        rate = settled(data, told.waiting, told.size)
    table = Table(
        title=f"{told.clients} clients, {told.size} events a batch, {told.turns} turns; load {os.getloadavg()[0]:.1f}"
    )
    for column in ("", "events/s", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right" if column else "left")
    middle = {name: statistics.median(one[name] for one in over) for name in ("events_a_second", "p50_ms", "p99_ms")}
    table.add_row(
        "over HTTP, durable", f"{middle['events_a_second']:,.0f}", f"{middle['p50_ms']}", f"{middle['p99_ms']}"
    )
    table.add_row("bare Parquet, one file a batch, synced", f"{statistics.median(bare):,.0f}", "", "")
    table.add_row(f"settled, {told.waiting:,} waiting", f"{rate:,.0f}", "", "")
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    ratios = [one["events_a_second"] / other for one, other in zip(over, bare, strict=True)]
    console.print(f"over HTTP / bare Parquet: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
