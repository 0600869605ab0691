"""A real PostgreSQL server in a directory of its own, on a unix socket, as a user that it does not refuse."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import pytest


@dataclass
class Server:
    """A running server; `database` makes a fresh database and gives its address."""

    directory: Path
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def socket(self) -> str:
        return f"host={self.directory} user=postgres dbname=postgres"

    def database(self) -> str:
        name = f"fresh{next(self.numbers)}"
        with psycopg.connect(self.socket, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self.directory}"


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    if not found:
        pytest.skip("there are no PostgreSQL binaries under /usr/lib/postgresql; install Debian's package postgresql")
    return found[-1].parent


def _user() -> str | None:
    """Whom to be: the server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@contextmanager
def serving() -> Iterator[Server]:
    """A server for as long as the block runs; skips the test where Debian's binaries are missing."""
    binaries, user = _binaries(), _user()
    directory = Path(tempfile.mkdtemp(prefix="doorstep-pg-"))
    data = directory / "data"
    try:
        if user:
            shutil.chown(directory, user)
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=directory)
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", f"unix_socket_directories={directory}"]
        with (directory / "log").open("wb") as log:
            command = [str(binaries / "postgres"), "-D", str(data), *options]
            running = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd=directory)
        try:
            server = Server(directory)
            _wait_for(server, running)
            yield server
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(30)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _wait_for(server: Server, running: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            psycopg.connect(server.socket).close()
            return
        except psycopg.OperationalError:
            assert running.poll() is None, (server.directory / "log").read_text("utf-8")
            time.sleep(0.05)
    raise AssertionError("the server does not answer")
