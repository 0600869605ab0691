"""What several questions about several definitions begin with: bounds, an open source, literals that can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from doorstep.definitions.funnel import Funnel
from doorstep.definitions.reading import load
from doorstep.engines.duckdb import Engine, Progress, engine
from doorstep.engines.several import Asked
from doorstep.errors import RunError
from doorstep.funnels.bounds import Instant, microseconds_of, zone_of
from doorstep.funnels.result import instant
from doorstep.funnels.run import bounds_of, refuse_impossible, refuse_unknown_names
from doorstep.matching.reference import Bounds
from doorstep.rows import EventRows, Needs, open_rows

Given = Funnel | str | Path | Mapping[str, object]
"""A definition, a path to one, or its document."""


def defined(given: Given) -> Funnel:
    """The definition that is meant."""
    return given if isinstance(given, Funnel) else load(given)


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a source is looked at, and how it is read; as the arguments of `doorstep.run`."""

    since: Instant = None
    until: Instant = None
    as_of: Instant = None
    timezone: str = "UTC"
    first_time: bool = False
    columns: Mapping[str, str] | None = None
    source_timezone: str = "UTC"
    memory: int | None = None
    threads: int | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """What was looked at, for people: bounds in ISO 8601 (None: none), and where the rows are from."""

    since: str | None
    until: str | None
    as_of: str
    description: str
    rows: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that is open, and the bounds of what is looked at."""

    engine: Engine
    rows: EventRows
    bounds: Bounds
    span: Span
    scope: Scope

    def refuse_impossible(self, asked: Sequence[Asked]) -> None:
        """RunError for a literal that a typed column can never equal."""
        for one in asked:
            refuse_impossible(self.engine, one.funnel, one.plan, self.rows)


@contextmanager
def opened(
    source: object, needs: Needs, scope: Scope, again: Callable[[Engine, EventRows], Needs] | None = None
) -> Iterator[Opened]:
    """The source, open for as long as the block runs. ``again`` may want more of it once it has seen its columns.
    Raises SourceError or RunError.
    """
    zone = zone_of(scope.timezone)
    low = microseconds_of(scope.since, "since", zone)
    high = microseconds_of(scope.until, "until", zone)
    horizon = microseconds_of(scope.as_of, "as_of", zone)
    if low is not None and high is not None and low >= high:
        raise RunError("bounds", "since is not before until, so no entry can lie between them. Swap or widen them.")
    refuse_unknown_names(scope.columns, needs)
    with ExitStack() as stack:

        def read(wanted: Needs) -> tuple[Engine, EventRows]:
            stack.close()  # a store can be opened once on a connection
            running = stack.enter_context(engine(memory=scope.memory, threads=scope.threads, progress=scope.progress))
            return running, open_rows(
                running.connection,
                source,
                columns=scope.columns,
                source_timezone=scope.source_timezone,
                needs=wanted,
            )

        running, rows = read(needs)
        more = needs if again is None else again(running, rows)
        if set(more.identities) - set(needs.identities) or more.properties - needs.properties:
            running, rows = read(more)
        bounds = bounds_of(rows, low, high, horizon)
        span = Span(instant(low), instant(high), instant(bounds.as_of) or "", rows.description, rows.facts().rows)
        yield Opened(running, rows, bounds, span, scope)
