"""`doorstep.replay` over real files and frames: what is read, and what comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

import doorstep
from doorstep.journeys import histories
from doorstep.journeys.explain import explain_account

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CASES = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "conformance" / "journeys.jsonl").read_text("utf-8").splitlines()
]
TIES_OF_A_MESSAGE = {16}
"""Here two rows of one instant repeat a message id, and which of them counts is left open."""


def at(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def transitions_of(result: doorstep.JourneyResult) -> dict[str, list[tuple[str, str, tuple[str, ...], datetime]]]:
    found: dict[str, list[tuple[str, str, tuple[str, ...], datetime]]] = {}
    for line in result.transitions.to_pylist():
        step = (line["from_stage"], line["to_stage"], tuple(line["skipped"]), line["occurred_at"])
        found.setdefault(line["unit"], []).append(step)
    return found


@pytest.mark.parametrize("case", [one for one in CASES if one["id"] % 4 == 0 and one["id"] not in TIES_OF_A_MESSAGE])
def test_journeys_over_json_lines_come_out_to_the_microsecond(case: dict[str, Any], tmp_path: Path) -> None:
    """Rows of mixed types and traits with and without times, read from files as a user would give them."""
    events = tmp_path / "events.jsonl"
    events.write_text("\n".join(json.dumps(row) for row in case["rows"]), "utf-8")
    result = doorstep.replay(
        case["definition"],
        events,
        traits=case["traits"] or None,
        until=at(case["until"]),
        columns={"account_id": "unit"},
    )
    assert transitions_of(result) == {
        unit: [
            (str(one["from"]), str(one["to"]), tuple(map(str, one["skipped"])), at(one["occurred_at"])) for one in steps
        ]
        for unit, steps in case["expected"]["transitions"].items()
        if steps
    }
    stages = {line["unit"]: line["stage"] for line in result.accounts.to_pylist()}
    assert stages == {unit: str(stage) for unit, stage in case["expected"]["stage"].items()}


JOURNEY = {
    "journey": "lifecycle",
    "count_by": "account_id",
    "stages": [
        {"id": "new"},
        {"id": "active", "criteria": {"did": "a"}},
        {"id": "big", "criteria": {"count": {"at_least": 3}}},
    ],
}


def _frame(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    names = list(dict.fromkeys(key for row in rows for key in row))
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def _row(account: Any, event: str, second: int, **more: Any) -> dict[str, Any]:
    return {"account_id": account, "event": event, "time": at(second * 1_000_000), **more}


def test_a_frame_gives_transitions_and_accounts() -> None:
    """The two tables have the columns of the contract, by account and time."""
    rows = [_row("y", "b", 1), _row("x", "a", 2), _row("x", "b", 3), _row("x", "b", 4), _row(None, "a", 5)]
    result = doorstep.replay(JOURNEY, _frame(rows))
    assert result.transitions.column_names == ["unit", "from_stage", "to_stage", "skipped", "occurred_at", "cause"]
    assert transitions_of(result) == {"x": [("new", "active", (), at(2_000_000)), ("active", "big", (), at(4_000_000))]}
    assert [(one["unit"], one["stage"], one["high_water"], one["born_at"]) for one in result.accounts.to_pylist()] == [
        ("x", "big", "big", at(2_000_000)),
        ("y", "new", "new", at(1_000_000)),
    ]
    assert result.rejected == {"no_unit": 1}
    assert [(one.id, one.accounts, one.entered) for one in result.stages] == [
        ("new", 1, 0),
        ("active", 0, 1),
        ("big", 1, 1),
    ]


def test_accounts_without_rows_are_born_by_created_at(tmp_path: Path) -> None:
    """Traits alone make an account, whole numbers name accounts in either source, and the horizon bounds it."""
    path = tmp_path / "traits.csv"
    path.write_text("account_id,created_at\n7,1970-01-01T00:00:02Z\n8,1970-01-01T00:01:00Z\n1,1970-01-01\n", "utf-8")
    result = doorstep.replay(JOURNEY, _frame([_row(1, "a", 5)]), traits=path)
    assert {one["unit"]: (one["stage"], one["born_at"]) for one in result.accounts.to_pylist()} == {
        1: ("active", at(0)),
        7: ("new", at(2_000_000)),
    }


def test_sums_are_exact_in_the_decimals_that_people_write() -> None:
    """Ten times 0.1 is 1, and three times 0.1 is 0.3; also where numbers are too large for whole multiples."""

    def journey(bound: dict[str, Any]) -> dict[str, Any]:
        criteria = {"sum": {"property": "x", **bound}}
        return {**JOURNEY, "stages": [{"id": "new"}, {"id": "paid", "criteria": criteria}]}

    rows = [_row("a", "pay", second, x=0.1) for second in range(10)]
    assert transitions_of(doorstep.replay(journey({"exactly": 0.3}), _frame(rows)))["a"][0][3] == at(2_000_000)
    assert transitions_of(doorstep.replay(journey({"at_least": 1}), _frame(rows)))["a"][0][3] == at(9_000_000)
    odd = [_row("a", "pay", 0, x=1e300), _row("a", "pay", 1, x=0.1), _row("a", "pay", 2, x=-1e300)]
    assert transitions_of(doorstep.replay(journey({"exactly": 0.1}), _frame(odd)))["a"][0][3] == at(2_000_000)


def test_moves_by_hand_are_told_as_manual() -> None:
    """A move is a transition of cause `manual`; a move to a stage that there is not is refused."""
    moves = [{"account_id": "x", "at": 3_000_000, "to": "big", "by": "ines", "reason": "a partner"}]
    result = doorstep.replay(JOURNEY, _frame([_row("x", "a", 1), _row("x", "b", 9)]), moves=moves)
    assert [(one["to_stage"], one["cause"]) for one in result.transitions.to_pylist()] == [
        ("active", "criteria"),
        ("big", "manual"),
    ]
    with pytest.raises(doorstep.RunError, match="Did you mean big"):
        doorstep.replay(JOURNEY, _frame([_row("x", "a", 1)]), moves=[{**moves[0], "to": "bigg"}])


def test_filters_may_look_at_traits_as_they_were_at_the_rows_time() -> None:
    """`unit.plan` is the trait at the row's time, an earlier row does not count for a later plan."""
    criteria = {"count": {"at_least": 2, "filters": {"unit.plan": "pro"}}}
    journey = {**JOURNEY, "stages": [{"id": "new"}, {"id": "paid", "criteria": criteria}]}
    traits = [{"account_id": "x", "time": 2_000_000, "plan": "pro"}]
    rows = [_row("x", "a", second) for second in (1, 2, 3, 4)]
    assert transitions_of(doorstep.replay(journey, _frame(rows), traits=traits))["x"][0][3] == at(3_000_000)


