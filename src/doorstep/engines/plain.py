"""Plain Parquet columns into rows that matter, faster than SQL can hand them over.

polars decodes only what the filter lets pass. What is asked of a row depends on few distinct values (its event, and the
properties that conditions look at), so each combination is judged once, by the same conditions as in explanations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from doorstep.definitions.conditions import Condition
from doorstep.definitions.funnel import Selector
from doorstep.engines.grouping import arrow, code
from doorstep.matching.conditions import holds, meets, word_of
from doorstep.matching.plan import Question
from doorstep.rows.plain import PlainFiles

MOST_COMBINATIONS: Final = 10_000
"""With more different values than this, SQL judges rows sooner than Python judges combinations."""

_SAMPLE: Final = 100_000

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read: rows in [low, high] (microseconds; None: no bound) with one of ``events`` (None: any), without
    those of ``exclude``. ``carried``: alias → our name, of columns to hand on. ``every_row``: also those that meet no
    question.
    """

    questions: tuple[Question, ...]
    exclude: Sequence[Selector]
    properties: Sequence[str]
    carried: Mapping[str, str]
    events: Sequence[str] | None
    low: int | None
    high: int | None
    every_row: bool
    segments: tuple[Condition, ...] = ()


def read_plain(files: PlainFiles, wanted: Wanted) -> pa.Table | None:
    """A table of ``wanted.carried``, ``t`` (microseconds), ``w`` (the word) and, if there are segments, ``s`` (theirs);
    None where values are too many, or a file cannot be read.
    """
    selected = {alias: pl.col(files.columns[name]).alias(alias) for alias, name in wanted.carried.items()}
    looked_at = {f"p{number}": name for number, name in enumerate(wanted.properties)}
    columns = [
        *selected.values(),
        pl.col(files.time).to_physical().alias("t"),
        pl.col(files.event).alias("e"),
        *(pl.col(files.columns[name]).alias(alias) for alias, name in looked_at.items()),
    ]
    frame = pl.scan_parquet(list(files.paths), hive_partitioning=False, glob=False)
    try:
        found = frame.filter(*_filters(files, wanted)).select(columns).collect()
    except (pl.exceptions.PolarsError, OSError):
        return None  # DuckDB will read it, or say what is wrong with the file
    if any(found[name].head(_SAMPLE).n_unique() > MOST_COMBINATIONS for name in ("e", *looked_at)):
        return None
    table = found.to_arrow(compat_level=pl.CompatLevel.oldest())
    judged = _judge(table, looked_at, wanted)
    if judged is None:
        return None
    words, kept, segments = judged
    table = table.select([*selected, "t"]).append_column("w", arrow(words))
    if wanted.segments:
        table = table.append_column("s", arrow(segments))
    keep = kept if wanted.every_row else kept & (words != 0)
    return table if keep.all() else table.filter(pa.array(keep))


def _filters(files: PlainFiles, wanted: Wanted) -> list[pl.Expr]:
    found = []
    if wanted.events is not None:
        found.append(pl.col(files.event).is_in(list(wanted.events)))
    if wanted.low is not None:
        found.append(pl.col(files.time) >= pl.lit(wanted.low, pl.Int64).cast(files.time_type))
    if wanted.high is not None:
        found.append(pl.col(files.time) <= pl.lit(wanted.high, pl.Int64).cast(files.time_type))
    return found


def _judge(
    table: pa.Table, looked_at: Mapping[str, str], wanted: Wanted
) -> tuple[Integers, NDArray[np.bool_], Integers] | None:
    """(the word of each row, whether `exclude` leaves it, the word of its segments), by looking at each
    combination of values once.
    """
    numbered = np.zeros(table.num_rows, np.int64)
    values: list[list[object]] = []
    room = 1
    for name in ("e", *looked_at):
        coded = code([table.column(name)])
        room *= len(coded) + 1
        if len(coded) > MOST_COMBINATIONS or room > 2**62:
            return None
        numbered = numbered * (len(coded) + 1) + (coded.codes + 1)
        values.append([None, *coded.values[0].to_pylist()])
    combinations, place = _compact(numbered, room)
    if len(combinations) > MOST_COMBINATIONS:
        return None
    judged = [_judge_one(int(one), values, list(looked_at.values()), wanted) for one in combinations]
    words = np.array([word for word, _, _ in judged], np.uint64).view(np.int64)
    segments = np.array([segment for _, _, segment in judged], np.int64)
    return words[place], np.array([kept for _, kept, _ in judged], np.bool_)[place], segments[place]


def _compact(numbered: Integers, room: int) -> tuple[Integers, Any]:
    """(the numbers that occur, which of them each row has)."""
    if room > 1 << 20:
        return np.unique(numbered, return_inverse=True)
    place = np.zeros(room, np.int64)
    place[numbered] = 1
    occurring = np.flatnonzero(place)
    place[occurring] = np.arange(len(occurring))
    return occurring, place[numbered]


def _judge_one(
    number: int, values: Sequence[list[object]], names: Sequence[str], wanted: Wanted
) -> tuple[int, bool, int]:
    parts: list[object] = []
    for distinct in reversed(values):
        number, index = divmod(number, len(distinct))
        parts.insert(0, distinct[index])
    event, properties = str(parts[0]), dict(zip(names, parts[1:], strict=True))
    excluded = any(meets(Question(rule.event, rule.condition), event, properties) for rule in wanted.exclude)
    segments = sum(1 << bit for bit, condition in enumerate(wanted.segments) if holds(condition, properties))
    return word_of(wanted.questions, event, properties), not excluded, segments
