"""The registry's database: SQLite in a directory, or PostgreSQL by its address; brought up to date when opened.

Reads see one state. A write is a function of a session that is done again when another process came first.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from doorstep.errors import RegistryError

FILE: Final = "doorstep.sqlite"
"""The database in a data directory."""

PATIENCE: Final = 20
"""Seconds to wait for a lock or a connection."""

TRIES: Final = 8
_TRIES_TO_SWITCH: Final = 400
VERSION_TABLE: Final = "doorstep_schema"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_WRITES: Final = "doorstep_writes"
_ADVISORY_LOCK: Final = 0x646F_6F72
"""Held while a PostgreSQL database is brought up to date."""

T = TypeVar("T")


class Database:
    """An open database. Safe to use from several threads; several processes may have it open."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.name = name
        self._engine = engine
        self._writing = engine.execution_options(**{_WRITES: True})

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session to read with."""
        with _told(self.name), Session(self._engine) as session:
            yield session

    def write(self, work: Callable[[Session], T]) -> T:
        """Does ``work`` in one transaction; does it again when it broke a unique constraint that another one met first.

        RegistryError ``registry-contended`` when that happens time and again.
        """
        for _ in range(TRIES):
            with _told(self.name), Session(self._writing, expire_on_commit=False) as session:
                try:
                    done = work(session)
                    session.commit()
                except IntegrityError:
                    continue
                return done
        raise RegistryError("registry-contended", f"Others keep writing the same to {self.name}. Try again.")

    def close(self) -> None:
        """Lets go of every connection."""
        self._engine.dispose()


def open_database(place: Path | str, *, create: bool) -> Database:
    """The database of a data directory, or at an address such as ``postgresql://…``; made when absent if ``create``.

    RegistryError: ``no-registry``, ``registry-newer``, ``registry-unusable``, ``registry-busy``, ``bad-address``.
    """
    url = _address(place, create=create)
    name = str(url.database) if _is_sqlite(url) else url.set(drivername="postgresql").render_as_string()
    engine = _engine(url)
    try:
        with _told(name):
            if _is_sqlite(url):
                _write_ahead(engine)
            _bring_up_to_date(engine, name)
    except RegistryError:
        engine.dispose()
        raise
    return Database(engine, name)


def _address(place: Path | str, *, create: bool) -> URL:
    if isinstance(place, str) and "://" in place:
        try:
            url = make_url(place.replace("postgres://", "postgresql://", 1))
        except (ArgumentError, ValueError):
            raise _bad_address() from None
        if url.get_backend_name() == "postgresql":
            return url.set(drivername="postgresql+psycopg")
        if not _is_sqlite(url) or not url.database:
            raise _bad_address()
        file = Path(url.database)
    else:
        file = Path(place) / FILE
    if not create and not file.exists():
        mend = "Publish something, name another directory with --data, or set DOORSTEP_DATA."
        raise RegistryError("no-registry", f"Nothing was ever published in {file.parent}: there is no {file}. {mend}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RegistryError("registry-unusable", f"{file.parent} cannot be made: {error.strerror}.") from None
    return URL.create("sqlite", database=str(file.absolute()))


def _bad_address() -> RegistryError:
    return RegistryError(
        "bad-address", "The address of the database is not one. Write postgresql://user:password@host/database."
    )


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _engine(url: URL) -> Engine:
    if not _is_sqlite(url):
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": PATIENCE})
    engine = create_engine(url, connect_args={"timeout": PATIENCE})

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 itself would begin too late, and not around DDL
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _write_ahead(engine: Engine) -> None:
    """Lets readers read while one writes. Changing to it does not wait for others by itself."""
    for tries_left in reversed(range(_TRIES_TO_SWITCH)):
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or not tries_left:
                raise
        finally:
            connection.close()
        time.sleep(0.05)


def _bring_up_to_date(engine: Engine, name: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    with engine.connect() as connection:
        if _revision(connection) == head:
            return
    with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        found = _revision(connection)
        known = {one.revision for one in script.walk_revisions()}
        if found is not None and found not in known:
            message = f"{name} was written by a newer Doorstep (its schema is {found}; this one knows {head})."
            raise RegistryError("registry-newer", f"{message} Upgrade Doorstep.")
        if found != head:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turns what the driver raises into a sentence."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, sqlite3.Error) as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        reason = said.splitlines()[0].rstrip(".") if said else type(error).__name__
        if "locked" in reason:
            message = f"{name} was locked by another process for {PATIENCE} seconds. Try again."
            raise RegistryError("registry-busy", message) from None
        mend = "Look whether the database is there, and whether you may write to it."
        raise RegistryError("registry-unusable", f"{name} cannot be used: {reason}. {mend}") from None


__all__ = ["FILE", "VERSION_TABLE", "Database", "open_database"]
