"""Random rows and definitions in the forms that `doorstep.run` and its like take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from doorstep.definitions.funnel import Funnel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of ``user_id``, ``event``, ``time`` (microseconds) and the properties ``p`` and ``k`` of `strategies`."""
    return pa.table(
        {
            "user_id": pa.array([row["user_id"] for row in rows], pa.string()),
            "event": pa.array([row["event"] for row in rows], pa.string()),
            "time": pa.array([row["time"] for row in rows], pa.timestamp("us", tz="UTC")),
            "p": pa.array([row.get("p") for row in rows], pa.int64()),
            "k": pa.array([row.get("k") for row in rows], pa.string()),
        }
    )


def bounds_given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `strategies.options` as arguments of a run."""
    given: dict[str, Any] = {
        name: EPOCH + timedelta(microseconds=options[name]) for name in ("since", "until", "as_of") if name in options
    }
    return {**given, "first_time": options["first_time"]}


def funnel_of(document: Mapping[str, Any]) -> Funnel:
    """The definition of a document of `strategies.documents`."""
    return Funnel.model_validate({"funnel": "case", **document})
