"""A rejected call, read once more: after it was mended, or after a rule was."""

from __future__ import annotations

from dataclasses import replace

import orjson

from doorstep.ingest import posthog, segment
from doorstep.ingest.calls import Rules
from doorstep.ingest.records import Arrival, Rejected


def read_again(rejected: Rejected, rules: Rules) -> Arrival | Rejected:
    """What the call amounts to now, as if it had come when it first did; with a ``type`` it is Segment's. If it is
    still rejected, then for the reason of now (``not-json`` when it was mended into something else).
    """
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
