"""Why they drop: what those who went on to a step had that the others had not (semantics 8). Association, not cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa

from doorstep.definitions.funnel import Funnel, Step
from doorstep.definitions.identity import definition_hash
from doorstep.engines.conditions import asks
from doorstep.engines.duckdb import Engine, Progress
from doorstep.engines.several import Asked, Batch, batches, needs_of_all
from doorstep.engines.stitching import stitched, unit_identities
from doorstep.errors import RunError, nearest
from doorstep.funnels.bounds import Instant
from doorstep.funnels.figures import SECOND, clocks_of, reached_of
from doorstep.funnels.notebook import Shown
from doorstep.funnels.opening import Given, Opened, Scope, Span, defined, opened
from doorstep.matching.attempts import NEVER_REACHED, STATUSES, Attempts
from doorstep.matching.plan import Question
from doorstep.rows import EventRows, Needs, quoting, reading
from doorstep.rows.names import COMMON
from doorstep.rows.shape import fresh_name
from doorstep.rows.typed import as_text
from doorstep.statistics.proportions import Estimate, benjamini_hochberg, odds, share

SUPPORT: Final = 20
FALSE_DISCOVERIES: Final = 0.05
FEW_VALUES: Final = 12
"""Numbers of more values than this are told by quarters."""

MOST_VALUES: Final = 200
"""A property of more values than this tells rows apart rather than groups."""

MOST_PROPERTIES: Final = 60
WEEK: Final = "week"
IN_JSON: Final = "properties"
Place = Literal["previous", "entry"]


@dataclass(frozen=True, slots=True)
class Driver:
    """A value of a property, or an event in between: how many went on and dropped of those who have it and of the rest.
    ``odds`` of dropping with it against without it, ``p_value`` by Fisher's exact test, ``q_value`` the least rate of
    false discoveries at which it is found. Value None: the property is missing.
    """

    kind: Literal["property", "event"]
    name: str
    value: str | None
    went_on: int
    dropped: int
    others_went_on: int
    others_dropped: int
    odds: Estimate
    p_value: float
    q_value: float
    found: bool

    @property
    def drop_share(self) -> float:
        """Of those who have it, the share that dropped."""
        return self.dropped / (self.dropped + self.went_on)

    @property
    def others_drop_share(self) -> float | None:
        """Of the rest."""
        rest = self.others_dropped + self.others_went_on
        return self.others_dropped / rest if rest else None


@dataclass(frozen=True, slots=True)
class Drivers(Shown):
    """What differs most, found things first, the surest and strongest of them before others. ``young`` attempts
    are left out: they came to the previous step no earlier than the first that may still go on, so that of them only
    those who were quick would be known to have gone on. ``watched`` (seconds) is how long after the previous step
    events were looked at, and ``watched_of`` how many attempts were still undecided then; None and 0 where there was
    no such span.
    """

    funnel: Funnel
    hash: str
    step: Step
    previous: Step
    at: Place
    went_on: int
    dropped: int
    young: int
    share: Estimate
    drivers: tuple[Driver, ...]
    tested: int
    support: int
    false_discoveries: float
    watched: float | None
    watched_of: int
    passed_over: tuple[str, ...]
    notes: tuple[str, ...]
    span: Span

    @property
    def found(self) -> tuple[Driver, ...]:
        """Those that are more than chance."""
        return tuple(one for one in self.drivers if one.found)

    def to_dict(self) -> dict[str, Any]:
        """What ``doorstep why --json`` prints."""
        plain = ("at", "went_on", "dropped", "young", "tested", "support", "false_discoveries", "watched", "watched_of")
        return {
            "funnel": {"name": self.funnel.funnel, "hash": self.hash, "semantics": self.funnel.semantics},
            "data": asdict(self.span),
            "step": {"id": self.step.id, "name": self.step.label},
            "previous": {"id": self.previous.id, "name": self.previous.label},
            **{name: getattr(self, name) for name in plain},
            "share": asdict(self.share),
            "drivers": [
                {**asdict(one), "drop_share": one.drop_share, "others_drop_share": one.others_drop_share}
                for one in self.drivers
            ],
            "passed_over": list(self.passed_over),
            "notes": list(self.notes),
        }


def drivers(
    funnel: Given,
    source: object,
    *,
    step: int | str,
    at: Place = "previous",
    support: int = SUPPORT,
    false_discoveries: float = FALSE_DISCOVERIES,
    since: Instant = None,
    until: Instant = None,
    as_of: Instant = None,
    timezone: str = "UTC",
    first_time: bool = False,
    columns: Mapping[str, str] | None = None,
    source_timezone: str = "UTC",
    memory: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Drivers:
    """Of the counted attempts that reached the required step before ``step``, compares those that went on with those
    that did not: every property at the row of that previous step (``at="entry"``: at the entry row), the calendar week
    of it, and the events after it.

    Events are watched equally long for both: within the first quarter of the times that those who went on took, and
    only of attempts that were undecided at its end. Nobody has more events for having waited longer, or fewer for
    having gone on at once. At least ``support`` attempts must have a value or event, and as many not; Benjamini and
    Hochberg's rule keeps the share of false discoveries at ``false_discoveries``. Other arguments are those of `run`.
    Raises DefinitionError, SourceError or RunError.
    """
    definition = defined(funnel)
    position, before = _steps(definition, step)
    if at not in ("previous", "entry"):
        raise RunError("bad-place", f"at is {at!r}. Write previous, for the row of the step before, or entry.")
    if support < 1 or not 0 < false_discoveries < 1:
        raise RunError("bad-support", "support must be at least 1, and the rate of false discoveries between 0 and 1.")
    scope = Scope(since, until, as_of, timezone, first_time, columns, source_timezone, memory, threads, progress)
    asked = Asked.of(definition)
    base = needs_of_all([asked])
    looked = Needs(base.properties | {IN_JSON}, base.units, base.hold)
    names: list[str] = []

    def wanted(running: Engine, rows: EventRows) -> Needs:
        names.extend(_properties(running, rows, definition, scope.columns or {}))
        return Needs(looked.properties | set(names), base.units, base.hold)

    with opened(source, looked, scope, wanted) as open_:
        open_.refuse_impossible([asked])
        work = _Work(open_, asked, position, before, at, names)
        for batch in batches(open_.engine, open_.rows, [asked], open_.bounds, first_time=first_time):
            work.add(batch)
        work.settle()
        found = [*work.properties(), *work.events()]
        span = open_.span
    told = _tested(found, support, false_discoveries)
    return Drivers(
        funnel=definition,
        hash=definition_hash(definition),
        step=definition.steps[position],
        previous=definition.steps[before],
        at=at,
        went_on=work.went_on,
        dropped=work.dropped,
        young=work.young,
        share=share(work.went_on, work.went_on + work.dropped),
        drivers=told,
        tested=len(told),
        support=support,
        false_discoveries=false_discoveries,
        watched=None if work.watched is None else work.watched / SECOND,
        watched_of=work.watched_of,
        passed_over=tuple(work.passed_over),
        notes=tuple(_notes(work, told)),
        span=span,
    )


def _steps(funnel: Funnel, step: object) -> tuple[int, int]:
    """(position of the step, position of the required one before it)."""
    position = funnel.positions.get(str(step))
    if position is None:
        near = nearest(str(step), funnel.positions)
        mend = f"Did you mean {near!r}?" if near else f"Its steps are {', '.join(funnel.positions)}."
        raise RunError("no-such-step", f"{funnel.funnel} has no step {step!r}. {mend}")
    if funnel.order == "any":
        raise RunError(
            "steps-in-any-order",
            "the steps of this funnel come in any order, so that no step is the one before another.",
        )
    earlier = [one for one in funnel.required if one < position]
    if not earlier or position not in funnel.required:
        kind = "the first step" if not earlier else "an optional step, which drops nobody,"
        raise RunError("no-drop", f"{step!r} is {kind} so that nobody can drop before it. Name a later required step.")
    return position, earlier[-1]


def _properties(running: Engine, rows: EventRows, funnel: Funnel, columns: Mapping[str, str]) -> list[str]:
    """Columns that may tell groups apart, and the keys of a JSON column of properties."""
    theirs = {name.casefold() for spellings in COMMON.values() for name in spellings} | set(COMMON)
    own = {*funnel.unit_columns, *columns.values()}
    names = [name for name in rows.columns if name.casefold() not in theirs and name not in own and name != IN_JSON]
    places = rows.values(IN_JSON)
    if places and places[0].kind == "json":
        keys = f"SELECT DISTINCT unnest(json_keys({places[0].sql})) AS k FROM {rows.relation} ORDER BY k"
        with reading(rows.description):
            found = running.execute(f"{keys} LIMIT {MOST_PROPERTIES}", "reading properties").fetchall()
        names += [str(key) for (key,) in found if str(key) not in names]
    return names[:MOST_PROPERTIES]


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is held of a value or an event before it is tested."""

    kind: Literal["property", "event"]
    name: str
    value: str | None
    went_on: int
    dropped: int
    others_went_on: int
    others_dropped: int


