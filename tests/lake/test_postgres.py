"""PostgreSQL as a lake's catalog, and as a source of imports: a real server, where its programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import doorstep
from doorstep.lake import Table
from lakes import START, counts, event

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").exists() else []


def _as_other(*command: str) -> None:
    """The server refuses to run as root."""
    root = os.geteuid() == 0
    user = pwd.getpwnam("postgres") if root else None
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, user=user and user.pw_uid, group=user and user.pw_gid
    )


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of our own, as ``host=… port=…``."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed")
    programs = BINARIES[-1]
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    place = Path(tempfile.mkdtemp(prefix="doorstep-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(place, "postgres")
    data = str(place / "data")
    _as_other(str(programs / "initdb"), "-D", data, "-A", "trust", "-U", "doorstep", "--no-sync")
    options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1"
    _as_other(str(programs / "pg_ctl"), "-D", data, "-o", options, "-l", f"{place}/log", "-w", "start")
    yield f"host=127.0.0.1 port={port} user=doorstep dbname=postgres"
    _as_other(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")
    shutil.rmtree(place, ignore_errors=True)


def test_a_lake_with_its_catalog_in_postgresql(address: str, tmp_path: Path) -> None:
    """Accepting, settling, snapshots, compaction and checks are as with the catalog in a file."""
    lake = doorstep.open_lake(tmp_path / "lake", catalog=f"postgres:{address}", data=str(tmp_path / "elsewhere"))
    lake.accept([event("1", "signup", plan="pro"), event("2", "pay", hours=1)])
    lake.settle()
    first = lake.snapshot().id
    lake.keep(first, "why")
    lake.accept([event("3", "signup", "u2", plan="pro", seats=2)])
    lake.settle()
    lake.compact()
    assert (counts(lake), counts(lake.at(first))) == ([2, 1], [1, 1])
    assert lake.check() == ()
    assert list((tmp_path / "elsewhere").rglob("*.parquet"))
    lake.close()


def test_tables_and_queries_are_imported(address: str, lake: doorstep.Lake) -> None:
    """A table, then a query of the same rows, which adds nothing."""
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE tracked (who text, name text, at timestamptz, plan text, props jsonb)")
        signup, pay = ("u1", "signup", "2026-01-01", "pro", '{"a": 1}'), ("u1", "pay", "2026-01-02", None, None)
        connection.cursor().executemany("INSERT INTO tracked VALUES (%s, %s, %s, %s, %s)", [signup, pay])
    columns = {"user_id": "who", "event": "name", "time": "at"}
    dsn = "postgresql://doorstep@" + ":".join(part.partition("=")[2] for part in address.split()[:2]) + "/postgres"
    assert lake.add(Table(dsn, "public.tracked"), received_at=START, columns=columns).added == 2
    again = lake.add(Table(dsn, query="SELECT * FROM tracked"), received_at=START, columns=columns)
    assert (again.added, again.duplicates) == (0, 2)
    assert counts(lake) == [1, 1]
