"""The trends of a course as a matplotlib figure."""

from math import nan

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stimctl.course.trend import TrendPanel, Trends
from stimctl.report.picture import picture_of

_COLOURS = ("#1b5e9b", "#c2571a", "#3d7a3d", "#7a3d76")
_MARKERS = ("o", "s", "^", "D")  # so that the curves stay apart on a black-and-white print
_MOST_LABELS = 12
_INK, _QUIET, _PALE, _WARNING = "#222222", "#666666", "#e4e4e4", "#9a1f1f"


def picture(drawn: Trends, kind: str) -> bytes:
    """As `png` or `svg`. Raises `Misuse`."""
    return picture_of(lambda: draw(drawn), kind)


def draw(drawn: Trends) -> Figure:
    """A panel for each quantity, one below the other, over the same sessions."""
    figure = Figure(figsize=(9, 10), facecolor="white")
    figure.text(0.09, 0.965, drawn.title, fontsize=14, fontweight="bold", color=_INK)
    for line, mark in enumerate(reversed(drawn.marks)):
        figure.text(0.975, 0.965 - 0.02 * line, mark, fontsize=13, fontweight="bold", color=_WARNING, ha="right")
    grid = figure.add_gridspec(len(drawn.panels), 1, left=0.09, right=0.975, top=0.92, bottom=0.07, hspace=0.42)
    for row, panel in enumerate(drawn.panels):
        axes = figure.add_subplot(grid[row])
        _draw_panel(axes, panel, len(drawn.labels))
        ticks = range(1, len(drawn.labels) + 1, -(-len(drawn.labels) // _MOST_LABELS))
        labels = [drawn.labels[tick - 1] if row == len(drawn.panels) - 1 else "" for tick in ticks]
        axes.set_xticks(ticks, labels)
    figure.text(0.09, 0.012, "session, and its day; where a figure is not known there is no point", color=_QUIET)
    return figure


def _draw_panel(axes: Axes, panel: TrendPanel, sessions: int) -> None:
    axes.set_title(f"{panel.title}, {panel.unit}", loc="left", fontsize=11, color=_INK)
    axes.set_title(panel.standing, loc="right", fontsize=9, color=_QUIET)
    known = [figure for curve in panel.curves for figure in curve.figures if figure is not None]
    for index, curve in enumerate(panel.curves):
        figures = [nan if figure is None else figure for figure in curve.figures]
        (line,) = axes.plot(range(1, sessions + 1), figures, label=curve.name, linewidth=1.4, clip_on=False)
        line.set(color=_COLOURS[index % 4], marker=_MARKERS[index % 4])
    if not known:
        axes.text(0.5, 0.5, "not known of any session", transform=axes.transAxes, ha="center", color=_QUIET)
        axes.set_yticks([])
    axes.set_ylim(0, panel.top)
    axes.set_xlim(0.7, sessions + 0.3)
    axes.grid(axis="y", color=_PALE, linewidth=0.8)
    axes.tick_params(labelsize=9, colors=_QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    if len(panel.curves) > 1:
        axes.legend(fontsize=9, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=4)
