"""The lake: one directory that takes what arrives, keeps it, and shows it as it was at any snapshot it has."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from doorstep.errors import RunError
from doorstep.ingest.records import Arrival, Rejected
from doorstep.ingest.sink import Accepted, Busy
from doorstep.lake import stages, tables
from doorstep.lake.attach import CONFIG, again, attach, attached, gone, prepare, storing
from doorstep.lake.bulk import Request, import_all, try_all
from doorstep.lake.checking import Finding, LakeFacts, check, data_files, facts_of, repair
from doorstep.lake.compacting import Compacted, compact
from doorstep.lake.importing import Imported
from doorstep.lake.inbox import Inbox
from doorstep.lake.index import Index
from doorstep.lake.kept import Kept, LakeRuns
from doorstep.lake.place import Place, find, make
from doorstep.lake.reading import open_at
from doorstep.lake.settling import Settled, settle_all
from doorstep.lake.steps import Told
from doorstep.lake.traits import history, latest
from doorstep.lake.trial import Trial
from doorstep.rows import EventRows, Needs
from doorstep.rows.times import check_timezone

SETTLE_WAIT: Final = 60.0
"""Seconds to wait for another process that settles, imports or compacts, where the caller wants it done."""
HISTORY: Final = timedelta(days=7)
GRACE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of the lake's tables: an opaque number, and when it came about (microseconds UTC)."""

    id: int
    at: int


def try_import(
    source: object,
    *,
    columns: Mapping[str, str] | None = None,
    source_timezone: str = "UTC",
    told: Told = lambda _what, _done: None,
) -> Trial:
    """What `Lake.add` would read of a source and what it would reject; nothing is written."""
    return try_all(Request(source, dict(columns or {}), check_timezone(source_timezone)), told)


def open_lake(
    directory: str | os.PathLike[str], *, create: bool = True, catalog: str | None = None, data: str | None = None
) -> Lake:
    """The lake in ``directory``, made when absent (unless ``create`` is false: then StoreError ``no-lake``).

    ``catalog``: ``sqlite:PATH`` (default, in the directory) or ``postgres:DSN``; ``data``: where Parquet files go, a
    directory or ``s3://BUCKET/PATH`` (see `objects`). Both are settled when the lake is made.
    """
    place = make(directory, catalog, data) if create else find(directory)
    lake = Lake(place)
    if create:
        lake.ensure()
    return lake


