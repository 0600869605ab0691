"""Random journeys, and lives so dense that ties and the edges of windows are hit all the time."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

EVENTS = ["a", "b", "c"]
LENGTHS = ["1s", "2s", "3s", "5s"]
SECOND = 1_000_000


def _maybe(draw: st.DrawFn, chance: int) -> bool:
    """True once in ``chance`` draws."""
    return draw(st.integers(1, chance)) == chance


@st.composite
def _selectors(draw: st.DrawFn) -> dict[str, Any]:
    event = draw(st.one_of(st.sampled_from([*EVENTS, "*"]), st.lists(st.sampled_from(EVENTS), min_size=1, max_size=2)))
    found: dict[str, Any] = {"event": event}
    if _maybe(draw, 4):
        found["filters"] = draw(st.sampled_from([{"p": 1}, {"not": {"p": 1}}, {"unit.plan": "pro"}]))
    if not _maybe(draw, 3):
        found["in_last"] = draw(st.sampled_from(LENGTHS))
    return found


@st.composite
def _bounds(draw: st.DrawFn, most: int = 4) -> dict[str, Any]:
    kind = draw(st.sampled_from(["at_least", "at_least", "at_most", "exactly", "both"]))
    low = draw(st.integers(0 if kind != "at_least" else 1, most))
    return {"at_least": low, "at_most": low + draw(st.integers(0, 2))} if kind == "both" else {kind: low}


@st.composite
def _leaves(draw: st.DrawFn, stages: int) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(
            [
                "count",
                "count",
                "did",
                "did_not",
                "sum",
                "distinct",
                "feature",
                "features",
                "age",
                "stay",
                "stay",
                "trait",
            ]
        )
    )
    match kind:
        case "did" | "did_not":
            return {kind: draw(_selectors())}
        case "count":
            return {"count": {**draw(_selectors()), **draw(_bounds())}}
        case "sum":
            bounds: dict[str, Any] = draw(
                st.sampled_from([{"at_least": 1.5}, {"at_most": 0.1}, {"exactly": 0.3}, {"at_least": -1}])
            )
            return {"sum": {**draw(_selectors()), "property": "x", **bounds}}
        case "distinct":
            return {"distinct": {**draw(_selectors()), "property": "x", **draw(_bounds(3))}}
        case "feature":
            return {"feature": draw(st.sampled_from(["f", {"name": "g", "in_last": "2s"}]))}
        case "features":
            return {"features": {**draw(_bounds(2)), "in_last": draw(st.sampled_from(LENGTHS))}}
        case "age":
            return {"account_age": draw(st.sampled_from(LENGTHS))}
        case "stay":
            stay: dict[str, Any] = {"at_least": draw(st.sampled_from(LENGTHS))}
            return {
                "time_in_stage": {**stay, "stage": f"s{draw(st.integers(0, stages - 1))}"}
                if draw(st.booleans())
                else stay
            }
        case _:
            return {
                "trait": draw(st.sampled_from([{"plan": "pro"}, {"seats": {"gte": 2}}, {"plan": {"exists": False}}]))
            }


@st.composite
def _criteria(draw: st.DrawFn, stages: int, depth: int = 0) -> dict[str, Any]:
    form = draw(st.sampled_from(["leaf", "leaf", "leaf", "all", "any", "not"])) if depth < 2 else "leaf"
    if form == "leaf":
        return draw(_leaves(stages))
    if form == "not":
        return {"not": draw(_criteria(stages, depth + 1))}
    return {form: draw(st.lists(_criteria(stages, depth + 1), min_size=1, max_size=3))}


@st.composite
def journeys(draw: st.DrawFn) -> dict[str, Any]:
    """A valid journey of two to five stages."""
    stages = draw(st.integers(2, 5))
    document: dict[str, Any] = {
        "journey": "random",
        "count_by": "unit",
        "stages": [
            {"id": f"s{number}", **({"criteria": draw(_criteria(stages))} if number else {})}
            for number in range(stages)
        ],
        "features": draw(
            st.sampled_from(
                [{"property": "f"}, {"f": "a", "g": ["b", "c"]}, {"f": {"filters": {"p": 1}}, "g": "b", "h": "*"}]
            )
        ),
        "movement": {
            "backward": draw(st.booleans()),
            "skip": draw(st.booleans()),
            "grace": draw(st.sampled_from(["0s", "0s", "1s", "3s"])),
        },
    }
    if _maybe(draw, 5):
        document["stages"][-1]["rank"] = "none"
    return document


@st.composite
def lives(draw: st.DrawFn, stages: int, units: int = 2) -> dict[str, list[dict[str, Any]]]:
    """Rows, traits and moves of a few accounts within twelve seconds."""
    found: dict[str, list[dict[str, Any]]] = {"rows": [], "traits": [], "moves": []}
    for number in range(units):
        unit = f"u{number}"
        for _ in range(draw(st.integers(0, 12))):
            row: dict[str, Any] = {
                "unit": unit,
                "event": draw(st.sampled_from(EVENTS)),
                "time": draw(st.integers(0, 12)) * SECOND,
            }
            for name, values in (
                ("p", [0, 1, None]),
                ("x", [0.1, 0.2, 1, 1.0, -1, True, "1", None]),
                ("f", ["f", "g", None]),
            ):
                value = draw(st.sampled_from(values))
                if value is not None:
                    row[name] = value
            found["rows"].append(row)
        for _ in range(draw(st.sampled_from([0, 0, 1, 2, 4]))):
            trait: dict[str, Any] = {"unit": unit}
            if draw(st.booleans()):
                trait["time"] = draw(st.integers(0, 12)) * SECOND
            for name, values in (("plan", ["pro", "free", None]), ("seats", [1, 2, None])):
                trait[name] = draw(st.sampled_from(values))
            if _maybe(draw, 3):
                trait["created_at"] = draw(st.integers(-2, 14)) * SECOND
            found["traits"].append(trait)
        for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
            move = {"unit": unit, "at": draw(st.integers(0, 12)) * SECOND, "to": f"s{draw(st.integers(0, stages - 1))}"}
            found["moves"].append(move)
    return found


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """A journey, lives, and a horizon."""
    definition = draw(journeys())
    return {
        "definition": definition,
        **draw(lives(len(definition["stages"]))),
        "until": draw(st.integers(2, 18)) * SECOND,
    }
