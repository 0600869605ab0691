"""Every alternative is a run of its own, told beside the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import doorstep
import strategies
from doorstep.definitions.alternatives import TOPICS
from doorstep.definitions.funnel import Funnel
from doorstep.funnels.counts import counts_of
from tables import bounds_given, funnel_of, table_of


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.documents(), strategies.timelines(units=4), strategies.options())
def test_each_alternative_is_what_a_run_of_it_gives(
    document: dict[str, Any], rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    """Over random definitions and rows: figures and flips are those of runs of the altered definitions."""
    table, scope = table_of(rows), bounds_given(options)
    found = doorstep.sensitivity(funnel_of(document), table, rules=["all"], **scope)
    base = doorstep.run(found.funnel, table, **scope)
    assert found.counts == counts_of(found.funnel, base.matched.attempts.where(base.matched.attempts.counted))
    before = _completed(base)
    for rule in found.rules:
        for one in rule.tried:
            alone = doorstep.run(one.funnel, table, **scope)
            figures = alone.figures
            assert (one.counts.entered, one.counts.completed) == (figures.entered, figures.completed), one.says
            assert (one.counts.open, one.counts.conversion) == (figures.open, figures.conversion)
            assert one.counts.steps == tuple(step.count for step in alone.steps)
            if one.gained is not None:
                after = _completed(alone)
                assert (one.gained, one.lost) == (len(after - before), len(before - after)), one.says


def _completed(result: doorstep.FunnelResult) -> set[str]:
    table = result.attempts.to_pylist()
    everything = len(result.funnel.required) if result.funnel.order != "any" else len(result.funnel.steps)
    if result.funnel.order == "any":
        return {row["unit"] for row in table if row["counted"] and row["reached"] >= everything}
    last = f"at_{result.funnel.steps[result.funnel.required[-1]].id}"
    return {row["unit"] for row in table if row["counted"] and row[last] is not None}


STEPS = {"count_by": "user_id", "steps": [{"event": "a"}, {"event": "b", "window": "2s"}]}


def _rows(**more: Any) -> pa.Table:
    events = [("u1", "a", 0), ("u1", "b", 1), ("u2", "a", 0), ("u2", "b", 3), ("u3", "a", 0)]
    return table_of([{"user_id": u, "event": e, "time": t * 1_000_000, **more} for u, e, t in events])


def test_a_declared_rule_is_tried_only_by_name() -> None:
    """What the document says is settled; what it leaves open is tried; `settled` tells what could be named."""
    found = doorstep.sensitivity(STEPS, _rows())
    assert "window" not in {rule.topic for rule in found.rules}
    assert "window" in found.settled
    named = doorstep.sensitivity(STEPS, _rows(), rules=["window"])
    assert named.rules[0].topic == "window"
    assert "window" not in named.settled


def test_the_rule_that_moves_the_answer_furthest_comes_first() -> None:
    """One of three completes; with the window doubled or gone two do, halved still one: the sentence says both."""
    first = doorstep.sensitivity(STEPS, _rows(), rules=["all"]).rules[0]
    assert first.topic == "window"
    assert first.spread == pytest.approx(1 / 3)
    assert first.sentence == "If two analysts disagree on this rule, the answer is 33.3 % or 66.7 %."
    assert {(one.says, one.gained, one.lost) for one in first.tried} == {
        ("windows halved", 0, 0),
        ("windows doubled", 1, 0),
        ("no window", 1, 0),
    }


def test_people_are_looked_for_among_the_columns() -> None:
    """A column `staff` that is true or false asks whether staff count; a text of that name asks nothing."""
    marked = _rows().append_column("staff", pa.array([True, True, False, False, False]))
    found = [rule for rule in doorstep.sensitivity(STEPS, marked).rules if rule.topic == "people"]
    assert [(rule.where, rule.tried[0].counts.entered, rule.tried[0].lost) for rule in found] == [("staff", 2, 1)]
    text = _rows().append_column("staff", pa.array(["yes"] * 5))
    assert "people" not in {rule.topic for rule in doorstep.sensitivity(STEPS, text).rules}


def test_nobody_entered(tmp_path: Path) -> None:
    """An empty cohort: every ratio is None, and the answer says so in JSON too."""
    path = tmp_path / "events.parquet"
    pq.write_table(_rows(), path)
    found = doorstep.sensitivity({"count_by": "user_id", "steps": [{"event": "z"}, {"event": "b"}]}, path)
    assert found.counts.conversion is None
    told = found.to_dict()
    assert told["conversion"] is None
    assert all(one["shift"] is None for rule in told["rules"] for one in rule["alternatives"])


def test_within_a_memory_limit_the_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows go through the disk bucket by bucket, and the parts add up."""
    marked = _rows().append_column("session_id", pa.array(["s1", "s1", "s2", "s2", "s3"]))
    at_once = doorstep.sensitivity(STEPS, marked, rules=["all"])
    monkeypatch.setattr("doorstep.engines.duckdb.BYTES_PER_ROW", 30_000_000)
    in_parts = doorstep.sensitivity(STEPS, marked, rules=["all"], memory=100_000_000)
    assert {**in_parts.to_dict(), "data": None} == {**at_once.to_dict(), "data": None}


def test_a_rule_that_there_is_not_is_refused() -> None:
    """With the nearest name."""
    with pytest.raises(doorstep.RunError, match="Did you mean 'window'") as error:
        doorstep.sensitivity(STEPS, _rows(), rules=["windw"])
    assert error.value.code == "unknown-rule"


@given(strategies.documents(), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_alternatives_are_valid_and_differ(document: dict[str, Any], people: bool) -> None:
    """Each is another definition that could be published, and no rule offers the same one twice."""
    from doorstep.definitions.alternatives import Known, open_rules
    from doorstep.definitions.identity import definition_hash
    from doorstep.definitions.rules import broken_rules

    funnel: Funnel = funnel_of(document)
    known = Known(frozenset({"user_id", "account_id", "anonymous_id"}), ("staff",) if people else ())
    for rule in open_rules(funnel, known, TOPICS):
        hashes = [definition_hash(one.funnel) for one in rule.alternatives]
        assert len({*hashes, definition_hash(funnel)}) == len(hashes) + 1
        assert all(not broken_rules(one.funnel) for one in rule.alternatives)
