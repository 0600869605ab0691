"""A journey over a lake: its rows, its traits with their history, its snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import doorstep
from doorstep.definitions.reading import load_journey
from doorstep.ingest.records import Arrival, Event, Traits
from doorstep.journeys.data_check import check_against
from doorstep.journeys.evidence import account_history
from doorstep.journeys.explain import explain_account
from doorstep.journeys.lacking import lacking
from doorstep.journeys.preview import preview
from lakes import HOUR, START

JOURNEY: dict[str, Any] = {
    "journey": "lifecycle",
    "count_by": "account_id",
    "movement": {"backward": True},
    "stages": [
        {"id": "new"},
        {"id": "paying", "criteria": {"trait": {"plan": "pro"}}},
        {
            "id": "big",
            "criteria": {"trait": {"plan": "pro"}, "count": {"at_least": 2, "filters": {"unit.plan": "pro"}}},
        },
    ],
}


def _event(number: int, account: str, hours: float) -> Arrival:
    moment = START + int(hours * HOUR)
    return Arrival(f"e{number}", moment, "test", (Event("visit", moment, "u1", account_id=account),))


def _traits(number: int, account: str, hours: float, **values: str) -> Arrival:
    moment = START + int(hours * HOUR)
    return Arrival(f"t{number}", moment, "test", (Traits("account", account, moment, dict(values), False),))


def _moves(result: doorstep.JourneyResult) -> list[tuple[str, str, float]]:
    return [
        (one["unit"], one["to_stage"], (one["occurred_at"].timestamp() * 1e6 - START) / HOUR)
        for one in result.transitions.to_pylist()
    ]


def test_a_lake_gives_rows_traits_and_snapshots(tmp_path: Path) -> None:
    """Traits act from when they were set, `unit.plan` is the one of the row's time, a snapshot knows no later rows."""
    lake = doorstep.open_lake(tmp_path / "lake")
    lake.accept([_event(1, "acme", 0), _event(2, "acme", 3), _event(3, "zoo", 1), _traits(1, "acme", 2, plan="pro")])
    lake.settle()
    before = lake.snapshot()
    lake.accept(
        [_event(4, "acme", 5), _event(5, "acme", 9), _traits(2, "acme", 8, plan="free"), _event(6, "acme", 9.5)]
    )
    lake.settle()
    assert _moves(doorstep.replay(JOURNEY, lake)) == [("acme", "paying", 2), ("acme", "big", 5), ("acme", "new", 8)]
    assert _moves(doorstep.replay(JOURNEY, lake.at(before.id))) == [("acme", "paying", 2)]
    told = explain_account(JOURNEY, lake, "acme", at="2026-01-01T06:00:00Z")
    assert (told.stage, [one.to_stage for one in told.visits]) == ("big", ["paying", "big"])


def test_an_account_is_born_by_the_trait_created_at(tmp_path: Path) -> None:
    """Even when it has no row."""
    lake = doorstep.open_lake(tmp_path / "lake")
    lake.accept([_event(1, "acme", 0), _event(2, "acme", 50), _traits(1, "zoo", 1, created_at="2026-01-01T02:00:00Z")])
    lake.settle()
    journey = {**JOURNEY, "stages": JOURNEY["stages"][:1]}
    accounts = doorstep.replay(journey, lake).accounts.to_pylist()
    assert [(one["unit"], one["stage"]) for one in accounts] == [("acme", "new"), ("zoo", "new")]


def test_a_lake_gives_figures_lacks_evidence_previews_and_findings(tmp_path: Path) -> None:
    """Everything that is told of a journey over files is told over a lake, accounts by their names."""
    lake = doorstep.open_lake(tmp_path / "lake")
    lake.accept([_event(1, "acme", 0), _event(2, "acme", 3), _event(3, "zoo", 1), _traits(1, "acme", 2, plan="pro")])
    lake.settle()
    result = doorstep.replay(JOURNEY, lake)
    assert [(one.id, one.accounts, one.reached) for one in result.reports] == [
        ("new", 1, 2),
        ("paying", 1, 1),
        ("big", 0, 0),
    ]
    lacks = lacking(result, lake, ["acme", "zoo"])
    assert {unit: (one.stage, len(one.missing)) for unit, one in lacks.items()} == {
        "acme": ("big", 1),
        "zoo": ("paying", 1),
    }
    told = account_history(JOURNEY, lake, "acme")
    assert "plan set on" in told.steps[0].evidence[0].words
    found = preview(JOURNEY, lake, against={**JOURNEY, "stages": JOURNEY["stages"][:2]})
    assert found.against is not None
    assert (found.against.changed.num_rows, [one.words for one in found.reach]) == (0, ["known only from 2026-01-01"])
    unknown = {
        **JOURNEY,
        "stages": [{"id": "new"}, {"id": "odd", "criteria": {"trait": {"plna": "pro"}, "did": "vist"}}],
    }
    codes = {(one.code, one.suggestion) for one in check_against(load_journey(unknown), lake)}
    assert codes == {("unknown-event", "Did you mean `visit`?"), ("unknown-trait", None)}
