"""A rejected call, read once more: after it was mended, or after a rule was."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import orjson

from doorstep.ingest import posthog, segment
from doorstep.ingest.calls import Rules
from doorstep.ingest.records import Alias, Arrival, Event, Identify, Member, Record, Rejected, Traits

ACCEPTED: Final = "doorstep_accepted"
"""The first key of a reject that had been read and accepted before; its value is the message id."""
_LINKS: Final[dict[str, type[Identify | Alias | Member]]] = {"identify": Identify, "alias": Alias, "member": Member}


def read_again(rejected: Rejected, rules: Rules) -> Arrival | Rejected:
    """What the call amounts to now, as if it had come when it first did; with a ``type`` it is Segment's. If it is
    still rejected, then for the reason of now (``not-json`` when it was mended into something else).
    """
    if rejected.body.startswith(f'{{"{ACCEPTED}":'):
        return _accepted(rejected)
    try:
        call = orjson.loads(rejected.body)
    except orjson.JSONDecodeError as error:
        return replace(rejected, code="not-json", message=f"the rejected call is not JSON: {error}. Mend its body.")
    at, source = rejected.received_at, rejected.source
    if isinstance(call, dict) and "type" in call:
        found = segment.read({"batch": [call]}, kind=None, received_at=at, source=source, rules=rules)
    else:
        found = posthog.read([call], received_at=at, source=source, rules=rules)
    return found.arrivals[0] if found.arrivals else found.rejected[0]


def accepted(message_id: str, records: str) -> str:
    """The body of a reject that was accepted: its records by kind, as the lake writes them, with its id before them."""
    return f'{{"{ACCEPTED}":{json.dumps(message_id, ensure_ascii=False)},{records[1:]}'


def _accepted(rejected: Rejected) -> Arrival:
    told: dict[str, Any] = json.loads(rejected.body)  # which keeps integers beyond 64 bits
    records: list[Record] = [Event(**one) for one in told["events"]]
    records += [Traits(**one) for one in told["traits"]]
    records += [_LINKS[one["kind"]](**one["link"]) for one in told["links"]]
    return Arrival(told[ACCEPTED], rejected.received_at, rejected.source, tuple(records))
