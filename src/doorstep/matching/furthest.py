"""`match: furthest`, as semantics 7 says it: the largest depth that any choice of rows can reach.

Plain Python beside the reference walk. A *chain* is a choice of rows for steps 1..k; all that matters of it later is
its last row, which rows of that same instant it used, and its entry: of chains alike in the first two the one with the
latest entry can do everything the others can, because windows only bound from above.
"""

from __future__ import annotations

from collections.abc import Sequence

from doorstep.matching.plan import FOREVER, Deadline, Plan, StepPlan

Chains = dict[tuple[int, frozenset[int]], int]
"""(last row, rows used at its instant) → the latest entry time; rows are indexes into the ordered stream."""


def furthest_attempt(
    times: Sequence[int], words: Sequence[int], plan: Plan, until: int
) -> tuple[list[int], int] | None:
    """The reported rows, one per step reached, and until when some chain may go on (`-FOREVER`: none may);
    None without an entry row.

    ``times`` and ``words`` are the visible rows in tie order.
    """
    steps = plan.required
    levels: list[Chains] = [
        {
            (index, frozenset({index})): time
            for index, time in enumerate(times)
            if words[index] >> steps[0].bit & 1 and time < until
        }
    ]
    if not levels[0]:
        return None
    for step in steps[1:]:
        following = _extend(levels[-1], step, times, words, plan.forbid_ties)
        if not following:
            break
        levels.append(following)
    deadlines = (
        _deadline(steps[level + 1], times[row], entry)
        for level, chains in enumerate(levels)
        if level + 1 < len(steps)
        for (row, _), entry in chains.items()
    )
    return _report(levels, steps, times, words, plan.forbid_ties), max(deadlines, default=-FOREVER)


def _extend(chains: Chains, step: StepPlan, times: Sequence[int], words: Sequence[int], forbid_ties: bool) -> Chains:
    found: Chains = {}
    for (last, used), entry in chains.items():
        for row, time in enumerate(times):
            if row not in used and _follows(step, times[last], time, words[row], entry, forbid_ties):
                key = (row, used | {row} if time == times[last] else frozenset({row}))
                found[key] = max(entry, found.get(key, -FOREVER))
    return found


def _follows(step: StepPlan, previous: int, time: int, word: int, entry: int, forbid_ties: bool) -> bool:
    if not word >> step.bit & 1 or time < previous or (forbid_ties and time == previous):
        return False
    if time > _bound(step.deadline, previous, entry):
        return False
    return not step.alternatives or any(
        word >> one.bit & 1 and time <= _bound(one.deadline, previous, entry) for one in step.alternatives
    )


def _bound(deadline: Deadline, previous: int, entry: int) -> int:
    return min(previous + deadline.after_prev, entry + deadline.after_entry)


def _deadline(step: StepPlan, previous: int, entry: int) -> int:
    own = _bound(step.deadline, previous, entry)
    return (
        min(own, max(_bound(one.deadline, previous, entry) for one in step.alternatives)) if step.alternatives else own
    )


def _report(
    levels: list[Chains],
    steps: Sequence[StepPlan],
    times: Sequence[int],
    words: Sequence[int],
    forbid_ties: bool,
) -> list[int]:
    """The earliest row that reaches the depth, then backwards the latest feasible row of each step before it."""
    path = [min(row for row, _ in levels[-1])]
    for level in range(len(levels) - 2, -1, -1):
        feasible = [
            row
            for (row, used), entry in levels[level].items()
            if used.isdisjoint(path) and _completes([row, *path], level, entry, steps, times, words, forbid_ties)
        ]
        latest = max(times[row] for row in feasible)
        path.insert(0, min(row for row in feasible if times[row] == latest))
    return path


def _completes(
    path: list[int],
    level: int,
    entry: int,
    steps: Sequence[StepPlan],
    times: Sequence[int],
    words: Sequence[int],
    forbid_ties: bool,
) -> bool:
    """Whether a chain with this entry and last row ``path[0]`` may go on along the rest of ``path``."""
    return all(
        _follows(
            steps[level + offset],
            times[path[offset - 1]],
            times[path[offset]],
            words[path[offset]],
            entry,
            forbid_ties,
        )
        for offset in range(1, len(path))
    )
