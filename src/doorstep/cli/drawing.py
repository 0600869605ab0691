"""What several screens draw with: bars, numbers of things, and tables that fit their width."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

BAR: Final = 28
"""Width of a bar, in characters, where there is room."""

GAP: Final = 2
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is drawn for the width there is."""

    draw: Callable[[int], RenderableType]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        del console
        yield self.draw(options.max_width)


def bar(share: float, ghost: float, width: int = BAR) -> Text:
    """A horizontal bar of ``share`` (0 to 1); the part up to ``ghost``, where the previous step stood, is shaded."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[rest] if rest else "")
    shaded = max(0, round(max(0.0, min(1.0, ghost)) * width) - len(drawn))
    return Text(drawn, "blue") + Text("░" * shaded, "bright_black") + Text(" " * (width - len(drawn) - shaded))


def number_of(number: int, noun: str) -> str:
    """``1 unit``, ``2,000 units``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


# -- tables with bars ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: what it is about, a bar for a width (if it has one), and a cell for each column of numbers."""

    label: Text
    bar: Callable[[int], Text] | None
    cells: Sequence[Text]


@dataclass(frozen=True, slots=True)
class _Layout:
    label: int
    bar: int
    columns: tuple[str, ...]
    widths: tuple[int, ...]


def bars(head: str, columns: Sequence[str], lines: Sequence[Line], *, leave: Sequence[str], most_bar: int) -> Fitted:
    """A table of labels, bars and numbers. Numbers are never cut and labels break at words: where there is little room
    bars shrink, headings break, and the columns of ``leave`` go, the first of them first, the bars before the last.
    """

    def draw(width: int) -> Table:
        layout = _layout(width, head, columns, lines, leave, most_bar)
        table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bright_black")
        table.add_column(head, width=layout.label, overflow="fold")
        if layout.bar:
            table.add_column("", width=layout.bar, no_wrap=True)
        for name, wide in zip(layout.columns, layout.widths, strict=True):
            table.add_column(name, width=wide, justify="right")
        chosen = [columns.index(name) for name in layout.columns]
        for line in lines:
            drawn = line.bar(layout.bar) if line.bar and layout.bar else Text("")
            cells = [line.cells[one] if one < len(line.cells) else Text("") for one in chosen]
            table.add_row(line.label, *([drawn] if layout.bar else []), *cells)
        return table

    return Fitted(draw)


def _layout(
    width: int, head: str, columns: Sequence[str], lines: Sequence[Line], leave: Sequence[str], most_bar: int
) -> _Layout:
    natural = min(38, max([len(head), *(line.label.cell_len for line in lines)]))
    for useful, least_bar, broken, kept in _concessions(columns, leave):
        widths = tuple(_width(columns.index(name), name, lines, broken) for name in kept)
        label = min(natural, useful)
        room = width - sum(widths) - GAP * len(widths) - label - (least_bar + GAP if least_bar else 0)
        if room >= 0 or not kept[1:]:
            room = max(room, 0)
            more = min(room, natural - label)
            longer = min(room - more, most_bar - least_bar) if least_bar else 0
            return _Layout(label + more, least_bar + longer, kept, widths)
    raise AssertionError(columns)


def _concessions(columns: Sequence[str], leave: Sequence[str]) -> Iterator[tuple[int, int, bool, tuple[str, ...]]]:
    """(least width of labels, of bars, whether headings may break, columns), from the roomiest to the tightest."""
    yield 38, 16, False, tuple(columns)
    yield 24, 10, True, tuple(columns)
    gone: list[str] = []
    kept = tuple(columns)
    for name in leave:
        gone.append(name)
        kept = tuple(one for one in columns if one not in gone)
        yield 24, 8, True, kept
        yield 20, 6, True, kept
    yield 16, 0, True, kept
    yield 12, 0, True, kept
    while kept[1:]:
        kept = kept[:-1]
        yield 12, 0, True, kept
    yield 6, 0, True, kept


def _width(index: int, name: str, lines: Sequence[Line], broken: bool) -> int:
    heading = max(map(len, name.split())) if broken else len(name)
    return max([heading, *(line.cells[index].cell_len for line in lines if index < len(line.cells))])
