"""One small definition, and changes to it."""

from __future__ import annotations

import copy
from typing import Any

SIGNUP: dict[str, Any] = {
    "funnel": "signup",
    "count_by": "user_id",
    "steps": [{"event": "signup"}, {"event": "verify", "window": "7d"}],
    "examples": [
        {
            "name": "in time",
            "events": [{"at": "0s", "event": "signup"}, {"at": "1d", "event": "verify"}],
            "expect": {"reached": 2},
        }
    ],
}


def signup(window: str = "7d", **more: Any) -> dict[str, Any]:
    """The definition with another window, or other keys."""
    document = copy.deepcopy(SIGNUP) | more
    document["steps"][1]["window"] = window
    return document
