"""What a notebook shows of a figure: the sections of its page, without the rest."""

from __future__ import annotations

from doorstep.funnels.compare import Comparison
from doorstep.funnels.drivers import Drivers
from doorstep.funnels.experiment import Experiment
from doorstep.funnels.previous import PreviousPeriod
from doorstep.funnels.result import FunnelResult
from doorstep.funnels.sensitivity import Sensitivity
from doorstep.funnels.times import TimeFigures
from doorstep.funnels.trend import Trend
from doorstep.pages.parts import Page, Section
from doorstep.pages.writing import part_of


def drawn(figure: object) -> str:
    """HTML to stand in a notebook. TypeError for what has no face."""
    match figure:
        case Trend() | TimeFigures():
            return part_of([_section(figure)])
        case _:
            page = _page(figure)
            return part_of(page.sections, page)


def _section(figure: Trend | TimeFigures) -> Section:
    from doorstep.pages import answers  # noqa: PLC0415 - loads the charts, which not every figure needs

    return answers.trend_section(figure) if isinstance(figure, Trend) else answers.times_section(figure)


def _page(figure: object) -> Page:
    from doorstep.pages import funnel  # noqa: PLC0415 - each kind loads what it needs

    match figure:
        case FunnelResult():
            return funnel.funnel_page(figure, funnel.Asked())
        case PreviousPeriod():
            return funnel.funnel_page(figure.current, funnel.Asked(before=figure))
        case Sensitivity():
            from doorstep.pages.sensitivity import sensitivity_page  # noqa: PLC0415

            return sensitivity_page(figure)
        case Comparison():
            from doorstep.pages.comparison import comparison_page  # noqa: PLC0415

            return comparison_page(figure)
        case Experiment():
            from doorstep.pages.experiment import experiment_page  # noqa: PLC0415

            return experiment_page(figure)
        case Drivers():
            from doorstep.pages.drivers import drivers_page  # noqa: PLC0415

            return drivers_page(figure)
        case _:
            raise TypeError(f"{type(figure).__name__} has no face in a notebook")


__all__ = ["drawn"]
