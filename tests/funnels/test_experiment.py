"""Variants, who is in them, and what is said of them."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

import doorstep
import strategies
from doorstep.definitions.funnel import SessionOf
from tables import bounds_given, funnel_of, table_of

TWO = {"count_by": "user_id", "steps": [{"event": "a"}, {"event": "b", "window": "5s"}]}


def _events(*rows: tuple[str, str, int, str | None]) -> pa.Table:
    return table_of([{"user_id": u, "event": e, "time": t * 1_000_000, "k": k} for u, e, t, k in rows])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.documents(), strategies.timelines(units=5), strategies.options())
def test_variants_are_the_units_of_a_run(
    document: dict[str, Any], rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    """Each unit that counts in a run is in the variant of its exposures, in none or in two, and completes as there."""
    funnel = funnel_of(document)
    if isinstance(funnel.count_by, SessionOf):
        return
    table, scope = table_of(rows), bounds_given(options)
    found = doorstep.experiment(funnel, table, variant="k", **scope)
    result = doorstep.run(funnel, table, **scope)
    counted = {row["unit"] for row in result.attempts.to_pylist() if row["counted"]}
    assert sum(one.units for one in found.variants) + found.two_variants + found.no_variant == len(counted)
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_variant_is_that_of_the_exposure() -> None:
    """u1 and u2 in A, u3 in B; u4 saw both; u5 none. Later rows may say what they like."""
    table = _events(
        ("u1", "a", 0, "A"), ("u1", "b", 1, "B"),
        ("u2", "a", 0, "A"),
        ("u3", "a", 0, "B"), ("u3", "b", 1, None),
        ("u4", "a", 0, "A"), ("u4", "a", 1, "B"),
        ("u5", "a", 0, None),
    )  # fmt: skip
    found = doorstep.experiment(TWO, table, variant="k")
    assert [(one.name, one.units, one.completed, one.control) for one in found.variants] == [
        ("A", 2, 1, True),
        ("B", 1, 1, False),
    ]
    assert (found.two_variants, found.no_variant) == (1, 1)
    assert found.variants[1].test == "Fisher's exact test"
    assert [step.count for step in found.variants[0].steps] == [2, 1]


def test_an_event_of_exposure_counts_those_who_never_entered() -> None:
    """And what came before it does not count: u1's first a is forgotten, u2 never entered, u3 was not exposed."""
    table = _events(
        ("u1", "a", 0, None), ("u1", "c", 5, "A"), ("u1", "a", 6, None), ("u1", "b", 7, None),
        ("u2", "c", 0, "A"),
        ("u3", "a", 0, None), ("u3", "b", 1, None),
        ("u4", "a", 0, None), ("u4", "b", 1, None), ("u4", "c", 2, "B"),
    )  # fmt: skip
    found = doorstep.experiment(TWO, table, variant="k", exposure="c")
    assert [(one.name, one.units, [step.count for step in one.steps]) for one in found.variants] == [
        ("A", 2, [1, 1]),
        ("B", 1, [0, 0]),
    ]


def test_units_that_the_definition_excludes_are_in_no_variant() -> None:
    """Neither those whose every attempt is dropped, nor those that vanish whole."""
    between = {**TWO, "exclude_between": [{"event": "d", "after": 1, "before": 2}]}
    table = _events(("u1", "a", 0, "A"), ("u1", "d", 1, None), ("u1", "b", 2, None), ("u2", "a", 0, "A"))
    found = doorstep.experiment(between, table, variant="k")
    assert (found.variants[0].units, found.dropped) == (1, 1)
    vanish = {**TWO, "exclude_units": [{"event": "d"}]}
    for exposure in (None, "a"):
        found = doorstep.experiment(vanish, table, variant="k", exposure=exposure)
        assert (found.variants[0].units, found.dropped) == (1, 1)


def test_open_units_can_be_left_out() -> None:
    """u2 may still go on; with `mature_only` it is not there, and both ways it is said."""
    table = _events(("u1", "a", 0, "A"), ("u2", "a", 8, "A"), ("u3", "c", 10, None))
    whole, mature = (doorstep.experiment(TWO, table, variant="k", mature_only=only) for only in (False, True))
    assert (whole.variants[0].units, whole.variants[0].open, mature.variants[0].units) == (2, 1, 1)
    assert (whole.immature, mature.immature) == (1, 1)
    assert any("may still go on" in note for note in whole.notes)
    assert any("left out" in note for note in mature.notes)


