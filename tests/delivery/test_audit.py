"""What is done by hand is in the audit log, in the transaction of the act."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doorstep.ledger import archive, move, pause
from doorstep.registry import Database, acts, note
from ledgers import HOUR, START, World
from outboxes import Outbox

JOURNEY: dict[str, Any] = {
    "journey": "life",
    "count_by": "account_id",
    "stages": [{"id": "new"}, {"id": "paying", "criteria": {"did": "pay"}}],
}


def test_activating_moving_pausing_and_archiving_are_written_down(tmp_path: Path) -> None:
    """By whom, and what was before."""
    world = World.at(tmp_path)
    world.activate(JOURNEY, START, lag=HOUR)
    moved: dict[str, Any] = {"by": "eve", "reason": "signed on paper", "at": START, "now": START + 5}
    move(world.ledger, "life", "acme", "paying", **moved)
    pause(world.ledger, "life", by="bob", at=START + 6)
    archive(world.ledger, "life", by="cat", at=START + 7)
    done = acts(world.ledger.database)
    assert [(one.at - START, one.by, one.subject, one.name, one.act) for one in reversed(done)] == [
        (0, "ann", "journey", "life", "activated"),
        (5, "eve", "account", "acme", "moved"),
        (6, "bob", "journey", "life", "paused"),
        (7, "cat", "journey", "life", "archived"),
    ]
    archived, paused, hand, activated = done
    assert activated.after is not None
    assert (activated.after["state"], activated.after["lag"], activated.after["version"]) == ("active", HOUR, 1)
    assert hand.after == {"journey": "life", "to_stage": "paying", "at": START, "reason": "signed on paper"}
    assert paused.before is not None
    assert archived.before is not None
    assert (paused.before["state"], archived.before["state"]) == ("active", "paused")
    world.close()


def test_an_act_that_fails_leaves_no_line(either: Outbox) -> None:
    """Both are one transaction; and so are those that succeed."""

    def work(fails: bool) -> Any:
        def act(session: Any) -> None:
            note(session, 5, by="ann", act="added", subject="signal", name="risk", after={"kind": "risk"})
            if fails:
                raise RuntimeError

        return act

    database: Database = either.database
    with pytest.raises(RuntimeError):
        database.write(work(True))
    assert acts(database) == ()
    database.write(work(False))
    (one,) = acts(database, subject="signal")
    assert (one.before, one.after, one.by) == (None, {"kind": "risk"}, "ann")
    assert acts(database, name="other") == ()
