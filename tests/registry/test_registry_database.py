"""The database is set up, brought up to date, and told about in sentences when it cannot be used."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text

from doorstep.errors import RegistryError
from doorstep.registry import Registry, database, open_registry
from doorstep.registry.database import FILE, VERSION_TABLE
from doorstep.registry.tables import Tables
from postgres import Server
from registry.conftest import Ticking
from registry.documents import signup


@contextmanager
def _beside(place: Path | str) -> Iterator[Engine]:
    """Another way into the same database."""
    if isinstance(place, Path):
        place.mkdir(parents=True, exist_ok=True)
        engine = create_engine(f"sqlite:///{place / FILE}")
    else:
        engine = create_engine(place.replace("postgresql:", "postgresql+psycopg:"))
    yield engine
    engine.dispose()


def _upgrade(engine: Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_the_steps_lead_to_what_the_models_say(place: Path | str, clock: Ticking) -> None:
    """No table, column, type, constraint or index differs."""
    open_registry(place, clock).close()
    with _beside(place) as engine, engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Tables.metadata) == []


@pytest.mark.parametrize("old", ["0001", "0002"])
def test_an_old_database_is_upgraded_with_what_it_holds(place: Path | str, clock: Ticking, old: str) -> None:
    """What was published before is there after, and what the old one lacked works."""
    with _beside(place) as engine:
        _upgrade(engine, old)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO definitions VALUES ('signup', 1)"))
            connection.execute(
                text(
                    "INSERT INTO versions VALUES ('signup', 1, 'h', 't', 1, true, '{}', 'funnel: signup', 'yaml', "
                    "NULL, 'ada', 5, NULL)"
                )
            )
    with open_registry(place, clock, create=False) as registry:
        assert registry.version("signup").text == "funnel: signup"
        assert registry.keys.verify(registry.keys.create("web").secret) is not None
        assert registry.runs.all() == ()


def test_a_database_of_a_newer_doorstep_is_left_alone(place: Path | str, clock: Ticking) -> None:
    """Its schema is named, and nothing is written."""
    open_registry(place, clock).close()
    with _beside(place) as engine, engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(RegistryError, match=r"newer Doorstep \(its schema is 9999") as refused:
        open_registry(place, clock)
    assert refused.value.code == "registry-newer"


def test_a_version_whose_text_was_changed_behind_our_back_is_noticed(
    place: Path | str, registry: Registry, clock: Ticking
) -> None:
    """Its hash is not the one kept beside it; nothing is published on top of it."""
    registry.publish(signup("7d"), by="ada")
    with _beside(place) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE versions SET text = replace(text, '7d', '9d')"))
    with pytest.raises(RegistryError, match="signup@1 is not what was published") as refused:
        registry.version("signup", 1).definition()
    assert refused.value.code == "damaged-version"
    with pytest.raises(RegistryError, match="signup@1 is not what was published"):
        registry.publish(signup("1d"), by="ada")


def test_sqlite_is_durable_and_lets_readers_read_while_one_writes(tmp_path: Path, clock: Ticking) -> None:
    """WAL; a writer in the middle of its work does not make a reader wait; foreign keys hold."""
    with open_registry(tmp_path, clock) as registry:
        registry.publish(signup(), by="ada")
        writer = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE definitions SET created_at = 0")
        assert registry.version("signup").number == 1
        writer.execute("ROLLBACK")
        writer.close()
        with registry._database.reading() as session:
            assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_writer_waits_for_another_and_then_says_so(
    tmp_path: Path, clock: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for ever: it is told who cannot be waited for."""
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    with open_registry(tmp_path, clock) as registry:
        writer = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(RegistryError, match="locked by another process") as refused:
            registry.publish(signup(), by="ada")
        assert refused.value.code == "registry-busy"
        writer.execute("ROLLBACK")
        writer.close()
        assert registry.publish(signup(), by="ada").published


