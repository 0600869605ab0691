"""What two definitions say differently, told in words: each change on its own clause, and told for what it bears on."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorstep.definitions.difference import difference
from doorstep.definitions.identity import definition_hash, text_hash
from doorstep.definitions.reading import load
from doorstep.errors import DefinitionError
from strategies import documents

DOCUMENT: dict[str, Any] = {
    "funnel": "f",
    "title": "F",
    "count_by": "user_id",
    "exclude": [{"filters": {"bots": True}}, {"event": "ping"}],
    "reentry": {"no_within": "7d"},
    "window": "14d",
    "steps": [
        {"id": 1, "event": ["a", "b"], "filters": {"country": ["US", "CA"], "plan": {"ne": "free"}}},
        {"id": 2, "event": "c", "window": ["7d", "9d_after_entry"], "dedupe": "last"},
        {"id": "o", "event": "d", "optional": True},
        {"id": 4, "any_of": [{"event": "e"}, {"event": "f", "name": "F"}], "window": "1d_after_step_2"},
        {"id": 5, "any_of": [{"steps": [{"id": "s", "event": "g"}, {"event": "h", "window": "1h_after_step_s"}]}]},
    ],
    "exclude_between": [{"event": "x", "after": 1, "before": 4}, {"event": "y", "after": 1, "before": 2}],
    "examples": [{"name": "fine", "events": [{"at": "0s", "event": "a"}], "expect": {"reached": 0}}],
}


def edited(*edits: tuple[str, Any]) -> dict[str, Any]:
    """The document with some places set, such as ``steps.1.window``; None takes the key away, ``+`` inserts."""
    document = copy.deepcopy(DOCUMENT)
    for place, value in edits:
        *holders, key = place.removesuffix("+").split(".")
        holder: Any = document
        for part in holders:
            holder = holder[int(part) if isinstance(holder, list) else part]
        if place.endswith("+"):
            holder.insert(int(key), value)
        elif value is None:
            del holder[int(key) if isinstance(holder, list) else key]
        else:
            holder[int(key) if isinstance(holder, list) else key] = value
    return document


COUNTS: list[tuple[tuple[str, Any], list[str]]] = [
    (("count_by", "account_id"), ["count_by user_id -> account_id"]),
    (("count_by", ["user_id", "org"]), ["count_by user_id -> [user_id, org]"]),
    (("count_by", {"session_of": "u", "gap": "30m"}), ["count_by user_id -> {session_of: u, gap: 30m}"]),
    (("count", "attempts"), ["count unique -> attempts"]),
    (("exclude.0", None), ["exclude removed: any event where bots is true"]),
    (("exclude.0.filters.bots", 1), ["exclude changed: any event where bots is true -> any event where bots is 1"]),
    (("exclude.2+", {"event": "test"}), ["exclude added: `test`"]),
    (("exclude_units", [{"event": "ping"}]), ["exclude_units added: `ping`"]),
    (("hold_constant", "order_id"), ["hold_constant none -> order_id"]),
    (("entry", [1, 2]), ["entry step 1 -> step 1 or step 2"]),
    (("reentry", "never"), ["reentry {no_within: 7d} -> never"]),
    (("reentry.no_within", "8d"), ["reentry: no_within 7d -> 8d"]),
    (("reentry.event", "resumed"), ["reentry: event none -> `resumed`"]),
    (("reentry.below_step", 1), ["reentry: below_step none -> 1"]),
    (("reentry.interrupt", True), ["reentry: interrupt false -> true"]),
    (("reentry", [{"no_within": "7d"}, {"below_step": 1}]), ["reentry rule added: {below_step: 1}"]),
    (("window", "15d"), ["window 14d -> 15d"]),
    (("window", None), ["window 14d -> none"]),
    (("ties", "forbid"), ["ties allow -> forbid"]),
    (("represent", "last"), ["represent best -> last"]),
    (("steps.0.event", "a"), ["step 1: event `a` or `b` -> `a`"]),
    (("steps.0.filters.country", ["US"]), ["step 1: filter changed: country is CA or US -> country is US"]),
    (("steps.0.filters.plan", None), ["step 1: filter removed: plan is not free (and is present)"]),
    (("steps.0.filters.n", True), ["step 1: filter added: n is true"]),
    (("steps.0.first_time", "matching"), ["step 1: first_time false -> matching"]),
    (("steps.1.window", ["3d", "9d_after_entry"]), ["step 2: window 7d, 9d_after_entry -> 3d, 9d_after_entry"]),
    (("steps.1.window", None), ["step 2: window 7d, 9d_after_entry -> none"]),
    (("steps.1.dedupe", "nearest"), ["step 2: dedupe last -> nearest"]),
    (("steps.1.min_gap", "1s"), ["step 2: min_gap none -> 1s"]),
    (("steps.1.out_of_order", "1s"), ["step 2: out_of_order none -> 1s"]),
    (("steps.2.optional", None), ["step o: optional true -> false"]),
    (("steps.2", None), ["step o removed: `d`, optional"]),
    (("steps.3.window", "1d_after_step_1"), ["step 4: window 1d_after_step_2 -> 1d_after_step_1"]),
    (("steps.3.any_of.1.window", "1d"), ["step 4: way changed: `f` -> `f`, window 1d"]),
    (("steps.3.any_of.2+", {"event": "i"}), ["step 4: way added: `i`"]),
    (("steps.3.any_of.1", None), ["step 4: way removed: `f`"]),
    (("steps.3", {"id": 4, "event": "e", "window": "1d_after_step_2"}), ["step 4: rows `e` or `f` -> `e`"]),
    (
        ("steps.3.any_of", [{"event": "f", "name": "F"}, {"event": "e"}]),
        ["step 4: way: the order is another, which decides a draw"],
    ),
    (
        ("steps.4.any_of.0.steps.1.dedupe", "last"),
        [
            "step 5: way changed: (`g` then `h`, window 1h_after_row_1_of_this_way) -> "
            "(`g` then `h`, window 1h_after_row_1_of_this_way, dedupe last)"
        ],
    ),
    (
        ("exclude_between.0.effect", "stop"),
        [
            "exclude_between changed: `x` between step 1 and step 4 (effect drop) -> "
            "`x` between step 1 and step 4 (effect stop)"
        ],
    ),
    (("exclude_between.1", None), ["exclude_between removed: `y` between step 1 and step 2 (effect drop)"]),
    (
        ("exclude_between", [*reversed(DOCUMENT["exclude_between"])]),
        ["exclude_between: the order is another, which decides between rows of equal time"],
    ),
    (("steps.5+", {"event": "z", "window": "2d"}), ["step 6 added: `z`, window 2d"]),
]


@pytest.mark.parametrize(("edit", "told"), COUNTS, ids=str)
def test_a_change_that_can_move_a_count_is_told_on_its_clause(edit: tuple[str, Any], told: list[str]) -> None:
    """One edit, one sentence, and it says that a count can move."""
    changes = difference(load(DOCUMENT), load(edited(edit)))
    assert [str(change) for change in changes if change.moves_count] == told


WORDS: list[tuple[list[tuple[str, Any]], list[str]]] = [
    ([("funnel", "g")], ['name "f" -> "g"']),
    ([("title", "G")], ['title "F" -> "G"']),
    ([("title", None)], ['title "F" -> none']),
    ([("description", "What for.")], ['description none -> "What for."']),
    ([("owner", "growth")], ['owner none -> "growth"']),
    ([("tags", ["core"])], ['tags [] -> ["core"]']),
    ([("steps.0.name", "Start")], ['step 1: name none -> "Start"']),
    ([("steps.2.id", "opt")], ['step o: id "o" -> "opt"']),
    ([("steps.3.any_of.0.name", "E")], ["step 4: names in its ways changed"]),
    ([("steps.1.id", "two"), ("steps.3.window", "1d_after_step_two"), ("exclude_between.1.before", "two")],
     ['step 2: id "2" -> "two"']),
    ([("examples.0.expect.reached", 1)], ['example "fine" changed']),
    ([("examples.0.name", "good")], ['example "fine" removed', 'example "good" added']),
]  # fmt: skip


@pytest.mark.parametrize(("edits", "told"), WORDS, ids=str)
def test_a_change_of_words_alone_moves_no_count_and_says_so(edits: list[tuple[str, Any]], told: list[str]) -> None:
    """Slug, title, owner, tags, ids, names and examples."""
    changes = difference(load(DOCUMENT), load(edited(*edits)))
    assert [str(change) for change in changes] == told
    assert not any(change.moves_count for change in changes)


def _steps(*events: str, **more: Any) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"event": event} for event in events]
    return {"count_by": "u", "steps": steps, **more}


SHAPES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    (_steps("a", "b", "c"), _steps("a", "x", "b", "c"), ["step 2 added: `x`"]),
    (_steps("a", "x", "b", "c"), _steps("a", "b", "c"), ["step 2 removed: `x`"]),
    (_steps("a", "b", "c"), _steps("x", "a", "b", "c"), ["step 1 added: `x`"]),
    (_steps("a", "b", "c"), _steps("a", "c", "b"), ["step 2 (now 3): moved from place 2 to place 3"]),
    (_steps("a", "b", "c"), _steps("a", "x", "c"), ["step 2: event `b` -> `x`"]),
    (_steps("a", "b", "c", entry="any_step"), _steps("a", "b", "x", "c", entry="any_step"), ["step 3 added: `x`"]),
    (_steps("a", "b", "c", entry=[2]), _steps("a", "x", "b", "c", entry=[3]), ["step 2 added: `x`"]),
    (
        _steps("a", "b", "c", entry=[2]),
        _steps("a", "x", "b", "c", entry=[2]),
        ["entry step 2 -> step 2, which is another step now", "step 2 added: `x`"],
    ),
]


@pytest.mark.parametrize(("before", "after", "told"), SHAPES, ids=str)
def test_steps_are_followed_when_others_come_and_go(
    before: dict[str, Any], after: dict[str, Any], told: list[str]
) -> None:
    """A step that only stands elsewhere is not taken for another; only what was added, removed or moved is told."""
    assert [str(change) for change in difference(load(before), load(after))] == told


def test_ids_that_change_places_are_told_apart() -> None:
    """The same words on both sides never hide a change: an id that names another step is told."""
    before = load({"count_by": "u", "entry": [1], "steps": [{"id": 1, "event": "a"}, {"id": 2, "event": "b"}]})
    after = load({"count_by": "u", "entry": [1], "steps": [{"id": 2, "event": "a"}, {"id": 1, "event": "b"}]})
    told = [str(change) for change in difference(before, after)]
    assert told == [
        "entry step 1 -> step 1, which is another step now",
        'step 1: id "1" -> "2"',
        'step 2: id "2" -> "1"',
    ]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two valid definitions; often the second is the first with one key, or one step, of another."""
    one, two = draw(documents()), draw(documents())
    how = draw(st.sampled_from(["apart", "key", "step", "drop", "swap", "words", "same"]))
    mixed = copy.deepcopy(one)
    steps = mixed["steps"]
    if how == "key":
        key = draw(st.sampled_from(sorted(two)))
        mixed[key] = two[key]
    elif how == "step":
        steps.insert(draw(st.integers(0, len(steps))), draw(st.sampled_from(two["steps"])))
    elif how == "drop":
        del steps[draw(st.integers(0, len(steps) - 1))]
    elif how == "swap":
        steps.append(steps.pop(draw(st.integers(0, len(steps) - 1))))
    elif how == "words":
        mixed["title"] = draw(st.sampled_from(["t", "u"]))
        draw(st.sampled_from(steps))["name"] = "n"
    if how in {"step", "drop", "swap"}:
        for step in steps:
            step.pop("id")
    return one, two if how == "apart" else mixed


@settings(max_examples=150, deadline=None)
@given(pairs())
def test_a_count_can_move_exactly_when_the_hashes_differ(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """On random pairs: equal hashes if and only if no change bears on counts; every differing pair says something."""
    try:
        before, after = (load(one) for one in pair)
    except DefinitionError:
        return
    changes = difference(before, after)
    assert any(change.moves_count for change in changes) == (definition_hash(before) != definition_hash(after))
    if definition_hash(before) == definition_hash(after):
        assert bool(changes) == (text_hash(before) != text_hash(after))
