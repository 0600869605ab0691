"""What is asked of several definitions, of variants and of those who drop has one answer, in files and in a lake."""

from __future__ import annotations

from pathlib import Path

import doorstep
from doorstep.demo import write

SUBSCRIPTION = {
    "count_by": "account_id",
    "exclude": [{"filters": {"internal": True}}],
    "steps": [
        {"event": "pricing_view", "filters": {"currency": "USD"}},
        {"event": "checkout_started", "window": "24h"},
        {"event": "payment_submitted", "window": "48h"},
    ],
}
LATER = {**SUBSCRIPTION, "window": "2h", "exclude": []}
SIGNUP = {"count_by": "user_id", "steps": [{"event": "signup_started"}, {"event": "email_verified", "window": "7d"}]}


def test_files_and_a_lake_give_the_same_answers(tmp_path: Path) -> None:
    """Units are numbers there and texts here; the figures, the flips and the findings are the same."""
    file = str(write(tmp_path / "files", rows=8_000))
    lake = doorstep.open_lake(tmp_path / "lake")
    lake.add([file], received_at=0)
    by_file, by_lake = doorstep.sensitivity(SUBSCRIPTION, file), doorstep.sensitivity(SUBSCRIPTION, lake)
    assert by_lake.counts == by_file.counts
    # A lake knows the names of all properties, so that it may ask about more people than columns of a file do.
    assert [one for one in by_lake.rules if one.topic != "people"] == [
        one for one in by_file.rules if one.topic != "people"
    ]
    assert {one.where for one in by_file.rules if one.topic == "people"} <= {one.where for one in by_lake.rules}
    one, two = doorstep.compare(SUBSCRIPTION, LATER, file), doorstep.compare(SUBSCRIPTION, LATER, lake)
    assert two.flips == one.flips
    assert sorted(map(str, two.table().to_pylist())) == sorted(map(str, one.table().to_pylist()))
    variants = [doorstep.experiment(SIGNUP, source, variant="signup_form").variants for source in (file, lake)]
    assert variants[1] == variants[0]
    found = [doorstep.drivers(SUBSCRIPTION, source, step=3, support=3) for source in (file, lake)]
    assert found[1].drivers == found[0].drivers
