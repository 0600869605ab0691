"""Two hashes: one of what counts, one of what it is called."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorstep.definitions.identity import canonical, definition_hash, text_hash
from doorstep.definitions.reading import load
from strategies import documents

DOCUMENT: dict[str, Any] = {
    "funnel": "f",
    "title": "F",
    "count_by": "user_id",
    "exclude": [{"filters": {"bots": True}}, {"event": "ping"}],
    "reentry": {"no_within": "7d", "event": "cancelled"},
    "window": "14d",
    "steps": [
        {"id": 1, "event": ["a", "b"], "filters": {"country": ["US", "CA"], "plan": {"ne": "free"}, "n": 1}},
        {"id": 2, "event": "c", "window": ["24h", "2d_after_entry"], "dedupe": "last"},
        {"id": "o", "event": "d", "optional": True},
        {"id": 3, "any_of": [{"event": "e"}, {"event": "f", "name": "F"}], "window": "1d_after_step_2"},
        {"id": 4, "any_of": [{"steps": [{"id": "s", "event": "g"}, {"event": "h", "window": "1h_after_step_s"}]}]},
    ],
    "exclude_between": [{"event": "x", "after": 1, "before": 3}],
}


def edited(*edits: tuple[str, Any]) -> dict[str, Any]:
    """The document with some places set, such as ``steps.1.window``; None takes the key away."""
    document = copy.deepcopy(DOCUMENT)
    for place, value in edits:
        *holders, key = place.split(".")
        holder: Any = document
        for part in holders:
            holder = holder[int(part) if isinstance(holder, list) else part]
        if isinstance(holder, list):
            holder[int(key)] = value
        elif value is None:
            del holder[key]
        else:
            holder[key] = value
    return document


SPELLINGS: list[list[tuple[str, Any]]] = [
    [("window", "2w")],
    [("window", "13d24h")],
    [("steps.1.window", ["2d_after_entry", "1d_after_prev"])],
    [("steps.1.window", ["1d", "2d_after_entry", "3d", "72h_after_entry"])],
    [("steps.0.event", ["b", "a", "b"])],
    [("steps.0.filters", {"n": 1.0, "plan": {"not_in": ["free"]}, "country": {"in": ["CA", "US", "US"]}})],
    [("steps.0.filters", {"all": [{"n": {"eq": 1}}, {"country": ["US", "CA"]}], "plan": {"ne": "free"}})],
    [("steps.0.filters.n", {"in": [1, 1.0]})],
    [("steps.1.event", ["c"])],
    [("exclude", [{"event": "ping"}, {"filters": {"bots": {"eq": True}}}, {"event": "ping"}])],
    [("reentry", [{"event": {"event": ["cancelled"]}, "no_within": "168h", "interrupt": False}])],
    [("reentry", {"no_within": "7d", "event": "cancelled", "after": ["excluded", "completed", "expired"]})],
    [("entry", "step1_only")],
    [("entry", [1, 1])],
    [("count", "unique"), ("order", "sequential"), ("match", "declared"), ("ties", "allow"), ("represent", "best")],
    [("semantics", 1), ("exclude_units", []), ("hold_constant", [])],
    [("steps.0.id", "first"), ("exclude_between.0.after", "first")],
    [("steps.1.id", "two"), ("steps.3.window", "24h_after_step_two")],
    [("steps.4.any_of.0.steps.0.id", "z"), ("steps.4.any_of.0.steps.1.window", "60m_after_step_z")],
    [("exclude_between.0.effect", "drop")],
    [("count_by", ["user_id"])],
]


@pytest.mark.parametrize("edits", SPELLINGS, ids=str)
def test_spelling_does_not_change_the_hash(edits: list[tuple[str, Any]]) -> None:
    """Other words for the same rule are the same definition."""
    assert definition_hash(load(DOCUMENT)) == definition_hash(load(edited(*edits)))


CHANGES: list[tuple[str, Any]] = [
    ("count_by", "account_id"),
    ("count_by", ["user_id", "account_id"]),
    ("count_by", {"session_of": "user_id", "gap": "30m"}),
    ("count_by", {"stitch": {"known": "user_id", "anonymous": "anonymous_id"}}),
    ("count_by", {"stitch": {"known": "anonymous_id", "anonymous": "user_id"}}),
    ("count_by", {"session_of": {"stitch": {"known": "user_id", "anonymous": "anonymous_id"}}, "gap": "30m"}),
    ("count_by", {"account_of": {"stitch": {"known": "user_id", "anonymous": "anonymous_id"}}}),
    ("count_by", {"account_of": {"stitch": {"known": "user_id", "anonymous": "anonymous_id"}}, "account": "team"}),
    (
        "count_by",
        {"session_of": {"account_of": {"stitch": {"known": "user_id", "anonymous": "anonymous_id"}}}, "gap": "30m"},
    ),
    ("count", "attempts"),
    ("exclude", None),
    ("exclude.0.filters.bots", "true"),
    ("exclude.0.filters.bots", 1),
    ("exclude_units", [{"event": "ping"}]),
    ("hold_constant", "order_id"),
    ("entry", [1, 2, 3]),
    ("entry", [1, 2]),
    ("reentry", "never"),
    ("reentry", "always"),
    ("reentry", "no_within_7d"),
    ("reentry.no_within", "8d"),
    ("reentry.inactive", "7d"),
    ("reentry.after", ["completed"]),
    ("reentry.event", "resumed"),
    ("reentry.below_step", 2),
    ("reentry.interrupt", True),
    ("window", "15d"),
    ("window", None),
    ("ties", "forbid"),
    ("represent", "last"),
    ("steps.0.event", "a"),
    ("steps.0.event", "*"),
    ("steps.0.filters.country", ["US"]),
    ("steps.0.filters.country", {"not_in": ["US", "CA"]}),
    ("steps.0.filters.plan", {"exists": True}),
    ("steps.0.filters.n", "1"),
    ("steps.0.filters.n", True),
    ("steps.0.filters.n", {"gte": 1}),
    ("steps.0.first_time", True),
    ("steps.0.first_time", "matching"),
    ("steps.1.window", "24h"),
    ("steps.1.window", ["24h", "3d_after_entry"]),
    ("steps.1.window", ["24h_after_step_1", "2d_after_entry"]),
    ("steps.1.dedupe", "nearest"),
    ("steps.1.min_gap", "1s"),
    ("steps.1.out_of_order", "1s"),
    ("steps.2.optional", None),
    ("steps.2.event", "dd"),
    ("steps.3.any_of", [{"event": "f"}, {"event": "e"}]),
    ("steps.3.any_of.1.window", "1d"),
    ("steps.3.window", "1d_after_step_1"),
    ("steps.4.any_of.0.steps.1.window", "1h"),
    ("steps.4.any_of.0.steps.1.min_gap", "1s"),
    ("steps.4.any_of.0.steps.1.dedupe", "last"),
    ("exclude_between.0.effect", "stop"),
    ("exclude_between.0.before", 2),
    ("exclude_between.0.event", "y"),
    ("exclude_between", None),
]


@pytest.mark.parametrize(("place", "value"), CHANGES, ids=str)
def test_a_change_that_can_move_a_count_changes_the_hash(place: str, value: object) -> None:
    """One edit, another definition; every edit a different one."""
    assert definition_hash(load(DOCUMENT)) != definition_hash(load(edited((place, value))))


def test_every_change_is_a_definition_of_its_own() -> None:
    """No two of the edits above give one hash."""
    hashes = {definition_hash(load(edited(change))) for change in CHANGES}
    assert len(CHANGES) == len(hashes)


def test_modes_have_hashes_of_their_own() -> None:
    """`order` and `match` move counts."""
    plain = {"count_by": "u", "window": "1d", "steps": [{"event": "a"}, {"event": "b"}]}
    modes: tuple[dict[str, str], ...] = ({}, {"order": "consecutive"}, {"order": "any"}, {"match": "furthest"})
    assert len({definition_hash(load({**plain, **mode})) for mode in modes}) == 4


WORDS: list[list[tuple[str, Any]]] = [
    [("funnel", "g")],
    [("title", "G")],
    [("description", "What for.")],
    [("owner", "growth")],
    [("tags", ["core"])],
    [("steps.0.name", "Start")],
    [("steps.2.id", "opt")],
    [("steps.3.any_of.0.name", "E")],
    [("steps.4.any_of.0.steps.0.name", "G")],
    [("examples", [{"name": "x", "events": [{"at": "0s", "event": "a", "n": 1}], "expect": {"reached": 1}}])],
]


@pytest.mark.parametrize("edits", WORDS, ids=str)
def test_words_change_only_the_second_hash(edits: list[tuple[str, Any]]) -> None:
    """Slug, title, owner, tags, ids, names and examples move no count."""
    before, after = load(DOCUMENT), load(edited(*edits))
    assert definition_hash(before) == definition_hash(after)
    assert text_hash(before) != text_hash(after)


def test_counting_rules_do_not_change_the_second_hash() -> None:
    """The two hashes share nothing."""
    assert text_hash(load(DOCUMENT)) == text_hash(load(edited(("window", "3d"))))


def test_the_hash_is_kept_for_ever() -> None:
    """Saved runs name definitions by it: a new version of the program must give the same one."""
    assert definition_hash(load(DOCUMENT)) == "5377425cfbc12c0f97e0a74103d6a6a6be05de80bb4ddb9c7352189253e552e1"


def shuffled(value: Any, order: random.Random) -> Any:
    """The same data with the keys of every mapping in another order."""
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(one, order) for one in value] if isinstance(value, list) else value


def respelt(value: Any, order: random.Random) -> Any:
    """The same data with every duration of whole seconds written another way."""
    if isinstance(value, dict):
        return {key: respelt(one, order) for key, one in value.items()}
    if isinstance(value, list):
        return [respelt(one, order) for one in value]
    if isinstance(value, str) and value[:-1].isdigit() and value.endswith("s"):
        count = int(value[:-1])
        part = order.randint(0, count)
        return order.choice([f"0d{value}", f"{part}s{count - part}s", f"00{value}", f"0w0h{value}"])
    return value


@settings(max_examples=150, deadline=None)
@given(documents(), st.randoms(use_true_random=False))
def test_order_of_keys_and_spelling_of_durations_do_not_change_the_hash(
    document: dict[str, Any], order: random.Random
) -> None:
    """On random definitions, whichever way they are written."""
    same = respelt(shuffled(document, order), order)
    assert definition_hash(load(document)) == definition_hash(load(same))
    assert json.loads(json.dumps(canonical(load(document)))) == canonical(load(same))
