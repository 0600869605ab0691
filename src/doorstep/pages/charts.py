"""Charts as SVG, by Vega-Lite: declared with Altair and drawn in process by vl-convert, without a network.

Each is drawn for a wide and for a narrow page. Colours are stand-ins until the end, when they become the page's own
properties, so that one drawing serves light, dark and paper. The same figures give the same bytes.
"""

from __future__ import annotations

import html
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import vl_convert

from doorstep.pages.parts import Key, Picture, Table
from doorstep.pages.tokens import FONTS, LIGHT

WIDE: Final = 800
NARROW: Final = 366
_LETTER: Final = 7.2
"""How wide a letter of 12 px is at most, on average: readers' fonts differ, and the drawing cannot know them."""

_STAND_INS: Final = {name: f"#0f0e{number:02d}" for number, name in enumerate(LIGHT)}
_NAMES: Final = {stand_in: name for name, stand_in in _STAND_INS.items()}
_VL: Final = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
INK, MUTED, RULE, ACCENT, HATCH, GHOST, PAPER = (
    _STAND_INS[name] for name in ("ink", "muted", "rule", "accent", "hatch", "ghost", "paper")
)
Draw = Callable[[int], Any]


def picture(title: str, told: str, draw: Draw, table: Table, keys: Sequence[Key] = ()) -> Picture:
    """The chart in both widths."""
    wide, narrow = (_svg(draw(width), title, told) for width in (WIDE, NARROW))
    return Picture(title, told, wide, narrow, table, tuple(keys))


def _svg(chart: Any, title: str, told: str) -> str:
    axis = {"labelColor": MUTED, "titleColor": MUTED, "domainColor": RULE, "tickColor": RULE, "gridColor": RULE}
    letters = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    spec = chart.properties(padding={"left": 2, "top": 2, "right": 28, "bottom": 2}).to_dict()
    spec["background"] = None
    spec["config"] = {
        "font": FONTS,
        "aria": False,
        "view": {"stroke": None},
        "axis": {**axis, **letters},
        "text": {"fontSize": 12, "color": INK},
    }
    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version=_VL, allowed_base_urls=[])
    return _as_part_of_a_page(drawn, title, told)


def _as_part_of_a_page(svg: str, title: str, told: str) -> str:
    """The drawing with the page's colours, a text alternative, and ids of its own that follow from what it shows.
    Texts in it are left as they are: only tags are looked at.
    """
    own = f"d{zlib.crc32(f'{title}{told}{svg}'.encode()):08x}"
    numbers: dict[str, str] = {}

    def tag(found: re.Match[str]) -> str:
        text = _SPARED.sub("", found[0])
        text = _COLOURED.sub(lambda one: f'{one[1]}="{_colour(one[1], one[2], own)}"', text)
        return _CLIP.sub(lambda one: numbers.setdefault(one[0], f"{own}c{len(numbers)}"), text)

    head, rest = _EMPTY.sub("", _TAG.sub(tag, svg)).split(">", 1)
    told_by = f' role="img" aria-labelledby="{own}t {own}d" font-family="{FONTS}">'
    texts = f'<title id="{own}t">{html.escape(title)}</title><desc id="{own}d">{html.escape(told)}</desc>'
    hatch = (
        f'<defs><pattern id="{own}h" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="5" height="5" fill="var(--d-paper,{LIGHT["paper"]})"/>'
        f'<path d="M1,0V5" stroke="var(--d-hatch,{LIGHT["hatch"]})" stroke-width="1.6"/></pattern></defs>'
    )
    return head + told_by + texts + (hatch if f"#{own}h" in rest else "") + rest


_TAG: Final = re.compile("<[^>]*>")
_SPARED: Final = re.compile(
    ' (?:version|class|xmlns:xlink|xmlns|role|aria-[a-z]+|pointer-events|font-family)="[^"]*"| opacity="1"'
)
_COLOURED: Final = re.compile('(fill|stroke)="(#0f0e[0-9]{2})"')
_CLIP: Final = re.compile("clip[0-9]+")
_EMPTY: Final = re.compile('<path d=""[^>]*/>|<path d="M0,0h0v0h0Z"/>|<path d="M0,0h[0-9.]+v[0-9.]+h-[0-9.]+Z"/>')


def _colour(what: str, stand_in: str, own: str) -> str:
    name = _NAMES[stand_in]
    return f"url(#{own}h)" if (what, name) == ("fill", "hatch") else f"var(--d-{name},{LIGHT[name]})"