def test_a_registry_stays_where_it_was_opened(tmp_path: Path, clock: Ticking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the process goes elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with open_registry("data", clock) as registry:
        monkeypatch.chdir(tmp_path / "elsewhere")
        registry.publish(signup(), by="ada")
        with ThreadPoolExecutor(4) as threads:
            assert set(threads.map(lambda _: len(registry.names()), range(20))) == {1}
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_is_no_database_is_told(tmp_path: Path, clock: Ticking) -> None:
    """A file of something else, a file where the directory should be, a directory without a registry."""
    (tmp_path / FILE).write_text("this is not a database, and is long enough to be looked at" * 10, "utf-8")
    with pytest.raises(RegistryError, match="file is not a database"):
        open_registry(tmp_path, clock)
    with pytest.raises(RegistryError, match="cannot be made"):
        open_registry(tmp_path / FILE / "data", clock)
    with pytest.raises(RegistryError, match="Nothing was ever published") as refused:
        open_registry(tmp_path / "empty", clock, create=False)
    assert refused.value.code == "no-registry"
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("address", ["mysql://u@h/d", "sqlite://", "postgresql://h:port/d", "://"])
def test_what_is_no_address_is_told(address: str, clock: Ticking) -> None:
    """With the form of one."""
    with pytest.raises(RegistryError, match="postgresql://user:password@host/database") as refused:
        open_registry(address, clock)
    assert refused.value.code == "bad-address"


def test_a_server_that_does_not_answer_is_told_without_the_password(clock: Ticking, tmp_path: Path) -> None:
    """The address, but never what must stay secret."""
    with pytest.raises(RegistryError) as refused:
        open_registry(f"postgresql://ada:hunter2@/db?host={tmp_path}", clock)
    assert refused.value.code == "registry-unusable"
    assert "hunter2" not in refused.value.message
    assert "ada" in refused.value.message


AT_ONCE = """
import sys, time
from doorstep.registry import open_registry
from registry.documents import signup
place, me, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
clock = lambda: time.time_ns() // 1000
print("ready", flush=True)
sys.stdin.readline()
with open_registry(place, clock) as registry:
    for turn in range(times):
        found = registry.publish(signup(f"{8 + me * times + turn}d"), by=f"process {me}")
        print(found.version.number, found.published, flush=True)
"""


def test_processes_that_publish_at_once_get_consecutive_versions(place: Path | str, clock: Ticking) -> None:
    """On a database that none of them has seen yet: each publication is a version of its own, no number is left out, no
    number is given twice.
    """
    processes, times = 4, 6
    tests = Path(__file__).parent.parent
    running = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE, str(place), str(me), str(times)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tests,
        )
        for me in range(processes)
    ]
    for one in running:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in running:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    told = [one.communicate(timeout=120)[0].split("\n")[:-1] for one in running]
    assert [one.returncode for one in running] == [0] * processes
    numbers = sorted(int(line.split()[0]) for lines in told for line in lines)
    assert numbers == list(range(1, processes * times + 1))
    with open_registry(place, clock, create=False) as registry:
        versions = registry.versions("signup")
        assert [one.number for one in versions] == numbers
        assert len({one.hash for one in versions}) == processes * times


def test_a_freeze_among_publishers_holds_the_version_it_names(place: Path | str, clock: Ticking) -> None:
    """Whoever comes after it is refused, in whichever process."""
    with open_registry(place, clock) as registry:
        registry.publish(signup("1d"), by="ada")
        tests = Path(__file__).parent.parent
        command_line = [sys.executable, "-c", AT_ONCE, str(place), "0", "3000"]
        running = subprocess.Popen(
            command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tests
        )
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write("go\n")
        running.stdin.flush()
        for _ in range(3):
            running.stdout.readline()
        held = registry.freeze("signup", by="eve", why="experiment")
        _, errors = running.communicate(timeout=60)
        assert running.returncode == 1
        assert "was frozen by eve: experiment" in errors
        assert held.version == registry.version("signup").number < 3001


def test_a_publication_that_lost_a_race_is_done_again(server: Server, clock: Ticking) -> None:
    """A name that two processes make at once: the one that must wait sees what the other wrote, and comes after it."""
    place = server.database()
    with open_registry(place, clock) as registry, psycopg.connect(place) as other:
        other.execute("INSERT INTO definitions VALUES ('signup', 1)")
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(registry.publish, signup(), by="ada")
            blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            with psycopg.connect(place, autocommit=True) as watching:
                while watching.execute(blocked).fetchone() != (1,):
                    assert not waiting.done()
                    time.sleep(0.01)
            other.commit()
            assert waiting.result().published
        assert [one.number for one in registry.versions("signup")] == [1]
