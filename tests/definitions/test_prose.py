"""What people read must say what the definition means: nothing left out, nothing that can be taken two ways."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from doorstep.definitions import words
from doorstep.definitions.filters import Filters
from doorstep.definitions.funnel import Funnel
from doorstep.definitions.identity import definition_hash
from doorstep.definitions.prose import as_markdown, as_table, describe
from doorstep.definitions.reading import load
from doorstep.errors import DefinitionError
from strategies import documents

PLAIN: dict[str, Any] = {
    "funnel": "signup",
    "count_by": "user_id",
    "steps": [
        {"id": 1, "event": "signup"},
        {"id": 2, "event": "verify", "window": "7d"},
        {"id": 3, "event": "pay", "window": "3d"},
    ],
}


def edited(**keys: Any) -> dict[str, Any]:
    """The plain funnel with keys changed; ``stepN`` adds keys to a step."""
    document = copy.deepcopy(PLAIN)
    for key, value in keys.items():
        if key.startswith("step") and key[4:].isdigit():
            document["steps"][int(key[4:]) - 1].update(value)
        else:
            document[key] = value
    return document


def prose(**keys: Any) -> str:
    """The prose of an edited plain funnel."""
    return describe(load(edited(**keys)))


EDITS: dict[str, dict[str, Any]] = {
    "another unit": {"count_by": "account_id"},
    "a unit of two columns": {"count_by": ["account_id", "user_id"]},
    "stitched ids": {"count_by": {"stitch": {"known": "user_id", "anonymous": "device"}}},
    "stitched ids of another column": {"count_by": {"stitch": {"known": "user_id", "anonymous": "cookie"}}},
    "stitched ids of other users": {"count_by": {"stitch": {"known": "login", "anonymous": "device"}}},
    "accounts of stitched ids": {"count_by": {"account_of": {"stitch": {"known": "user_id", "anonymous": "device"}}}},
    "other accounts of stitched ids": {
        "count_by": {"account_of": {"stitch": {"known": "user_id", "anonymous": "device"}}, "account": "team"}
    },
    "accounts of what a lake was told": {
        "count_by": {"account_of": {"stitch": {"known": "user_id", "anonymous": "anonymous_id"}}}
    },
    "sessions of accounts": {
        "count_by": {
            "session_of": {"account_of": {"stitch": {"known": "user_id", "anonymous": "device"}}},
            "gap": "30m",
        }
    },
    "sessions of stitched ids": {
        "count_by": {"session_of": {"stitch": {"known": "user_id", "anonymous": "device"}}, "gap": "30m"}
    },
    "sessions": {"count_by": {"session_of": "user_id", "gap": "30m"}},
    "sessions of another gap": {"count_by": {"session_of": "user_id", "gap": "31m"}},
    "attempts": {"count": "attempts"},
    "excluded rows": {"exclude": [{"filters": {"bots": True}}]},
    "excluded rows by a text": {"exclude": [{"filters": {"bots": "true"}}]},
    "excluded rows by a number": {"exclude": [{"filters": {"bots": 1}}]},
    "excluded units": {"exclude_units": [{"filters": {"bots": True}}]},
    "held constant": {"hold_constant": "order_id"},
    "entry anywhere": {"entry": "any_step"},
    "entry at some": {"entry": [1, 3]},
    "always again": {"reentry": "always"},
    "again after completion": {"reentry": "after_completion"},
    "again after timeout": {"reentry": "after_timeout"},
    "again after a while": {"reentry": "no_within_7d"},
    "again after silence": {"reentry": {"inactive": "7d"}},
    "again after an event": {"reentry": {"event": "cancel"}},
    "again below a step": {"reentry": {"below_step": 2}},
    "again at any time": {"reentry": {"interrupt": True}},
    "again by either of two rules": {"reentry": [{"inactive": "7d"}, {"event": "cancel"}]},
    "again by both of two rules": {"reentry": {"inactive": "7d", "event": "cancel"}},
    "a window for all": {"window": "14d"},
    "consecutive": {"order": "consecutive"},
    "strictly later": {"ties": "forbid"},
    "the first stands": {"represent": "first"},
    "the last stands": {"represent": "last"},
    "furthest": {"match": "furthest"},
    "another event": {"step2": {"event": "verified"}},
    "two events": {"step2": {"event": ["verify", "verified"]}},
    "any event": {"step2": {"event": "*"}},
    "a filter": {"step2": {"filters": {"plan": "pro"}}},
    "a filter of two values": {"step2": {"filters": {"plan": ["pro", "team"]}}},
    "a filter against": {"step2": {"filters": {"plan": {"ne": "pro"}}}},
    "a filter against or missing": {"step2": {"filters": {"not": {"plan": "pro"}}}},
    "another window": {"step2": {"window": "8d"}},
    "a window after the entry": {"step3": {"window": "3d_after_entry"}},
    "a window after a step": {"step3": {"window": "3d_after_step_1"}},
    "two windows": {"step3": {"window": ["3d", "5d_after_entry"]}},
    "a gap": {"step2": {"min_gap": "1h"}},
    "the last row": {"step2": {"dedupe": "last"}},
    "the nearest row": {"step2": {"dedupe": "nearest"}},
    "an early row": {"step2": {"out_of_order": "1h"}},
    "the first ever row": {"step2": {"first_time": True}},
    "the first ever row that matches": {"step2": {"first_time": "matching"}},
    "optional": {"step2": {"optional": True}},
    "spoiled": {"exclude_between": [{"event": "refund", "after": 1, "before": 3}]},
    "spoiled later": {"exclude_between": [{"event": "refund", "after": 2, "before": 3}]},
    "cut": {"exclude_between": [{"event": "refund", "after": 1, "before": 3, "effect": "stop"}]},
}


def _ways(*ways: dict[str, Any]) -> dict[str, Any]:
    document = copy.deepcopy(PLAIN)
    document["steps"][1] = {"id": 2, "any_of": list(ways), "window": "7d"}
    return document


WALK = {"steps": [{"id": "x", "event": "code"}, {"event": "enter"}]}
BRANCHES: dict[str, dict[str, Any]] = {
    "two ways": _ways({"event": "mail"}, {"event": "text"}),
    "the other first": _ways({"event": "text"}, {"event": "mail"}),
    "one with a window": _ways({"event": "mail", "window": "1d"}, {"event": "text"}),
    "a walk": _ways({"event": "mail"}, WALK),
    "a walk with a window": _ways({"event": "mail"}, {"steps": [WALK["steps"][0], {"event": "enter", "window": "1h"}]}),
    "a longer walk": _ways({"event": "mail"}, {"steps": [*WALK["steps"], {"event": "done", "window": "1h"}]}),
    "a longer walk from its first row": _ways(
        {"event": "mail"}, {"steps": [*WALK["steps"], {"event": "done", "window": "1h_after_step_x"}]}
    ),
    "a walk with a gap": _ways({"event": "mail"}, {"steps": [WALK["steps"][0], {"event": "enter", "min_gap": "1h"}]}),
    "a walk to the last": _ways({"event": "mail"}, {"steps": [WALK["steps"][0], {"event": "enter", "dedupe": "last"}]}),
    "a walk strictly later": {**_ways({"event": "mail"}, WALK), "ties": "forbid"},
}


@pytest.mark.parametrize("name", EDITS)
def test_every_change_that_can_move_a_count_changes_the_prose(name: str) -> None:
    """No rule is left unsaid: one changed key reads differently."""
    assert prose(**EDITS[name]) != describe(load(PLAIN))


def test_no_two_changes_read_alike() -> None:
    """Different rules are said in different words."""
    told = {name: prose(**edit) for name, edit in EDITS.items()} | {n: describe(load(d)) for n, d in BRANCHES.items()}
    same = [(one, two) for one in told for two in told if one < two and told[one] == told[two]]
    assert same == []


def _without(document: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    holder: Any = changed
    for part in path[:-1]:
        holder = holder[part]
    del holder[path[-1]]
    return changed


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, part in parts for found in ((*path, key), *_paths(part, (*path, key)))]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.data())
def test_definitions_that_differ_read_differently(data: st.DataObject) -> None:
    """Of two definitions that differ by one key and have different hashes, the prose differs too."""
    document = data.draw(documents())
    path = data.draw(st.sampled_from(_paths(document)))
    try:
        one, two = load(document), load(_without(document, path))
    except DefinitionError:
        assume(False)
        return
    assume(definition_hash(one) != definition_hash(two))
    assert describe(one) != describe(two)


@settings(max_examples=100, deadline=None)
@given(documents())
def test_any_definition_can_be_told(document: dict[str, Any]) -> None:
    """Every valid definition has prose, a full table, and Markdown with a line for each of its rows."""
    funnel = load(document)
    table = as_table(funnel)
    assert all(len(row) == len(table.header) for row in table.rows)
    lines = [line for line in as_markdown(funnel).splitlines() if line.startswith("|")]
    assert len(lines) == len(table.rows) + 2
    assert describe(funnel).strip()


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"country": "CA"}, "country is CA"),
    ({"country": ["US", "CA"]}, "country is CA or US"),
    ({"country": ["US", "CA", "DE"]}, "country is CA, DE or US"),
    ({"plan": {"ne": "free"}}, "plan is not free (and is present)"),
    ({"plan": {"not_in": ["free", "trial"]}}, "plan is none of free or trial (and is present)"),
    ({"not": {"plan": "pro"}}, "not (plan is pro) — also holds when plan is missing"),
    ({"not": {"plan": {"exists": False}}}, "not (plan is missing or null)"),
    ({"not": {"b": 1, "c": 2}}, "not (b is 1 and c is 2) — also holds when b or c is missing"),
    (
        {"not": {"any": [{"c": 1}, {"b": 2}]}},
        "not ((c is 1) or (b is 2)) — also holds when b and c are both missing",
    ),
    ({"bots": True}, "bots is true"),
    ({"bots": "true"}, 'bots is the text "true"'),
    ({"level": 1}, "level is 1"),
    ({"level": 1.0}, "level is 1"),
    ({"level": 1.5}, "level is 1.5"),
    ({"level": "1"}, 'level is the text "1"'),
    ({"level": "1e5"}, 'level is the text "1e5"'),
    ({"city": "New York"}, 'city is "New York"'),
    ({"city": "missing"}, 'city is "missing"'),
    ({"city": ""}, 'city is ""'),
    ({"city": ["a", "b or c"]}, 'city is "a" or "b or c"'),
    ({"price": {"gt": 10}}, "price is more than 10"),
    ({"price": {"between": [1, 5]}}, "price is from 1 to 5 (both included)"),
    ({"price": {"gt": 1, "lt": 5}}, "price is more than 1 and price is less than 5"),
    ({"day": {"gte": "2026-01-01"}}, 'day comes at or after "2026-01-01" in the order of texts'),
    ({"url": {"starts_with": "/p|"}}, 'url starts with the text "/p|"'),
    ({"url": {"matches": "^/[a-z]+$"}}, 'url has a match of the regular expression "^/[a-z]+$"'),
    ({"url": {"exists": True}}, "url is present"),
    ({"url": {"exists": False}}, "url is missing or null"),
    ({"country": ["US", "CA"], "plan": "pro"}, "(country is CA or US) and plan is pro"),
    ({"any": [{"b": 1}, {"c": [1, 2], "d": 3}]}, "(b is 1) or ((c is 1 or 2) and d is 3)"),
    ({"any": [{}]}, "(anything)"),
    ({"is cool": True}, "`is cool` is true"),
    ({"a`b": True}, "`` a`b `` is true"),
    ({"unit.plan": "pro"}, "the unit's trait plan (as of that time) is pro"),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS, ids=[expected for _, expected in FILTERS])
def test_a_filter_reads_one_way(filters: dict[str, Any], expected: str) -> None:
    """Texts, numbers and truth values, and what is grouped with what, can be told apart."""
    assert words.condition(Filters.model_validate(filters).condition) == expected


@pytest.mark.parametrize(
    ("microseconds", "expected"),
    [
        (1_000_000, "1 second"),
        (90_000_000, "1 minute and 30 seconds"),
        (86_400_000_000, "24 hours"),
        (36 * 3_600_000_000, "36 hours"),
        (2 * 86_400_000_000, "2 days"),
        (7 * 86_400_000_000 + 3_661_000_000, "7 days, 1 hour, 1 minute and 1 second"),
        (0, "0 seconds"),
    ],
)
def test_a_duration_reads_as_people_say_it(microseconds: int, expected: str) -> None:
    """Days from two on, hours below, exact to the second."""
    assert words.duration(microseconds) == expected


def test_a_step_says_its_rows_its_time_and_its_choice() -> None:
    """The sentence of a step holds all that decides which row serves it."""
    told = prose(step2={"filters": {"country": ["US", "CA"]}, "min_gap": "1h", "dedupe": "last"}, window="14d")
    expected = (
        "  - Step 2: `verify` where country is CA or US. At least 1 hour after step 1, at most 7 days after step 1, "
        "at most 14 days after the attempt's first row. Of several such rows the latest is taken."
    )
    assert expected in told.splitlines()


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({}, "Each user_id counts at most once, by one attempt"),
        ({}, "No other rows are excluded."),
        ({}, "No user_id is left out for what it did."),
        ({}, "A step's row may have the same time as the step before it."),
        ({}, "Never: each user_id gets one attempt, from its first entry row; later entry rows are ignored."),
        ({}, "Nothing: no row between two steps spoils an attempt."),
        ({}, "Limits include both ends: exactly 7 days is at most 7 days. A day is exactly 24 hours."),
        ({"step2": {"window": []}}, "At or after step 1, with no time limit."),
        ({"count_by": "account_id"}, "(Under the rules below an account_id has only one.)"),
        ({"hold_constant": "order_id"}, "those in which order_id is missing are left out"),
        ({"step3": {"out_of_order": "2d"}}, "At or after step 2, or up to 2 days before it but not before step 1"),
        ({"reentry": "no_within_7d"}, "The row is at least 7 days after the previous attempt's first row."),
        (
            {"order": "any", "window": "7d", "step2": {"window": []}, "step3": {"window": []}},
            "Steps may come in any order",
        ),
    ],
)
def test_defaults_are_said_as_plainly_as_declarations(keys: dict[str, Any], sentence: str) -> None:
    """What a document leaves out is in the prose as a rule."""
    assert sentence in prose(**keys)


def test_the_table_has_a_row_a_step_and_a_row_a_way() -> None:
    """Branches are listed under their step."""
    table = as_table(load(BRANCHES["a walk"]))
    assert [row[0] for row in table.rows] == ["1", "2", "2, way 1", "2, way 2", "3"]
    assert table.rows[3][5] == (
        "in this order: `code`, at or after step 1, the earliest of several; "
        "then `enter`, at or after row 1 of this way, the earliest of several"
    )


def test_markdown_keeps_pipes_and_marks_out_of_its_own_way() -> None:
    """Pipes do not end cells, and stars, brackets and line breaks from the definition stay text."""
    document = edited(title="A|B *c*", owner="x\n# y", step2={"event": "a|b", "filters": {"p": "[x] *y* | z"}})
    text = as_markdown(load(document))
    assert text.startswith("# A|B \\*c\\* (signup, semantics 1)\n")
    assert "- Owner: x \\# y\n" in text
    assert '| 2 | `a\\|b` | p is "\\[x\\] \\*y\\* \\| z" |' in text


def test_a_title_stands_before_the_slug() -> None:
    """The slug is the identity, the title what people say."""
    assert prose(title="Sign-up").splitlines()[0] == "Sign-up (signup, semantics 1)"
    assert prose().splitlines()[0] == "signup (semantics 1)"


def test_descriptions_and_tags_are_carried_into_markdown() -> None:
    """A tracking plan says who answers for a funnel."""
    text = as_markdown(Funnel.model_validate(edited(description="Why.", owner="growth", tags=["a", "b"])))
    assert "\n\nWhy.\n\n- Owner: growth\n- Tags: a, b\n\n|" in text
