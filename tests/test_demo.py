"""The made-up events are the same each time, and as untidy as promised."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from doorstep.demo import write


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two writes agree to the byte; another seed does not."""
    one, two = write(tmp_path / "one", rows=5_000), write(tmp_path / "two", rows=5_000)
    other = write(tmp_path / "other", rows=5_000, seed=8)
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != other.read_bytes()


def test_the_events_hold_every_kind_of_mess(tmp_path: Path) -> None:
    """Staff, robots, test users, repeated messages, late and anonymous rows, and webhooks before their payment."""
    table = pq.read_table(write(tmp_path, rows=50_000))
    assert 45_000 <= table.num_rows <= 55_000
    assert pc.sum(table["staff"]).as_py() > 100
    for mark in ("bots", "test_user", "internal", "currency"):
        assert pc.sum(pc.match_substring(table["properties"], mark)).as_py() > 20
    assert len(pc.unique(table["message_id"])) < table.num_rows
    assert table["user_id"].null_count > 500
    assert table["time"].to_pylist() != sorted(table["time"].to_pylist())
    first = {}
    for event in ("payment_submitted", "subscription_active"):
        rows = table.filter(pc.equal(table["event"], event)).group_by("user_id").aggregate([("time", "min")])
        first[event] = dict(zip(rows["user_id"].to_pylist(), rows["time_min"].to_pylist(), strict=True))
    early = [user for user, at in first["subscription_active"].items() if at < first["payment_submitted"][user]]
    assert early
    assert (tmp_path / "events-sample.csv").stat().st_size > 1_000
    assert (tmp_path / "events-sample.jsonl").stat().st_size > 1_000
