"""Runs over a lake's index count what runs over its tables count, and what the reference counts; the index may go."""

from __future__ import annotations

import itertools
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import doorstep
import strategies
from doorstep.engines.runs import covered
from doorstep.funnels.result import FunnelResult
from doorstep.ingest.records import Arrival, Event
from doorstep.matching.attempts import NEVER_REACHED, STATUSES
from lakes import FUNNEL, counts, event
from walks import by_reference, case_of

SECOND = 1_000_000
VALUES: list[list[Any]] = [[0, 1, 2, None], [0, 1, None], [0, 1, 2, None], [1, "1", [1], None]]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AS_OF = 14 * SECOND


def _rows(seed: int, count: int, values: list[Any]) -> list[dict[str, Any]]:
    """Dense rows of a few units, some without one."""
    choose = random.Random(seed)
    rows = []
    for _ in range(count):
        row: dict[str, Any] = {
            "user_id": choose.choice([None, *(f"u{unit}" for unit in range(12))]),
            "event": choose.choice(strategies.EVENTS),
            "time": choose.randint(0, 12) * SECOND,
        }
        for name, among in (("p", values), ("k", ["x", "y", None])):
            value = choose.choice(among)
            if value is not None:
                row[name] = value
        rows.append(row)
    return rows


def _properties(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("p", "k") if name in row}


def _put(lake: doorstep.Lake, rows: list[dict[str, Any]], number: Iterator[int]) -> None:
    lake.accept(
        [
            Arrival(
                f"m{next(number)}",
                AS_OF,
                "test",
                (Event(row["event"], row["time"], row["user_id"], properties=_properties(row)),),
            )
            for row in rows
        ]
    )
    lake.settle()