def _data(rows: Sequence[Mapping[str, object]]) -> Any:
    return alt.InlineData(values=[dict(row) for row in rows])


@dataclass(frozen=True, slots=True)
class _Rows:
    """How a chart of one row each is laid out: names on the left, what they say on the right."""

    names: int
    plot: int
    says: int
    order: list[str]

    def y(self, field: str = "row") -> Any:
        """The names, as given."""
        axis = alt.Axis(
            title=None, ticks=False, domain=False, labelColor=INK, labelLimit=int(self.names * 0.88), labelPadding=8,
            minExtent=self.names + 8, maxExtent=self.names + 8, labelExpr="substring(datum.label, 5)",
        )  # fmt: skip
        return alt.Y(f"{field}:N", sort=self.order, axis=axis)

    def text(self, data: Any) -> Any:
        """What each row says, to the right of the plot."""
        return alt.Chart(data).mark_text(align="left").encode(y=self.y(), x=alt.value(self.plot + 10), text="says:N")


def _laid(names: Sequence[str], says: Sequence[str], width: int) -> _Rows:
    most = int(width * 0.36)
    left = min(most, max(30, int(max(map(len, names), default=0) * _LETTER) + 4))
    right = int(max(map(len, says), default=0) * _LETTER) + 12
    return _Rows(left, max(80, width - left - right - 20), right, [_keyed(at, name) for at, name in enumerate(names)])


def _keyed(at: int, name: str) -> str:
    """Two rows of one name stay two rows: the number is cut off again where the name is drawn."""
    return f"{at:04d} {name}"


_PERCENT: Final = "format(datum.value * 100, '~g') + ' %'"


