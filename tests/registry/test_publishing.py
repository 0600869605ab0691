"""Versions are published once, numbered, never changed; a freeze holds them; history is never rewritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorstep.definitions.identity import canonical, definition_hash, text_hash
from doorstep.definitions.reading import load
from doorstep.errors import DefinitionError, RegistryError
from doorstep.registry import Registry, open_registry
from registry.conftest import Ticking
from registry.documents import signup

YAML = """# kept to the letter
funnel: signup
count_by: user_id
steps:
  - {event: signup}
  - {event: verify, window: 168h}   # a week
"""


def test_a_version_keeps_what_was_published(registry: Registry, tmp_path: Path) -> None:
    """The text to the letter, the canonical form, both hashes, who, when and why."""
    file = tmp_path / "any-name.yaml"
    file.write_text(YAML, "utf-8")
    found = registry.publish(file, by="ada", message="first").version
    funnel = load(file)
    assert (found.name, found.number, found.text, found.form) == ("signup", 1, YAML, "yaml")
    assert (found.hash, found.text_hash) == (definition_hash(funnel), text_hash(funnel))
    assert (found.canonical, found.semantics) == (canonical(funnel), 1)
    assert (found.published_by, found.published_at, found.message) == ("ada", 1_000_001, "first")
    assert registry.version("signup") == found
    assert found.definition() == funnel


def test_publishing_the_latest_again_does_nothing_and_says_so(registry: Registry, tmp_path: Path) -> None:
    """Another spelling of the same is the same."""
    file = tmp_path / "signup.yaml"
    file.write_text(YAML, "utf-8")
    first = registry.publish(file, by="ada")
    file.write_text(YAML.replace("168h", "7d").replace("# a week", ""), "utf-8")
    again = registry.publish(file, by="bob")
    assert (first.published, again.published, again.changes) == (True, False, ())
    assert again.version == first.version
    assert len(registry.versions("signup")) == 1


def test_each_change_is_a_version_and_says_whether_it_moves_a_count(registry: Registry) -> None:
    """The first can; a rule does; words alone do not, and are a version all the same."""
    registry.publish(signup("7d"), by="ada")
    rule = registry.publish(signup("3d"), by="ada")
    words = registry.publish(signup("3d", title="Signup"), by="ada")
    assert [str(change) for change in rule.changes] == ["step 2: window 7d -> 3d"]
    assert [str(change) for change in words.changes] == ['title none -> "Signup"']
    assert [one.moves_counts for one in registry.versions("signup")] == [True, True, False]
    assert [one.number for one in registry.versions("signup")] == [1, 2, 3]


def test_a_definition_whose_examples_fail_is_refused(registry: Registry) -> None:
    """The example is named, what it expected is said, and nothing is published."""
    late = [{"at": "0s", "event": "signup"}, {"at": "8d", "event": "verify"}]
    wrong = signup(examples=[{"name": "late", "events": late, "expect": {"reached": 2}}])
    with pytest.raises(RegistryError, match="late: expected 2 steps reached, got 1") as refused:
        registry.publish(wrong, by="ada")
    assert refused.value.code == "examples-failed"
    assert registry.names() == ()


def test_what_is_no_definition_is_not_published(registry: Registry) -> None:
    """Every issue is told, as `load` tells it."""
    with pytest.raises(DefinitionError, match="steps"):
        registry.publish({"funnel": "f", "count_by": "u"}, by="ada")


def test_reverting_publishes_the_old_document_anew(registry: Registry) -> None:
    """A new version with the old one's hashes and text; the versions between stay."""
    one = registry.publish(signup("7d"), by="ada").version
    two = registry.publish(signup("3d"), by="ada").version
    back = registry.revert("signup", 1, by="bob", message="3 days lost too many")
    three = back.version
    assert (three.number, three.reverts, three.published_by, three.moves_counts) == (3, 1, "bob", True)
    assert (three.hash, three.text_hash, three.text) == (one.hash, one.text_hash, one.text)
    assert [str(change) for change in back.changes] == ["step 2: window 3d -> 7d"]
    assert registry.versions("signup") == (one, two, three)
    assert not registry.revert("signup", 3, by="bob").published


