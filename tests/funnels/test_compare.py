"""Two definitions side by side, and who is to blame for each difference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import doorstep
import strategies
from doorstep.definitions.between import Between
from doorstep.definitions.identity import definition_hash
from tables import bounds_given, funnel_of, table_of


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.documents(), strategies.documents())
def test_all_clauses_together_are_the_whole_way(one: dict[str, Any], two: dict[str, Any]) -> None:
    """No clause changed is the definition before; all of them changed is the one after."""
    before, after = funnel_of(one), funnel_of(two)
    between = Between(before, after)
    start, end = between.having(()), between.having(range(len(between.clauses)))
    assert start is not None
    assert definition_hash(start) == definition_hash(before)
    assert end is not None
    assert definition_hash(end) == definition_hash(after)


@st.composite
def _versions(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A definition, and the same with some keys of another."""
    one, two = draw(strategies.documents()), draw(strategies.documents())
    keys = draw(st.sets(st.sampled_from(["ties", "represent", "reentry", "count", "exclude", "steps", "window"])))
    mixed = {key: value for key, value in one.items() if key not in keys}
    return one, {**mixed, **{key: two[key] for key in keys if key in two}}


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(_versions(), strategies.timelines(units=4), strategies.options())
def test_flips_are_those_of_two_runs_and_clauses_make_them(
    versions: tuple[dict[str, Any], dict[str, Any]], rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    """Gained and lost completions are the differences of two runs, and the clauses named lead from one to the other."""
    from doorstep.definitions.rules import broken_rules

    before, after = map(funnel_of, versions)
    if broken_rules(before) or broken_rules(after):
        return
    table, scope = table_of(rows), bounds_given(options)
    found = doorstep.compare(before, after, table, **scope)
    old, new = doorstep.run(before, table, **scope), doorstep.run(after, table, **scope)
    assert (found.counts_before.completed, found.counts_after.completed) == (
        old.figures.completed,
        new.figures.completed,
    )
    assert found.counts_after.steps == tuple(step.count for step in new.steps)
    if found.apart is not None:
        assert found.flips == ()
        return
    was, now = completed(old), completed(new)
    told = found.table().to_pylist()
    assert {row["unit"] for row in told if row["step"] == "completed" and row["direction"] == "gained"} == now - was
    assert {row["unit"] for row in told if row["step"] == "completed" and row["direction"] == "lost"} == was - now
    between = Between(before, after)
    says = [clause.says for clause in between.clauses]
    for row in told:
        if row["step"] != "completed":
            continue
        made = between.having([says.index(one) for one in row["clauses"]])
        assert made is not None
        assert (row["unit"] in completed(doorstep.run(made, table, **scope))) == (row["unit"] in now)


def completed(result: doorstep.FunnelResult) -> set[str]:
    """The units with a counted attempt that reached the last step."""
    funnel = result.funnel
    last = f"at_{funnel.steps[funnel.required[-1]].id}"
    return {
        row["unit"]
        for row in result.attempts.to_pylist()
        if row["counted"] and (row["reached"] >= len(funnel.steps) if funnel.order == "any" else row[last] is not None)
    }


ROWS = table_of(
    [
        {"user_id": unit, "event": event, "time": at * 1_000_000, "p": p}
        for unit, event, at, p in [
            ("u1", "a", 0, 1),
            ("u1", "b", 1, 1),
            ("u2", "a", 0, 1),
            ("u2", "b", 5, 1),
            ("u3", "a", 0, 1),
            ("u3", "b", 1, 2),
            ("u4", "a", 0, 1),
            ("u4", "b", 5, 2),
        ]
    ]
)


def _document(window: str, filters: dict[str, Any] | None = None) -> dict[str, Any]:
    step = {"event": "b", "window": window, **({} if filters is None else {"filters": filters})}
    return {"count_by": "user_id", "steps": [{"event": "a"}, step]}


def test_the_clause_responsible_is_named_alone_or_with_others() -> None:
    """u2 is lost by the window, u3 by the filter, u4 by either and so by the first: each is told once."""
    found = doorstep.compare(_document("9s"), _document("2s", {"p": 1}), ROWS)
    by = {tuple(clause.name for clause in one.clauses): one for one in found.effects}
    assert {names: (one.units, one.lost, one.samples) for names, one in by.items()} == {
        ("steps[1].filters",): (2, 2, ("u3", "u4")),
        ("steps[1].window",): (1, 1, ("u2",)),
    }
    back = doorstep.compare(_document("2s", {"p": 1}), _document("9s"), ROWS)
    assert {tuple(clause.name for clause in one.clauses): one.gained for one in back.effects} == {
        ("steps[1].filters",): 1,
        ("steps[1].window",): 1,
        ("steps[1].filters", "steps[1].window"): 1,
    }


def test_figures_stand_side_by_side() -> None:
    """Counts of both, and who flipped, at the entry, each step and completion."""
    found = doorstep.compare(_document("9s"), _document("2s"), ROWS)
    assert [(one.id, one.before, one.after, one.gained, one.lost) for one in found.flips] == [
        ("entered", 4, 4, 0, 0),
        ("1", 4, 4, 0, 0),
        ("2", 4, 2, 0, 2),
        ("completed", 4, 2, 0, 2),
    ]
    assert found.table().num_rows == 4
    assert found.to_dict()["effects"][0]["clauses"] == ["steps[1].window"]


def test_different_units_are_compared_by_their_figures_alone() -> None:
    """And it is said."""
    found = doorstep.compare(_document("9s"), {**_document("9s"), "count_by": "k"}, ROWS)
    assert found.apart is not None
    assert "different units" in found.apart
    assert (found.flips, found.effects, found.table().num_rows) == ((), (), 0)


def test_the_same_definition_flips_nobody() -> None:
    """No clause, no flip."""
    found = doorstep.compare(_document("9s"), {**_document("9s"), "title": "Another title"}, ROWS)
    assert (found.clauses, found.effects) == ((), ())
    assert all(one.gained == one.lost == 0 for one in found.flips)


def test_within_a_memory_limit_the_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bucket by bucket."""
    at_once = doorstep.compare(_document("9s"), _document("2s", {"p": 1}), ROWS)
    monkeypatch.setattr("doorstep.engines.duckdb.BYTES_PER_ROW", 30_000_000)
    in_parts = doorstep.compare(_document("9s"), _document("2s", {"p": 1}), ROWS, memory=100_000_000)
    assert in_parts.flips == at_once.flips
    assert sorted(map(str, in_parts.table().to_pylist())) == sorted(map(str, at_once.table().to_pylist()))
