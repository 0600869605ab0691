"""Reports as files: complete in themselves, the same each time, readable without colour, mouse or eyes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from zipfile import ZipFile

import pyarrow as pa
import pytest

import doorstep
from doorstep.pages.comparison import comparison_page
from doorstep.pages.drivers import drivers_page
from doorstep.pages.experiment import experiment_page
from doorstep.pages.funnel import Asked, funnel_page
from doorstep.pages.sensitivity import sensitivity_page
from doorstep.pages.tokens import DARK, LIGHT, TEXTS
from doorstep.pages.words import shown
from doorstep.pages.writing import page_of
from funnels.world import DAY
from pages.samples import COMMAND, HOSTILE, KINDS, NAMES, figures, made, page

ROOT = Path(__file__).parents[2]
VOID = {"meta", "br", "img", "hr", "input", "link"}


class _Read(HTMLParser):
    """The elements of a page, each with its attributes and the names of those around it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self._open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), tuple(self._open)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), tuple(self._open)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes, _ in self.found if name == tag]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of page."""
    return str(request.param)


@pytest.fixture(params=("example", "hostile"))
def text(request: pytest.FixtureRequest, kind: str) -> str:
    """The page, of the example data and of hostile names."""
    return page(kind, request.param == "hostile")


def test_a_page_asks_for_nothing_and_runs_nothing(text: str) -> None:
    """One file: no script, no address, no element that loads."""
    read = _Read(text)
    tags = {name for name, _, _ in read.found}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "video", "audio", "image", "use", "form"}
    for name, attributes, _ in read.found:
        assert not {"src", "href", "xlink:href", "srcset", "action", "onload", "onerror", "onclick"} & set(attributes)
        values = " ".join(value or "" for value in attributes.values())
        assert name == "desc" or "url(h" not in values.replace("url(#", "")
    style = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    assert all("url(" not in one and "@import" not in one for one in style)
    assert read.of("meta")[-1]["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_what_stands_in_data_stays_text(kind: str) -> None:
    """Markup, quotes, and marks that turn text around are shown as what they are."""
    text = page(kind, True)
    read = _Read(text)
    assert not {"script", "img", "b"} & {name for name, _, _ in read.found}
    said = "".join(read.words)
    assert "<script>alert(1)</script>" in said
    assert "onerror=alert(1)" in said
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\x1b\x00") & set(text)
    around = re.sub("<svg.*?</svg>", "", text, flags=re.DOTALL)  # a text of a drawing ends where it is cut
    assert around.count("\u2068") == around.count("\u2069")


def test_texts_that_run_leftward_are_kept_apart() -> None:
    """What surrounds them keeps its order; what would steer is a sign."""
    assert shown(HOSTILE[2]).startswith("\u2068\ufffdevil\ufffd")
    assert shown(HOSTILE[2]).endswith("\u2069")
    assert shown("plain – Ünïcode") == "plain – Ünïcode"
    assert shown("two\nlines") == "two lines"


def test_the_same_figures_give_the_same_bytes(kind: str) -> None:
    """Ids and clips follow from what is drawn, not from how often something was drawn before."""
    assert made(kind, figures()) == page(kind)


def test_every_drawing_has_words_and_numbers(text: str) -> None:
    """Each is an image with a title and a description of its own, and stands in a figure with a table."""
    read = _Read(text)
    ids = [attributes["id"] for _, attributes, _ in read.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    drawings = read.of("svg")
    for one in drawings:
        assert one["role"] == "img"
        assert set(str(one["aria-labelledby"]).split()) <= set(ids)
    for part in re.findall("<figure>(.*?)</figure>", text, re.DOTALL):
        assert part.count("<svg") == part.count("<title id=") == part.count("<desc id=") == 2
        assert part.count("<table>") == 1
        assert re.search("<title id=[^>]*>[^<]+</title>", part)
    assert text.count("<figure>") * 2 == len(drawings)


def test_headings_are_in_order_and_tables_have_heads(text: str) -> None:
    """One h1, no level left out; every table has a caption, every row and column a head."""
    read = _Read(text)
    levels = [int(name[1]) for name, _, _ in read.found if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= former + 1 for former, later in pairwise(levels))
    assert len(read.of("table")) == len(read.of("caption"))
    scopes = [one["scope"] for one in read.of("th")]
    assert scopes.count("row") == text.count("<tr>") - len(read.of("table"))


def test_no_rate_stands_without_its_number(kind: str) -> None:
    """The answer says of how many."""
    text = page(kind, kind == "drivers")  # in the example data nothing goes together with dropping
    answer = re.search('<p class="answer">(.*?)</p>', text, re.DOTALL)
    assert answer is not None
    told = answer[1] if kind != "sensitivity" else text.split("As it is written", 1)[1][:80]
    assert re.search("[0-9.]+\u00a0% of [0-9,]+", told)


def test_a_page_says_what_it_rests_on(kind: str) -> None:
    """Hash, semantics, bounds, horizon, prose, checklist and the command."""
    text = page(kind)
    words = "".join(_Read(text).words)
    for wanted in ("Hash", "Semantics", "Entries", "Horizon", "Who is counted", "◌ defaulted", "✓ declared", COMMAND):
        assert wanted in words
    assert ("Rejected rows" in words) == (kind in {"funnel", "people"})


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _pairs() -> Iterator[tuple[str, str, float]]:
    for tokens in (LIGHT, DARK, {**LIGHT, "paper": "#ffffff"}):
        yield from ((tokens[name], tokens["paper"], 4.5) for name in TEXTS)
        yield from ((tokens[name], tokens["paper"], 3.0) for name in ("accent", "hatch"))


def test_texts_and_marks_stand_out_from_the_paper() -> None:
    """WCAG: 4.5 for texts, 3 for what must be seen, in light, dark and print."""
    assert all(_contrast(one, paper) >= least for one, paper, least in _pairs())


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_shows_a_part_with_its_pictures(name: str) -> None:
    """Every figure draws itself: a part of a page, whose style reaches nothing else of the notebook."""
    part = figures()[name]._repr_html_()
    read = _Read(part)
    assert read.found[0][:2] == ("div", {"class": "doorstep in-notebook"})
    assert not {"html", "body", "script", "main", "footer"} & {tag for tag, _, _ in read.found}
    assert ("<svg" in part) == (name not in {"comparison", "drivers"})
    style = re.findall("<style>(.*?)</style>", part, re.DOTALL)[0]
    selectors = re.findall("([^{}]+){", re.sub("@media[^{]*{", "", style))
    assert all(one.strip().startswith(".doorstep") for each in selectors for one in each.split(","))


def test_where_there_is_nothing_to_show_the_page_says_so() -> None:
    """Nobody entered, one value only, two of the same: a sentence, no rate, and no picture of nothing."""
    rows = pa.table({"user_id": ["u"], "event": ["z"], "time": pa.array([5_000 * DAY], pa.timestamp("us", tz="UTC"))})
    document = {"funnel": "f", "count_by": "user_id", "steps": [{"event": "a"}, {"event": "b", "window": "1d"}]}
    result = doorstep.run(document, rows)
    asked = Asked(result.trend("day"), result.times(), True)
    stricter = {**document, "steps": [{"event": "a"}, {"event": "b", "window": "1h"}]}
    for page_, told in (
        (funnel_page(result, asked), "Nobody entered"),
        (sensitivity_page(doorstep.sensitivity(document, rows)), "However the open rules are meant"),
        (comparison_page(doorstep.compare(document, document, rows)), "The two say the same"),
        (comparison_page(doorstep.compare(document, stricter, rows)), "Nobody entered before, nobody entered after."),
        (experiment_page(doorstep.experiment(document, rows, variant="event")), "nothing to hold against control"),
        (drivers_page(doorstep.drivers(document, rows, step="2")), "Nothing differs more than chance"),
    ):
        text = page_of(page_)
        assert told in text
        assert "nan" not in text.lower().split()
        assert "<svg" not in text
        _Read(text)


def test_a_page_does_not_span_what_is_one_number() -> None:
    """Values that convert alike are said to; a day that the data cuts short is not called unsettled."""
    rows = [
        (f"u{n}", event, DAY + n * 60_000_000 + after, "xyz"[n % 3])
        for n in range(6)
        for after, event in enumerate("ab")
    ]
    table = pa.table(dict(zip(("user_id", "event", "time", "kind"), map(list, zip(*rows, strict=True)), strict=True)))
    table = table.set_column(2, "time", table["time"].cast(pa.timestamp("us", tz="UTC")))
    document = {"funnel": "f", "count_by": "user_id", "steps": [{"event": "a"}, {"event": "b", "window": "1d"}]}
    result = doorstep.run(document, table, breakdown="kind")
    text = page_of(funnel_page(result, Asked(trend=result.trend("day"))))
    assert "All of them alike: 100.0\u00a0% of 6." in text
    assert "1 day, none of them both whole and settled." in text


def test_what_has_no_face_says_so() -> None:
    """A mistake of ours would not be an empty cell."""
    from doorstep.pages.notebook import drawn

    with pytest.raises(TypeError, match="int has no face"):
        drawn(1)


def test_the_wheel_brings_its_templates(tmp_path: Path) -> None:
    """What is installed can write reports too."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as opened:
        names = {name.rpartition("/")[2] for name in opened.namelist() if "/pages/templates/" in name}
    assert names == {path.name for path in (ROOT / "src" / "doorstep" / "pages" / "templates").iterdir()}