class Lake:
    """A lake that is open; safe to use from several threads, and beside other processes. See `open_lake`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._mutex = threading.Lock()
        self._inbox: Inbox | None = None
        self._writer: duckdb.DuckDBPyConnection | None = None
        self._kept = Kept(place)

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives back files and connections; the lake may be used again."""
        with self._mutex:
            if self._writer is not None:
                self._writer.close()
            if self._inbox is not None:
                self._inbox.close()
            self._writer = self._inbox = None
        self._kept.close()

    @property
    def inbox(self) -> Inbox:
        """What was accepted and is not settled yet, and the rejects."""
        with self._mutex:
            if self._inbox is None:
                self._inbox = Inbox(self.place)
            return self._inbox

    def ensure(self) -> None:
        """Makes the tables where there are none."""
        with self.place.locked("settle", wait=SETTLE_WAIT), storing(self.place):
            prepare(self.place)
            writer = self._connected()
            if not writer.execute("SELECT 1 FROM duckdb_tables() WHERE database_name = 'lake'").fetchone():
                tables.create(writer)

    def accept(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected] = ()) -> Accepted:
        """Keeps calls and rejects: on disk when this returns, all or nothing. A known message id adds nothing.

        Raises `Busy` (nothing kept; come again after ``retry_after`` seconds) when too much waits to be settled,
        another process holds the inbox, or the disk is full.
        """
        return self.inbox.accept(arrivals, rejected)

    def settle(self, *, wait: float = 0.0) -> Settled:
        """Moves what was accepted into the tables, where runs see it; nothing when another process is at it for longer
        than ``wait`` seconds. Exactly once, whenever a process dies.
        """
        with self.place.locked("settle", wait=wait) as had:
            if not had:
                return Settled(0, 0)
            inbox = self.inbox
            with storing(self.place):
                return settle_all(self._connected(), self.place, inbox)

    def compact(
        self, *, history: timedelta = HISTORY, grace: timedelta = GRACE, wait: float = SETTLE_WAIT
    ) -> Compacted:
        """Puts small files together, sorted, and ends snapshots older than ``history`` that are not kept; figures
        at every snapshot that is left stay what they were. `Busy` when another process is at work longer than ``wait``.
        """
        with self._writing(wait) as writer:
            done = compact(writer, self.place, history, grace)
            Index(self.place.index).sweep(data_files(writer))
            return done

    def add(
        self,
        source: object,
        *,
        received_at: int,
        columns: Mapping[str, str] | None = None,
        source_timezone: str = "UTC",
        rejects: Path | None = None,
        told: Told = lambda _what, _done: None,
    ) -> Imported:
        """Imports events: files (a path, a glob, a list of them), a data frame, or a `Table` of a database. Each row is
        added once, however often it is imported or sent. ``received_at`` is now, in microseconds UTC.

        Rows that cannot be used go to the file ``rejects``, JSON lines with a reason, which can be mended and imported.
        Parquet and JSON files are committed one by one: an import that was stopped goes on where it stopped.
        """
        request = Request(source, dict(columns or {}), check_timezone(source_timezone))
        with self.place.locked("settle", wait=SETTLE_WAIT) as had:
            if not had:
                raise Busy("locked", f"another process is writing the lake in {self.place.directory}. Try later.", 5.0)
            with storing(self.place):
                settle_all(self._connected(), self.place, self.inbox)
            kept = rejects or self.place.directory / "rejects" / f"{received_at}.jsonl"
            return import_all(self.place, request, received_at=received_at, rejects=kept, told=told)

    def keep(self, snapshot: int, why: str) -> None:
        """Keeps a snapshot from expiring until it is released. RunError ``snapshot-gone``."""
        with self._writing(SETTLE_WAIT) as writer:
            if not writer.execute("SELECT 1 FROM lake.snapshots() WHERE snapshot_id = ?", (snapshot,)).fetchone():
                raise gone(snapshot, self.place)
            writer.execute("INSERT INTO lake.kept VALUES (?, ?)", (snapshot, why))

    def release(self, snapshot: int, why: str) -> None:
        """Takes back one `keep` with the same arguments."""
        with self._writing(SETTLE_WAIT) as writer:
            writer.execute("DELETE FROM lake.kept WHERE snapshot = ? AND why = ?", (snapshot, why))

    def snapshot(self) -> Snapshot:
        """The latest state of the tables; what is still in the inbox is not in it."""
        with self._looking() as connection:
            found = connection.execute(
                "SELECT snapshot_id, epoch_us(snapshot_time::TIMESTAMPTZ)"
                " FROM __ducklake_metadata_lake.ducklake_snapshot ORDER BY 1 DESC LIMIT 1"
            ).fetchone()
        assert found is not None
        return Snapshot(*found)

    def stages_reached(self) -> dict[str, tuple[int, int]]:
        """See `stages.reached`."""
        with self._looking() as connection:
            return stages.reached(connection)

    def put_stages(self, current: pa.Table, transitions: pa.Table) -> None:
        """See `stages.put`."""
        with self._writing(SETTLE_WAIT) as writer:
            stages.put(writer, current, transitions)

    def facts(self) -> LakeFacts:
        """Sizes, rows, files, snapshots, and what waits."""
        with attached(self.place) as connection:
            return again(partial(facts_of, connection, self.place, self.inbox))

    def check(self) -> tuple[Finding, ...]:
        """Whether everything is there and agrees: files, rows, message ids, names, the inbox."""
        with self._writing(SETTLE_WAIT) as writer:
            return check(writer, self.place, self.inbox)

    def repair(self) -> tuple[Finding, ...]:
        """Mends what `check` finds as far as it can be, and says what was lost."""
        with self._writing(SETTLE_WAIT) as writer:
            return repair(writer, self.place, self.inbox)

    def replay(self, read: Callable[[Rejected], Arrival | Rejected]) -> Accepted:
        """Reads the rejects anew, as after a mend of what read them: those that are calls now are accepted."""
        calls = {
            one.number: found for one in self.inbox.dead_letters() if isinstance(found := read(one.rejected), Arrival)
        }
        accepted = self.accept(list(calls.values()))
        self.inbox.bury(list(calls))
        return accepted

    def at(self, snapshot: int) -> LakeAt:
        """The lake as it was at a snapshot: a source of runs."""
        return LakeAt(self, snapshot)

    def open_rows(self, connection: duckdb.DuckDBPyConnection, needs: Needs) -> EventRows:
        """The latest events, as a run wants them."""
        return open_at(connection, self.place, None, needs)

    def open_traits(
        self, connection: duckdb.DuckDBPyConnection, unit: tuple[str, ...], names: Sequence[str], *, spelt: bool = False
    ) -> str | None:
        """The history of the unit's traits, over a connection that ran `open_rows` (see `traits.history`)."""
        return history(connection, unit, names, spelt=spelt)

    def traits_of(self, column: str, ids: Sequence[str], until: int) -> dict[str, dict[str, object]]:
        """Traits of some ids of an identity column as they were at an instant (see `traits.latest`)."""
        with attached(self.place) as connection:
            return latest(connection, column, ids, until)

    def open_runs(self, needs: Needs, snapshot: int | None = None) -> LakeRuns | None:
        """The latest events, or those of a snapshot, as runs; None where these cannot tell all that is needed."""
        return self._kept.open(snapshot, needs)

    @contextmanager
    def _writing(self, wait: float) -> Iterator[duckdb.DuckDBPyConnection]:
        """The connection that writes, alone. `Busy` when another process writes for longer than ``wait`` seconds."""
        with self.place.locked("settle", wait=wait) as had:
            if not had:
                raise Busy("locked", f"another process is writing the lake in {self.place.directory}. Try later.", 5.0)
            with storing(self.place):
                yield self._connected()

    @contextmanager
    def _looking(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to look with: the one that writes, where there is one, is attached already."""
        with self._mutex:
            beside = None if self._writer is None else self._writer.cursor()
        if beside is None:
            with attached(self.place) as connection:
                yield connection
            return
        with beside, storing(self.place):
            yield beside

    def _connected(self) -> duckdb.DuckDBPyConnection:
        with self._mutex:
            if self._writer is None:
                writer = duckdb.connect(config=CONFIG)
                attach(writer, self.place)
                self._writer = writer
            return self._writer


@dataclass(frozen=True, slots=True)
class LakeAt:
    """A lake as it was at one of its snapshots: a source of runs."""

    lake: Lake
    snapshot: int

    def open_rows(self, connection: duckdb.DuckDBPyConnection, needs: Needs) -> EventRows:
        """The events of the snapshot, as a run wants them. RunError ``snapshot-gone``."""
        return open_at(connection, self.lake.place, self._number(), needs)

    def open_runs(self, needs: Needs) -> LakeRuns | None:
        """The events of the snapshot as runs; None where these cannot tell all that is needed. RunError
        ``snapshot-gone``.
        """
        return self.lake.open_runs(needs, self._number())

    def open_traits(
        self, connection: duckdb.DuckDBPyConnection, unit: tuple[str, ...], names: Sequence[str], *, spelt: bool = False
    ) -> str | None:
        """As `Lake.open_traits`, of the snapshot."""
        return history(connection, unit, names, spelt=spelt)

    def _number(self) -> int:
        if self.snapshot < 0:
            raise RunError(
                "snapshot-gone", f"{self.snapshot} is no snapshot. `doorstep lake show` lists those there are."
            )
        return self.snapshot