def test_walking_in_parts_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Walked in many parts, the histories are the same."""
    rows = [_row(f"u{number % 97}", "ab"[number % 2], number // 3) for number in range(3_000)]
    path = tmp_path / "events.parquet"
    pyarrow.parquet.write_table(_frame(rows), path)
    traits = [{"account_id": f"u{number}", "created_at": 0} for number in range(120)]
    whole = doorstep.replay(JOURNEY, path, traits=traits)
    monkeypatch.setattr(histories, "AT_ONCE", 60_000)
    parts = doorstep.replay(JOURNEY, path, traits=traits)
    assert whole.transitions == parts.transitions
    assert whole.accounts == parts.accounts
    assert whole.accounts.num_rows == 120


def test_more_questions_than_a_word_has_bits_are_asked(tmp_path: Path) -> None:
    """Two hundred stages, each with an event of its own."""
    stages = [{"id": "s0"}, *({"id": f"s{number}", "criteria": {"did": f"e{number}"}} for number in range(1, 200))]
    journey = {**JOURNEY, "stages": stages}
    rows = [_row("x", f"e{number}", number) for number in (3, 70, 199)]
    assert [one[1] for one in transitions_of(doorstep.replay(journey, _frame(rows)))["x"]] == ["s3", "s70", "s199"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"traits": None, "criteria": {"trait": {"plan": "pro"}}}, "no-traits"),
        ({"traits": [{"user": "x", "plan": "pro"}], "criteria": {"trait": {"plan": "pro"}}}, "no-unit-column"),
        ({"traits": None, "criteria": {"did": {"filters": {"time": 7}}}}, "impossible-literal"),
    ],
)
def test_what_cannot_be_answered_is_refused(change: dict[str, Any], code: str) -> None:
    """Missing traits, traits of nobody, and a literal that nothing can equal."""
    journey = {**JOURNEY, "stages": [{"id": "new"}, {"id": "old", "criteria": change["criteria"]}]}
    with pytest.raises(doorstep.DoorstepError) as caught:
        doorstep.replay(journey, _frame([_row("x", "a", 1)]), traits=change["traits"])
    assert caught.value.code == code


def test_exclude_looks_at_traits_beside_the_rows() -> None:
    """By the trait as it was at the row's time, without a time always; what is excluded gives no birth either."""
    journey = {**JOURNEY, "exclude": [{"filters": {"unit.kind": "test"}}]}
    rows = [_row("a", "a", 1), _row("a", "b", 9), _row("t", "a", 1), _row("free", "a", 2)]
    traits = [
        {"account_id": "a", "time": "1970-01-01T00:00:05Z", "kind": "test"},
        {"account_id": "t", "kind": "test"},
    ]
    result = doorstep.replay(journey, _frame(rows), traits=traits)
    assert [(one["unit"], one["born_at"]) for one in result.accounts.to_pylist()] == [
        ("a", at(1_000_000)),
        ("free", at(2_000_000)),
    ]
    assert explain_account(journey, _frame(rows), "a", traits=traits).rows == 1
