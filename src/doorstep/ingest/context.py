"""What Segment's ``context`` tells of an event, under the names that Segment's own warehouse columns have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from doorstep.ingest.records import Json

_TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "app": ("name", "version", "build", "namespace"),
    "campaign": ("name", "source", "medium", "term", "content"),
    "device": ("type", "manufacturer", "model", "name"),
    "library": ("name", "version"),
    "location": ("city", "country", "region"),
    "network": ("carrier",),
    "os": ("name", "version"),
    "page": ("path", "referrer", "search", "title", "url"),
    "referrer": ("type", "name", "url", "link"),
    "screen": ("width", "height", "density"),
}
_PLAIN: Final = (("locale", "locale"), ("timezone", "timezone"), ("userAgent", "user_agent"))


def told_by(context: Mapping[str, Json], *, keep_ip: bool) -> dict[str, Json]:
    """Properties such as ``context_page_url`` and ``context_os_name``; only what is there and no object."""
    found: dict[str, Json] = {}
    for part, names in _TOLD.items():
        inside = context.get(part)
        if isinstance(inside, dict):
            found |= {f"context_{part}_{name}": inside[name] for name in names if _told(inside.get(name))}
    found |= {f"context_{ours}": context[theirs] for theirs, ours in _PLAIN if _told(context.get(theirs))}
    if keep_ip and _told(context.get("ip")):
        found["context_ip"] = context["ip"]
    return found


def _told(value: Json) -> bool:
    return value is not None and not isinstance(value, dict | list)
