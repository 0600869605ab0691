"""Three months of a made-up B2B product's events: believable, seeded, and as untidy as real ones.

Staff, robots and test users are among the rows, some messages are repeated, some rows come late or anonymous, and some
webhooks come before what they confirm. Four stories are in them, for the guides to find: a bug that kept Android from
paying for a month, four days on which confirmations of payments were lost, a country whose newer sign-ups confirm their
address less and less, and an experiment with the form for signing up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

Integers = NDArray[np.int64]

SECOND: Final = 1_000_000
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR
BEGIN: Final = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) * SECOND
"""A Monday; the events end 90 days later."""

DAYS: Final = 90
ROWS_PER_USER: Final = 25
USERS_PER_ACCOUNT: Final = 7
SAMPLE_ROWS: Final = 2_000

BUG: Final = (BEGIN + 27 * DAY, BEGIN + 55 * DAY)
"""February: hardly anyone on Android gets from the checkout to a payment."""

INCIDENT: Final = (BEGIN + 63 * DAY, BEGIN + 67 * DAY)
"""Monday, 9 March, to Thursday: no payment is confirmed."""

DRIFT: Final = (BEGIN + 40 * DAY, BEGIN + DAYS * DAY)
"""From here on sign-ups from India confirm their address less and less."""

FORMS: Final = (BEGIN + 21 * DAY, BEGIN + 77 * DAY)
"""For these eight weeks half of those who sign up see a short form; more of them confirm their address."""

SHORT_FORM: Final = 0.07
"""How much more, as a share."""


@dataclass
class _Log:
    """Rows as they happen: who (-1: nobody known), what, when, and properties that only some rows have."""

    rng: np.random.Generator
    events: list[str] = field(default_factory=list)
    users: list[Integers] = field(default_factory=list)
    times: list[Integers] = field(default_factory=list)
    properties: list[Mapping[str, Sequence[object]]] = field(default_factory=list)

    def add(self, event: str, users: Integers, times: Integers, **properties: Sequence[object]) -> None:
        self.events.append(event)
        self.users.append(users)
        self.times.append(times)
        self.properties.append(properties)

    def some(
        self, users: Integers, times: Integers, share: float | NDArray[np.float64], median: float
    ) -> tuple[Integers, Integers]:
        """Those who go on, and when: ``share`` of them (or a chance for each), after a delay of this median (hours)."""
        going = self.rng.random(len(users)) < share
        delay = np.exp(self.rng.normal(np.log(median * HOUR), 1.6, len(users))).astype(np.int64)
        return users[going], (times + delay)[going]

    @property
    def count(self) -> int:
        return sum(map(len, self.users))


@dataclass(frozen=True)
class _People:
    account: Integers
    platform: NDArray[np.str_]
    country: NDArray[np.str_]
    plan: NDArray[np.str_]
    staff: NDArray[np.bool_]
    test: NDArray[np.bool_]
    robot: NDArray[np.bool_]


def write(directory: Path, rows: int = 200_000, seed: int = 7) -> Path:
    """Writes ``events.parquet`` (about ``rows`` rows) and, of a few users, ``events-sample.csv`` and ``.jsonl`` into
    ``directory``, made when absent. The same rows and seed give the same bytes. Returns the Parquet file's path.
    """
    rng = np.random.default_rng(seed)
    people = _people(rng, max(60, rows // ROWS_PER_USER))
    log = _Log(rng)
    _signups(log, people)
    _shopping(log, people)
    _trials(log, people)
    _subscriptions(log, people)
    _browsing(log, people, max(0, rows - log.count))
    table = _table(log, people)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "events.parquet"
    pyarrow.parquet.write_table(table, path, compression="zstd")
    _write_samples(table, directory)
    return path


def _people(rng: np.random.Generator, users: int) -> _People:
    account = rng.integers(0, max(10, users // USERS_PER_ACCOUNT), users)
    robot = np.zeros(users, bool)
    robot[-4:] = True
    return _People(
        account=account,
        platform=rng.choice(["web", "ios", "android"], users, p=[0.55, 0.25, 0.2]),
        country=rng.choice(["US", "CA", "DE", "FR", "GB", "IN"], users, p=[0.42, 0.1, 0.16, 0.1, 0.14, 0.08]),
        plan=rng.choice(["free", "pro", "team"], users, p=[0.62, 0.26, 0.12]),
        staff=account < max(1, users // 700),
        test=rng.random(users) < 0.01,
        robot=robot,
    )


def _starts(rng: np.random.Generator, count: int) -> Integers:
    """Instants within the three months: fewer at weekends and at night."""
    days = np.arange(DAYS)
    weights = np.where(days % 7 >= 5, 0.35, 1.0)
    day = rng.choice(days, count, p=weights / weights.sum())
    hour = np.clip(rng.normal(14, 4, count), 0, 23.99)
    return np.asarray(BEGIN + day * DAY + hour * HOUR, np.int64)


def _signups(log: _Log, people: _People) -> None:
    users = np.flatnonzero(~people.robot)
    times = _starts(log.rng, len(users))
    short = log.rng.random(len(people.robot)) < 0.5
    log.add("signup_started", users, times, signup_form=_forms(log, short[users], times))
    verifies = np.where(_during(FORMS, times) & short[users], 0.74 + SHORT_FORM, 0.74)
    drifted = (times - DRIFT[0]) / (DRIFT[1] - DRIFT[0])
    verifies -= np.where(_during(DRIFT, times) & (people.country[users] == "IN"), 0.5 * drifted, 0.0)
    verified, verified_at = log.some(users, times, verifies, 0.6)
    log.add("email_verified", verified, verified_at)
    log.add("first_session", *log.some(verified, verified_at, 0.72, 5))
    missing = np.setdiff1d(users, verified)
    again, again_at = log.some(missing, times[np.searchsorted(users, missing)] + 14 * DAY, 0.2, 60)
    log.add("signup_started", again, again_at, signup_form=_forms(log, short[again], again_at))
    log.add("email_verified", *log.some(again, again_at, 0.6, 0.5))
    mobile = people.platform[users] != "web"
    app, app_at = users[mobile], times[mobile]
    log.add("app_install", app, app_at)
    opened, opened_at = log.some(app, app_at, 0.86, 2)
    log.add("app_open", opened, opened_at)
    taught, taught_at = log.some(opened, opened_at, 0.66, 0.4)
    log.add("tutorial_completed", taught, taught_at)
    log.add("enable_notifications", *log.some(taught, taught_at, 0.45, 0.1))
    log.add("account_created", *log.some(taught, taught_at, 0.71, 0.7))


def _during(span: tuple[int, int], times: Integers) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (span[0] <= times) & (times < span[1])
    return found


def _forms(log: _Log, short: NDArray[np.bool_], times: Integers) -> list[str | None]:
    """Which form is seen, while there are two; some who come back have lost their cookie and may see the other."""
    seen = np.where(log.rng.random(len(short)) < 0.05, log.rng.random(len(short)) < 0.5, short)
    during = _during(FORMS, times).tolist()
    return [("short" if one else "control") if asked else None for one, asked in zip(seen, during, strict=True)]


def _shopping(log: _Log, people: _People) -> None:
    users = np.flatnonzero(~people.robot & (log.rng.random(len(people.robot)) < 0.35))
    times = _starts(log.rng, len(users))
    for _ in range(3):
        log.add("add_to_cart", users, times, value=np.round(log.rng.gamma(2, 30, len(users)), 2).tolist())
        bought, bought_at = log.some(users, times, 0.52, 3)
        log.add("checkout_completed", bought, bought_at)
        log.add("purchase", *log.some(bought, bought_at, 0.85, 0.2))
        users, times = log.some(users, times, 0.5, 200)


def _first_of_accounts(log: _Log, people: _People, share: float) -> Integers:
    """One user of each of so many accounts."""
    _, first = np.unique(people.account, return_index=True)
    found: Integers = first[~people.robot[first] & (log.rng.random(len(first)) < share)]
    return found


def _colleagues(log: _Log, people: _People, users: Integers) -> Integers:
    """For each user one of the same account, at random."""
    order = np.argsort(people.account, kind="stable")
    grouped = people.account[order]
    low = np.searchsorted(grouped, people.account[users], "left")
    high = np.searchsorted(grouped, people.account[users], "right")
    return order[low + (log.rng.random(len(users)) * (high - low)).astype(np.int64)]


def _trials(log: _Log, people: _People) -> None:
    users = _first_of_accounts(log, people, 0.9)
    times = _starts(log.rng, len(users))
    for _ in range(2):
        log.add("trial_started", users, times)
        log.add("teammate_invited", *log.some(users, times, 0.42, 20))
        started, started_at = log.some(_colleagues(log, people, users), times, 0.55, 30)
        log.add("project_created", started, started_at)
        viewed, viewed_at = log.some(started, started_at, 0.75, 24)
        log.add("report_viewed", _colleagues(log, people, viewed), viewed_at)
        users, times = log.some(users, times, 0.12, 24 * 30)


def _subscriptions(log: _Log, people: _People) -> None:
    users = _first_of_accounts(log, people, 0.8)
    times = _starts(log.rng, len(users))
    for _ in range(2):
        currency = log.rng.choice(["USD", "EUR"], len(users), p=[0.72, 0.28]).tolist()
        log.add("pricing_view", users, times, currency=currency)
        checked, checked_at = log.some(users, times, 0.66, 2)
        log.add("checkout_started", checked, checked_at)
        broken = _during(BUG, checked_at) & (people.platform[checked] == "android")
        paid, paid_at = log.some(checked, checked_at, np.where(broken, 0.05, 0.74), 1)
        log.add("payment_submitted", paid, paid_at)
        confirmed = log.rng.random(len(paid)) < 0.93
        webhook = np.exp(log.rng.normal(np.log(0.3 * HOUR), 1.5, len(paid))).astype(np.int64)
        early = log.rng.random(len(paid)) < 0.08
        active_at = np.where(early, paid_at - np.minimum(webhook, 20 * HOUR), paid_at + webhook)
        confirmed &= ~_during(INCIDENT, active_at)
        log.add("subscription_active", paid[confirmed], active_at[confirmed])
        left, left_at = log.some(paid[confirmed], active_at[confirmed], 0.18, 24 * 20)
        log.add("subscription_cancelled", left, left_at)
        users, times = log.some(left, left_at, 0.6, 24 * 5)


def _browsing(log: _Log, people: _People, rows: int) -> None:
    """What fills the rest of a product's days: visits of several pages, robots, and visitors nobody knows."""
    robots = np.repeat(np.flatnonzero(people.robot), rows // 100)
    log.add("page_view", robots, BEGIN + (log.rng.random(len(robots)) * DAYS * DAY).astype(np.int64))
    unknown = np.full(rows // 25, -1, np.int64)
    log.add("page_view", unknown, _starts(log.rng, len(unknown)))
    visits = max(0, rows - len(robots) - len(unknown)) // 5
    users = log.rng.choice(np.flatnonzero(~people.robot), visits)
    times = _starts(log.rng, visits)
    for event in ("app_open", "page_view", "page_view", "report_viewed", "page_view"):
        log.add(event, users, times)
        times = times + (log.rng.exponential(180, visits) * SECOND).astype(np.int64)


def _table(log: _Log, people: _People) -> pa.Table:
    users, times = np.concatenate(log.users), np.concatenate(log.times)
    events = np.repeat(np.array(log.events), [len(part) for part in log.users])
    extra: list[dict[str, object]] = []
    for part, given in zip(log.users, log.properties, strict=True):
        extra += (
            [dict(zip(given, values, strict=True)) for values in zip(*given.values(), strict=True)]
            if given
            else [{} for _ in range(len(part))]
        )
    kept = np.flatnonzero(times < BEGIN + DAYS * DAY)
    late = np.where(log.rng.random(len(kept)) < 0.02, log.rng.random(len(kept)) * 2 * DAY, 0)
    order = kept[np.argsort(times[kept] + late, kind="stable")]
    repeated = np.sort(log.rng.choice(len(order), len(order) // 120, replace=False))
    place = np.sort(np.concatenate([np.arange(len(order)), repeated]))
    again = np.concatenate([[False], place[1:] == place[:-1]])
    users, events = users[order][place], events[order][place]
    times = times[order][place] + np.where(again, 7 * SECOND, 0)
    known = users >= 0
    return pa.table(
        {
            "message_id": pa.array([f"m{number:08d}" for number in place]),
            "event": pa.array(events),
            "time": pa.array(times, pa.timestamp("us", tz="UTC")),
            "user_id": pa.array([f"u{user:05d}" for user in users], mask=~known),
            "account_id": pa.array([f"acct-{number:04d}" for number in people.account[users]], mask=~known),
            "session_id": pa.array([f"s{user}-{day}" for user, day in zip(users, times // DAY, strict=True)]),
            "anonymous_id": pa.array([f"anon-{number % 911:03d}" for number in place], mask=known),
            "platform": pa.array(people.platform[users], mask=~known),
            "country": pa.array(people.country[users], mask=~known),
            "plan": pa.array(people.plan[users], mask=~known),
            "staff": pa.array(people.staff[users], mask=~known),
            "properties": pa.array(_properties(people, users, [extra[index] for index in order[place]])),
        }
    )


def _properties(people: _People, users: Integers, extra: Sequence[Mapping[str, object]]) -> list[str]:
    texts = []
    for user, own in zip(users.tolist(), extra, strict=True):
        marks: dict[str, object] = {name: value for name, value in own.items() if value is not None}
        if user >= 0:
            marks |= {"internal": True} if people.staff[user] else {}
            marks |= {"test_user": True} if people.test[user] else {}
            marks |= {"bots": True} if people.robot[user] else {}
        texts.append(json.dumps(marks) if marks else "{}")
    return texts


def _write_samples(table: pa.Table, directory: Path) -> None:
    """All rows of the first users, as CSV and as JSON lines."""
    users = table.column("user_id")
    some = pc.less(users, f"u{max(20, SAMPLE_ROWS // ROWS_PER_USER):05d}")
    sample = table.filter(some).select([name for name in table.column_names if name != "properties"])
    pyarrow.csv.write_csv(sample, directory / "events-sample.csv")
    lines = []
    for row in sample.to_pylist():
        row["time"] = row["time"].isoformat()
        lines.append(json.dumps({name: value for name, value in row.items() if value is not None}))
    (directory / "events-sample.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
