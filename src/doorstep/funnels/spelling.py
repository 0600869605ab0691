"""Instants, values and figures as JSON and people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from doorstep.funnels.figures import Figures

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(microseconds: int | None) -> str | None:
    """ISO 8601 in UTC, microseconds only where there are any; None stays None."""
    if microseconds is None:
        return None
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")


def json_value(value: object) -> object:
    """A value of the data as JSON can say it: numbers that are none as texts (``"NaN"``, ``"-Infinity"``), times as
    ISO 8601 in UTC, decimals as numbers; what else JSON has no form for, as its text.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return json_value(float(value))
    if isinstance(value, Mapping):
        return {str(key): json_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def percent(share: float | None) -> str:
    """``41.3 %``; a dash for a ratio over zero."""
    return "–" if share is None else f"{share * 100:.1f} %"


def figures_dict(figures: Figures) -> dict[str, Any]:
    """Figures in their JSON form."""
    found = asdict(figures)
    for step in found["steps"]:
        step["branches"] = list(step["branches"])
        step["from_entry_seconds"] = step.pop("from_entry")
    found["steps"] = list(found["steps"])
    return found
