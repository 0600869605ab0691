"""What the tests tell SDKs to send, and how it is compared with what is kept."""

from __future__ import annotations

from typing import Any

from doorstep.ingest.records import Alias, Event, Identify, Member, Record, Traits
from servers import now


def untimed(records: list[Record]) -> list[Any]:
    """Records as they are but for their times, which are about now, and for properties that SDKs add."""
    found: list[Any] = []
    for record in records:
        assert abs(record.time - now()) < 60_000_000
        values = {name: getattr(record, name) for name in record.__slots__ if name != "time"}
        if isinstance(record, Event):
            own = (name for name in sorted(record.properties) if not name.startswith(("$", "context_library")))
            values["properties"] = {name: record.properties[name] for name in own}
        found.append((type(record), {name: value for name, value in values.items() if value not in (None, False, {})}))
    return found


SAID = [
    (Event, {"event": "Signed Up", "user_id": "u1", "properties": {"plan": "pro"}}),
    (Traits, {"holder": "user", "id": "u1", "values": {"email": "a@x.test"}}),
    (Identify, {"anonymous_id": "a1", "user_id": "u1"}),
    (Event, {"event": "Page Viewed", "user_id": "u1", "properties": {"category": "Docs", "name": "Home", "url": "/"}}),
    (Traits, {"holder": "account", "id": "acme", "values": {"seats": 9}}),
    (Member, {"account_id": "acme", "user_id": "u1"}),
    (Alias, {"previous_id": "old", "user_id": "u1"}),
    (Event, {"event": "Opened", "user_id": "u1", "account_id": "acme"}),
    (Member, {"account_id": "acme", "user_id": "u1"}),
]


def in_order(records: list[Any], said: list[Any]) -> None:
    """All of it came, whichever way it was batched."""
    assert sorted(map(repr, records)) == sorted(map(repr, said))
