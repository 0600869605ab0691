"""Documents written as YAML are read as what they were."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorstep.definitions.identity import definition_hash, text_hash
from doorstep.definitions.reading import load, load_text
from doorstep.definitions.yaml_text import parse_yaml
from doorstep.definitions.yaml_writing import to_yaml
from strategies import documents

TEXTS = [
    *("", "NO", "yes", "~", "null", "true", "1", "1.0", "0o17", "0x1F", "1e3", ".5", "2026-03-01", "1:30", "<<", "="),
    *("- a", "a: b", "*x", "&x", "!x", "#x", "é漢🚪", "\u0085", "\u2028", "\0", "two\nlines", " led", "x " * 300),
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_text_stays_a_text(text: str) -> None:
    """As a value and as a key, whatever YAML would take it for."""
    document = {text: [text, {"a": text}]}
    assert parse_yaml(to_yaml(document), "x.yaml").value == document


_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), _scalars, min_size=1))
def test_any_values_come_back(document: dict[str, Any]) -> None:
    """Of every type that JSON has."""
    assert parse_yaml(to_yaml(document), "x.yaml").value == document


@settings(max_examples=60, deadline=None)
@given(documents())
def test_a_definition_written_as_yaml_is_the_same_definition(document: dict[str, Any]) -> None:
    """Both hashes stay."""
    before, after = load(document), load_text(to_yaml(document), file="x.yaml", name="funnel")
    assert (definition_hash(before), text_hash(before)) == (definition_hash(after), text_hash(after))
