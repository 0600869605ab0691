"""Each sentence of the semantics, by a small timeline, on both walks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from timelines import case_from, told
from walks import Case, Outcome, by_kernel, by_reference, counts_of

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "semantics.md").read_text("utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
CASES = [
    *(block for block in BLOCKS if "journey" not in block),  # those are run as examples, with the page
    *yaml.safe_load((ROOT / "tests" / "conformance" / "timelines.yaml").read_text("utf-8")),
]


@pytest.mark.parametrize("walk", [by_reference, by_kernel])
@pytest.mark.parametrize("given", CASES, ids=lambda given: str(given["rule"])[:60])
def test_a_timeline_gives_what_the_rule_says(given: dict[str, Any], walk: Callable[[Case], list[Outcome]]) -> None:
    """The attempts, and the counts where the case names them, are those of the rule."""
    case = case_from(given)
    outcomes = walk(case)
    assert [told(case, one) for one in outcomes] == given["gives"]
    if "counts" in given:
        assert counts_of(case, outcomes) == given["counts"]
