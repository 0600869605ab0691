"""The stage machine, compiled: the rules of `reference` over flat arrays, one account after another.

`layout` is a plan as arrays, `signals` keeps counts as time goes on, `machine` moves accounts. `histories_of` is the
only entrance. A property test holds it equal to `reference`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from doorstep.journeys.kernel.layout import Begun, Events, Given, Laid, Moves, from_birth, lay_out
from doorstep.journeys.kernel.machine import ACCOUNT_COLUMNS, TRANSITION_COLUMNS, walk_accounts
from doorstep.matching.kernel import rows as ordering

Walker = Callable[..., tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]]


def _compiled_for(sources: str) -> Walker:
    @njit(nogil=True, cache=True)
    def entrance(plan, events, given, moves, begun, until, first, last):  # type: ignore[no-untyped-def]
        assert len(sources) > 0
        return walk_accounts(plan, events, given, moves, begun, until, first, last)

    return entrance


def _digest() -> str:
    """Of all that the entrance is made of: numba's cache notices what it closes over, not functions that it calls."""
    here = Path(__file__).parent
    files = [*sorted(here.glob("*.py")), here.parent / "plan.py", here.parent / "account.py", Path(ordering.__file__)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


_walker = _compiled_for(_digest())


def histories_of(
    plan: Laid, events: Events, given: Given, moves: Moves, begun: Begun, until: int, accounts: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """What became of the accounts [accounts[0], accounts[1]) up to and including ``until``: (transitions, accounts, how
    many rows each claim about a number lacks), a line each, columns as `machine` says. Nothing later than ``until`` is
    among what is given. Rows are put in order in place, without the GIL; several threads may walk disjoint accounts.
    """
    return _walker(plan, events, given, moves, begun, until, *accounts)


__all__ = [
    "ACCOUNT_COLUMNS",
    "TRANSITION_COLUMNS",
    "Begun",
    "Events",
    "Given",
    "Laid",
    "Moves",
    "from_birth",
    "histories_of",
    "lay_out",
]