def test_nobody_one_variant_one_unit_all_and_none() -> None:
    """A clear answer, and None for what is undefined."""
    nobody = doorstep.experiment(TWO, _events(("u1", "c", 0, "A")), variant="k")
    assert nobody.variants == ()
    assert nobody.control is None
    assert nobody.notes == ("no unit was exposed, so there is nothing to compare.",)
    one = doorstep.experiment(TWO, _events(("u1", "a", 0, "A")), variant="k", split={"A": 1, "B": 1})
    assert [(each.name, each.units, each.conversion.value) for each in one.variants] == [("A", 1, 0.0), ("B", 0, None)]
    assert one.variants[1].p_value is None
    assert one.variants[1].chance_best is None
    assert "nobody was in B." in one.notes
    rows = [(f"u{i}", event, at, name) for i, name in ((1, "A"), (2, "B")) for event, at in (("a", 0), ("b", 1))]
    full = doorstep.experiment(TWO, _events(*rows), variant="k")
    assert [each.conversion.value for each in full.variants] == [1.0, 1.0]
    assert full.variants[1].p_value == 1.0
    for found in (nobody, one, full):
        json.dumps(found.to_dict(), allow_nan=False)


def test_a_split_that_is_not_the_declared_one_is_told() -> None:
    """90 units here and 30 there were not split evenly; three to one they were."""
    rows = [(f"u{i}", "a", 0, "A" if i % 4 else "B") for i in range(120)]
    even = doorstep.experiment(TWO, _events(*rows), variant="k")
    assert even.mismatch is not None
    assert even.mismatch < 1e-6
    assert any("split is not the declared one" in note for note in even.notes)
    declared = doorstep.experiment(TWO, _events(*rows), variant="k", split={"A": 3, "B": 1})
    assert declared.mismatch == pytest.approx(1.0)


def test_several_variants_are_corrected_for() -> None:
    """Control is found by its name, and each p-value is at least the raw one."""
    rows = []
    for name, converts in (("control", 10), ("x", 20), ("y", 14)):
        for i in range(40):
            rows.append((f"{name}{i}", "a", 0, name))
            if i < converts:
                rows.append((f"{name}{i}", "b", 1, name))
    found = doorstep.experiment(TWO, _events(*rows), variant="k", effect=0.2)
    control, x, y = found.variants
    assert found.control == "control"
    assert (control.difference.value, control.p_value) == (None, None)
    assert x.difference.value == pytest.approx(0.25)
    assert x.ratio.value == pytest.approx(2.0)
    assert x.p_value == pytest.approx(2 * (x.p_raw or 0))
    assert y.p_value == y.p_raw
    assert (x.chance_best or 0) > 0.8
    assert 0 < (x.power or 0) < 1
    assert x.detectable == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"control": "C"}, "no-such-variant"),
        ({"alpha": 2}, "bad-alpha"),
        ({"prior": (0, 1)}, "bad-prior"),
        ({"effect": 3}, "bad-effect"),
        ({"split": {"A": 0}}, "bad-split"),
        ({"variant": "event"}, None),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], code: str | None) -> None:
    """With a code."""
    table = _events(("u1", "a", 0, "A"), ("u2", "a", 0, "B"))
    if code is None:
        assert len(doorstep.experiment(TWO, table, **given).variants) == 1
        return
    with pytest.raises(doorstep.RunError) as error:
        doorstep.experiment(TWO, table, **{"variant": "k", **given})
    assert error.value.code == code


def test_columns_and_sessions_that_cannot_serve_are_refused() -> None:
    """A property that is not there, one with too many values, and a definition that counts sessions."""
    table = _events(*[(f"u{i}", "a", 0, f"v{i}") for i in range(40)])
    with pytest.raises(doorstep.SourceError) as missing:
        doorstep.experiment(TWO, table, variant="varaint")
    assert missing.value.code == "no-unit-column"
    with pytest.raises(doorstep.RunError) as many:
        doorstep.experiment(TWO, table, variant="k")
    assert many.value.code == "too-many-values"
    sessions = {**TWO, "count_by": {"session_of": "user_id", "gap": "30m"}}
    with pytest.raises(doorstep.RunError) as session:
        doorstep.experiment(sessions, table, variant="k")
    assert session.value.code == "session-experiment"