class _Work:
    """The attempts in a table of their own, and what is counted of them, by the engine."""

    def __init__(
        self, open_: Opened, asked: Asked, position: int, before: int, at: Place, names: Sequence[str]
    ) -> None:
        self.engine, self.bounds, self.zone = open_.engine, open_.bounds, open_.scope.timezone
        self.funnel, self.position, self.before, self.at = asked.funnel, position, before, at
        self.names = list(names)
        self.rows = stitched(open_.engine, open_.rows, asked.funnel, open_.bounds)
        entries = asked.funnel.entry_positions if at == "entry" else (before,)
        self.question = Question(of=tuple(asked.plan.questions[one] for one in entries))
        self.attempts, self.valued = fresh_name("attempts"), fresh_name("valued")
        self.went_on = self.dropped = self.open = self.young = self.watched_of = 0
        plan = asked.plan.steps[position]
        ways = [one.deadline.limited for one in plan.alternatives]
        self.limited = plan.deadline.limited or (bool(ways) and all(ways))
        self.watched: int | None = None
        self.passed_over: list[str] = []
        self.made = False

    def add(self, batch: Batch) -> None:
        """Puts the attempts of a batch that were at the previous step into the table."""
        attempts = batch.walk(0)
        counted = attempts.where(attempts.counted)
        table = self._table(batch, counted.where(reached_of(self.funnel, counted)[:, self.before]))
        name = fresh_name("batch")
        self.engine.connection.register(name, table)
        if self.made:
            known = f"(SELECT count(*) FROM {self.attempts})"
            statement = f"INSERT INTO {self.attempts} SELECT * REPLACE (n + {known} AS n) FROM {name}"
        else:
            statement = f"CREATE TEMP TABLE {self.attempts} AS SELECT * FROM {name}"
        self.engine.execute(statement, "keeping attempts")
        self.engine.connection.unregister(name)
        self.made = True

    def settle(self) -> None:
        """Leaves out whoever came to the previous step no earlier than the first who may still go on, and counts."""
        if not self.made:
            return
        if self.limited:
            still = f"SELECT min(clock) FROM {self.attempts} WHERE still"
            self.young = int(
                self._fetch(f"SELECT count(*) FROM {self.attempts} WHERE clock >= ({still})", "counting")[0][0]
            )
            self.engine.execute(f"DELETE FROM {self.attempts} WHERE clock >= ({still})", "counting")
        ((self.went_on, self.dropped, self.open),) = self._fetch(
            f"SELECT count(*) FILTER (went), count(*) FILTER (NOT went), count(*) FILTER (still) FROM {self.attempts}",
            "counting",
        )

    def _table(self, batch: Batch, attempts: Attempts) -> pa.Table:
        ranks = {position: rank for rank, position in enumerate(self.funnel.required)}
        clocks = clocks_of(self.funnel, attempts)
        went = attempts.at[:, self.position] != NEVER_REACHED
        numbers = pa.array(attempts.unit)
        units = {f"u{number}": values.take(numbers) for number, values in enumerate(batch.unit_values)}
        return pa.table(
            {
                **units,
                "n": pa.array(np.arange(len(attempts))),
                "clock": pa.array(clocks[:, ranks[self.before]]),
                "seen": pa.array(attempts.entered_at if self.at == "entry" else attempts.at[:, self.before]),
                "done": pa.array(clocks[:, ranks[self.position]], mask=~went),
                "went": pa.array(went),
                "still": pa.array(~went & (attempts.status == STATUSES.index("open"))),
            }
        )

    def _same_unit(self) -> str:
        return " AND ".join(
            f"{self.rows.identity(name)} = a.u{number}" for number, name in enumerate(unit_identities(self.funnel))
        )

    def _visible(self) -> str:
        excluded = [f"NOT {asks(Question(one.event, one.condition), self.rows)}" for one in self.funnel.exclude]
        return " AND ".join([self.rows.time_at_most(self.bounds.as_of), *excluded])

    def _fetch(self, statement: str, what: str) -> list[Any]:
        with reading(self.rows.description):
            return self.engine.execute(statement, what).fetchall()

    # -- properties

    def properties(self) -> Iterator[_Counted]:
        """Every value of every property, against all others. Of rows alike in time the least value is taken."""
        if not self.went_on + self.dropped:
            return
        selected = [f"min({as_text(self.rows.values(name))}) AS p{number}" for number, name in enumerate(self.names)]
        local = f"timezone({quoting.text(self.zone)}, make_timestamptz(any_value(a.seen)))"
        week = f"strftime(date_trunc('week', {local}), '%Y-%m-%d')"
        with reading(self.rows.description):
            self.engine.execute(
                f"CREATE TEMP TABLE {self.valued} AS SELECT a.n, any_value(a.went) AS went, {week} AS w"
                f"{''.join(f', {one}' for one in selected)} FROM {self.rows.relation} JOIN {self.attempts} a"
                f" ON {self._same_unit()} AND {self.rows.time} = a.seen"
                f" WHERE {self._visible()} AND {asks(self.question, self.rows)} GROUP BY a.n",
                "looking at properties",
            )
        for number, name in enumerate(self.names):
            yield from self._property(name, f"p{number}")
        yield from self._property(f"{WEEK} of the {'entry' if self.at == 'entry' else 'step before'}", "w")

    def _property(self, name: str, column: str) -> Iterator[_Counted]:
        ((distinct, numbers, known),) = self._fetch(
            f"SELECT count(DISTINCT {column}), count(TRY_CAST({column} AS DOUBLE)), count({column}) FROM {self.valued}",
            "looking at properties",
        )
        value = column
        if distinct > FEW_VALUES and numbers == known:
            value = self._quarters(column)
        elif distinct > MOST_VALUES:
            self.passed_over.append(name)
            return
        found = self._fetch(
            f"SELECT {value} AS v, count(*) FILTER (went), count(*) FILTER (NOT went) FROM {self.valued}"
            " GROUP BY v ORDER BY v NULLS LAST",
            "looking at properties",
        )
        went, dropped = sum(one[1] for one in found), sum(one[2] for one in found)
        counted = [_Counted("property", name, v, w, d, went - w, dropped - d) for v, w, d in found]
        if len(counted) == 2:  # the two say the same: the one who drops more is told
            counted = [max(counted, key=lambda one: one.dropped * (went + dropped) / (one.went_on + one.dropped))]
        yield from (one for one in counted if len(found) > 1)

    def _quarters(self, column: str) -> str:
        """SQL of which quarter of the numbers a value is in, by its bounds."""
        (bounds,) = self._fetch(
            f"SELECT quantile_disc(TRY_CAST({column} AS DOUBLE), [0, 0.25, 0.5, 0.75, 1]) FROM {self.valued}",
            "looking at properties",
        )[0]
        low, *inner, high = [float(one) for one in bounds]
        edges = [low, *dict.fromkeys(one for one in inner if low < one < high), high]
        number = f"TRY_CAST({column} AS DOUBLE)"
        parts = [
            f"WHEN {number} <= {edges[place + 1]!r} THEN {quoting.text(f'{edges[place]:g} to {edges[place + 1]:g}')}"
            for place in range(len(edges) - 1)
        ]
        return f"CASE {' '.join(parts)} END"

    # -- events

    def events(self) -> Iterator[_Counted]:
        """Every event in the span that is watched, of attempts that are undecided at its end."""
        if not self.went_on or not self.dropped:
            return
        (quarter,) = self._fetch(
            f"SELECT quantile_disc(done - clock, 0.25) FROM {self.attempts} WHERE went", "looking at events"
        )[0]
        if not quarter or quarter <= 0:
            return
        self.watched = int(quarter)
        end = f"a.clock + {self.watched}"
        risk = f"{end} <= {self.bounds.as_of} AND (a.done IS NULL OR a.done > {end})"
        ((went, dropped),) = self._fetch(
            f"SELECT count(*) FILTER (went), count(*) FILTER (NOT went) FROM {self.attempts} a WHERE {risk}",
            "looking at events",
        )
        self.watched_of = went + dropped
        found = self._fetch(
            f"SELECT {self.rows.event} AS e, count(DISTINCT a.n) FILTER (a.went),"
            " count(DISTINCT a.n) FILTER (NOT a.went)"
            f" FROM {self.rows.relation} JOIN {self.attempts} a ON {self._same_unit()}"
            f" AND {self.rows.time} > a.clock AND {self.rows.time} <= {end}"
            f" WHERE {risk} AND {self._visible()} GROUP BY e ORDER BY e",
            "looking at events",
        )
        yield from (_Counted("event", str(e), None, w, d, went - w, dropped - d) for e, w, d in found)