def test_while_frozen_nobody_publishes_or_reverts(registry: Registry) -> None:
    """Until released; what is the latest already is not published over it, so that stays quiet."""
    registry.publish(signup("3d"), by="ada")
    registry.publish(signup("7d"), by="ada")
    freeze = registry.freeze("signup", by="eve", why="experiment 12")
    assert (freeze.version, freeze.frozen_at) == (2, 1_000_003)
    with pytest.raises(RegistryError, match="signup@2 was frozen by eve: experiment 12"):
        registry.publish(signup("5d"), by="ada")
    with pytest.raises(RegistryError, match="signup@2 was frozen by eve: experiment 12"):
        registry.revert("signup", 1, by="ada")
    assert not registry.publish(signup("7d"), by="ada").published
    with pytest.raises(RegistryError, match="frozen by eve"):
        registry.freeze("signup", by="ada", why="me too")
    registry.release("signup", by="ada", why="it is over")
    assert registry.publish(signup("5d"), by="ada").version.number == 3


def test_freezes_and_releases_are_kept(registry: Registry) -> None:
    """Who, when and why, of both, for ever."""
    registry.publish(signup(), by="ada")
    registry.freeze("signup", by="eve", why="one")
    registry.release("signup", by="bob", why="done")
    registry.freeze("signup", by="eve", why="two")
    told = [(one.frozen_why, one.released_by, one.released_why, one.released_at) for one in registry.freezes("signup")]
    assert told == [("one", "bob", "done", 1_000_003), ("two", None, None, None)]
    assert registry.freezes("other") == ()


def test_releasing_what_is_not_frozen_is_an_error(registry: Registry) -> None:
    """As is freezing what was never published."""
    registry.publish(signup(), by="ada")
    with pytest.raises(RegistryError, match="not frozen"):
        registry.release("signup", by="bob", why="done")
    with pytest.raises(RegistryError, match="Did you mean signup"):
        registry.freeze("signupp", by="bob", why="why")


def test_names_and_numbers_that_are_not_there_are_told_with_what_is(registry: Registry) -> None:
    """The nearest name; the range of numbers."""
    registry.publish(signup(), by="ada")
    with pytest.raises(RegistryError, match="Did you mean signup"):
        registry.version("singup")
    with pytest.raises(RegistryError, match="has only version 1"):
        registry.version("signup", 2)
    with pytest.raises(RegistryError, match="Nothing is published"):
        registry.versions("elsewhere")


@pytest.mark.parametrize("words", ["", "  \n", "x" * 10_001, "\ud800", "a\0b"])
def test_reasons_are_words(registry: Registry, words: str) -> None:
    """Nothing, far too much, and what no database can hold are refused before anything is written."""
    registry.publish(signup(), by="ada")
    with pytest.raises(RegistryError) as refused:
        registry.freeze("signup", by="ada", why=words)
    assert refused.value.code == "bad-words"
    assert registry.freezes() == ()


def test_any_text_that_a_definition_may_hold_is_kept(registry: Registry) -> None:
    """Other scripts, emoji, a NUL and line ends inside values."""
    title = "Ünïcode 漢字 🚪 \u0000 \r\n '\"%;--"
    registry.publish(signup(title=title), by="O'Brien; DROP TABLE versions")
    assert registry.version("signup").definition().title == title
    assert registry.version("signup").published_by == "O'Brien; DROP TABLE versions"


def test_what_was_published_is_there_when_opened_again(place: Path | str, clock: Ticking) -> None:
    """And names come with their latest versions, by name."""
    with open_registry(place, clock) as registry:
        registry.publish(signup(), by="ada")
        registry.publish(signup(funnel="another"), by="ada")
        registry.publish(signup("2d"), by="ada")
    with open_registry(place, clock, create=False) as registry:
        assert [str(one) for one in registry.names()] == ["another@1", "signup@2"]
