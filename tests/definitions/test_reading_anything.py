"""Whatever is given to the reader, it answers with a funnel or with issues."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorstep.definitions.complaints import known_keys
from doorstep.definitions.reading import load
from doorstep.errors import DefinitionError
from strategies import documents

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["1d", "0s", "1d_after_step_2", "a", "*", "never", "any", "furthest", "any_step", "consecutive"]),
)
HOLDERS = [
    (),
    ("steps", 0),
    ("steps", 0, "any_of", 0),
    ("steps", 0, "filters", "p"),
    ("reentry",),
    ("exclude_between", 0),
    ("examples", 0, "expect"),
]
KEYS = st.sampled_from(
    sorted({"all", "any", "not", "optional_between", *(key for one in HOLDERS for key in known_keys(one))})
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=3)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path in plain data."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in parts for place in places(part, (*path, key)))]


def spoilt(document: dict[str, Any], order: random.Random, key: str, value: Any) -> dict[str, Any]:
    """The document with one place replaced, added or taken away."""
    document = copy.deepcopy(document)
    *holders, last = order.choice(places(document)[1:])
    holder: Any = document
    for part in holders:
        holder = holder[part]
    edit = order.choice(["replace", "add", "drop"])
    if edit == "replace":
        holder[last] = value
    elif edit == "drop":
        del holder[last]
    elif isinstance(holder, dict):
        holder[key] = value
    else:
        holder.insert(last, value)
    return document


def answered(source: Any) -> bool:
    """Whether the reader answered, with a funnel or with issues that are fit to be shown."""
    try:
        load(source)
    except DefinitionError as error:
        return all(
            issue.message.endswith(".") and (isinstance(source, dict) or issue.position or issue.level == "note")
            for issue in error.issues
        )
    return True


@settings(max_examples=300, deadline=None)
@given(documents(), st.randoms(use_true_random=False), KEYS, VALUES)
def test_a_spoilt_definition_is_answered(
    document: dict[str, Any], order: random.Random, key: str, value: object
) -> None:
    """One or two places of a valid definition made into something else."""
    once = spoilt(document, order, key, value)
    assert answered(once)
    if len(places(once)) > 1:
        assert answered(spoilt(once, order, key, value))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents(), st.randoms(use_true_random=False), KEYS, VALUES, st.sampled_from(["f.json", "f.yaml"]))
def test_a_spoilt_file_is_answered_with_places(
    tmp_path: Path, document: dict[str, Any], order: random.Random, key: str, value: object, name: str
) -> None:
    """The same written to a file: every issue has a line and a column."""
    path = tmp_path / name
    path.write_text(json.dumps(spoilt(document, order, key, value)), encoding="utf-8")
    assert answered(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=60), st.text("{}[]:,-&*!#'\"|>%@ \n\tab1<?", max_size=40).map(str.encode)))
def test_any_bytes_are_answered(tmp_path: Path, data: bytes) -> None:
    """Neither YAML's corners nor noise end in a traceback."""
    for name in ("f.yaml", "f.json"):
        (tmp_path / name).write_bytes(data)
        assert answered(tmp_path / name)
