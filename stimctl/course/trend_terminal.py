"""The trends of a course as text for a terminal: a plot for each quantity, and its figures below it."""

import plotext

from stimctl.course.trend import TrendPanel, Trends

HEIGHT = 9


def text(drawn: Trends, width: int) -> str:
    """The plots, one below the other."""
    title = ": ".join((*drawn.marks, drawn.title))
    return "\n\n".join([title, *(_panel(panel, len(drawn.labels), width) for panel in drawn.panels)]) + "\n"


def _panel(panel: TrendPanel, sessions: int, width: int) -> str:
    head = f"{panel.title}, {panel.unit} ({panel.standing})"
    lines = [f"  {curve.name}: {', '.join(map(_figure, curve.figures))}" for curve in panel.curves]
    drawn = [
        [(number, figure) for number, figure in enumerate(curve.figures, 1) if figure is not None]
        for curve in panel.curves
    ]
    plot = (
        _plot([each for each in drawn if each], sessions, panel.top, width)
        if any(drawn)
        else ["  not known of any session"]
    )
    return "\n".join([head, *plot, *lines])


def _figure(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.4g}"


def _plot(curves: list[list[tuple[int, float]]], sessions: int, top: float, width: int) -> list[str]:
    """plotext keeps one figure for the process: cleared before, and left cleared."""
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, HEIGHT)
    figure.ruler("x").ticks(list(range(1, sessions + 1)), [str(number) for number in range(1, sessions + 1)])
    figure.ruler("y").lim(0, top)
    for curve in curves:
        numbers, figures = zip(*curve, strict=True)
        figure.draw(figure.signal(list(numbers), list(figures)).lines())
    drawn = str(plotext.uncolorize(str(figure.build())))
    figure.clear()
    return [line.rstrip() for line in drawn.splitlines()]
