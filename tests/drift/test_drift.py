"""Drift tells "tracking broke" apart from "conversion fell", and keeps quiet about what is as usual."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from doorstep.drift.bands import differ, usual
from doorstep.drift.look import DriftReport, drift
from doorstep.errors import RunError

FUNNEL: dict[str, Any] = {
    "funnel": "signup",
    "count_by": "user_id",
    "exclude": [{"filters": {"staff": True}}],
    "steps": [
        {"event": "signup", "filters": {"plan": ["pro", "free"]}},
        {"event": "verify", "window": "7d"},
    ],
}
END = datetime(2026, 4, 1, tzinfo=UTC)
SUNDAY = 6
DAY = 86_400_000_000
Row = dict[str, Any]


def rows(change: Callable[[Row, bool, random.Random], Row | None], weeks: int = 9, size: int = 300) -> pa.Table:
    """So many weeks of about ``size`` rows of two events; ``change`` alters a row, told if it is of the last week."""
    rng = random.Random(5)
    made = []
    for week in range(weeks):
        for number in range(size + rng.randrange(-15, 15)):
            row: Row = {
                "user_id": f"u{number}",
                "event": rng.choice(["signup", "verify"]),
                "time": END - timedelta(days=7 * week, seconds=rng.randrange(7 * 86_400)),
                "plan": rng.choice(["pro", "free", "free"]),
                "staff": rng.random() < 0.1,
            }
            changed = change(row, week == 0, rng)
            made += [] if changed is None else [changed]
    made.append({"user_id": "last", "event": "other", "time": END})
    return pa.Table.from_pylist(made, pa.schema(list(TYPES.items())))


TYPES = {
    "user_id": pa.string(),
    "event": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
    "plan": pa.string(),
    "staff": pa.bool_(),
}


def found(report: DriftReport) -> list[tuple[str, str | None, str | None, dict[str, tuple[str, ...]]]]:
    return [(one.code, one.event, one.property, dict(one.touches)) for one in report.findings]


def recently(**keys: Any) -> Callable[[Row, bool, random.Random], Row | None]:
    """A change of the last week's rows of one event (``of``), or of all."""
    of = keys.pop("of", None)
    return lambda row, recent, _: {**row, **keys} if recent and of in (None, row["event"]) else row


