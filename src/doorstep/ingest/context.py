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
_NAMES: Final = {part: tuple((name, f"context_{part}_{name}") for name in names) for part, names in _TOLD.items()}
_PLAIN: Final = {"locale": "context_locale", "timezone": "context_timezone", "userAgent": "context_user_agent"}


def told_by(context: Mapping[str, Json], *, keep_ip: bool) -> dict[str, Json]:
    """Properties such as ``context_page_url`` and ``context_os_name``; only what is there and no object."""
    found: dict[str, Json] = {}
    for part, told in context.items():
        if isinstance(told, dict):
            for theirs, ours in _NAMES.get(part, ()):
                value = told.get(theirs)
                if value is not None and not isinstance(value, dict | list):
                    found[ours] = value
        elif told is None or isinstance(told, list):
            continue
        elif part in _PLAIN:
            found[_PLAIN[part]] = told
        elif part == "ip" and keep_ip:
            found["context_ip"] = told
    return found