def _x(field: str, scale: Any, title: str | None, labels: str, plot: int) -> Any:
    count = max(2, plot // 70)
    axis = alt.Axis(
        title=title, labelExpr=labels, tickCount=count, grid=True, domain=False, ticks=False, labelFlush=True
    )
    return alt.X(f"{field}:Q", scale=scale, axis=axis)


# -- rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """A row of a chart of rates: the share (of 1), the share that it may still come to, and what the row says."""

    name: str
    share: float | None
    reach: float | None
    says: str


def rates(rows: Sequence[Rate], whole: float | None, *, counts: bool = False) -> Draw:
    """Bars: solid up to the share, hatched up to what may still be reached; a line where everyone stands."""

    def draw(width: int) -> Any:
        laid = _laid([one.name for one in rows], [one.says for one in rows], width)
        data = _data(
            [
                {"row": key, "share": one.share or 0.0, "reach": one.reach or one.share or 0.0, "says": one.says}
                for key, one in zip(laid.order, rows, strict=True)
            ]
        )
        most = max([one.reach or one.share or 0.0 for one in rows] + [whole or 0.0]) or 1.0
        scale = alt.Scale(domain=[0, most], nice=True)
        x = _x("share", scale, None, "datum.label" if counts else _PERCENT, laid.plot)
        chart = alt.Chart(data).encode(y=laid.y())
        layers = [
            chart.mark_bar(fill=HATCH, stroke=MUTED, strokeWidth=0.8, height=12).encode(x=x, x2="reach:Q"),
            chart.mark_bar(fill=ACCENT, height=12).encode(x=x),
            laid.text(data),
        ]
        if whole is not None:
            line = alt.Chart(_data([{"whole": whole}])).mark_rule(color=INK, strokeDash=[3, 3])
            layers.append(line.encode(x=alt.X("whole:Q", scale=scale)))
        return alt.layer(*layers).properties(width=laid.plot, height=alt.Step(24))

    return draw


@dataclass(frozen=True, slots=True)
class Interval:
    """A row with a dot and whiskers; ``shape`` tells without colour what the dot's colour does not."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    says: str
    shape: str = "circle"


def intervals(
    rows: Sequence[Interval], *, line: float | None = None, log: bool = False, labels: str = _PERCENT, title: str = ""
) -> Draw:
    """Dots with whiskers, and a line to hold them against."""

    def draw(width: int) -> Any:
        laid = _laid([one.name for one in rows], [one.says for one in rows], width)
        data = _data(
            [
                {"row": key, "value": one.value, "low": one.low, "high": one.high, "says": one.says, "shape": one.shape}
                for key, one in zip(laid.order, rows, strict=True)
            ]
        )
        ends = [
            end for one in rows for end in (one.value, one.low, one.high) if end is not None and (end > 0 or not log)
        ]
        ends += [] if line is None else [line]
        domain = _with_margin(min(ends), max(ends), log) if ends and min(ends) < max(ends) else None
        kind: Any = "log" if log else "linear"
        given: dict[str, Any] = {} if domain is None else {"domain": domain}
        scale = alt.Scale(type=kind, nice=False, zero=False, clamp=log, **given)
        x = _x("value", scale, title or None, labels, laid.plot)
        chart = alt.Chart(data).encode(y=laid.y())
        there = "isValid(datum.value)"
        whiskers = chart.transform_filter("isValid(datum.low) && isValid(datum.high)")
        low, high = alt.X("low:Q", scale=scale), alt.X("high:Q", scale=scale)
        layers = [
            whiskers.mark_rule(color=ACCENT, strokeWidth=1.6).encode(x=low, x2="high:Q"),
            whiskers.mark_tick(color=ACCENT, thickness=1.6, height=9).encode(x=low),
            whiskers.mark_tick(color=ACCENT, thickness=1.6, height=9).encode(x=high),
            chart.transform_filter(there)
            .mark_point(filled=True, opacity=1, size=70, fill=ACCENT)
            .encode(x=x, shape=alt.Shape("shape:N", scale=None, legend=None)),
            laid.text(data),
        ]
        if line is not None:
            rule = alt.Chart(_data([{"line": line}])).mark_rule(color=INK, strokeDash=[3, 3])
            layers.insert(0, rule.encode(x=alt.X("line:Q", scale=scale)))
        return alt.layer(*layers).properties(width=laid.plot, height=alt.Step(26))

    return draw


def _with_margin(low: float, high: float, log: bool) -> list[float]:
    """A little more than the ends, so that no dot lies on the edge."""
    if log:
        room = (high / low) ** 0.04
        return [low / room, high * room]
    return [low - (high - low) * 0.04, high + (high - low) * 0.04]


@dataclass(frozen=True, slots=True)
class Spread:
    """A row of values that one thing may take."""

    name: str
    values: tuple[float, ...]
    says: str


def dumbbells(rows: Sequence[Spread], own: float) -> Draw:
    """From the least to the greatest value, a ring at each, and a line and a diamond where things stand now."""

    def draw(width: int) -> Any:
        laid = _laid([one.name for one in rows], [one.says for one in rows], width)
        keyed = list(zip(laid.order, rows, strict=True))
        lines = _data(
            [
                {"row": key, "low": min(*one.values, own), "high": max(*one.values, own), "says": one.says}
                for key, one in keyed
            ]
        )
        rings = _data([{"row": key, "value": value} for key, one in keyed for value in dict.fromkeys(one.values)])
        ends = [own, *(value for one in rows for value in one.values)]
        margin = (max(ends) - min(ends)) * 0.04 or 0.01
        scale = alt.Scale(domain=[max(0, min(ends) - margin), min(1, max(ends) + margin)], nice=False, zero=False)
        x = _x("value", scale, None, _PERCENT, laid.plot)
        chart = alt.Chart(lines).encode(y=laid.y())
        stand = alt.Chart(_data([{"value": own}])).mark_rule(color=INK, strokeDash=[3, 3]).encode(x=x)
        span = chart.mark_rule(color=ACCENT, strokeWidth=3).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
        each = alt.Chart(rings).mark_point(filled=True, opacity=1, size=70, fill=PAPER, stroke=ACCENT, strokeWidth=2)
        here = chart.mark_point(filled=True, opacity=1, size=80, shape="diamond", fill=INK).encode(
            x=alt.datum(own, scale=scale)
        )
        layers = [stand, span, each.encode(x=x, y=laid.y()), here, laid.text(lines)]
        return alt.layer(*layers).properties(width=laid.plot, height=alt.Step(26))

    return draw


# -- over time -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moment:
    """A period of a trend, from ``start`` to ``end`` (milliseconds)."""

    start: int
    end: int
    entered: int
    share: float | None
    immature: bool
    low: float | None = None
    high: float | None = None


_LEFT: Final = 48
_LOWER: Final = 56
_ALL_NAMED: Final = 40


def trend(moments: Sequence[Moment], dates: str, named: str) -> Draw:
    """Rates as a line, whole where they are settled and dashed where they are not; below it how many entered."""

    def draw(width: int) -> Any:
        plot = width - _LEFT - 24
        scale = alt.Scale(type="utc", domain=[moments[0].start, moments[-1].end])
        each = [one.start for one in moments]
        named_all: dict[str, Any] = {"values": each} if len(each) <= _ALL_NAMED else {}
        axis = alt.Axis(
            **named_all,
            title=None,
            format=dates,
            tickCount=max(2, plot // 90),
            grid=False,
            labelOverlap=True,
            ticks=True,
        )
        bare = alt.Axis(title=None, labels=False, ticks=False, grid=False)
        rows = _data(_moments(moments))
        chart = alt.Chart(rows)
        extent: dict[str, Any] = {"minExtent": _LEFT, "maxExtent": _LEFT, "domain": False, "ticks": False}
        share_axis = alt.Axis(title=None, labelExpr=_PERCENT, tickCount=5, **extent)
        y = alt.Y("share:Q", axis=share_axis, scale=alt.Scale(zero=True, nice=True))
        x = alt.X("middle:T", scale=scale, axis=bare)
        with_share = chart.transform_filter("isValid(datum.share)")
        mature = with_share.transform_filter("!datum.immature")
        young = with_share.transform_filter("datum.immature")
        upper = alt.layer(
            with_share.mark_line(color=MUTED, strokeDash=[4, 3], strokeWidth=1.2).encode(x=x, y=y),
            mature.mark_line(color=ACCENT, strokeWidth=2.2).encode(x=x, y=y, detail="run:N"),
            chart.transform_filter("isValid(datum.low)")
            .mark_rule(color=MUTED, strokeWidth=5, opacity=0.45)
            .encode(x=x, y=alt.Y("low:Q", axis=share_axis), y2="high:Q"),
            mature.mark_point(filled=True, opacity=1, size=36, fill=ACCENT).encode(x=x, y=y),
            young.mark_point(filled=True, opacity=1, size=44, fill=PAPER, stroke=ACCENT, strokeWidth=1.8).encode(
                x=x, y=y
            ),
        ).properties(width=plot, height=190)
        count_axis = alt.Axis(title=None, tickCount=2, **extent)
        count = alt.Y("entered:Q", axis=count_axis)
        begin = alt.X("start:T", scale=scale, axis=axis)
        whole = chart.transform_filter("!datum.immature").mark_bar(fill=GHOST, stroke=MUTED, strokeWidth=0.6)
        part = chart.transform_filter("datum.immature").mark_bar(fill=HATCH, stroke=MUTED, strokeWidth=0.6)
        lower = alt.layer(*(one.encode(x=begin, x2="end:T", y=count, y2=alt.value(_LOWER)) for one in (whole, part)))
        lower = lower.properties(width=plot, height=_LOWER, title=_titled("entered"))
        return alt.vconcat(upper.properties(title=_titled(named)), lower, spacing=14)

    return draw


def _titled(words: str) -> Any:
    return alt.TitleParams(
        text=words, anchor="start", frame="group", fontSize=12, fontWeight="normal", color=MUTED, offset=6
    )


def _moments(moments: Sequence[Moment]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    run = 0
    for one in moments:
        run += one.immature or one.share is None
        middle = (one.start + one.end) // 2
        rows.append(
            {
                **{"start": one.start, "end": one.end, "middle": middle, "entered": one.entered, "share": one.share},
                **{"immature": one.immature, "low": one.low, "high": one.high, "run": str(run)},
            }
        )
    return rows


def curve(points: Sequence[tuple[float, float, float, float]], unit: str) -> Draw:
    """The share by the time since the entry, as steps, in its interval."""

    def draw(width: int) -> Any:
        plot = width - _LEFT - 24
        rows = [dict(zip(("after", "share", "low", "high"), point, strict=True)) for point in points]
        chart = alt.Chart(_data(rows))
        y_axis = alt.Axis(title=None, labelExpr=_PERCENT, tickCount=5, minExtent=_LEFT, domain=False, ticks=False)
        x_axis = alt.Axis(title=f"{unit} since the entry", grid=False, tickCount=max(3, plot // 80))
        x = alt.X("after:Q", axis=x_axis, scale=alt.Scale(nice=False, zero=True))
        y = alt.Y("share:Q", axis=y_axis, scale=alt.Scale(zero=True))
        return alt.layer(
            chart.mark_area(fill=GHOST, interpolate="step-after", line=False).encode(
                x=x, y=alt.Y("low:Q", axis=y_axis), y2="high:Q"
            ),
            chart.mark_line(color=ACCENT, strokeWidth=2.2, interpolate="step-after").encode(x=x, y=y),
        ).properties(width=plot, height=220)

    return draw