def _tested(counted: Sequence[_Counted], support: int, rate: float) -> tuple[Driver, ...]:
    kept = []
    for one in counted:
        mine, rest = one.went_on + one.dropped, one.others_went_on + one.others_dropped
        if min(mine, rest) < support:
            continue
        found = odds(one.dropped, one.went_on, one.others_dropped, one.others_went_on)
        if found.p_value is not None:
            kept.append((one, found.ratio, found.p_value))
    rates = benjamini_hochberg([p_value for _, _, p_value in kept])
    told = [
        Driver(
            one.kind, one.name, one.value, one.went_on, one.dropped, one.others_went_on, one.others_dropped,
            ratio, p_value, q_value, q_value <= rate,
        )
        for (one, ratio, p_value), q_value in zip(kept, rates, strict=True)
    ]  # fmt: skip
    return tuple(sorted(told, key=lambda one: (not one.found, -_at_least(one.odds), one.q_value, one.name)))


def _at_least(odds_ratio: Estimate) -> float:
    """How many times the odds differ at least, either way, as far as the interval goes; 1 where it holds 1."""
    low, high = odds_ratio.low or 0.0, odds_ratio.high or 0.0
    return low if low > 1 else 1 / high if 0 < high < 1 else 1.0


def _notes(work: _Work, told: Sequence[Driver]) -> Iterator[str]:
    if not work.went_on + work.dropped:
        yield "no attempt that is decided came to the step before, so there is nothing to compare."
    elif not work.dropped:
        yield "nobody dropped here."
    elif not work.went_on:
        yield "nobody went on, so there is nothing to compare with."
    elif not any(one.found for one in told):
        yield "nothing differs more than chance would have it."
    if work.young:
        yield (
            f"{work.young:,} attempts that came to the step before lately are left out, whether they went on or not: "
            "some that came when they did may still go on."
        )
    if work.open:
        yield (
            f"the step has no window: {work.open:,} attempts that had not gone on by the end of the data are held as "
            "dropped, though they may still go on. Late ones had less time than early ones."
        )
    if work.passed_over:
        yield f"left out for having more than {MOST_VALUES} values: {', '.join(work.passed_over)}."


__all__ = ["Driver", "Drivers", "drivers"]
