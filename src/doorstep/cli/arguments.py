"""Several words after one ``--events``, as a shell makes of an unquoted glob."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from typer.core import TyperCommand

EVENTS: Final = "--events"


class ManyEvents(TyperCommand):
    """A command whose ``--events`` takes every word up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer's, with ``--events`` written before each of its words."""
        valued = {name for one in self.params if not getattr(one, "is_flag", True) for name in one.opts}
        return super().parse_args(ctx, spread(args, valued))


def spread(words: Sequence[str], valued: Collection[str]) -> list[str]:
    """``--events a b`` as ``--events a --events b``; ``valued`` are the options that take a value.

    Where no FILE stands before ``--events`` or behind ``--``, the last word of the last ``--events`` that has several
    is the FILE: ``run --events a b FILE`` means what it says.
    """
    told: list[list[str]] = []
    files = position = 0
    while position < len(words):
        word = words[position]
        end = position + 1
        if word == "--":
            files += len(words) - end
            end = len(words)
        elif word == EVENTS:
            while end < len(words) and (words[end] == "-" or not words[end].startswith("-")):
                end += 1
        elif word.startswith("-") and word != "-":
            end += word in valued
        else:
            files += 1
        told.append(list(words[position:end]))
        position = end
    if not files and (several := [group for group in told if group[0] == EVENTS and len(group) > 2]):
        file = several[-1].pop()
        told.insert(next(n for n, group in enumerate(told) if group is several[-1]) + 1, [file])
    return [word for group in told for word in _written_out(group)]


def _written_out(group: list[str]) -> list[str]:
    if group[0] != EVENTS or len(group) < 3:
        return group
    return [part for word in group[1:] for part in (EVENTS, word)]