class World:
    """A lake, and the rows that it had at each snapshot. The first of these was merged into a later file."""

    def __init__(self, lake: doorstep.Lake, at: dict[int, list[dict[str, Any]]]) -> None:
        self.lake, self.at = lake, at


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A lake of a compacted file and later ones, each with an index, and the rows that it had at each snapshot. In the
    last file some ``p`` are texts or lists, so that they stand in other places.
    """
    number, rows, at = itertools.count(), list[dict[str, Any]](), dict[int, list[dict[str, Any]]]()
    with doorstep.open_lake(tmp_path_factory.mktemp("lake")) as lake:
        for seed, values in enumerate(VALUES):
            more = _rows(seed, 60, values)
            _put(lake, more, number)
            rows = [*rows, *more]
            if seed == 1:
                lake.compact()
            at[lake.snapshot().id] = rows
        yield World(lake, at)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)


def _run(document: Any, source: object, options: dict[str, Any]) -> FunnelResult:
    bounds = {name: _moment(options.get(name)) for name in ("since", "until", "as_of")}
    return doorstep.run(document, source, first_time=options["first_time"], **bounds)  # type: ignore[arg-type]


def _outcomes(result: FunnelResult) -> Counter[Any]:
    found, names = result.matched.attempts, result.matched.units[0].to_pylist()
    return Counter(
        (
            f"{names[found.unit[i]]}#{found.session[i]}" if found.session[i] else names[found.unit[i]],
            (int(found.entered_at[i]), int(found.entry_rank[i])),
            (STATUSES[found.status[i]], int(found.reached[i]), bool(found.dropped[i]), bool(found.counted[i])),
            tuple(None if at == NEVER_REACHED else int(at) for at in found.at[i]),
            tuple(int(branch) for branch in found.branch[i]),
        )
        for i in range(len(found))
    )


def _agree(
    world: World, document: dict[str, Any], options: dict[str, Any], pieces: int, sparse: int, chosen: int
) -> None:
    lake, at = world.lake, world.at
    snapshot = sorted(at)[chosen % len(at)]
    options = {"as_of": AS_OF, **options}
    case = case_of(document, [row for row in at[snapshot] if row["user_id"] is not None], options)
    source = lake if snapshot == max(at) else lake.at(snapshot)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("doorstep.lake.runs.SMALL", 0)
        patch.setattr("doorstep.engines.runs.CHUNK", pieces)
        patch.setattr("doorstep.engines.runs.SPARSE", sparse)
        if covered(case.funnel, case.plan) and snapshot != min(at):
            patch.setattr("doorstep.funnels.run.engine", None)  # whoever goes to the tables now fails
        quick = _run(case.funnel, source, options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("doorstep.funnels.run.covered", lambda *_: False)
        slow = _run(case.funnel, source, options)
    assert quick.to_dict() == slow.to_dict()
    assert quick.attempts.equals(slow.attempts) or _outcomes(quick) == _outcomes(slow)
    expected = Counter(
        (one.unit, (one.entry[0], one.entry_rank), (one.status, one.reached, one.dropped, one.counted), one.times,
         one.branches)
        for one in by_reference(case)
    )  # fmt: skip
    assert _outcomes(quick) == expected


EXAMPLES = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=25)
PIECES = st.sampled_from([64, 640, 1 << 17])


@EXAMPLES
@given(strategies.documents(), strategies.options(), PIECES, st.sampled_from([0, 8]), st.integers(0, 3))
def test_the_index_gives_what_the_tables_and_the_reference_give(
    world: World, document: dict[str, Any], options: dict[str, Any], pieces: int, sparse: int, chosen: int
) -> None:
    """Over random definitions, bounds and snapshots; several files, late rows, rows without a unit, values in other
    places; in one piece and in many.
    """
    _agree(world, document, options, pieces, sparse, chosen)


@pytest.mark.long
@settings(EXAMPLES, max_examples=3_000)
@given(strategies.documents(), strategies.options(), PIECES, st.sampled_from([0, 8]), st.integers(0, 3))
def test_the_index_gives_what_the_tables_and_the_reference_give_at_length(
    world: World, document: dict[str, Any], options: dict[str, Any], pieces: int, sparse: int, chosen: int
) -> None:
    """The same, at length."""
    _agree(world, document, options, pieces, sparse, chosen)


@pytest.fixture
def shop(lake: doorstep.Lake, monkeypatch: pytest.MonkeyPatch) -> doorstep.Lake:
    """A lake of three events, of which a run has made an index; without an index no run would answer."""
    monkeypatch.setattr("doorstep.lake.runs.SMALL", 0)
    lake.accept([event("1", "signup", plan="pro"), event("2", "pay", hours=1), event("3", "signup", "u2", plan="pro")])
    lake.settle()
    assert counts(lake) == [2, 1]
    return lake


def _again(lake: doorstep.Lake) -> doorstep.Lake:
    """As another process has it open."""
    return doorstep.open_lake(lake.place.directory, create=False)


def _files(lake: doorstep.Lake) -> list[Path]:
    return sorted(path for path in lake.place.index.glob("*/*") if path.is_file())


def test_what_is_committed_elsewhere_is_seen_by_the_next_run(shop: doorstep.Lake) -> None:
    """Nothing that a lake keeps between runs makes it late, and the past stays as it was."""
    before = shop.snapshot()
    with _again(shop) as other:
        other.accept([event("4", "pay", "u2", hours=2), event("5", "signup", "ü", plan="pro")])
        other.settle()
        assert counts(shop) == counts(other) == [3, 2]
    assert counts(shop.at(before.id)) == [2, 1]


def test_a_snapshot_that_ended_is_gone_though_it_was_kept_in_memory(shop: doorstep.Lake) -> None:
    """RunError ``snapshot-gone``, as from the tables."""
    before = shop.snapshot()
    assert counts(shop.at(before.id)) == [2, 1]
    with _again(shop) as other:
        other.accept([event("4", "pay", "u2", hours=2)])
        other.settle()
        other.compact(history=timedelta(0))
    with pytest.raises(doorstep.RunError) as caught:
        counts(shop.at(before.id))
    assert caught.value.code == "snapshot-gone"
    assert counts(shop) == [2, 2]


@pytest.mark.parametrize("how", ["torn", "flipped", "empty", "of another event", "of another file"])
def test_a_damaged_index_is_never_believed(shop: doorstep.Lake, how: str) -> None:
    """Counts stay right; check tells, repair removes it, and the next run makes it anew."""
    runs = [path for path in _files(shop) if path.suffix == ".run"]
    whole = runs[0].read_bytes()
    match how:
        case "torn":
            runs[0].write_bytes(whole[:-1])
        case "flipped":
            runs[0].write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        case "empty":
            runs[0].write_bytes(b"")
        case "of another event":
            shutil.copy(runs[1], runs[0])
        case "of another file":
            runs[0].write_bytes(whole[:24] + bytes([whole[24] ^ 1]) + whole[25:])
        case _:
            raise AssertionError(how)
    with _again(shop) as other:
        assert [one.code for one in other.check()] == ["damaged-index"]
        assert [one.mended is not None for one in other.repair()] == [True]
        assert runs[0] not in _files(shop)
        assert other.check() == ()
        assert counts(other) == [2, 1]
        assert runs[0].read_bytes() == whole
        runs[0].write_bytes(whole[:-4])
    with _again(shop) as other:
        assert counts(other) == [2, 1]
        assert runs[0].read_bytes() == whole


def test_without_a_place_for_an_index_runs_go_without(shop: doorstep.Lake) -> None:
    """The index can be deleted at any time, and need not be possible."""
    shutil.rmtree(shop.place.index)
    assert counts(shop) == [2, 1]
    shop.place.index.write_bytes(b"in the way")
    with _again(shop) as other:
        assert counts(other) == [2, 1]


def test_the_index_goes_with_its_data_file(shop: doorstep.Lake) -> None:
    """Compaction sweeps away what belongs to no data file, and parts that nobody finished."""
    directory = _files(shop)[0].parent
    stranger = shop.place.index / "elsewhere.parquet" / "e1-user_id.run"
    stranger.parent.mkdir()
    stranger.write_bytes(b"?")
    shop.compact()
    assert directory.exists()
    assert not stranger.parent.exists()
    assert shop.facts().index_files == len(_files(shop)) == 3


def test_a_property_of_too_many_values_is_left_to_the_tables(
    shop: doorstep.Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts are the same; that there are too many is found out once."""
    monkeypatch.setattr("doorstep.lake.runs.MOST_VALUES", 1)
    shutil.rmtree(shop.place.index)
    for _ in range(2):
        with _again(shop) as other:
            assert counts(other) == [2, 1]


def test_small_files_are_read_by_each_process(lake: doorstep.Lake) -> None:
    """They have no index; several of them, and an account's and a session's rows, count all the same."""
    for number in range(3):
        lake.accept([event(f"s{number}", "signup", f"u{number}", plan="pro")])
        lake.settle()
    lake.accept([event("p", "pay", "u1", hours=3), event("q", "signup", None, plan="pro")])
    lake.settle()
    result = doorstep.run(FUNNEL, lake)
    assert [step.count for step in result.steps] == [3, 1]
    assert dict(result.data.rejected) == {"no_unit": 1}
    assert result.attempts["unit"].to_pylist() == ["u0", "u1", "u2"]
    assert _files(lake) == []
    assert counts(lake, {**FUNNEL, "count_by": "account_id"}) == [0, 0]
