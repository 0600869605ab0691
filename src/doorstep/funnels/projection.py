"""What the conversion of some attempts will be once none of them is open, going by how others of their age fared.

An open attempt of age a will complete with the share of those, among all that were still waiting at a, who completed
later: (F(end) - F(a)) / S(a), by the estimate of `curve` over all attempts of the run. The interval holds the rate that
these very attempts will have: the curve is drawn anew 400 times (each number of its life table by a Poisson law), and
each time the open ones complete or not by lot. Seeds are fixed: the same data give the same interval.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from doorstep.funnels.curve import CONFIDENCE, MOST_EDGES, Estimate, Fates, Table, estimate, table_of
from doorstep.funnels.figures import SECOND

DRAWS: Final = 400
SEED: Final = 20_260_105


@dataclass(frozen=True, slots=True)
class Projection:
    """The rate to be expected once nothing is open, with its 95 % interval. ``horizon_seconds``: the greatest age that
    any attempt of the run has been followed to; nothing is known of what may come after it.
    """

    conversion: float
    low: float
    high: float
    open: int
    horizon_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def project(cohort: Fates, everyone: Fates) -> Projection | None:
    """The projection of the cohort, by the curve of everyone; None where there is nobody, or nobody to go by."""
    entered = len(cohort.lasted)
    if not entered or not len(everyone.lasted):
        return None
    table = _coarse(table_of(everyone))
    waiting = ~cohort.completed & ~cohort.lost
    place, number = np.unique(
        np.searchsorted(table.edges, cohort.lasted[waiting], side="right") - 1, return_counts=True
    )
    done = int(cohort.completed.sum())
    expected = done + float((number * _later(estimate(table), place)).sum())
    rng = np.random.default_rng(SEED)
    drawn = [done + rng.binomial(number, _later(estimate(_drawn(table, rng)), place)).sum() for _ in range(DRAWS)]
    low, high = np.quantile(np.array(drawn) / entered, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    horizon = float(table.edges[-1]) / SECOND
    share = expected / entered
    return Projection(share, min(float(low), share), max(float(high), share), int(waiting.sum()), horizon)


MOST_CELLS: Final = min(2_000, MOST_EDGES)


def _coarse(table: Table) -> Table:
    """The same with fewer edges: 400 drawings of twenty thousand would take their time."""
    if len(table.edges) <= MOST_CELLS:
        return table
    chosen = np.unique(np.linspace(0, len(table.edges) - 1, MOST_CELLS).astype(np.int64))
    starts = np.concatenate([[0], chosen[:-1] + 1])
    sums = [np.add.reduceat(one, starts) for one in (table.completed, table.lost, table.seen)]
    return Table(table.edges[chosen], *sums)


def _drawn(table: Table, rng: np.random.Generator) -> Table:
    return Table(table.edges, *(rng.poisson(one) for one in (table.completed, table.lost, table.seen)))


def _later(found: Estimate, place: NDArray[np.int64]) -> NDArray[np.float64]:
    """The chance to complete later of those who waited until past these edges (-1: from the start)."""
    share = np.concatenate([[0.0], found.completed])[place + 1]
    waiting = np.concatenate([[1.0], found.waiting])[place + 1]
    more = found.completed[-1] - share
    chance: NDArray[np.float64] = np.divide(more, waiting, out=np.zeros_like(more), where=waiting > 0)
    return chance.clip(0.0, 1.0)


__all__ = ["Projection", "project"]
