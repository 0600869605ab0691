"""A rejected call, read once more: after it was mended, or after a rule was."""

from __future__ import annotations

import orjson

from doorstep.errors import DeliveryError
from doorstep.ingest import posthog, segment
from doorstep.ingest.calls import Reading, Rules
from doorstep.ingest.records import Rejected


def read_again(rejected: Rejected, rules: Rules) -> Reading:
    """What the call amounts to now, as if it had come when it first did; with a ``type`` it is Segment's.

    Raises DeliveryError ``not-json`` when its body was mended into something else.
    """
    try:
        call = orjson.loads(rejected.body)
    except orjson.JSONDecodeError as error:
        raise DeliveryError("not-json", f"the rejected call is not JSON any more: {error}.") from None
    if isinstance(call, dict) and "type" in call:
        return segment.read(
            {"batch": [call]}, kind=None, received_at=rejected.received_at, source=rejected.source, rules=rules
        )
    return posthog.read([call], received_at=rejected.received_at, source=rejected.source, rules=rules)
