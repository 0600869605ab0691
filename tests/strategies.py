"""Random definitions that are valid, and dense random timelines: few event names, many equal times."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

EVENTS = ["a", "b", "c", "d"]
LENGTHS = ["1s", "2s", "3s", "5s", "8s"]


@st.composite
def selectors(draw: st.DrawFn) -> dict[str, Any]:
    """An event or several, sometimes with a filter on ``p``."""
    event = draw(
        st.one_of(st.sampled_from(EVENTS), st.lists(st.sampled_from(EVENTS), min_size=1, max_size=2), st.just("*"))
    )
    filters = draw(st.sampled_from([None, None, {"p": 1}, {"p": {"ne": 1}}, {"p": {"gte": 1}}, {"not": {"p": 0}}]))
    return {"event": event} if filters is None else {"event": event, "filters": filters}


def _maybe(draw: st.DrawFn, chance: int) -> bool:
    """True once in ``chance`` draws."""
    return draw(st.integers(1, chance)) == chance


@st.composite
def windows(draw: st.DrawFn, earlier: list[str]) -> list[str]:
    """One or two windows, after prev, the entry or an earlier step."""
    anchors = ["prev", "entry", *(f"step_{one}" for one in earlier)]
    one = st.builds(
        lambda length, anchor: f"{length}_after_{anchor}", st.sampled_from(LENGTHS), st.sampled_from(anchors)
    )
    return draw(st.lists(one, min_size=1, max_size=2))


@st.composite
def _branch(draw: st.DrawFn, earlier: list[str]) -> dict[str, Any]:
    subs = []
    for index in range(draw(st.integers(1, 3))):
        sub = {"id": f"sub{index}", **draw(selectors())}
        if _maybe(draw, 3):
            sub["window"] = draw(windows([*earlier, *(f"sub{before}" for before in range(index))]))
        if _maybe(draw, 4):
            sub["min_gap"] = draw(st.sampled_from(LENGTHS[:2]))
        if _maybe(draw, 3):
            sub["dedupe"] = draw(st.sampled_from(["first", "last", "nearest"]))
        subs.append(sub)
    return {"steps": subs}


@st.composite
def _any_of(draw: st.DrawFn, earlier: list[str], entry: bool, branches: bool, limited: bool) -> dict[str, Any]:
    alternatives = []
    for _ in range(draw(st.integers(1, 3))):
        if branches and not entry and _maybe(draw, 2):
            alternatives.append(draw(_branch(earlier)))
            continue
        one = draw(selectors())
        if limited and not entry and _maybe(draw, 2):
            one["window"] = draw(windows(earlier))
        alternatives.append(one)
    return {"any_of": alternatives}


@st.composite
def reentries(draw: st.DrawFn, required: list[str]) -> Any:
    """Every form of semantics 6."""
    form = draw(st.sampled_from(["never", "always", "after_completion", "after_timeout", "no_within_3s", "objects"]))
    if form != "objects":
        return form
    rules = []
    for _ in range(draw(st.integers(1, 2))):
        rule: dict[str, Any] = {}
        if _maybe(draw, 2):
            rule["after"] = draw(
                st.lists(st.sampled_from(["completed", "expired", "excluded"]), min_size=1, unique=True)
            )
        if _maybe(draw, 3):
            rule["no_within"] = draw(st.sampled_from(LENGTHS))
        if _maybe(draw, 3):
            rule["inactive"] = draw(st.sampled_from(LENGTHS[:3]))
        if _maybe(draw, 3):
            rule["event"] = draw(selectors())
        if _maybe(draw, 3):
            rule["below_step"] = draw(st.sampled_from(required))
        if _maybe(draw, 2):
            rule["interrupt"] = True
        rules.append(rule)
    return rules


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A valid definition of one to five steps over the four events."""
    kind = draw(
        st.sampled_from(["sequential", "sequential", "sequential", "consecutive", "any", "furthest", "furthest"])
    )
    sequential, furthest, any_order = kind == "sequential", kind == "furthest", kind == "any"
    count = draw(st.integers(1, 5))
    optional = [index > 0 and kind in ("sequential", "consecutive") and _maybe(draw, 5) for index in range(count)]
    ids = [str(index + 1) for index in range(count)]
    required = [name for name, skipped in zip(ids, optional, strict=True) if not skipped]
    document: dict[str, Any] = {"count_by": "user_id"}
    if kind != "furthest" and not any_order:
        document["entry"] = draw(
            st.one_of(
                st.just("step1_only"),
                st.just("any_step"),
                st.lists(st.sampled_from(required), min_size=1, max_size=2, unique=True),
            )
        )
    entries = required if any_order or document.get("entry") == "any_step" else document.get("entry")
    entries = required[:1] if entries in (None, "step1_only") else entries
    steps = []
    for index, name in enumerate(ids):
        earlier = [one for one in required if int(one) < int(name)]
        body = draw(selectors())
        branches = False
        if _maybe(draw, 4):
            body = draw(
                _any_of(
                    earlier if not furthest else [], name in entries, sequential and not optional[index], not any_order
                )
            )
            branches = any("steps" in one for one in body["any_of"])
        step = {"id": name, **body}
        if optional[index]:
            step["optional"] = True
        if index and not any_order and _maybe(draw, 2):
            step["window"] = draw(windows([] if furthest else earlier))
        if index and sequential and not optional[index]:
            if _maybe(draw, 3):
                step["dedupe"] = draw(st.sampled_from(["first", "last", "nearest"]))
            if not branches and _maybe(draw, 5):
                step["min_gap"] = draw(st.sampled_from(LENGTHS[:3]))
            elif not branches and _maybe(draw, 4):
                step["out_of_order"] = draw(st.sampled_from(LENGTHS))
        if _maybe(draw, 6):
            step["first_time"] = draw(st.sampled_from([True, "matching"]))
        steps.append(step)
    document["steps"] = steps
    if furthest:
        document["match"] = "furthest"
    elif not sequential:
        document["order"] = kind
    if any_order or _maybe(draw, 4):
        document["window"] = draw(st.sampled_from(LENGTHS))
    if not any_order and _maybe(draw, 4):
        document["ties"] = "forbid"
    if not furthest:
        document["count"] = draw(st.sampled_from(["unique", "attempts"]))
        if any_order:
            document["reentry"] = draw(
                st.sampled_from(["never", "always", "after_completion", "after_timeout", "no_within_3s"])
            )
        else:
            document["reentry"] = draw(reentries(required))
    document["represent"] = draw(st.sampled_from(["best", "first", "last"]))
    if kind in ("sequential", "consecutive") and len(required) > 1 and _maybe(draw, 3):
        rules = []
        for _ in range(draw(st.integers(1, 2))):
            after = draw(st.integers(0, len(required) - 2))
            before = draw(st.integers(after + 1, len(required) - 1))
            effect = draw(st.sampled_from(["drop", "stop"]))
            rules.append({**draw(selectors()), "after": required[after], "before": required[before], "effect": effect})
        document["exclude_between"] = rules
    if _maybe(draw, 5):
        document["hold_constant"] = ["k"]
    if _maybe(draw, 8):
        document["exclude_units"] = [{"event": "d", "filters": {"p": 2}}]
    if _maybe(draw, 8):
        document["exclude"] = [{"event": "c", "filters": {"p": 2}}]
    if _maybe(draw, 8):
        document["count_by"] = {"session_of": "user_id", "gap": draw(st.sampled_from(LENGTHS))}
    return document


SECOND = 1_000_000


@st.composite
def timelines(draw: st.DrawFn, units: int = 2) -> list[dict[str, Any]]:
    """Up to 14 rows a unit within 12 seconds, in any order of arrival."""
    rows = []
    for unit in range(units):
        for _ in range(draw(st.integers(1, 14))):
            row: dict[str, Any] = {
                "user_id": f"u{unit}",
                "event": draw(st.sampled_from(EVENTS)),
                "time": draw(st.integers(0, 12)) * SECOND,
            }
            for name, values in (("p", [0, 1, 2, None]), ("k", ["x", "y", None])):
                value = draw(st.sampled_from(values))
                if value is not None:
                    row[name] = value
            rows.append(row)
    return rows


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Bounds of a run; often none, never an empty range."""
    given: dict[str, Any] = {}
    if _maybe(draw, 3):
        given["since"] = draw(st.integers(0, 6)) * SECOND
    if _maybe(draw, 3):
        given["until"] = draw(st.integers(7 if "since" in given else 4, 12)) * SECOND
    if _maybe(draw, 2):
        given["as_of"] = draw(st.integers(6, 20)) * SECOND
    given["first_time"] = _maybe(draw, 6)
    return given
