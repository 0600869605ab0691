"""``python -m benchmarks.announce --accounts N``: as many transitions in one sync as there are accounts, announced.

The ledger's transaction with a message for each transition beside the same without, turn by turn; then the way out: to
a receiver on loopback, signed and written down, beside bare posts of the same bodies with httpx.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import httpx
from cryptography.fernet import Fernet
from sqlalchemy import select
from sqlalchemy.orm import Session

import doorstep
from doorstep.delivery.addresses import Guard
from doorstep.delivery.delivery import OF_ONE, Delivery
from doorstep.delivery.destinations import Destinations
from doorstep.delivery.outbox import Message, put
from doorstep.delivery.sealing import Seal
from doorstep.delivery.sending import Sending
from doorstep.delivery.signing import new_secret
from doorstep.delivery.targets import Webhook
from doorstep.ledger import Ledger, activate, draft, sync
from doorstep.registry import Database, JourneyTransitionRow, open_database

HOUR = 3_600_000_000
START = 1_767_225_600_000_000
RECEIVER = """
import asyncio, sys
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
async def take(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            size = int(head.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0])
            await reader.readexactly(size)
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(take, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Announcing:
    """A database whose writes end with a message for each transition that they announce; ``seconds`` of each write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.announces = False
        self.seconds = 0.0
        self.put = 0
        self.putting = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def write(self, work: Callable[[Session], Any]) -> Any:
        began = time.perf_counter()

        def all_of_it(session: Session) -> Any:
            done = work(session)
            self._announce(session)
            return done

        done = self._database.write(all_of_it)
        self.seconds = time.perf_counter() - began
        return done

    def _announce(self, session: Session) -> None:
        if not self.announces:
            return
        row = JourneyTransitionRow
        latest = select(row.detected_at).order_by(row.seq.desc()).limit(1).scalar_subquery()
        columns = (row.transition_id, row.account, row.from_stage, row.to_stage, row.occurred_at)
        found = session.execute(select(*columns).where(row.detected_at == latest, row.announce)).all()
        messages = [
            Message(
                identity,
                "crm",
                account,
                {"type": "stage.entered", "account": account, "from": came_from, "to": to, "occurred_at": at},
                "bench",
                0,
            )
            for identity, account, came_from, to, at in found
        ]
        began = time.perf_counter()
        self.put = put(session, messages, START)
        self.putting = time.perf_counter() - began


def _journey(stages: int) -> dict[str, Any]:
    later = [{"id": f"stage_{n}", "criteria": {"did": f"event_{n}"}} for n in range(stages)]
    return {"journey": "bench", "count_by": "account_id", "stages": [{"id": "new"}, *later]}


def _rows(directory: Path, accounts: int, event: str, at: int) -> Path:
    path = directory / f"{event}.parquet"
    duckdb.sql(
        f"""COPY (SELECT 'acct-' || lpad(range::VARCHAR, 7, '0') AS account_id, '{event}' AS event,
                  make_timestamp({at} + range) AS time FROM range({accounts})) TO '{path}' (FORMAT parquet)"""
    )
    return path


@contextmanager
def _receiver() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield f"http://127.0.0.1:{int(running.stdout.readline())}/"
        running.kill()


def _writing(directory: Path, database: Database, accounts: int, repeats: int) -> None:
    """One stage further for everybody, turn by turn with and without messages."""
    announcing = Announcing(database)
    seconds: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    with doorstep.open_lake(directory / "d") as lake:
        ledger = Ledger(announcing)  # type: ignore[arg-type]
        lake.add(_rows(directory, accounts, "signup", START - HOUR), received_at=START)
        draft(ledger, _journey(2 * repeats), by="bench", at=START)
        activate(ledger, "bench", by="bench", at=START)
        sync(lake, ledger, START)
        for turn in range(2 * repeats):
            at = START + (turn + 1) * HOUR
            lake.add(_rows(directory, accounts, f"event_{turn}", at - HOUR // 2), received_at=at)
            announcing.announces = turn % 2 == 1
            began = time.perf_counter()
            (found,) = sync(lake, ledger, at)
            assert (found.failure, found.added) == (None, accounts)
            seconds[announcing.announces].append((time.perf_counter() - began, announcing.seconds))
            assert not announcing.announces or announcing.put == accounts
    for announces, what in ((False, "without messages"), (True, "with a message each")):
        whole, write = (statistics.median(one) for one in zip(*seconds[announces], strict=True))
        print(f"{accounts:,} transitions, {what}: sync {whole:.2f} s, of it the ledger's transaction {write:.2f} s")
    print(f"  putting {accounts:,} messages into the outbox, the last time: {announcing.putting:.2f} s")
    for place, what in ((0, "sync"), (1, "transaction")):
        pairs = zip(seconds[True], seconds[False], strict=True)
        print(f"  {what}, with / without: {statistics.median(one[place] / other[place] for one, other in pairs):.2f}")


def _sending(database: Database, url: str, most: int) -> None:
    """All that waits, and as many bare posts before and after."""
    seal = Seal([Fernet.generate_key().decode()], "the benchmark")
    destinations = Destinations(database, lambda: seal)
    destinations.allow("127.0.0.1", by="bench", at=START)
    destinations.add("crm", Webhook(url, new_secret()), by="bench", at=START)
    now = START + 1000 * HOUR
    delivery = Delivery(database, destinations, lambda: now, random.random, lambda allowed: Sending(Guard(allowed)))
    bare = [_bare(url, most)]
    began = time.perf_counter()
    done = delivery.turn()
    ours = done.delivered / (time.perf_counter() - began)
    bare.append(_bare(url, most))
    delivery.close()
    theirs = statistics.mean(bare)
    print(f"{done.delivered:,} messages delivered: {ours:,.0f} a second; bare posts {theirs:,.0f}: {ours / theirs:.2f}")


def _bare(url: str, most: int) -> float:
    """Posts a second of httpx, in as many threads as we use for one destination."""
    body = b'{"type":"stage.entered","account":"acct-0000001","from":"new","to":"stage_1","occurred_at":1}'
    with httpx.Client(trust_env=False) as client, ThreadPoolExecutor(OF_ONE) as pool:

        def post(_: int) -> int:
            return client.post(url, content=body, headers={"content-type": "application/json"}).status_code

        began = time.perf_counter()
        assert set(pool.map(post, range(most))) == {200}
        return most / (time.perf_counter() - began)


def main() -> None:
    """Prints seconds, rates and ratios."""
    parser = argparse.ArgumentParser(prog="benchmarks.announce")
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bare", type=int, default=5_000)
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp())
    database = open_database(directory / "d", create=True)
    _writing(directory, database, given.accounts, given.repeats)
    with _receiver() as url:
        _sending(database, url, given.bare)
    database.close()
    shutil.rmtree(directory)


if __name__ == "__main__":
    main()
