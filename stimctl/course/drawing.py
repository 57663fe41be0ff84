"""Draws the trends of a course: into a picture with matplotlib, for a terminal with plotext.

Both are extras (`plot`), loaded on first use.
"""

from stimctl.course.trend import Trends
from stimctl.errors import Misuse

_NO_DRAWING = "{} is not installed, which draws the trends: pip install 'stimctl[plot]'"


def picture(drawn: Trends, ending: str) -> bytes:
    """The picture, as `.png` or `.svg`. Raises `Misuse` for another ending or without matplotlib."""
    if ending.lower() not in (".png", ".svg"):
        raise Misuse(f"a picture is written as .png or .svg, not as {ending or 'a file without an ending'}")
    try:
        from stimctl.course import trend_figure
    except ModuleNotFoundError:
        raise Misuse(_NO_DRAWING.format("matplotlib")) from None
    return trend_figure.picture(drawn, ending.lower().removeprefix("."))


def text(drawn: Trends, *, width: int = 100) -> str:
    """The curves for a terminal, without colours. Raises `Misuse` without plotext."""
    try:
        from stimctl.course import trend_terminal
    except ModuleNotFoundError:
        raise Misuse(_NO_DRAWING.format("plotext")) from None
    return trend_terminal.text(drawn, width)