CASES: dict[str, tuple[Callable[[Row, bool, random.Random], Row | None], list[Any]]] = {
    "nothing": (lambda row, _recent, _rng: row, []),
    "an event renamed": (
        recently(of="verify", event="verified"),
        [("event-vanished", "verify", None, {"signup": ("step 2",)})],
    ),
    "an event halved": (
        lambda row, recent, rng: None if recent and row["event"] == "verify" and rng.random() < 0.6 else row,
        [("volume-low", "verify", None, {"signup": ("step 2",)})],
    ),
    "an event doubled by a loop": (
        lambda row, recent, rng: {**row, "event": "signup"} if recent else row,
        [
            ("volume-high", "signup", None, {"signup": ("step 1",)}),
            ("event-vanished", "verify", None, {"signup": ("step 2",)}),
        ],
    ),
    "a property no longer sent": (
        recently(of="signup", plan=None),
        [("property-vanished", "signup", "plan", {"signup": ("step 1",)})],
    ),
    "staff no longer told": (
        recently(of="signup", staff=None),
        [("property-vanished", "signup", "staff", {"signup": ("exclude[0]",)})],
    ),
    "users unknown half of the time": (
        lambda row, recent, rng: {**row, "user_id": None} if recent and rng.random() < 0.5 else row,
        [
            ("property-rarer", "signup", "user_id", {"signup": ("step 1",)}),
            ("property-rarer", "verify", "user_id", {"signup": ("step 2",)}),
        ],
    ),
    "a value renamed": (
        lambda row, recent, _: {**row, "plan": "premium"} if recent and row["plan"] == "pro" else row,
        [
            ("value-vanished", "signup", "plan", {"signup": ("step 1",)}),
            ("value-appeared", "signup", "plan", {"signup": ("step 1",)}),
        ],
    ),
    "a change of what nothing relies on": (recently(of="verify", plan=None), []),
    "an event that is new": (
        lambda row, recent, _: row if recent or row["event"] != "verify" else None,
        [("event-appeared", "verify", None, {"signup": ("step 2",)})],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_break_is_found_and_nothing_else(name: str) -> None:
    """One break, its findings, the steps they touch."""
    change, expected = CASES[name]
    report = drift([FUNNEL], rows(change))
    assert found(report) == expected
    assert report.clean == (() if expected else ("signup",))


def test_a_renamed_event_is_offered() -> None:
    """The event that took the place of one that vanished is named."""
    (one,) = drift([FUNNEL], rows(recently(of="verify", event="verified"))).findings
    assert one.message.endswith("`verified` appeared in its place: was the event renamed?")


def test_a_changed_type_is_found() -> None:
    """In JSON properties a number may become a text from one day to the next."""
    table = rows(lambda row, _recent, _rng: row)
    recent = END - timedelta(days=7)
    texts = [
        f'{{"plan": {repr(plan).replace(chr(39), chr(34)) if time < recent else 3}}}' if plan else None
        for plan, time in zip(table["plan"].to_pylist(), table["time"].to_pylist(), strict=True)
    ]
    table = table.drop_columns("plan").append_column("properties", pa.array(texts))
    codes = {one.code: one for one in drift([FUNNEL], table).findings}
    assert set(codes) == {"type-changed", "value-vanished", "value-appeared"}
    assert codes["type-changed"].message.startswith(
        "`plan` of `signup` has changed its type: 100.0% of its values are now of type number, 0.0% were before."
    )


def test_a_number_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    """A sender that writes 1.0 where it wrote 1 has changed nothing that a filter could see."""

    def counted(row: Row, last: bool, rng: random.Random) -> Row:
        return row | {"plan": "1.0" if last else "1"}

    lines = [
        f'{{"user_id": "{row["user_id"]}", "event": "{row["event"]}", "time": "{row["time"].isoformat()}",'
        f' "properties": {{"plan": {row["plan"] or 0}, "staff": false}}}}'
        for row in rows(counted).to_pylist()
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(lines), "utf-8")
    steps = [{"event": "signup", "filters": {"plan": 1}}, {"event": "verify", "window": "7d"}]
    assert found(drift([FUNNEL | {"steps": steps}], tmp_path / "events.jsonl")) == []


def test_an_earlier_outage_does_not_hide_a_new_one() -> None:
    """One odd week among the eight before moves the band little."""
    cut = END - timedelta(days=21), END - timedelta(days=14)

    def change(row: Row, recent: bool, _rng: random.Random) -> Row | None:
        return None if row["event"] == "verify" and (recent or cut[0] < row["time"] <= cut[1]) else row

    assert [one.code for one in drift([FUNNEL], rows(change)).findings] == ["event-vanished"]


def test_days_of_the_week_are_compared_with_their_like() -> None:
    """A Sunday as quiet as Sundays are is nothing to report; a Saturday without any rows is."""

    def change(row: Row, _recent: bool, _rng: random.Random) -> Row | None:
        return None if row["time"].weekday() == SUNDAY and row["user_id"] > "u2" else row

    assert drift([FUNNEL], rows(change, size=2000), recent=DAY, as_of="2026-03-30").findings == ()
    silent = drift([FUNNEL], rows(change, size=2000), recent=DAY, as_of="2026-04-05")
    assert [one.code for one in silent.findings] == ["event-vanished", "event-vanished"]


def test_several_definitions_are_told_apart() -> None:
    """A funnel that does not rely on what broke is clean: if its conversion fell, tracking is not why."""
    other = {**FUNNEL, "funnel": "plans", "steps": [{"event": "signup"}]}
    report = drift([FUNNEL, other], rows(recently(of="verify", event="verified")))
    assert [dict(one.touches) for one in report.findings] == [{"signup": ("step 2",)}]
    assert report.clean == ("plans",)


def test_too_little_history_is_said() -> None:
    """Nothing is usual after two weeks."""
    report = drift([FUNNEL], rows(recently(of="verify", event="verified"), weeks=3))
    assert [one.code for one in report.findings] == ["little-history"]
    assert report.clean == ()


@pytest.mark.parametrize("given", [{"recent": 0}, {"periods": 0}, {"periods": 1000}, {"recent": 10**18}])
def test_absurd_spans_are_refused(given: dict[str, Any]) -> None:
    """With a word."""
    with pytest.raises(RunError, match="periods"):
        drift([FUNNEL], rows(lambda row, _recent, _rng: row, weeks=1), **given)


def test_the_band_of_usual_counts() -> None:
    """Median, give or take four spreads: the robust deviation, a Poisson count's, or five percent."""
    assert usual([100, 100, 100]).low == 60
    assert usual([10_000, 10_000, 10_000]).high == 12_000
    band = usual([90, 100, 110, 130])
    assert (band.middle, round(band.low, 1)) == (105, 45.7)


def test_shares_differ_only_when_both_sure_and_large() -> None:
    """A tenth of a percent is not worth a word however many rows say it; a handful of rows prove nothing."""
    assert not differ(501_000, 1_000_000, 500_000, 1_000_000, least=0.05)
    assert not differ(1, 2, 1, 1, least=0.05)
    assert differ(400, 1000, 500, 1000, least=0.05)
    assert not differ(0, 0, 5, 10, least=0.0)
