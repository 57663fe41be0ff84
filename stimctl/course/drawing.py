"""Draws the trends of a course: into a picture with matplotlib, for a terminal with plotext.

Both are extras (`plot`), loaded on first use.
"""

from pathlib import Path

from stimctl.course.trend import Trends
from stimctl.errors import Misuse

_NO_DRAWING = "{} is not installed, which draws the trends: pip install 'stimctl[plot]'"


def save(drawn: Trends, path: Path) -> Path:
    """Write the picture, as PNG or SVG by its ending. Raises `Misuse` for another ending or without matplotlib."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise Misuse(f"{path.name}: a picture is written as .png or .svg")
    try:
        from stimctl.course import trend_figure
    except ModuleNotFoundError:
        raise Misuse(_NO_DRAWING.format("matplotlib")) from None
    trend_figure.write(drawn, path)
    return path


def text(drawn: Trends, *, width: int = 100) -> str:
    """The curves for a terminal, without colours. Raises `Misuse` without plotext."""
    try:
        from stimctl.course import trend_terminal
    except ModuleNotFoundError:
        raise Misuse(_NO_DRAWING.format("plotext")) from None
    return trend_terminal.text(drawn, width)
