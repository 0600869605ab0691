"""A definition held against the names in the data: of events and of properties."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from doorstep.definitions import words
from doorstep.definitions.conditions import tests_of
from doorstep.definitions.funnel import Funnel, Selector
from doorstep.definitions.selectors import selectors
from doorstep.errors import Issue, nearest


def against_data(funnel: Funnel, *, events: Collection[str], columns: Collection[str]) -> tuple[Issue, ...]:
    """Names that the data lacks (warnings).

    ``events``: every event name in the data; ``columns``: every column and property known to be there. Where one is
    empty, nothing is known of them, and nothing is found.
    """
    held = _held_issues(funnel, frozenset(columns)) if columns else ()
    return tuple(dict.fromkeys([*held, *unknown_names(selectors(funnel), events=events, columns=columns)]))


def unknown_names(
    places: Iterable[tuple[str, Selector]], *, events: Collection[str], columns: Collection[str]
) -> Iterator[Issue]:
    """`unknown-event` and `unknown-property` for what these places of a document name and the data lacks."""
    known = frozenset(columns)
    for path, selector in places:
        if events:
            yield from _event_issues(path, selector, events)
        for test in tests_of(selector.condition):
            if known and test.property not in known and not test.property.startswith(words.TRAIT):
                yield unknown_property(f"{path}.filters", test.property, known)


USERS: Final = ("user_id", "userid", "distinct_id", "uid")
"""Names under which columns hold the ids of known users, best first; capitals do not matter."""


def names_user(column: str) -> bool:
    """Whether a column sounds as if it held users, who may also act while nobody knows who they are."""
    return column.casefold() in USERS


def unstitched(funnel: Funnel, *, anonymous: str, rows: int) -> Issue:
    """`unstitched-devices`: ``rows`` rows have no user but an id in the column ``anonymous``, and count for nobody."""
    user = next(name for name in funnel.unit_columns if names_user(name))
    number = f"{rows:,} rows have" if rows != 1 else "1 row has"
    message = (
        f"Users are counted across devices, but nothing says how they are stitched: {number} no {words.code(user)} but "
        f"{words.a(anonymous)}, and no such row counts for anybody."
    )
    mend = f"Write count_by: {{stitch: {{known: {user}, anonymous: {anonymous}}}}} if they are the same people's."
    return Issue("unstitched-devices", "warning", message, None, "count_by", mend)


ACCOUNTS: Final = ("account_id", "accountid", "group_id", "groupid")
"""Names under which columns hold the ids of accounts, best first; capitals do not matter."""


def names_account(column: str) -> bool:
    """Whether a column sounds as if it held accounts, which people join and few rows name."""
    return column.casefold() in ACCOUNTS


def unstitched_accounts(funnel: Funnel, *, rows: int) -> Issue:
    """`unstitched-accounts`: ``rows`` rows name no account, and were made by people who had joined one."""
    account = next(name for name in funnel.unit_columns if names_account(name))
    number = f"{rows:,} rows name" if rows != 1 else "1 row names"
    message = (
        f"Accounts are counted by the rows that name them: {number} no {words.code(account)}, though whoever made "
        "them had joined one, and no such row counts for it."
    )
    mend = (
        "Write count_by: {account_of: {stitch: {known: user_id, anonymous: anonymous_id}}} if what members do counts "
        "for their account."
    )
    return Issue("unstitched-accounts", "warning", message, None, "count_by", mend)


def _event_issues(path: str, selector: Selector, events: Collection[str]) -> Iterator[Issue]:
    for name in selector.event:
        if not selector.any_event and name not in events:
            message = f"No row in the data is named {words.code(name)}."
            yield Issue("unknown-event", "warning", message, None, f"{path}.event", did_you_mean(name, events))


def unknown_property(path: str, name: str, known: Collection[str]) -> Issue:
    """A property that is missing from every row."""
    message = f"The data has no property {words.code(name)}, so it is missing from every row."
    return Issue("unknown-property", "warning", message, None, path, did_you_mean(name, known))


def _held_issues(funnel: Funnel, known: Collection[str]) -> Iterator[Issue]:
    """``hold_constant`` only: a run refuses a unit that the data lacks, and says so itself."""
    yield from (unknown_property("hold_constant", name, known) for name in funnel.hold_constant if name not in known)


def did_you_mean(name: str, known: Collection[str]) -> str | None:
    """The nearest name there is, as a question."""
    same = [one for one in known if one.lower() == name.lower()]
    near = same[0] if same else nearest(name, known)
    return f"Did you mean {words.code(near)}?" if near else None


__all__ = [
    "against_data",
    "did_you_mean",
    "names_account",
    "names_user",
    "unknown_names",
    "unknown_property",
    "unstitched",
    "unstitched_accounts",
]
