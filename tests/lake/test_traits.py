from __future__ import annotations

from typing import Any

import pytest

import doorstep
from doorstep.ingest.records import Arrival, Holder, Traits
from lakes import HOUR, START, counts, event


def _set(number: str, hours: float, holder: Holder = "user", once: bool = False, **values: Any) -> Arrival:
    owner = "u1" if holder == "user" else "acme"
    moment = START + int(hours * HOUR)
    return Arrival(f"t{number}", moment, "test", (Traits(holder, owner, moment, values, once),))


def _signups(lake: doorstep.Lake, filters: dict[str, Any], **more: Any) -> int:
    definition = {"funnel": "f", "count_by": "user_id", "count": "attempts", "reentry": "always", **more}
    definition["steps"] = [{"event": "signup", "filters": filters}, {"event": "never"}]
    return counts(lake, definition)[0]


def test_a_trait_is_tested_as_it_was_at_the_rows_time(lake: doorstep.Lake) -> None:
    """Before it is set it is missing; at that very time it counts; a later value is not seen by earlier rows."""
    lake.accept([event(str(n), "signup", hours=n) for n in range(6)])
    lake.accept([_set("a", 1, plan="free", company={"size": 5}), _set("b", 3, plan="pro")])
    lake.settle()
    assert _signups(lake, {"unit.plan": {"exists": False}}) == 1
    assert _signups(lake, {"unit.plan": "free"}) == 2
    assert _signups(lake, {"unit.plan": "pro"}) == 3
    assert _signups(lake, {"unit.company.size": {"gt": 4}}) == 5


def test_once_sets_a_trait_that_never_had_a_value(lake: doorstep.Lake) -> None:
    """After any value it changes nothing."""
    lake.accept([event(str(n), "signup", hours=n) for n in range(4)])
    lake.accept([_set("a", 1, once=True, source="ad"), _set("b", 2, once=True, source="mail")])
    lake.settle()
    assert _signups(lake, {"unit.source": "ad"}) == 3


def test_a_trait_that_nobody_set_is_an_error(lake: doorstep.Lake) -> None:
    """With the nearest name; and units that have no traits are told so."""
    lake.accept([event("1", "signup"), _set("a", 1, plan="free")])
    lake.settle()
    with pytest.raises(doorstep.SourceError, match=r"Did you mean unit\.plan"):
        _signups(lake, {"unit.plann": "free"})
    with pytest.raises(doorstep.SourceError, match="only users and accounts have traits"):
        _signups(lake, {"unit.plan": "free"}, count_by="session_id")
